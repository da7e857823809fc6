//! The datapath of the Extensible Internet: pure, without socket, clock or Python.
//!
//! A packet's walk: `pipe` opens the sealed header, `wire` parses it, `cache` looks the decision up,
//! `stages` act on it, `forward` seals one copy per next hop; a miss goes to the queue of its service.
#![forbid(unsafe_code)]

pub mod aead;
pub mod cache;
pub mod chain;
pub mod codec;
pub mod control;
pub mod counters;
pub mod endtoend;
pub mod decide;
pub mod handshake;
pub mod pipe;
pub mod pipes;
mod randomness;
pub mod replay;
pub mod routes;
pub mod stages;
pub mod wire;
