//! Datagrams between two hosts, sealed so that no node on the way can read or change them.
//!
//! The hosts run the handshake of pipes inside the payloads of their packets (`payload` has the layouts). The first
//! datagram to a host waits for the handshake: at most 64 datagrams, at most 1 s each. Sans I/O: the
//! caller sends what `seal`, `open` and `take_outgoing` give it.

mod handshaking;
pub mod payload;
mod peer;
mod session;

use std::collections::{BTreeSet, HashMap, VecDeque};

use crate::aead::KEY_BYTES;
use crate::counters::Reason;
use crate::handshake::Identity;
use crate::handshake::admission::Gate;
use crate::handshake::cookies::CookieJar;
use crate::pipe::KeyLimits;
use crate::randomness::Randomness;
use handshaking::GIVE_UP_NS;
use payload::Payload;
use peer::{Peer, Queued};

const SECOND_NS: u64 = 1_000_000_000;
/// Datagrams that wait for one handshake.
pub const MAX_WAITING: usize = 64;
/// How long each of them waits.
pub const WAIT_NS: u64 = SECOND_NS;
/// Hosts with which sessions are kept; beyond it the one idle for longest is forgotten.
pub const MAX_PEERS: usize = 4_096;
/// Expired keys are erased this often.
const SWEEP_NS: u64 = 60 * SECOND_NS;

/// A payload to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The associated data that the caller gave with the datagram: they name the packet that the
    /// payload belongs in. Empty for handshake messages that answer: those go back the way that the
    /// payload came which `open` was given.
    pub associated: Vec<u8>,
    /// The payload of the packet.
    pub payload: Vec<u8>,
}

/// What `open` made of one payload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenedPayload {
    /// The datagram, unless the payload was a handshake message.
    pub datagram: Option<Vec<u8>>,
    /// To be sent now, in this order.
    pub outgoing: Vec<Outgoing>,
}

/// Counts since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EndToEndStatistics {
    /// Hosts with a session or a handshake.
    pub peers: usize,
    /// Datagrams waiting for a handshake.
    pub waiting: usize,
    /// Datagrams sealed.
    pub sealed: u64,
    /// Datagrams opened.
    pub opened: u64,
    /// Datagrams whose handshake did not end in time.
    pub expired: u64,
    /// Handshakes finished.
    pub handshakes: u64,
}

/// All end-to-end sessions of one host.
pub struct EndToEnd {
    identity: Identity,
    randomness: Randomness,
    limits: KeyLimits,
    unix_offset_ns: i64,
    last_timestamp: u64,
    next_id: u32,
    peers: HashMap<[u8; KEY_BYTES], Peer>,
    /// Those with a timer, in an order that does not differ from run to run.
    busy: BTreeSet<[u8; KEY_BYTES]>,
    sweep_ns: u64,
    gate: Gate,
    jar: CookieJar,
    outgoing: VecDeque<([u8; KEY_BYTES], Outgoing)>,
    statistics: EndToEndStatistics,
}

impl EndToEnd {
    /// Sessions of the host with this X25519 key. `seed` is for a repeatable run (simulation only);
    /// `unix_offset_ns` is the wall clock minus the clock of `now_ns`.
    pub fn new(private_key: [u8; KEY_BYTES], seed: Option<[u8; 32]>, unix_offset_ns: i64) -> Self {
        let mut randomness = Randomness::new(seed);
        Self {
            identity: Identity::new(private_key),
            // Without randomness every handshake fails later; nothing secret hangs on this.
            next_id: randomness.array().map_or(1, u32::from_le_bytes),
            randomness,
            limits: KeyLimits::for_datagrams(KeyLimits::SHORT_DATAGRAM_BYTES),
            unix_offset_ns,
            last_timestamp: 0,
            peers: HashMap::new(),
            busy: BTreeSet::new(),
            sweep_ns: 0,
            gate: Gate::default(),
            jar: CookieJar::new(),
            outgoing: VecDeque::new(),
            statistics: EndToEndStatistics::default(),
        }
    }

    /// Change keys at other limits than the design's (tests).
    pub fn set_limits(&mut self, limits: KeyLimits) {
        self.limits = limits;
    }

