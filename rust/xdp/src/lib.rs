//! Datagrams taken from a device by AF_XDP, before the network stack sees them.
//!
//! Where packets come singly, taking one from a socket costs the kernel more than all else that a node does
//! with it. Here a program of some 50 instructions, run by the driver of a device, picks the datagrams for the
//! node's endpoints and puts them into memory that both share; all others go their usual way, and so does
//! whatever the program does not know: IP options, fragments, VLAN tags in the frame, long frames. What leaves still
//! leaves by the sockets, so routes, neighbours and trains stay the kernel's.
//!
//! When and why: `docs/decisions/`, 282.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)
)]

mod bpf;
mod device;
mod frame;
mod program;
mod queue;
mod ring;

use std::fmt;
use std::io;

pub use device::{MOST_QUEUES, capture};
pub use frame::datagram;
pub use queue::{Batch, Queue};

/// Why nothing can be taken from a device.
#[derive(Debug)]
pub struct XdpError {
    /// Its name.
    pub device: String,
    /// What the system refused, such as "attach the program".
    pub doing: &'static str,
    /// What it said.
    pub error: io::Error,
}

impl fmt::Display for XdpError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            device,
            doing,
            error,
        } = self;
        write!(formatter, "{device}: cannot {doing}: {error}")
    }
}

impl std::error::Error for XdpError {}
