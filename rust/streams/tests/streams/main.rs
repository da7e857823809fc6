//! The promises of streams, each between two hosts in memory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod bounds;
mod determinism;
mod handshake;
mod identity;
mod lifetime;
mod network;
mod outage;
mod transfer;
