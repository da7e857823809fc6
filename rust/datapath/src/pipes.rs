//! All pipes of one thread of one endpoint, and the handshakes that open them.
//!
//! Sans I/O: datagrams, time and randomness come in as arguments; datagrams, control messages and
//! changes are taken out. `open` and `seal` are the hot path: no allocation, no lock, no clock.
//!
//! A node with several threads has one `Pipes` per thread. Lane 0 does handshakes, control channel and
//! liveness, and hands keys to the others as `LaneUpdate`s.

mod controlling;
mod handshaking;
mod lanes;
mod sessions;
mod timers;
mod upkeep;

pub use lanes::{LaneReport, LaneUpdate};

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::ops::Range;

use crate::aead::KEY_BYTES;
use crate::control::ControlReceipt;
use crate::counters::Reason;
use crate::handshake::admission::Gate;
use crate::handshake::cookies::{CookieJar, MacKeys};
use crate::handshake::{Identity, MAX_LANES};
use crate::pipe::{LaneShare, Pipe, Session, Upkeep};
use crate::randomness::Randomness;
use crate::wire::{Address, Prefix, split_sealed};
use sessions::SessionTable;
use timers::Timers;

pub use crate::pipe::{KeyLimits, PeerKind, PipeStatistics};

/// Place of a peer in the table; dense, given again some time after its peer was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerIndex(pub u32);

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
    /// Largest datagram sent and taken, 1,280 to 65,000.
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

/// All pipes of one thread.
pub struct Pipes {
    config: PipesConfig,
    limits: KeyLimits,
    identity: Identity,
    mac_keys: MacKeys,
    randomness: Randomness,
    boot: u64,
    last_timestamp: u64,
    /// The latest time that was given, for calls that give none.
    clock_ns: u64,
    peers: Vec<Option<Box<Pipe>>>,
    free_peers: VecDeque<u32>,
    by_address: HashMap<Address, PeerIndex>,
    /// By the first half of the public key: 128 bits that nobody can make another key for.
    by_key: HashMap<ShortKey, PeerIndex>,
    sessions: SessionTable,
    timers: Timers,
    gate: Gate,
    jar: CookieJar,
    outgoing: VecDeque<(SocketAddr, Vec<u8>)>,
    changes: VecDeque<PipeChange>,
    messages: VecDeque<ControlMessage>,
    updates: VecDeque<LaneUpdate>,
    reports: VecDeque<LaneReport>,
}

impl Pipes {
    /// No peers yet.
    pub fn new(config: PipesConfig) -> Self {
        let identity = Identity::new(config.private_key);
        let mut randomness = Randomness::new(config.seed);
        // Without randomness every handshake fails later, one by one; nothing secret hangs on this.
        let boot = randomness.array().map_or(0, u64::from_le_bytes);
        Self {
            limits: config
                .limits
                .unwrap_or(KeyLimits::for_datagrams(config.max_datagram_bytes)),
            mac_keys: MacKeys::new(identity.public_key()),
            identity,
            randomness,
            boot,
            last_timestamp: 0,
            clock_ns: 0,
            peers: Vec::new(),
            free_peers: VecDeque::new(),
            by_address: HashMap::new(),
            by_key: HashMap::new(),
            sessions: SessionTable::default(),
            timers: Timers::default(),
            gate: Gate::default(),
            jar: CookieJar::new(),
            outgoing: VecDeque::new(),
            changes: VecDeque::new(),
            messages: VecDeque::new(),
            updates: VecDeque::new(),
            reports: VecDeque::new(),
            config: PipesConfig {
                lanes: config.lanes.clamp(1, MAX_LANES),
                ..config
            },
        }
    }

    // -- peers ------------------------------------------------------------------------------------

