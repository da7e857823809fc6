//! Opening pipes: dialling, answering, cookies.

use std::net::SocketAddr;

use super::{LaneUpdate, PeerIndex, PipeChange, Pipes};
use crate::counters::{Fate, Reason};
use crate::handshake::admission::Admission;
use crate::handshake::cookies::MacKeys;
use crate::handshake::{Answering, Hello, SUITES, SessionSecrets, Waiting, Welcome};
use crate::pipe::{Dialling, NEVER_NS, Next, Session, Upkeep};
use crate::wire::handshake::{CookieReply, Initiation, Response};
use crate::wire::{DatagramType, array_at};

const MILLISECOND_NS: u64 = 1_000_000;
const SECOND_NS: u64 = 1_000_000_000;
/// First waits for a response, then 5 s each (WireGuard). The short ones first, since a packet waits
/// for its pipe at most 1 s: with 5 s alone one lost datagram would lose all that waited.
const RETRY_NS: [u64; 4] = [
    250 * MILLISECOND_NS,
    500 * MILLISECOND_NS,
    SECOND_NS,
    2 * SECOND_NS,
];
const LAST_RETRY_NS: u64 = 5 * SECOND_NS;
/// Added at random to the 5 s, so that two ends do not retry in step (wireguard-go, constants.go).
const RETRY_JITTER_NS: u64 = 334 * MILLISECOND_NS;
/// Dialling ends (wireguard-go, constants.go).
const GIVE_UP_NS: u64 = 90 * SECOND_NS;
/// Initiations of one peer closer together than this are dropped (wireguard-go, constants.go).
const INITIATION_SPACING_NS: u64 = 20 * MILLISECOND_NS;
/// A session that the peer does not use after our answer is forgotten.
const UNCONFIRMED_NS: u64 = 30 * SECOND_NS;
/// An initiation that crosses one of ours sent so lately is a simultaneous opening.
const CROSSING_NS: u64 = 200 * MILLISECOND_NS;
/// The label of the prologue, so that no other protocol's handshake fits.
const LABEL: &[u8] = b"ei pipe";

impl Pipes {
    /// Begin to open a pipe to a peer whose endpoint is known; no effect while one is up or dialling.
    pub fn dial(&mut self, now_ns: u64, peer: PeerIndex) {
        let Some(pipe) = self.pipe_mut(peer) else {
            return;
        };
        pipe.is_wanted = true;
        if !pipe.is_up {
            self.begin_dialling(now_ns, peer);
        }
    }

    /// Begin a handshake, also while a session is up (a new key).
    pub(super) fn begin_dialling(&mut self, now_ns: u64, peer: PeerIndex) {
        if !self.is_first_lane() {
            return;
        }
        let Some(pipe) = self.pipe_mut(peer) else {
            return;
        };
        if pipe.dialling.is_some() {
            return;
        }
        let Some(endpoint) = pipe.dial_endpoint(0) else {
            return;
        };
        pipe.dialling = Some(Box::new(Dialling {
            waiting: None,
            index: None,
            mac1: [0; 16],
            endpoint,
            began_ns: now_ns,
            sent_ns: now_ns,
            retry_ns: now_ns,
            tries: 0,
            cookie: None,
            followed_cookie: false,
        }));
        self.initiate(now_ns, peer);
        self.rearm(now_ns, peer);
    }

    /// Send the next initiation of a dialling, or give it up.
    pub(super) fn retry_dialling(&mut self, now_ns: u64, peer: PeerIndex) {
        let Some(pipe) = self.pipe(peer) else { return };
        let Some(dialling) = &pipe.dialling else {
            return;
        };
        if now_ns.saturating_sub(dialling.began_ns) >= GIVE_UP_NS {
            self.end_dialling(peer);
            let Some(pipe) = self.pipe_mut(peer) else {
                return;
            };
            // Nodes never stop: a partition between them may heal after any time.
            pipe.is_wanted &= pipe.is_up || pipe.upkeep == Upkeep::Beating;
            if !pipe.is_up {
                self.changes.push_back(PipeChange::DialFailed { peer });
            }
        } else if now_ns >= dialling.retry_ns {
            if let Some(dialling) = self.pipe_mut(peer).and_then(|pipe| pipe.dialling.as_mut()) {
                dialling.followed_cookie = false;
            }
            self.initiate(now_ns, peer);
        }
    }

