//! `EffectBatch` as values: borrowed from the message, typed, not yet checked against what the service
//! may do (that is `forward::check`).

/// What became of the event of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Not a packet.
    None,
    /// The service answered the packet.
    Answered,
    /// The service handed it on to the next of the chain.
    Passed,
    /// Still waiting for a query; a later answer ends it.
    Held,
    /// Dropped, for `Answer::reason`.
    Dropped,
}

/// A whole message from a worker.
#[derive(Clone, Debug, PartialEq)]
pub struct EffectBatch<'a> {
    /// Of the batch it answers; 0 when it comes by itself.
    pub sequence: u64,
    /// Of the batch it answers, or of the newest one seen.
    pub epoch: u64,
    /// One per item of that batch in order, then those of timers and released holds.
    pub answers: Vec<Answer<'a>>,
}

/// What one event's transaction came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer<'a> {
    /// How the accounting of law 6 goes on.
    pub outcome: Outcome,
    /// With `Dropped`: why.
    pub reason: &'a str,
    /// In the order in which the service asked.
    pub effects: Vec<Effect<'a>>,
}

/// One request of a service. Addresses and numbers are as found: any length, any size.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect<'a> {
    /// `SendPacket`
    Send {
        /// What to send.
        packet: Packet<'a>,
        /// Address of a peer.
        to: &'a [u8],
        /// Run before.
        stages: StageList<'a>,
    },
    /// `InstallDecision`
    Install(Decision<'a>),
    /// `RevokeDecisions`
    Revoke {
        /// Under which they were installed.
        tag: &'a [u8],
    },
    /// `PassPacket`
    Pass {
        /// What to hand on.
        packet: Packet<'a>,
        /// Run before.
        stages: StageList<'a>,
    },
    /// `SendControlBytes`
    SendControl {
        /// At most 64 KiB.
        message: &'a [u8],
        /// Address of a peer.
        to: &'a [u8],
    },
    /// `ResolveBytes`
    Resolve {
        /// Opaque here.
        query: &'a [u8],
    },
    /// `Count`
    Count {
        /// A word from the manifest.
        name: &'a str,
        /// 0 to 2^32.
        amount: u64,
    },
    /// `ReadTally`
    ReadTally {
        /// Its name.
        object: &'a [u8],
    },
    /// `KeepDictionary`
    KeepDictionary {
        /// Its name.
        object: &'a [u8],
        /// As `zstd --train` writes it.
        dictionary: &'a [u8],
    },
    /// `SendKept`
    SendKept {
        /// Name of the history.
        object: &'a [u8],
        /// Of the packets, at most 256.
        names: Vec<&'a [u8]>,
        /// Address of a peer.
        to: &'a [u8],
        /// Instead of the packets' own.
        metadata: &'a [u8],
    },
}

/// `Packet` of `ei/sdk/packets.py`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "documented once, at the Python Struct of the same fields"
)]
pub struct Packet<'a> {
    pub service: u64,
    pub ingress: &'a [u8],
    pub source: &'a [u8],
    pub connection: u64,
    pub metadata: &'a [u8],
    pub payload: &'a [u8],
    pub traffic_class: u64,
    pub hop_limit: u64,
    pub protection: u64,
    pub is_covered: bool,
    pub is_traced: bool,
    pub egress: &'a [u8],
}

/// `Decision` of `ei/sdk/decisions.py`.
#[derive(Clone, Debug, PartialEq)]
#[allow(
    missing_docs,
    reason = "documented once, at the Python Struct of the same fields"
)]
pub struct Decision<'a> {
    pub key: Key<'a>,
    pub action: Action<'a>,
    pub ttl_s: f64,
    pub tag: &'a [u8],
    pub stages: StageList<'a>,
}

/// `Key` of `ei/sdk/decisions.py`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "documented once, at the Python Struct of the same fields"
)]
pub struct Key<'a> {
    pub ingress: &'a [u8],
    pub source: &'a [u8],
    pub connection: u64,
    pub metadata: &'a [u8],
    pub egress: &'a [u8],
    pub service: u64,
}

/// `Action` of `ei/sdk/decisions.py`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action<'a> {
    /// One copy to each.
    Forward(Vec<Hop<'a>>),
    /// On to the next service of the chain.
    Pass,
    /// Drop for this reason.
    Discard(&'a str),
}

/// `Hop` of `ei/sdk/decisions.py`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "documented once, at the Python Struct of the same fields"
)]
pub struct Hop<'a> {
    pub to: &'a [u8],
    pub metadata: Option<&'a [u8]>,
    pub connection: Option<u64>,
    pub source: Option<&'a [u8]>,
}

/// The stages of a decision or packet, and their bytes, by which two lists are compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageList<'a> {
    /// The msgpack array.
    pub bytes: &'a [u8],
    /// The same, typed.
    pub stages: Vec<Stage<'a>>,
}

/// `Stage` of `ei/sdk/stages.py`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "documented once, at the Python Struct of the same fields"
)]
pub enum Stage<'a> {
    Meter {
        object: &'a [u8],
        rate_bytes_per_s: u64,
        burst_bytes: u64,
    },
    Tally {
        object: &'a [u8],
    },
    Compress {
        object: &'a [u8],
        dictionary: u32,
        ratio: u32,
    },
    Decompress {
        object: &'a [u8],
        ratio: u32,
        limit_bytes: u32,
    },
    Keep {
        object: &'a [u8],
        packets: u64,
        bytes: u64,
    },
}
