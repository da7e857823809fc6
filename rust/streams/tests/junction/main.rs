//! The promises of a node's streams, with hosts, nodes and sockets in memory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod anonymous;
mod crossing;
mod crowding;
mod keeping;
mod metering;
mod opening;
mod orders;
mod reaching;
mod securing;
mod splices;