    pub(super) fn end_dialling(&mut self, peer: PeerIndex) {
        let Some(dialling) = self.pipe_mut(peer).and_then(|pipe| pipe.dialling.take()) else {
            return;
        };
        if let Some(index) = dialling.index {
            self.sessions.release(index);
        }
    }

    fn initiate(&mut self, now_ns: u64, peer: PeerIndex) {
        let jitter_ns = self.randomness.jitter_below(RETRY_JITTER_NS);
        let hello = self.hello(now_ns);
        let Some(pipe) = self.peers.get_mut(peer.0 as usize).and_then(Option::as_mut) else {
            return;
        };
        let rtt_ns = pipe.rtt.timeout_ns();
        let Some(tries) = pipe.dialling.as_ref().map(|dialling| dialling.tries) else {
            return;
        };
        let Some(endpoint) = pipe.dial_endpoint(tries) else {
            return;
        };
        let Some(dialling) = &mut pipe.dialling else {
            return;
        };
        dialling.endpoint = endpoint;
        dialling.waiting = None;
        if let Some(index) = dialling.index.take() {
            self.sessions.release(index);
        }
        dialling.retry_ns = now_ns
            + match RETRY_NS.get(dialling.tries as usize) {
                Some(wait_ns) => (*wait_ns).max(rtt_ns * 5 / 4),
                None => LAST_RETRY_NS + jitter_ns,
            };
        dialling.tries += 1;
        dialling.sent_ns = now_ns;
        let Some(index) = self.sessions.reserve(peer) else {
            return;
        };
        dialling.index = Some(index);
        let started = Waiting::start(
            &self.identity,
            &pipe.public_key,
            &hello,
            &[],
            LABEL,
            &mut self.randomness,
        );
        let Ok((waiting, noise)) = started else {
            return;
        };
        let Ok(mut datagram) = Initiation::emit(SUITES[0], index, SUITES, &noise) else {
            return;
        };
        let mac_keys = MacKeys::new(&pipe.public_key);
        let cookie = dialling
            .cookie
            .filter(|(_, at_ns)| is_cookie_fresh(now_ns, *at_ns));
        let mut mac1 = [0; 16];
        Initiation::put_macs(
            &mut datagram,
            |before| {
                mac1 = mac_keys.mac1(before);
                mac1
            },
            |before| cookie.map_or([0; 16], |(cookie, _)| cookie.mac2(before)),
        );
        dialling.mac1 = mac1;
        dialling.waiting = Some(waiting);
        self.outgoing.push_back((endpoint, datagram));
    }

    fn hello(&mut self, now_ns: u64) -> Hello {
        let unix_ns = now_ns.saturating_add_signed(self.config.unix_offset_ns);
        self.last_timestamp = unix_ns.max(self.last_timestamp + 1);
        Hello {
            timestamp: self.last_timestamp,
            boot: self.boot,
            address: self.config.address,
            lanes: self.config.lanes,
            max_datagram_bytes: self.max_datagram_u16(),
        }
    }

    fn max_datagram_u16(&self) -> u16 {
        u16::try_from(self.config.max_datagram_bytes).unwrap_or(u16::MAX)
    }

    /// Process a handshake datagram (types 1 to 3, lane 0 only). Answers go to `take_outgoing`.
    pub fn handle_handshake(&mut self, now_ns: u64, from: SocketAddr, datagram: &mut [u8]) -> Fate {
        let handled = match DatagramType::of(datagram) {
            Ok(DatagramType::Initiation) => self.answer_initiation(now_ns, from, datagram),
            Ok(DatagramType::Response) => self.finish_dialling(now_ns, datagram),
            Ok(DatagramType::Cookie) => self.take_cookie(now_ns, datagram),
            Ok(DatagramType::Data) => Err(Reason::UnknownType),
            Err(reason) => Err(reason),
        };
        handled.map_or_else(Fate::Dropped, |()| Fate::Consumed)
    }