    /// Seal one datagram for the host with `peer_key`. `associated` is what nodes may read but not
    /// change: service, source, destination or group, connection, fixed metadata.
    ///
    /// Gives the payloads to send now: the sealed datagram, or a handshake message while it waits.
    ///
    /// # Errors
    /// `DialQueueFull` when 64 wait already; `BadEndToEnd` without randomness.
    pub fn seal(
        &mut self,
        now_ns: u64,
        peer_key: &[u8; KEY_BYTES],
        associated: &[u8],
        datagram: &[u8],
    ) -> Result<Vec<Outgoing>, Reason> {
        self.make_room(peer_key);
        let limits = self.limits;
        let peer = self.peers.entry(*peer_key).or_default();
        peer.used_ns = now_ns;
        let mut outgoing = Vec::new();
        let mut is_worn = true;
        if let Some(session) = &mut peer.current
            && let Ok(payload) = session.seal(now_ns, &limits, associated, datagram)
        {
            is_worn = session.is_worn(now_ns, &limits);
            self.statistics.sealed += 1;
            outgoing.push(Outgoing {
                associated: associated.to_vec(),
                payload,
            });
        } else {
            peer.drop_expired(now_ns, &mut self.statistics);
            if peer.queue.len() >= MAX_WAITING {
                return Err(Reason::DialQueueFull);
            }
            peer.queue.push_back(Queued {
                associated: associated.to_vec(),
                datagram: datagram.to_vec(),
                expires_ns: now_ns.saturating_add(WAIT_NS),
            });
            self.busy.insert(*peer_key);
        }
        // A session that we answered a moment ago will be confirmed: no second handshake for it.
        let is_answered = peer.next.as_ref().is_some_and(|next| next.is_young(now_ns));
        if let Some(dialling) = &mut peer.dialling {
            dialling.gives_up_ns = now_ns.saturating_add(GIVE_UP_NS);
        } else if is_worn && !is_answered {
            outgoing.extend(self.initiate(now_ns, peer_key, associated, None, 0)?);
        }
        Ok(outgoing)
    }

    /// Open one payload that came from the host with `peer_key`.
    ///
    /// A datagram under keys that we lost in a restart cannot be opened, and makes `poll` begin a
    /// handshake, so that the next ones can.
    ///
    /// # Errors
    /// `BadEndToEnd` (does not verify, no session, or a key that is not the sender's), `Replayed`,
    /// `KeyExpired`, `StaleInitiation`, `HandshakeRate`, `UnknownSuite`, and what `Payload::parse` says.
    pub fn open(
        &mut self,
        now_ns: u64,
        peer_key: &[u8; KEY_BYTES],
        associated: &[u8],
        payload: &[u8],
    ) -> Result<OpenedPayload, Reason> {
        match Payload::parse(payload)? {
            Payload::Datagram { key_id, counter } => {
                self.open_datagram(now_ns, peer_key, key_id, counter, associated, payload)
            }
            Payload::Initiation {
                suite,
                sender_id,
                offered,
                message,
            } => self.answer(now_ns, peer_key, suite, sender_id, offered, message),
            Payload::Response {
                suite,
                sender_id,
                receiver_id,
                message,
            } => self.finish(now_ns, peer_key, suite, sender_id, receiver_id, message),
            Payload::Cookie {
                receiver_id,
                cookie,
            } => self.take_cookie(now_ns, peer_key, receiver_id, cookie),
            Payload::Half {
                half,
                sender_id,
                bytes,
            } => self.take_half(now_ns, peer_key, half, sender_id, bytes),
        }
    }

    fn open_datagram(
        &mut self,
        now_ns: u64,
        peer_key: &[u8; KEY_BYTES],
        key_id: u32,
        counter: u64,
        associated: &[u8],
        payload: &[u8],
    ) -> Result<OpenedPayload, Reason> {
        let limits = self.limits;
        self.make_room(peer_key);
        let peer = self.peers.entry(*peer_key).or_default();
        let is_next = peer
            .next
            .as_ref()
            .is_some_and(|session| session.own_id == key_id);
        let Some(session) = [&mut peer.current, &mut peer.previous, &mut peer.next]
            .into_iter()
            .flatten()
            .find(|session| session.own_id == key_id)
        else {
            if peer.ask(now_ns) {
                self.busy.insert(*peer_key);
            }
            return Err(Reason::BadEndToEnd);
        };
        let datagram = session.open(now_ns, &limits, counter, associated, payload)?;
        peer.used_ns = now_ns;
        let mut outgoing = Vec::new();
        if is_next {
            let session = peer.next.take();
            peer.previous = std::mem::replace(&mut peer.current, session);
            self.statistics.handshakes += 1;
            outgoing = self.release_queue(now_ns, peer_key, false);
        }
        if datagram.is_some() {
            self.statistics.opened += 1;
        }
        Ok(OpenedPayload { datagram, outgoing })
    }

