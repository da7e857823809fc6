//! How a `Pipes` is made, and why a peer may not fit into it.

use crate::aead::KEY_BYTES;
use crate::pipe::{KeyLimits, PeerKind};
use crate::wire::Address;

/// How a `Pipes` is made.
#[derive(Clone)]
pub struct PipesConfig {
    /// X25519.
    pub private_key: [u8; KEY_BYTES],
    /// This end's own address.
    pub address: Address,
    /// What this end is.
    pub kind: PeerKind,
    /// For a repeatable run (simulation only); `None` takes the system's randomness.
    pub seed: Option<[u8; 32]>,
    /// Threads of this endpoint, 1 to 16: each seals on a lane of its own.
    pub lanes: u8,
    /// This thread, 0 to `lanes` - 1.
    pub lane: u8,
    /// Wall clock minus the clock of `now_ns`, for the timestamps of initiations.
    pub unix_offset_ns: i64,
    /// Largest datagram sent and taken, 1,360 to 65,000.
    pub max_datagram_bytes: usize,
    /// Between nodes, and for probes of unanswered data.
    pub heartbeat_ns: u64,
    /// When keys change; `None` takes those for `max_datagram_bytes`.
    pub limits: Option<KeyLimits>,
    /// Most peers (65,536 in WireGuard; 100,000 pipes are the design's figure).
    pub max_peers: usize,
}

impl PipesConfig {
    /// The defaults of the design: one lane, 1,452 B datagrams, 50 ms heartbeats.
    pub fn new(private_key: [u8; KEY_BYTES], address: Address, kind: PeerKind) -> Self {
        Self {
            private_key,
            address,
            kind,
            seed: None,
            lanes: 1,
            lane: 0,
            unix_offset_ns: 0,
            max_datagram_bytes: 1_452,
            heartbeat_ns: 50_000_000,
            limits: None,
            max_peers: 131_072,
        }
    }
}

/// Why a peer cannot be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PipesError {
    /// `max_peers` are known already.
    TooManyPeers {
        /// The bound.
        limit: usize,
    },
    /// Another address has this public key.
    KeyInUse {
        /// Who has it.
        by: Address,
    },
    /// The peer is this end itself.
    OwnKey,
}

impl std::fmt::Display for PipesError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooManyPeers { limit } => {
                write!(formatter, "{limit} peers are known, no more fit")
            }
            Self::KeyInUse { by } => write!(formatter, "the public key belongs to {by} already"),
            Self::OwnKey => formatter.write_str("a peer cannot have this endpoint's own key"),
        }
    }
}

impl std::error::Error for PipesError {}