    /// Know a peer; again with the same address changes its kind and endpoint, and with another key
    /// ends its pipe.
    ///
    /// # Errors
    /// `TooManyPeers`, `KeyInUse`, `OwnKey`.
    pub fn add_peer(
        &mut self,
        address: Address,
        public_key: [u8; KEY_BYTES],
        kind: PeerKind,
        endpoint: Option<SocketAddr>,
    ) -> Result<PeerIndex, PipesError> {
        if public_key == *self.identity.public_key() {
            return Err(PipesError::OwnKey);
        }
        if let Some(&holder) = self.by_key.get(&short_key(&public_key))
            && self.by_address.get(&address) != Some(&holder)
        {
            return Err(PipesError::KeyInUse {
                by: self.address(holder),
            });
        }
        if let Some(&peer) = self.by_address.get(&address) {
            let is_same_key = self
                .pipe(peer)
                .is_some_and(|pipe| pipe.public_key == public_key);
            if is_same_key {
                self.update_peer(peer, kind, endpoint);
                return Ok(peer);
            }
            self.remove_peer(&address);
        }
        if self.by_address.len() >= self.config.max_peers {
            return Err(PipesError::TooManyPeers {
                limit: self.config.max_peers,
            });
        }
        let pipe = Box::new(Pipe::new(
            address,
            public_key,
            self.config.kind,
            kind,
            endpoint,
        ));
        let peer = self.place_peer(pipe);
        self.by_address.insert(address, peer);
        self.by_key.insert(short_key(&public_key), peer);
        Ok(peer)
    }

    fn update_peer(&mut self, peer: PeerIndex, kind: PeerKind, endpoint: Option<SocketAddr>) {
        let own = self.config.kind;
        if let Some(pipe) = self.pipe_mut(peer) {
            pipe.kind = kind;
            pipe.upkeep = Upkeep::between(own, kind);
            if endpoint.is_some() {
                pipe.known_endpoint = endpoint;
            }
        }
    }

    fn place_peer(&mut self, pipe: Box<Pipe>) -> PeerIndex {
        // The oldest free place, and only when several are free: an index stays unused for long.
        const REUSE_AFTER: usize = 64;
        if self.free_peers.len() > REUSE_AFTER
            && let Some(index) = self.free_peers.pop_front()
            && let Some(place) = self.peers.get_mut(index as usize)
        {
            *place = Some(pipe);
            return PeerIndex(index);
        }
        self.peers.push(Some(pipe));
        PeerIndex((self.peers.len() - 1) as u32)
    }

    /// Forget a peer and its keys; nothing is sent to it any more.
    pub fn remove_peer(&mut self, address: &Address) {
        let Some(peer) = self.by_address.remove(address) else {
            return;
        };
        self.end_sessions(peer);
        self.timers.remove(peer);
        if let Some(pipe) = self.peers.get_mut(peer.0 as usize).and_then(Option::take) {
            self.by_key.remove(&short_key(&pipe.public_key));
            if pipe.is_up {
                self.changes.push_back(PipeChange::PeerDown { peer });
            }
        }
        self.messages.retain(|message| message.peer != peer);
        self.free_peers.push_back(peer.0);
    }

    /// The peer with this address.
    pub fn find(&self, address: &Address) -> Option<PeerIndex> {
        self.by_address.get(address).copied()
    }

