//! Opening pipes as the responder: whom to answer, and with what.

use std::net::SocketAddr;

use super::dialling::LABEL;
use super::greeting::Greeting;
use super::{PeerIndex, Pipes};
use crate::counters::Reason;
use crate::handshake::admission::Admission;
use crate::handshake::cookies::MacKeys;
use crate::handshake::{Answering, SUITES};
use crate::pipe::Next;
use crate::wire::array_at;
use crate::wire::handshake::{Initiation, Response};

const MILLISECOND_NS: u64 = 1_000_000;
const SECOND_NS: u64 = 1_000_000_000;
/// Initiations of one peer closer together than this are dropped (wireguard-go, constants.go).
const INITIATION_SPACING_NS: u64 = 20 * MILLISECOND_NS;
/// A session that the peer does not use after our answer is forgotten.
const UNCONFIRMED_NS: u64 = 30 * SECOND_NS;
/// As above, when we wanted the pipe ourselves and are without one: of two openings that crossed so
/// slowly that both ends gave theirs up, neither session is ever used, and somebody must dial again.
const UNCONFIRMED_WANTED_NS: u64 = SECOND_NS;
/// Added to it at random, so that the two do not cross again.
const UNCONFIRMED_JITTER_NS: u64 = SECOND_NS;
/// An initiation that crosses one of ours sent so lately is a simultaneous opening.
const CROSSING_NS: u64 = 200 * MILLISECOND_NS;

impl Pipes {
    pub(super) fn answer_initiation(
        &mut self,
        now_ns: u64,
        from: SocketAddr,
        datagram: &[u8],
    ) -> Result<(), Reason> {
        let initiation = Initiation::parse(datagram)?;
        if !SUITES.contains(&initiation.suite) || initiation.suite == 0 {
            return Err(Reason::UnknownSuite);
        }
        if !self
            .mac_keys
            .is_mac1(initiation.before_mac1, &initiation.mac1)
        {
            return Err(Reason::BadHandshake);
        }
        let ephemeral = array_at(initiation.message, 0).ok_or(Reason::Truncated)?;
        if self.gate.is_seen(&ephemeral) {
            return Err(Reason::StaleInitiation);
        }
        let is_proved = initiation.mac2 != [0; 16]
            && self
                .jar
                .is_proved(now_ns, from, initiation.before_mac2, &initiation.mac2);
        match self.gate.admit(now_ns, from, is_proved) {
            Admission::Admitted => {}
            Admission::OverRate => return Err(Reason::HandshakeRate),
            Admission::CookieFirst => {
                self.send_cookie(now_ns, from, &initiation)?;
                return Err(Reason::CookieRequired);
            }
        }
        let answering = Answering::read(
            &self.identity,
            initiation.suite,
            initiation.offered,
            initiation.message,
            LABEL,
            &mut self.randomness,
        )?;
        let peer = self
            .find_key(&answering.peer_key)
            .ok_or(Reason::UnknownPeer)?;
        let hello = Greeting::parse(answering.said()).ok_or(Reason::BadHandshake)?;
        if !self.is_timely(now_ns, peer, answering.timestamp, &hello)? && !is_proved {
            self.send_cookie(now_ns, from, &initiation)?;
            return Err(Reason::StaleInitiation);
        }
        if self.gives_way(now_ns, peer, &answering.peer_key) {
            return Ok(());
        }
        self.gate.remember(ephemeral);
        self.accept(
            now_ns,
            from,
            peer,
            initiation.sender_index,
            answering,
            &hello,
        )
    }

    /// Whether the timestamp is greater than the peer's last.
    fn is_timely(
        &self,
        now_ns: u64,
        peer: PeerIndex,
        timestamp: u64,
        hello: &Greeting,
    ) -> Result<bool, Reason> {
        let pipe = self.pipe(peer).ok_or(Reason::UnknownPeer)?;
        if hello.address != pipe.address {
            return Err(Reason::BadHandshake);
        }
        if pipe
            .last_initiation_ns
            .is_some_and(|at_ns| now_ns.saturating_sub(at_ns) < INITIATION_SPACING_NS)
        {
            return Err(Reason::HandshakeRate);
        }
        Ok(timestamp > pipe.last_timestamp)
    }

    /// Simultaneous opening: of two initiations that cross, the one from the smaller public key is
    /// answered. Returns whether the peer's is ignored, in which case it will answer ours.
    fn gives_way(&mut self, now_ns: u64, peer: PeerIndex, peer_key: &[u8; 32]) -> bool {
        let own_is_smaller = self.identity.public_key() < peer_key;
        let Some(dialling) = self.pipe(peer).and_then(|pipe| pipe.dialling.as_ref()) else {
            return false;
        };
        let is_crossing =
            dialling.waiting.is_some() && now_ns.saturating_sub(dialling.sent_ns) < CROSSING_NS;
        if is_crossing && own_is_smaller {
            return true;
        }
        self.end_dialling(peer);
        false
    }

    fn accept(
        &mut self,
        now_ns: u64,
        from: SocketAddr,
        peer: PeerIndex,
        remote_index: u32,
        answering: Answering,
        hello: &Greeting,
    ) -> Result<(), Reason> {
        let mac_keys = MacKeys::new(&answering.peer_key);
        let timestamp = answering.timestamp;
        let greeting = self.greeting().emit();
        let (message, secrets) = answering.answer(&greeting, &mut self.randomness)?;
        let reserved = self.sessions.reserve(peer, &mut self.randomness);
        let index = reserved.ok_or(Reason::HandshakeRate)?;
        self.install(now_ns, peer, index, remote_index, &secrets, hello.lanes);
        let datagram = Response::emit(SUITES[0], index, remote_index, &message, |before| {
            mac_keys.mac1(before)
        })?;
        self.outgoing.push_back((from, datagram));
        self.handshakes.answered += 1;

        let max_datagram_bytes = self.common_max(hello.max_datagram_bytes);
        let jitter_ns = self.randomness.jitter_below(UNCONFIRMED_JITTER_NS);
        let Some(pipe) = self.pipe_mut(peer) else {
            return Err(Reason::UnknownPeer);
        };
        let unconfirmed_ns = if pipe.is_wanted && !pipe.is_up {
            UNCONFIRMED_WANTED_NS + jitter_ns
        } else {
            UNCONFIRMED_NS
        };
        pipe.last_timestamp = timestamp;
        pipe.last_initiation_ns = Some(now_ns);
        pipe.set_max_datagram_bytes(max_datagram_bytes);
        let next = Next {
            index,
            due_ns: now_ns + unconfirmed_ns,
            endpoint: Some(from),
            boot: Some(hello.boot),
        };
        self.set_next(peer, next);
        self.rearm(now_ns, peer);
        Ok(())
    }

    fn send_cookie(
        &mut self,
        now_ns: u64,
        from: SocketAddr,
        initiation: &Initiation<'_>,
    ) -> Result<(), Reason> {
        let reply = self.jar.reply(
            now_ns,
            from,
            initiation.sender_index,
            &initiation.mac1,
            &self.mac_keys,
            &mut self.randomness,
        )?;
        self.outgoing.push_back((from, reply.emit()));
        Ok(())
    }
}
