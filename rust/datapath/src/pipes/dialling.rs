//! Opening pipes as the initiator: dialling, retries, responses, cookies.

use super::greeting::Greeting;
use super::{PeerIndex, PipeChange, Pipes};
use crate::counters::Reason;
use crate::handshake::cookies::MacKeys;
use crate::handshake::{SUITES, Waiting};
use crate::pipe::{Dialling, NEVER_NS, Upkeep};
use crate::wire::handshake::{CookieReply, Initiation, Response};

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
/// The label of the prologue, so that no other protocol's handshake fits.
pub(super) const LABEL: &[u8] = b"ei pipe";

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
        let timestamp = self.next_timestamp(now_ns);
        let greeting = self.greeting().emit();
        let Some(pipe) = self.peers.get_mut(peer.0) else {
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
        let Some(index) = self.sessions.reserve(peer, &mut self.randomness) else {
            return;
        };
        dialling.index = Some(index);
        let started = Waiting::start(
            &self.identity,
            &pipe.public_key,
            timestamp,
            &greeting,
            LABEL,
            &mut self.randomness,
        );
        let Ok((waiting, message)) = started else {
            return;
        };
        let Ok(mut datagram) = Initiation::emit(SUITES[0], index, SUITES, &message) else {
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
        self.handshakes.initiated += 1;
    }

    /// Unix nanoseconds, greater each time.
    fn next_timestamp(&mut self, now_ns: u64) -> u64 {
        let unix_ns = now_ns.saturating_add_signed(self.config.unix_offset_ns);
        self.last_timestamp = unix_ns.max(self.last_timestamp + 1);
        self.last_timestamp
    }

    pub(super) fn greeting(&self) -> Greeting {
        Greeting {
            boot: self.boot,
            address: self.config.address,
            lanes: self.config.lanes,
            max_datagram_bytes: self.max_datagram_u16(),
        }
    }

    pub(super) fn finish_dialling(&mut self, now_ns: u64, datagram: &[u8]) -> Result<(), Reason> {
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
        let (said, secrets) = waiting.finish(response.message)?;
        let welcome = Greeting::parse(&said)
            .filter(|welcome| welcome.address == pipe.address)
            .ok_or(Reason::BadHandshake)?;
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
            pipe.set_max_datagram_bytes(max_datagram_bytes);
            pipe.last_received_ns = now_ns;
            pipe.unanswered_ns = NEVER_NS;
        }
        self.handshakes.completed += 1;
        self.promote_when_known(now_ns, peer, index, Some(endpoint));
        self.rearm(now_ns, peer);
        Ok(())
    }

    pub(super) fn take_cookie(&mut self, now_ns: u64, datagram: &[u8]) -> Result<(), Reason> {
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
}

fn is_cookie_fresh(now_ns: u64, at_ns: u64) -> bool {
    now_ns.saturating_sub(at_ns) < crate::handshake::cookies::SECRET_LIFE_NS
}
