//! Streams between hosts: QUIC inside the payloads of L3.5 connections, bound to the hosts' identities.
//!
//! One [`Streams`] is one host's end of all its stream connections. It is pure: it owns no socket, no
//! clock and no runtime. Time comes in as `now_ns`, payloads come in by [`Streams::handle`], and what is
//! to be sent, what happened and when to call again come out by [`Streams::next_transmit`],
//! [`Streams::next_event`] and [`Streams::next_deadline_ns`]. With a seed, two runs with equal calls give
//! equal bytes lengths and times; without one, keys and identifiers come from the system.
//!
//! A walk: the caller asks for a connection ([`Streams::connect`]) to a peer whose 16-byte address and
//! Ed25519 key it has from a signed record. `tls` makes both ends prove their keys as raw public keys;
//! `endpoint` hands datagrams to the right QUIC connection; a first payload of a stranger waits in
//! `incoming` until the caller has found the stranger's key ([`Event::KeyWanted`], then
//! [`Streams::accept`]); `connection` opens, writes and reads streams.
#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)
)]

mod config;
mod congestion;
mod connection;
mod endpoint;
mod errors;
mod events;
pub mod framing;
mod identity;
mod incoming;
pub mod internet;
pub mod junction;
mod key;
mod key_exchange;
mod probing;
mod randomness;
mod schedule;
mod secured;
pub mod sites;
mod slots;
mod statistics;
mod streams;
mod tls;

pub use bytes::Bytes;
pub use config::StreamsConfig;
pub use errors::StreamsError;
pub use events::{Event, Loss, LossKind, Reading, Transmit};
pub use identity::public_key;
pub use key::ConnectionKey;
pub use statistics::{ConnectionStatistics, Statistics};
pub use streams::Streams;
