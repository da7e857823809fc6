//! Pipes: endpoints joined in memory, on a virtual clock.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::indexing_slicing
)]

mod net;
mod opening;
