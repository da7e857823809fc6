//! The handshake between two hosts, inside payloads.

use std::net::{Ipv6Addr, SocketAddr};

use super::payload::{Payload, halves};
use super::peer::{Dialling, Half};
use super::session::Session;
use super::{EndToEnd, OpenedPayload, Outgoing};
use crate::aead::KEY_BYTES;
use crate::counters::Reason;
use crate::handshake::admission::Admission;
use crate::handshake::{Answering, SUITES, Waiting};
use crate::wire::array_at;
use crate::wire::handshake::{MAC_BYTES, MAX_HANDSHAKE_BYTES, Suites};

const MILLISECOND_NS: u64 = 1_000_000;
const SECOND_NS: u64 = 1_000_000_000;
/// Waits for a response; the first datagrams wait 1 s, so the tries fall into that second.
const RETRY_NS: [u64; 4] = [
    250 * MILLISECOND_NS,
    500 * MILLISECOND_NS,
    SECOND_NS,
    2 * SECOND_NS,
];
/// A handshake that nobody asked for again is given up.
pub(super) const GIVE_UP_NS: u64 = 5 * SECOND_NS;
/// Initiations of one peer closer together than this are dropped (wireguard-go, constants.go).
const INITIATION_SPACING_NS: u64 = 20 * MILLISECOND_NS;
/// As for pipes: initiations that cross within this time are a simultaneous opening.
const CROSSING_NS: u64 = 200 * MILLISECOND_NS;
const LABEL: &[u8] = b"ei end to end";

impl EndToEnd {
    pub(super) fn initiate(
        &mut self,
        now_ns: u64,
        peer_key: &[u8; KEY_BYTES],
        associated: &[u8],
        cookie: Option<[u8; MAC_BYTES]>,
        tries: usize,
    ) -> Result<Vec<Outgoing>, Reason> {
        let unix_ns = now_ns.saturating_add_signed(self.unix_offset_ns);
        self.last_timestamp = unix_ns.max(self.last_timestamp + 1);
        let (waiting, message) = Waiting::start(
            &self.identity,
            peer_key,
            self.last_timestamp,
            cookie.as_ref().map_or(&[], |cookie| cookie),
            LABEL,
            &mut self.randomness,
        )
        .map_err(|_| Reason::BadEndToEnd)?;
        let own_id = self.new_id();
        let payload = Payload::Initiation {
            suite: SUITES[0],
            sender_id: own_id,
            offered: SUITES,
            message: &message,
        }
        .emit();
        let wait_ns = RETRY_NS.get(tries).copied().unwrap_or(GIVE_UP_NS);
        let peer = self.peers.entry(*peer_key).or_default();
        let gives_up_ns = peer
            .dialling
            .as_ref()
            .map_or(now_ns.saturating_add(GIVE_UP_NS), |dialling| {
                dialling.gives_up_ns
            });
        peer.dialling = Some(Box::new(Dialling {
            waiting,
            own_id,
            associated: associated.to_vec(),
            sent_ns: now_ns,
            retry_ns: now_ns.saturating_add(wait_ns),
            tries: tries + 1,
            cookie,
            gives_up_ns,
        }));
        self.busy.insert(*peer_key);
        // Where the way does not carry it whole, nobody says so: every other try is in halves.
        let payloads = match tries % 2 {
            0 => vec![payload],
            _ => halves(own_id, &payload).to_vec(),
        };
        Ok(payloads
            .into_iter()
            .map(|payload| Outgoing {
                associated: associated.to_vec(),
                payload,
            })
            .collect())
    }

    /// Keep half of an initiation until the other is here, in whichever order they come: one of each host.
    pub(super) fn take_half(
        &mut self,
        now_ns: u64,
        peer_key: &[u8; KEY_BYTES],
        half: u8,
        sender_id: u32,
        bytes: &[u8],
    ) -> Result<OpenedPayload, Reason> {
        if bytes.len() > MAX_HANDSHAKE_BYTES {
            return Err(Reason::TooBig);
        }
        self.make_room(peer_key);
        let peer = self.peers.entry(*peer_key).or_default();
        let other = peer
            .half
            .take()
            .filter(|other| other.sender_id == sender_id && other.half != half);
        let Some(other) = other else {
            peer.half = Some(Half {
                sender_id,
                half,
                bytes: bytes.to_vec(),
            });
            return Ok(OpenedPayload::default());
        };
        let payload = match half {
            0 => [bytes, &other.bytes].concat(),
            _ => [&other.bytes, bytes].concat(),
        };
        match Payload::parse(&payload)? {
            Payload::Initiation {
                suite,
                sender_id,
                offered,
                message,
            } => self.answer(now_ns, peer_key, suite, sender_id, offered, message),
            _ => Err(Reason::BadEndToEnd),
        }
    }

