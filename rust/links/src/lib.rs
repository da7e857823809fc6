//! Seeded models of links: when do the copies of a datagram arrive, and which bits are wrong?
//!
//! Pure: the time comes in with each offer, the arrivals go out. The simulation puts them into its
//! own event queue; the shaper puts them on native timers between real sockets. Walk of a datagram:
//! cut, then the queue and the rate, then loss, delay and jitter (or none, when reordered), then a
//! second copy, then one flipped bit per corrupted copy. `Agenda` is that event queue, `Underlay` all of a
//! simulation's links with it.
#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)
)]

mod agenda;
mod chance;
mod link;
mod rate;
pub mod underlay;

pub use agenda::Agenda;
pub use link::{Arrival, Arrivals, Counters, Impairments, Link, LinkError};