    // -- as responder -------------------------------------------------------------------------------

    fn answer_initiation(
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
        let ephemeral = array_at(initiation.noise, 0).ok_or(Reason::Truncated)?;
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
            initiation.noise,
            LABEL,
            &mut self.randomness,
        )?;
        let peer = self
            .find_key(&answering.peer_key)
            .ok_or(Reason::UnknownPeer)?;
        if !self.is_timely(now_ns, peer, &answering.hello)? && !is_proved {
            self.send_cookie(now_ns, from, &initiation)?;
            return Err(Reason::StaleInitiation);
        }
        if self.gives_way(now_ns, peer, &answering.peer_key) {
            return Ok(());
        }
        self.gate.remember(ephemeral);
        self.accept(now_ns, from, peer, initiation.sender_index, answering)
    }

    /// Whether the timestamp is greater than the peer's last.
    fn is_timely(&self, now_ns: u64, peer: PeerIndex, hello: &Hello) -> Result<bool, Reason> {
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
        Ok(hello.timestamp > pipe.last_timestamp)
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
    ) -> Result<(), Reason> {
        let hello = answering.hello;
        let mac_keys = MacKeys::new(&answering.peer_key);
        let welcome = Welcome {
            boot: self.boot,
            lanes: self.config.lanes,
            max_datagram_bytes: self.max_datagram_u16(),
            suites: SUITES,
        };
        let (noise, secrets) = answering.answer(&welcome)?;
        let index = self.sessions.reserve(peer).ok_or(Reason::HandshakeRate)?;
        self.install(now_ns, peer, index, remote_index, &secrets, hello.lanes);
        let datagram = Response::emit(SUITES[0], index, remote_index, &noise, |before| {
            mac_keys.mac1(before)
        })?;
        self.outgoing.push_back((from, datagram));

        let max_datagram_bytes = self.common_max(hello.max_datagram_bytes);
        let Some(pipe) = self.pipe_mut(peer) else {
            return Err(Reason::UnknownPeer);
        };
        pipe.last_timestamp = hello.timestamp;
        pipe.last_initiation_ns = Some(now_ns);
        pipe.max_datagram_bytes = max_datagram_bytes;
        let next = Next {
            index,
            due_ns: now_ns + UNCONFIRMED_NS,
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

    // -- as initiator -------------------------------------------------------------------------------

    fn finish_dialling(&mut self, now_ns: u64, datagram: &[u8]) -> Result<(), Reason> {
        let response = Response::parse(datagram)?;
        if !SUITES.contains(&response.suite) || response.suite == 0 {
            return Err(Reason::UnknownSuite);
        }
        let peer = self
            .sessions
            .reserved_for(response.receiver_index)
            .ok_or(Reason::UnknownPipe)?;
        if !self.mac_keys.is_mac1(response.before_mac1, &response.mac1) {
            return Err(Reason::BadHandshake);
        }
        let pipe = self.pipe_mut(peer).ok_or(Reason::UnknownPipe)?;
        let Some(dialling) = &mut pipe.dialling else {
            return Err(Reason::UnknownPipe);
        };
        if dialling.index != Some(response.receiver_index) {
            return Err(Reason::UnknownPipe);
        }
        let waiting = dialling.waiting.as_mut().ok_or(Reason::UnknownPipe)?;
        // A forged answer leaves the state as it was, and the true one can still come.
        let (welcome, secrets) = waiting.finish(response.noise)?;
        let rtt_ns = now_ns.saturating_sub(dialling.sent_ns);
        let (index, endpoint) = (response.receiver_index, dialling.endpoint);
        pipe.dialling = None;
        pipe.rtt.add(rtt_ns);
        pipe.measured_ns = now_ns;
        self.install(
            now_ns,
            peer,
            index,
            response.sender_index,
            &secrets,
            welcome.lanes,
        );
        self.note_boot(peer, welcome.boot);
        let max_datagram_bytes = self.common_max(welcome.max_datagram_bytes);
        if let Some(pipe) = self.pipe_mut(peer) {
            pipe.max_datagram_bytes = max_datagram_bytes;
            pipe.last_received_ns = now_ns;
            pipe.unanswered_ns = NEVER_NS;
        }
        self.promote_when_known(now_ns, peer, index, Some(endpoint));
        self.rearm(now_ns, peer);
        Ok(())
    }

    fn take_cookie(&mut self, now_ns: u64, datagram: &[u8]) -> Result<(), Reason> {
        let reply = CookieReply::parse(datagram)?;
        let peer = self
            .sessions
            .reserved_for(reply.receiver_index)
            .ok_or(Reason::UnknownPipe)?;
        let pipe = self.pipe_mut(peer).ok_or(Reason::UnknownPipe)?;
        let public_key = pipe.public_key;
        let dialling = pipe.dialling.as_mut().ok_or(Reason::UnknownPipe)?;
        if dialling.index != Some(reply.receiver_index) {
            return Err(Reason::UnknownPipe);
        }
        let cookie = MacKeys::new(&public_key).open_cookie(&reply, &dialling.mac1)?;
        dialling.cookie = Some((cookie, now_ns));
        // At once, but once per try: a responder that only gives cookies costs us no loop (A10).
        if !std::mem::replace(&mut dialling.followed_cookie, true) {
            dialling.tries = dialling.tries.saturating_sub(1);
            self.initiate(now_ns, peer);
            self.rearm(now_ns, peer);
        }
        Ok(())
    }

    // -- sessions -----------------------------------------------------------------------------------

    fn common_max(&self, theirs: u16) -> usize {
        self.config.max_datagram_bytes.min(usize::from(theirs))
    }

    /// Make the session of a finished handshake, here and on the other threads.
    fn install(
        &mut self,
        now_ns: u64,
        peer: PeerIndex,
        index: u32,
        remote_index: u32,
        secrets: &SessionSecrets,
        peer_lanes: u8,
    ) {
        let session = Session::new(now_ns, secrets, remote_index, self.share(peer_lanes));
        self.sessions.put(index, Box::new(session));
        self.tell_lanes(peer, |peer| LaneUpdate::Install {
            peer,
            index,
            remote_index,
            made_ns: now_ns,
            secrets: secrets.clone(),
            peer_lanes,
        });
    }

    /// Another boot number: the peer was restarted, and what we shared with it is gone.
    pub(super) fn note_boot(&mut self, peer: PeerIndex, boot: u64) {
        let Some(pipe) = self.pipe_mut(peer) else {
            return;
        };
        if pipe.boot.replace(boot).is_some_and(|before| before != boot) {
            let stale = std::mem::take(&mut pipe.sessions);
            if let Some(control) = &mut pipe.control {
                control.restart();
            }
            let was_up = std::mem::replace(&mut pipe.is_up, false);
            let next = pipe.next.take().map(|next| next.index);
            for index in [stale.current, stale.previous, next].into_iter().flatten() {
                self.retire(index);
            }
            if was_up {
                self.changes.push_back(PipeChange::PeerDown { peer });
                self.tell_state(peer);
            }
        }
    }

    /// Keep a session until it may be used, in place of another that was not.
    pub(super) fn set_next(&mut self, peer: PeerIndex, next: Next) {
        let Some(pipe) = self.pipe_mut(peer) else {
            return;
        };
        if let Some(unused) = pipe.next.replace(Box::new(next)) {
            self.retire(unused.index);
        }
    }

    pub(super) fn retire(&mut self, index: u32) {
        self.sessions.release(index);
        if self.config.lanes > 1 {
            self.updates.push_back(LaneUpdate::Retire { index });
        }
    }

    pub(super) fn end_sessions(&mut self, peer: PeerIndex) {
        self.end_dialling(peer);
        let Some(pipe) = self.pipe_mut(peer) else {
            return;
        };
        let sessions = std::mem::take(&mut pipe.sessions);
        let next = pipe.next.take().map(|next| next.index);
        for index in [sessions.current, sessions.previous, next]
            .into_iter()
            .flatten()
        {
            self.retire(index);
        }
    }
}

fn is_cookie_fresh(now_ns: u64, at_ns: u64) -> bool {
    now_ns.saturating_sub(at_ns) < crate::handshake::cookies::SECRET_LIFE_NS
}