    pub(super) fn answer(
        &mut self,
        now_ns: u64,
        peer_key: &[u8; KEY_BYTES],
        suite: u8,
        sender_id: u32,
        offered: Suites,
        message: &[u8],
    ) -> Result<OpenedPayload, Reason> {
        let ephemeral = array_at(message, 0).ok_or(Reason::Truncated)?;
        if self.gate.is_seen(&ephemeral) {
            return Err(Reason::StaleInitiation);
        }
        // The first node vouches for the source, so its rate is its key's.
        if self.gate.admit(now_ns, source_of(peer_key), true) != Admission::Admitted {
            return Err(Reason::HandshakeRate);
        }
        let answering = Answering::read(
            &self.identity,
            suite,
            offered,
            message,
            LABEL,
            &mut self.randomness,
        )
        .map_err(end_to_end)?;
        if answering.peer_key != *peer_key {
            return Err(Reason::BadEndToEnd);
        }
        self.make_room(peer_key);
        let peer = self.peers.entry(*peer_key).or_default();
        if peer
            .last_initiation_ns
            .is_some_and(|at_ns| now_ns.saturating_sub(at_ns) < INITIATION_SPACING_NS)
        {
            return Err(Reason::HandshakeRate);
        }
        if answering.timestamp <= peer.last_timestamp
            && !self
                .jar
                .is_given(now_ns, source_of(peer_key), answering.said())
        {
            return self.give_cookie(now_ns, peer_key, sender_id);
        }
        let crossing = peer.dialling.as_ref().is_some_and(|dialling| {
            now_ns.saturating_sub(dialling.sent_ns) < CROSSING_NS
                && self.identity.public_key() < peer_key
        });
        if crossing {
            // Of two that cross, the one from the smaller key is answered: ours.
            return Ok(OpenedPayload::default());
        }
        peer.dialling = None;
        peer.last_timestamp = answering.timestamp;
        peer.last_initiation_ns = Some(now_ns);
        peer.used_ns = now_ns;
        self.gate.remember(ephemeral);
        let (message, secrets) = answering
            .answer(&[], &mut self.randomness)
            .map_err(end_to_end)?;
        let own_id = self.new_id();
        let payload = Payload::Response {
            suite,
            sender_id: own_id,
            receiver_id: sender_id,
            message: &message,
        }
        .emit();
        if let Some(peer) = self.peers.get_mut(peer_key) {
            peer.next = Some(Session::new(now_ns, &secrets, own_id, sender_id));
        }
        Ok(back(payload))
    }

    /// Say that the timestamp is stale, and how to be accepted nevertheless: a clock that was set back
    /// locks nobody out.
    fn give_cookie(
        &mut self,
        now_ns: u64,
        peer_key: &[u8; KEY_BYTES],
        receiver_id: u32,
    ) -> Result<OpenedPayload, Reason> {
        let cookie = self
            .jar
            .give(now_ns, source_of(peer_key), &mut self.randomness)
            .map_err(|_| Reason::StaleInitiation)?;
        Ok(back(
            Payload::Cookie {
                receiver_id,
                cookie,
            }
            .emit(),
        ))
    }

    pub(super) fn finish(
        &mut self,
        now_ns: u64,
        peer_key: &[u8; KEY_BYTES],
        suite: u8,
        sender_id: u32,
        receiver_id: u32,
        message: &[u8],
    ) -> Result<OpenedPayload, Reason> {
        let peer = self.peers.get_mut(peer_key).ok_or(Reason::BadEndToEnd)?;
        let dialling = peer
            .dialling
            .as_mut()
            .filter(|dialling| dialling.own_id == receiver_id && suite == SUITES[0])
            .ok_or(Reason::BadEndToEnd)?;
        let (_, secrets) = dialling.waiting.finish(message).map_err(end_to_end)?;
        peer.dialling = None;
        let session = Session::new(now_ns, &secrets, receiver_id, sender_id);
        peer.previous = peer.current.replace(session);
        self.statistics.handshakes += 1;
        Ok(OpenedPayload {
            datagram: None,
            outgoing: self.release_queue(now_ns, peer_key, true),
        })
    }

    pub(super) fn take_cookie(
        &mut self,
        now_ns: u64,
        peer_key: &[u8; KEY_BYTES],
        receiver_id: u32,
        cookie: [u8; MAC_BYTES],
    ) -> Result<OpenedPayload, Reason> {
        let peer = self.peers.get_mut(peer_key).ok_or(Reason::BadEndToEnd)?;
        let dialling = peer
            .dialling
            .as_mut()
            .filter(|dialling| dialling.own_id == receiver_id)
            .ok_or(Reason::BadEndToEnd)?;
        if dialling.cookie == Some(cookie) {
            // It was sent already and not accepted: the timer decides, so that no loop begins.
            return Ok(OpenedPayload::default());
        }
        let (associated, tries) = (dialling.associated.clone(), dialling.tries);
        let retry = self.initiate(
            now_ns,
            peer_key,
            &associated,
            Some(cookie),
            tries.saturating_sub(1),
        )?;
        Ok(OpenedPayload {
            datagram: None,
            outgoing: retry,
        })
    }

    fn new_id(&mut self) -> u32 {
        self.next_id = self.next_id.wrapping_add(1).max(1);
        self.next_id
    }
}

fn back(payload: Vec<u8>) -> OpenedPayload {
    let associated = Vec::new();
    OpenedPayload {
        datagram: None,
        outgoing: vec![Outgoing {
            associated,
            payload,
        }],
    }
}

fn end_to_end(reason: Reason) -> Reason {
    if reason == Reason::BadHandshake {
        Reason::BadEndToEnd
    } else {
        reason
    }
}

/// A host's stand-in for an underlay address, under which its rate is counted and its cookies made.
fn source_of(peer_key: &[u8; KEY_BYTES]) -> SocketAddr {
    let bytes = peer_key.first_chunk().copied().unwrap_or_default();
    SocketAddr::from((Ipv6Addr::from(bytes), 0))
}
