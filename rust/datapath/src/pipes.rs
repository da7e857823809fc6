//! All pipes of one thread of one endpoint, and the handshakes that open them.
//!
//! Sans I/O: datagrams, time and randomness come in as arguments; datagrams, control messages and
//! changes are taken out. `open` and `seal` are the hot path: no allocation, no lock, no clock.
//!
//! A node with several threads has one `Pipes` per thread. Lane 0 does handshakes, control channel and
//! liveness, and hands keys to the others as `LaneUpdate`s.

mod answering;
mod config;
mod controlling;
mod dialling;
mod greeting;
mod keys;
mod lanes;
mod outcomes;
mod peers;
mod sessions;
mod timers;
mod upkeep;

pub use config::{PipesConfig, PipesError};
pub use lanes::{LaneReport, LaneUpdate};
pub use outcomes::{ControlMessage, HandshakeCounts, Opened, PipeChange, PipesStatistics};

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

use ei_memory::Slab;

use crate::counters::{Fate, Reason};
use crate::handshake::Identity;
use crate::handshake::admission::Gate;
use crate::handshake::cookies::{CookieJar, MacKeys};
use crate::pipe::{LaneShare, NEVER_NS, Pipe, Session};
use crate::randomness::Randomness;
use crate::wire::{Address, DatagramType, Prefix, split_sealed};
use greeting::MAX_LANES;
use peers::ShortKey;
use sessions::SessionTable;
use timers::Timers;

pub use crate::pipe::{KeyLimits, PeerKind, PipeStatistics};

/// Place of a peer in the table; dense, given again some time after its peer was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerIndex(pub u32);

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
    /// When our socket's buffer was seen to overflow last; 0 for never.
    overflowed_ns: u64,
    /// All that had come to our socket by then was read. Who never says has read all.
    read_ns: u64,
    peers: Slab<Pipe>,
    free_peers: VecDeque<u32>,
    by_address: HashMap<Address, PeerIndex>,
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
    handshakes: HandshakeCounts,
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
            overflowed_ns: 0,
            read_ns: NEVER_NS,
            peers: Slab::default(),
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
            handshakes: HandshakeCounts::default(),
            config: PipesConfig {
                lanes: config.lanes.clamp(1, MAX_LANES),
                ..config
            },
        }
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

        let pipe = self.peers.get_mut(peer.0).ok_or(Reason::UnknownPipe)?;
        pipe.note_received(now_ns, datagram_bytes);
        if pipe.current != Some(index) || !pipe.is_up || pipe.endpoint != Some(from) {
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
            .get_mut(peer.0)
            .filter(|pipe| pipe.is_up)
            .ok_or(Reason::PeerUnreachable)?;
        let index = pipe.current.ok_or(Reason::PeerUnreachable)?;
        let room = out.len().min(pipe.max_datagram_bytes());
        let out = out.get_mut(..room).ok_or(Reason::TooBig)?;
        let (_, _, session) = self.sessions.find(index).ok_or(Reason::PeerUnreachable)?;
        let bytes = session.seal(now_ns, &self.limits, header, payload, covered, out)?;
        let is_worn = session.shows_wear(&self.limits);
        if pipe.note_sent(now_ns, bytes) || is_worn {
            self.sealed_unusually(now_ns, peer, is_worn);
        }
        Ok(bytes)
    }

    /// Ask for what `open` will want of a pipe's key, without waiting for it; returns the packet's index.
    #[inline]
    pub fn fetch_opening(&self, datagram: &[u8]) -> Option<u32> {
        let index = Prefix::parse(datagram).ok()?.receiver_index;
        self.sessions.fetch_opening(index);
        Some(index)
    }

    /// The same for the rest, once `fetch_opening` has had time.
    #[inline]
    pub fn fetch_opened(&self, index: u32) {
        if let Some(peer) = self.sessions.peer(index) {
            self.peers.fetch(peer.0, Pipe::READ_BY_PACKETS);
        }
    }

    /// Ask for what `seal` will want of a pipe, without waiting for it.
    #[inline]
    pub fn fetch_pipe(&self, peer: PeerIndex) {
        self.peers.fetch(peer.0, Pipe::READ_BY_PACKETS);
    }

    /// The same for its key, once `fetch_pipe` has had time.
    #[inline]
    pub fn fetch_sealing(&self, peer: PeerIndex) {
        if let Some(index) = self.pipe(peer).and_then(|pipe| pipe.current) {
            self.sessions.fetch_sealing(index);
        }
    }

    /// Length on the wire of a packet with these lengths.
    pub const fn sealed_bytes(header: usize, payload: usize, covered: bool) -> usize {
        Session::sealed_bytes(header, payload, covered)
    }

    /// Whether a packet with these lengths is within what this end sends at all.
    pub fn fits(&self, header: usize, payload: usize, covered: bool) -> bool {
        Self::sealed_bytes(header, payload, covered) <= self.config.max_datagram_bytes
    }

    /// Process a handshake datagram (types 1 to 3). Answers go to `take_outgoing`. Lane 0 only: on others
    /// it is dropped as `unknown_pipe`, so whoever owns the threads hands it over.
    pub fn handle_handshake(&mut self, now_ns: u64, from: SocketAddr, datagram: &mut [u8]) -> Fate {
        if !self.is_first_lane() {
            return Fate::Dropped(Reason::UnknownPipe);
        }
        let handled = match DatagramType::of(datagram) {
            Ok(DatagramType::Initiation) => self.answer_initiation(now_ns, from, datagram),
            Ok(DatagramType::Response) => self.finish_dialling(now_ns, datagram),
            Ok(DatagramType::Cookie) => self.take_cookie(now_ns, datagram),
            Ok(DatagramType::Data) => Err(Reason::UnknownType),
            Err(reason) => Err(reason),
        };
        self.handshakes.refused += u64::from(handled.is_err());
        handled.map_or_else(Fate::Dropped, |()| Fate::Consumed)
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
        self.peers.get(peer.0)
    }

    fn pipe_mut(&mut self, peer: PeerIndex) -> Option<&mut Pipe> {
        self.peers.get_mut(peer.0)
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