    /// Every peer, in the order of their indices.
    pub fn peers(&self) -> impl Iterator<Item = PeerIndex> + '_ {
        self.peers
            .iter()
            .enumerate()
            .filter_map(|(index, pipe)| pipe.as_ref().map(|_| PeerIndex(index as u32)))
    }

    /// Address of a peer; all zero when there is none such.
    pub fn address(&self, peer: PeerIndex) -> Address {
        self.pipe(peer).map(|pipe| pipe.address).unwrap_or_default()
    }

    /// What the peer is; `Host` when there is none such.
    pub fn kind(&self, peer: PeerIndex) -> PeerKind {
        self.pipe(peer).map_or(PeerKind::Host, |pipe| pipe.kind)
    }

    /// Whether packets can be sent to it.
    pub fn is_up(&self, peer: PeerIndex) -> bool {
        self.pipe(peer).is_some_and(|pipe| pipe.is_up)
    }

    /// Where its packets go, or would be dialled.
    pub fn endpoint(&self, peer: PeerIndex) -> Option<SocketAddr> {
        self.pipe(peer)
            .and_then(|pipe| pipe.endpoint.or(pipe.known_endpoint))
    }

    /// Smoothed round-trip time.
    pub fn rtt_ns(&self, peer: PeerIndex) -> Option<u64> {
        self.pipe(peer).and_then(|pipe| pipe.rtt.smoothed_ns())
    }

    /// What was sent and received on this thread.
    pub fn pipe_statistics(&self, peer: PeerIndex) -> PipeStatistics {
        self.pipe(peer)
            .map(|pipe| pipe.statistics)
            .unwrap_or_default()
    }

    /// Gauges of the whole table.
    pub fn statistics(&self) -> PipesStatistics {
        let pipes = || self.peers.iter().flatten();
        PipesStatistics {
            peers: self.by_address.len(),
            up: pipes().filter(|pipe| pipe.is_up).count(),
            dialling: pipes().filter(|pipe| pipe.dialling.is_some()).count(),
            sessions: self.sessions.len(),
            outgoing: self.outgoing.len(),
            messages: self.messages.len(),
        }
    }

    /// Sessions and unfinished handshakes.
    pub fn session_count(&self) -> usize {
        self.sessions.len()
    }

    // -- the hot path -----------------------------------------------------------------------------

    /// Verify and decrypt one data datagram in place.
    ///
    /// # Errors
    /// What `Prefix::parse` refuses, `UnknownPipe`, `KeyExpired`, `Replayed`, `BadSeal`, `BadHeader`,
    /// and `Truncated` when the payload is shorter than its header says.
    pub fn open(
        &mut self,
        now_ns: u64,
        from: SocketAddr,
        datagram: &mut [u8],
    ) -> Result<Opened, Reason> {
        let prefix = Prefix::parse(datagram)?;
        let datagram_bytes = datagram.len();
        let (index, peer, session) = self
            .sessions
            .find(prefix.receiver_index)
            .ok_or(Reason::UnknownPipe)?;
        let (plain, is_newest) = session.open(now_ns, &self.limits, &prefix, datagram)?;
        let lengths = split_sealed(plain);
        let plain_bytes = plain.len();

        let pipe = self
            .peers
            .get_mut(peer.0 as usize)
            .and_then(Option::as_mut)
            .ok_or(Reason::UnknownPipe)?;
        pipe.note_received(now_ns, datagram_bytes);
        if pipe.sessions.current != Some(index) || !pipe.is_up || pipe.endpoint != Some(from) {
            self.opened_unusually(now_ns, peer, index, from, is_newest.0, datagram_bytes);
        }

        let (header_bytes, payload_bytes) = lengths?;
        let header = Prefix::BYTES..Prefix::BYTES + header_bytes;
        let (payload_start, payload_limit) = if prefix.is_covered {
            (header.end, Prefix::BYTES + plain_bytes)
        } else {
            (
                Prefix::BYTES + usize::from(prefix.sealed_bytes),
                datagram_bytes,
            )
        };
        let payload = payload_start..payload_start + payload_bytes;
        if payload.end > payload_limit {
            return Err(Reason::Truncated);
        }
        Ok(Opened {
            peer,
            pipe: index,
            lane: prefix.lane(),
            header,
            payload,
            is_covered: prefix.is_covered,
            from,
        })
    }

    /// Seal one packet to `peer` into the front of `out`; returns the bytes written, which are
    /// `sealed_bytes(header.len(), payload.len(), covered)`.
    ///
    /// # Errors
    /// `PeerUnreachable` without a live pipe, `KeyExpired`, `TooBig` for the pipe or for `out`.
    pub fn seal(
        &mut self,
        now_ns: u64,
        peer: PeerIndex,
        header: &[u8],
        payload: &[u8],
        covered: bool,
        out: &mut [u8],
    ) -> Result<usize, Reason> {
        let pipe = self
            .peers
            .get_mut(peer.0 as usize)
            .and_then(Option::as_mut)
            .filter(|pipe| pipe.is_up)
            .ok_or(Reason::PeerUnreachable)?;
        let index = pipe.sessions.current.ok_or(Reason::PeerUnreachable)?;
        if Self::sealed_bytes(header.len(), payload.len(), covered) > pipe.max_datagram_bytes {
            return Err(Reason::TooBig);
        }
        let (_, _, session) = self.sessions.find(index).ok_or(Reason::PeerUnreachable)?;
        let bytes = session.seal(now_ns, &self.limits, header, payload, covered, out)?;
        let is_worn = session.is_worn(&self.limits);
        if pipe.note_sent(now_ns, bytes) || is_worn {
            self.sealed_unusually(now_ns, peer, is_worn);
        }
        Ok(bytes)
    }

    /// Length on the wire of a packet with these lengths.
    pub const fn sealed_bytes(header: usize, payload: usize, covered: bool) -> usize {
        Session::sealed_bytes(header, payload, covered)
    }

    /// Largest datagram that goes to `peer`; zero without a pipe.
    pub fn max_datagram_bytes(&self, peer: PeerIndex) -> usize {
        self.pipe(peer).map_or(0, |pipe| pipe.max_datagram_bytes)
    }

    // -- what is to be taken ----------------------------------------------------------------------

    /// A datagram to send that no train carries: handshakes, heartbeats, control.
    pub fn take_outgoing(&mut self) -> Option<(SocketAddr, Vec<u8>)> {
        self.outgoing.pop_front()
    }

    /// What happened to a pipe.
    pub fn take_change(&mut self) -> Option<PipeChange> {
        self.changes.pop_front()
    }

    /// When `poll` should be called next.
    pub fn next_deadline_ns(&self) -> Option<u64> {
        self.timers.earliest_ns()
    }

    // -- parts shared by the files of this module ---------------------------------------------------

    fn pipe(&self, peer: PeerIndex) -> Option<&Pipe> {
        self.peers.get(peer.0 as usize).and_then(Option::as_deref)
    }

    fn pipe_mut(&mut self, peer: PeerIndex) -> Option<&mut Pipe> {
        self.peers
            .get_mut(peer.0 as usize)
            .and_then(Option::as_deref_mut)
    }

    fn find_key(&self, public_key: &[u8; KEY_BYTES]) -> Option<PeerIndex> {
        let peer = *self.by_key.get(&short_key(public_key))?;
        // In full: X25519 takes several encodings of one key, and only one of them is this peer's.
        self.pipe(peer)
            .filter(|pipe| pipe.public_key == *public_key)
            .map(|_| peer)
    }

    fn share(&self, peer_lanes: u8) -> LaneShare {
        LaneShare {
            threads: self.config.lanes,
            thread: self.config.lane,
            peer_lanes,
        }
    }

    /// Lane 0 does what the threads of an endpoint may do only once.
    fn is_first_lane(&self) -> bool {
        self.config.lane == 0
    }
}

impl std::fmt::Debug for Pipes {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let PipesStatistics {
            peers,
            up,
            dialling,
            sessions,
            ..
        } = self.statistics();
        write!(
            formatter,
            "Pipes({} lane {}: {up} up of {peers}, {dialling} dialling, {sessions} sessions)",
            self.config.address, self.config.lane
        )
    }
}

type ShortKey = [u8; KEY_BYTES / 2];

fn short_key(public_key: &[u8; KEY_BYTES]) -> ShortKey {
    public_key.first_chunk().copied().unwrap_or_default()
}