    /// Seal all that waits. The initiator's first payload must confirm, so it sends one anyway.
    fn release_queue(
        &mut self,
        now_ns: u64,
        peer_key: &[u8; KEY_BYTES],
        must_confirm: bool,
    ) -> Vec<Outgoing> {
        let limits = self.limits;
        let mut outgoing = Vec::new();
        let Some(peer) = self.peers.get_mut(peer_key) else {
            return outgoing;
        };
        peer.drop_expired(now_ns, &mut self.statistics);
        let Some(session) = &mut peer.current else {
            return outgoing;
        };
        let confirms_itself = peer.queue.front().is_some_and(|it| !it.datagram.is_empty());
        if must_confirm
            && !confirms_itself
            && let Ok(payload) = session.confirm(now_ns, &limits)
        {
            outgoing.push(Outgoing {
                associated: Vec::new(),
                payload,
            });
        }
        for queued in peer.queue.drain(..) {
            if let Ok(payload) = session.seal(now_ns, &limits, &queued.associated, &queued.datagram)
            {
                self.statistics.sealed += 1;
                outgoing.push(Outgoing {
                    associated: queued.associated,
                    payload,
                });
            }
        }
        outgoing
    }

    // -- time ---------------------------------------------------------------------------------------

    /// Do what is due: retries, giving up, erasing old keys. Results are taken by `take_outgoing`.
    pub fn poll(&mut self, now_ns: u64) {
        if now_ns >= self.sweep_ns {
            self.sweep_ns = now_ns.saturating_add(SWEEP_NS);
            for peer in self.peers.values_mut() {
                peer.erase_expired(now_ns, &self.limits);
            }
        }
        for peer_key in std::mem::take(&mut self.busy) {
            self.poll_peer(now_ns, &peer_key);
            if self.peers.get(&peer_key).is_some_and(Peer::is_busy) {
                self.busy.insert(peer_key);
            }
        }
    }

    fn poll_peer(&mut self, now_ns: u64, peer_key: &[u8; KEY_BYTES]) {
        let Some(peer) = self.peers.get_mut(peer_key) else {
            return;
        };
        peer.drop_expired(now_ns, &mut self.statistics);
        if std::mem::take(&mut peer.is_asked) && peer.dialling.is_none() {
            if let Ok(outgoing) = self.initiate(now_ns, peer_key, &[], None, 0) {
                self.will_send(peer_key, outgoing);
            }
            return;
        }
        let Some(dialling) = &peer.dialling else {
            return;
        };
        if now_ns < dialling.retry_ns {
            return;
        }
        if now_ns >= dialling.gives_up_ns {
            peer.dialling = None;
            return;
        }
        let (associated, cookie) = (dialling.associated.clone(), dialling.cookie);
        let tries = dialling.tries;
        if let Ok(outgoing) = self.initiate(now_ns, peer_key, &associated, cookie, tries) {
            self.will_send(peer_key, outgoing);
        }
    }

    fn will_send(&mut self, peer_key: &[u8; KEY_BYTES], outgoing: Vec<Outgoing>) {
        let all = outgoing.into_iter().map(|each| (*peer_key, each));
        self.outgoing.extend(all);
    }

    /// When `poll` should be called next.
    pub fn next_deadline_ns(&self) -> Option<u64> {
        let sweep_ns = (!self.peers.is_empty()).then_some(self.sweep_ns);
        self.busy
            .iter()
            .filter_map(|peer_key| self.peers.get(peer_key)?.deadline_ns())
            .chain(sweep_ns)
            .min()
    }

    /// A retry that `poll` made: for which host, and what.
    pub fn take_outgoing(&mut self) -> Option<([u8; KEY_BYTES], Outgoing)> {
        self.outgoing.pop_front()
    }

    /// End all sessions with a host (its key was revoked).
    pub fn forget(&mut self, peer_key: &[u8; KEY_BYTES]) {
        self.peers.remove(peer_key);
        self.busy.remove(peer_key);
    }

    /// Counts since the start.
    pub fn statistics(&self) -> EndToEndStatistics {
        EndToEndStatistics {
            peers: self.peers.len(),
            waiting: self.peers.values().map(|peer| peer.queue.len()).sum(),
            ..self.statistics
        }
    }

    fn make_room(&mut self, peer_key: &[u8; KEY_BYTES]) {
        if self.peers.len() < MAX_PEERS || self.peers.contains_key(peer_key) {
            return;
        }
        let idlest = self
            .peers
            .iter()
            .map(|(key, peer)| (peer.used_ns, *key))
            .min();
        if let Some((_, key)) = idlest {
            self.forget(&key);
        }
    }
}
