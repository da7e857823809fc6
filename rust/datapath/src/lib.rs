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
pub mod decide;
pub mod endtoend;
pub mod forward;
pub mod handshake;
pub mod log;
pub mod packet;
pub mod pipe;
pub mod pipes;
pub mod queue;
mod randomness;
pub mod replay;
pub mod routes;
pub mod stages;
pub mod trace;
pub mod trains;
pub mod wire;
