//! What comes out of a `Pipes`: opened packets, changes, control messages, gauges.

use std::net::SocketAddr;
use std::ops::Range;

use super::PeerIndex;
use crate::control::ControlReceipt;

/// A packet that `Pipes::open` verified and decrypted in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Whose pipe it came on.
    pub peer: PeerIndex,
    /// Receiver index of the session, lane bits zero.
    pub pipe: u32,
    /// The peer's sending lane.
    pub lane: u8,
    /// Where in the datagram the L3.5 header is, exactly.
    pub header: Range<usize>,
    /// Where the payload is, without padding.
    pub payload: Range<usize>,
    /// The payload was inside the seal.
    pub is_covered: bool,
    /// Underlay address of the sender.
    pub from: SocketAddr,
}

/// Something happened to a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PipeChange {
    /// Packets can be sent to the peer.
    PeerUp {
        /// Which.
        peer: PeerIndex,
    },
    /// The peer does not answer, was restarted or removed.
    PeerDown {
        /// Which.
        peer: PeerIndex,
    },
    /// Dialling was given up after 90 s.
    DialFailed {
        /// Which.
        peer: PeerIndex,
    },
    /// Another process of the peer is there: control messages of the one before are void.
    PeerRestarted {
        /// Which.
        peer: PeerIndex,
    },
}

/// A control message that came in, complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlMessage {
    /// Who sent it.
    pub peer: PeerIndex,
    /// For which service.
    pub service: u32,
    /// At most 64 KiB.
    pub message: Vec<u8>,
    /// For `Pipes::commit_control`, after which the sender is told.
    pub receipt: ControlReceipt,
}

/// Handshakes of a `Pipes`, each step on its own: a flood of one shows as such.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HandshakeCounts {
    /// Initiations sent, repeated ones as well.
    pub initiated: u64,
    /// Initiations of peers that were answered.
    pub answered: u64,
    /// Those that gave a new key, whoever began.
    pub completed: u64,
    /// Handshake datagrams that were dropped, for whatever reason.
    pub refused: u64,
}

/// Gauges of a `Pipes`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PipesStatistics {
    /// Known.
    pub peers: usize,
    /// To which packets can be sent.
    pub up: usize,
    /// To which a handshake is under way.
    pub dialling: usize,
    /// Keys in use, and places reserved for handshakes.
    pub sessions: usize,
    /// Datagrams to be taken.
    pub outgoing: usize,
    /// Control messages to be taken.
    pub messages: usize,
}
