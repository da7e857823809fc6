//! What happens to pipes by themselves: heartbeats, probes, new keys, going up and down, roaming.

use std::net::SocketAddr;

use super::{LaneReport, LaneUpdate, PeerIndex, PeerKind, PipeChange, Pipes};
use crate::control::Signal;
use crate::pipe::{Candidate, NEVER_NS, Next, Pipe, Upkeep};

const MILLISECOND_NS: u64 = 1_000_000;
const SECOND_NS: u64 = 1_000_000_000;
/// Packets sealed under the previous key may be under way this long.
pub(super) const PREVIOUS_KEY_NS: u64 = 10 * SECOND_NS;
/// Other threads get this long to learn a new key before the peer may use it.
const LANE_GRACE_NS: u64 = 50 * MILLISECOND_NS;
/// Between nodes, and on pipes of hosts that are in use, the round trip is measured this often.
const MEASURE_NS: u64 = SECOND_NS;
/// While down, a peer is probed this often under the key it may still have.
const REVIVE_NS: u64 = 500 * MILLISECOND_NS;
/// Challenges to one new address are at least this far apart.
const CHALLENGE_SPACING_NS: u64 = 50 * MILLISECOND_NS;
/// At most this many times the bytes that came from an address that has not proved itself (RFC 9000).
const AMPLIFICATION: usize = 3;
const CHALLENGE_BYTES: usize = 80;

impl Pipes {
    /// Do what is due: retries, heartbeats, keepalive, new keys, liveness, resending of control.
    pub fn poll(&mut self, now_ns: u64) {
        self.clock_ns = self.clock_ns.max(now_ns);
        while let Some(peer) = self.timers.pop_due(now_ns) {
            let is_first_lane = self.is_first_lane();
            let Some(pipe) = self.pipe_mut(peer) else {
                continue;
            };
            pipe.timer_ns = NEVER_NS;
            if is_first_lane {
                self.keep_up(now_ns, peer);
                self.rearm(now_ns, peer);
            } else {
                pipe.unanswered_ns = NEVER_NS;
            }
        }
    }

    fn keep_up(&mut self, now_ns: u64, peer: PeerIndex) {
        self.retry_dialling(now_ns, peer);
        self.keep_keys(now_ns, peer);
        self.keep_alive(now_ns, peer);
        self.flush_control(now_ns, peer);
    }

    /// Forget what expired, and begin the next key in time.
    fn keep_keys(&mut self, now_ns: u64, peer: PeerIndex) {
        let Some(pipe) = self.pipe(peer) else { return };
        if let Some(index) = pipe.previous
            && now_ns >= pipe.retire_previous_ns
        {
            self.retire(index);
            if let Some(pipe) = self.pipe_mut(peer) {
                pipe.previous = None;
                pipe.retire_previous_ns = NEVER_NS;
            }
        }
        if let Some(pipe) = self.pipe_mut(peer)
            && let Some(next) = pipe.next.take_if(|next| now_ns >= next.due_ns)
        {
            if next.boot.is_some() {
                self.retire(next.index);
            } else {
                self.promote(now_ns, peer, next.index, next.endpoint);
                self.send_probe(now_ns, peer);
            }
        }
        let Some(index) = self.pipe(peer).and_then(|pipe| pipe.current) else {
            return;
        };
        let Some((_, _, session)) = self.sessions.find(index) else {
            return;
        };
        if session.is_expired(now_ns, &self.limits) {
            self.retire(index);
            if let Some(pipe) = self.pipe_mut(peer) {
                pipe.current = None;
            }
            self.went_down(now_ns, peer);
        } else if session.is_worn(&self.limits) || now_ns >= session.rekey_ns(&self.limits) {
            let has_next = self.pipe(peer).is_some_and(|pipe| pipe.next.is_some());
            if !has_next && self.is_up(peer) {
                self.begin_dialling(now_ns, peer);
            }
        }
    }

    /// Send what shows that we live, and notice when the peer does not.
    fn keep_alive(&mut self, now_ns: u64, peer: PeerIndex) {
        let heartbeat_ns = self.config.heartbeat_ns;
        let (overflowed_ns, read_ns) = (self.overflowed_ns, self.read_ns);
        let Some(pipe) = self.pipe_mut(peer) else {
            return;
        };
        if pipe.current.is_none() {
            if pipe.is_wanted && !pipe.is_up {
                self.begin_dialling(now_ns, peer);
            }
            return;
        }
        if !pipe.is_up {
            if pipe.upkeep != Upkeep::Kept && now_ns >= pipe.next_probe_ns {
                pipe.next_probe_ns = now_ns + REVIVE_NS;
                self.send_probe(now_ns, peer);
            }
            if self.pipe(peer).is_some_and(|pipe| pipe.is_wanted) {
                self.begin_dialling(now_ns, peer);
            }
            return;
        }
        let down_ns = pipe.down_ns(heartbeat_ns, overflowed_ns);
        if pipe.is_down(now_ns, down_ns, read_ns, heartbeat_ns) {
            self.went_down(now_ns, peer);
            return;
        }
        let is_measuring = now_ns.saturating_sub(pipe.measured_ns) >= MEASURE_NS;
        if now_ns < pipe.probe_ns(heartbeat_ns) {
            // Sending woke the timer. A pipe in use is measured as often: how long its handshake took says
            // how busy both ends were when they started.
            let is_in_use = now_ns.saturating_sub(pipe.last_sent_ns) <= 2 * heartbeat_ns;
            if is_measuring && is_in_use {
                self.send_probe(now_ns, peer);
            }
            return;
        }
        let is_suspect = now_ns.saturating_sub(pipe.last_received_ns) >= heartbeat_ns * 3 / 2;
        match pipe.upkeep {
            Upkeep::Beating if is_suspect => {
                pipe.next_probe_ns = now_ns + pipe.upkeep.probe_spacing_ns(heartbeat_ns);
                self.send_probe(now_ns, peer);
            }
            Upkeep::Beating if is_measuring => self.send_probe(now_ns, peer),
            Upkeep::Beating => self.send_signal(now_ns, peer, Signal::Beat, None),
            Upkeep::Keeping | Upkeep::Kept => {
                pipe.next_probe_ns = now_ns + pipe.upkeep.probe_spacing_ns(heartbeat_ns);
                self.send_probe(now_ns, peer);
            }
        }
    }

    /// Set the peer's timer to the earliest of all that can happen to it.
    pub(super) fn rearm(&mut self, now_ns: u64, peer: PeerIndex) {
        let heartbeat_ns = self.config.heartbeat_ns;
        let Some(pipe) = self.pipe(peer) else { return };
        let mut deadline_ns = NEVER_NS;
        if let Some(dialling) = &pipe.dialling {
            deadline_ns = deadline_ns.min(dialling.retry_ns);
        }
        if pipe.previous.is_some() {
            deadline_ns = deadline_ns.min(pipe.retire_previous_ns);
        }
        if let Some(next) = &pipe.next {
            deadline_ns = deadline_ns.min(next.due_ns);
        }
        if pipe.is_up {
            let down_ns = pipe.down_ns(heartbeat_ns, self.overflowed_ns);
            let down_ns = if down_ns <= now_ns {
                // What waits at our socket is read first.
                now_ns + heartbeat_ns / 4
            } else {
                down_ns
            };
            deadline_ns = deadline_ns.min(pipe.probe_ns(heartbeat_ns)).min(down_ns);
            if let Some(control) = &pipe.control {
                deadline_ns = deadline_ns.min(control.deadline_ns(pipe.rtt.timeout_ns()));
            }
        } else if pipe.current.is_some() && pipe.upkeep != Upkeep::Kept {
            deadline_ns = deadline_ns.min(pipe.next_probe_ns);
        }
        // A new key is begun only while up, and once.
        let waits_to_rekey = pipe.is_up && pipe.dialling.is_none() && pipe.next.is_none();
        if let Some(index) = pipe.current
            && let Some((_, _, session)) = self.sessions.find(index)
        {
            deadline_ns = deadline_ns.min(session.reject_ns(&self.limits));
            if waits_to_rekey {
                deadline_ns = deadline_ns.min(session.rekey_ns(&self.limits));
            }
        }
        // Never again at the same instant, whatever is overdue.
        self.set_timer(peer, deadline_ns.max(now_ns + MILLISECOND_NS / 4));
    }

    /// Set the peer's timer, or end it with `NEVER_NS`.
    fn set_timer(&mut self, peer: PeerIndex, deadline_ns: u64) {
        let Some(pipe) = self.pipe_mut(peer) else {
            return;
        };
        pipe.timer_ns = deadline_ns;
        if deadline_ns == NEVER_NS {
            self.timers.remove(peer);
        } else {
            self.timers.set(peer, deadline_ns);
        }
    }

    /// Set the peer's timer if that is earlier than what it is set to: that is looked up in the pipe, whose lines
    /// a packet needs anyway, and not in the heap.
    pub(super) fn pull_timer(&mut self, peer: PeerIndex, deadline_ns: u64) {
        if self
            .pipe(peer)
            .is_some_and(|pipe| deadline_ns < pipe.timer_ns)
        {
            self.set_timer(peer, deadline_ns);
        }
    }

    // -- from the hot path --------------------------------------------------------------------------

    /// A packet verified that is not simply the next one of a pipe that is up.
    #[cold]
    pub(super) fn opened_unusually(
        &mut self,
        now_ns: u64,
        peer: PeerIndex,
        index: u32,
        from: SocketAddr,
        is_newest: bool,
        datagram_bytes: usize,
    ) {
        if !self.is_first_lane() {
            return;
        }
        if let Some(pipe) = self.pipe_mut(peer)
            && let Some(next) = pipe.next.take_if(|next| next.index == index)
        {
            self.confirm(now_ns, peer, *next);
            self.rearm(now_ns, peer);
        }
        let Some(pipe) = self.pipe(peer) else { return };
        if !pipe.is_up && pipe.current == Some(index) {
            self.end_dialling(peer);
            self.went_up(peer);
            self.flush_control(now_ns, peer);
            self.rearm(now_ns, peer);
        }
        let Some(pipe) = self.pipe(peer) else { return };
        if pipe.endpoint != Some(from) && is_newest {
            self.challenge(now_ns, peer, from, datagram_bytes);
        }
    }

    /// A packet was sealed that is the first to await an answer, or that wears out its key.
    #[cold]
    pub(super) fn sealed_unusually(&mut self, now_ns: u64, peer: PeerIndex, is_worn: bool) {
        let deadline_ns = now_ns.saturating_add(self.config.heartbeat_ns);
        if self.is_first_lane() {
            self.pull_timer(peer, if is_worn { now_ns } else { deadline_ns });
            return;
        }
        let address = self.address(peer);
        if self.reports.len() < super::lanes::MAX_REPORTS {
            self.reports.push_back(LaneReport {
                peer: address,
                sent_ns: now_ns,
                is_worn,
            });
        }
        self.pull_timer(peer, deadline_ns);
    }

    // -- up and down --------------------------------------------------------------------------------

    /// The peer uses the session that our answer offered.
    fn confirm(&mut self, now_ns: u64, peer: PeerIndex, next: Next) {
        let made_ns = self
            .sessions
            .find(next.index)
            .map_or(now_ns, |(_, _, session)| session.made_ns());
        if let Some(pipe) = self.pipe_mut(peer)
            && pipe.rtt.smoothed_ns().is_none()
        {
            // From our answer to the first packet that it allowed.
            pipe.rtt.add(now_ns.saturating_sub(made_ns));
        }
        if let Some(boot) = next.boot {
            self.note_boot(peer, boot);
        }
        self.handshakes.completed += 1;
        self.promote(now_ns, peer, next.index, next.endpoint);
    }

    /// Seal with the session at `index` from now on, to where the peer proved to be.
    fn promote(&mut self, now_ns: u64, peer: PeerIndex, index: u32, endpoint: Option<SocketAddr>) {
        let Some(pipe) = self.pipe_mut(peer) else {
            return;
        };
        let stale = pipe.previous.take();
        pipe.previous = pipe.current.replace(index);
        pipe.retire_previous_ns = now_ns.saturating_add(PREVIOUS_KEY_NS);
        pipe.endpoint = endpoint.or(pipe.endpoint);
        pipe.unanswered_ns = NEVER_NS;
        pipe.next_probe_ns = NEVER_NS;
        if let Some(stale) = stale {
            self.retire(stale);
        }
        self.tell_lanes(peer, |peer| LaneUpdate::Promote { peer, index });
        self.went_up(peer);
        self.flush_control(now_ns, peer);
    }

    /// Use a session that we began: at once, or when the other threads know it.
    pub(super) fn promote_when_known(
        &mut self,
        now_ns: u64,
        peer: PeerIndex,
        index: u32,
        endpoint: Option<SocketAddr>,
    ) {
        if self.config.lanes > 1 && self.is_up(peer) {
            let due_ns = now_ns + LANE_GRACE_NS;
            self.set_next(
                peer,
                Next {
                    index,
                    due_ns,
                    endpoint,
                    boot: None,
                },
            );
            return;
        }
        self.promote(now_ns, peer, index, endpoint);
        // The first packet under the new key tells the responder that it may use it too.
        self.send_probe(now_ns, peer);
    }

    fn went_up(&mut self, peer: PeerIndex) {
        let Some(pipe) = self.pipe_mut(peer) else {
            return;
        };
        let was_up = std::mem::replace(&mut pipe.is_up, true);
        pipe.next_probe_ns = NEVER_NS;
        if !was_up {
            self.changes.push_back(PipeChange::PeerUp { peer });
        }
        self.tell_state(peer);
    }

    pub(super) fn went_down(&mut self, now_ns: u64, peer: PeerIndex) {
        let Some(pipe) = self.pipe_mut(peer) else {
            return;
        };
        let was_up = std::mem::replace(&mut pipe.is_up, false);
        pipe.next_probe_ns = now_ns + REVIVE_NS;
        pipe.unanswered_ns = NEVER_NS;
        let is_wanted = pipe.is_wanted;
        if was_up {
            self.changes.push_back(PipeChange::PeerDown { peer });
        }
        self.tell_state(peer);
        if is_wanted {
            self.begin_dialling(now_ns, peer);
        }
    }

    /// Datagrams came of late that found our socket's buffer full. Whose they were nobody knows: their
    /// silence is excused for a while (decision record 16), and a host says that it lives, since it may
    /// not hear that its nodes ask.
    pub fn note_overflow(&mut self, now_ns: u64) {
        self.overflowed_ns = now_ns;
        if self.config.kind != PeerKind::Host {
            return;
        }
        let is_due = |pipe: &Pipe| {
            let silent_ns = now_ns.saturating_sub(pipe.last_sent_ns);
            pipe.is_up && silent_ns >= self.config.heartbeat_ns
        };
        let due: Vec<_> = self
            .peers()
            .filter(|peer| self.pipe(*peer).is_some_and(is_due))
            .collect();
        for peer in due {
            self.send_signal(now_ns, peer, Signal::Beat, None);
        }
    }

    /// All that had come to our socket by `now_ns` has been read. Who says so once says so each time: the
    /// silence of a peer whose answer may wait there is excused for a while (decision record 16).
    pub fn note_read(&mut self, now_ns: u64) {
        self.read_ns = now_ns;
    }

    // -- roaming ------------------------------------------------------------------------------------

    /// The peer sends from another address: ask it there. Until it answers the old one serves.
    fn challenge(&mut self, now_ns: u64, peer: PeerIndex, from: SocketAddr, datagram_bytes: usize) {
        let Ok(token) = self.randomness.array().map(u64::from_le_bytes) else {
            return;
        };
        let Some(pipe) = self.pipe_mut(peer) else {
            return;
        };
        let is_too_soon = pipe.candidate.as_ref().is_some_and(|candidate| {
            now_ns.saturating_sub(candidate.challenged_ns) < CHALLENGE_SPACING_NS
        });
        if is_too_soon || AMPLIFICATION * datagram_bytes < CHALLENGE_BYTES {
            return;
        }
        pipe.candidate = Some(Box::new(Candidate {
            endpoint: from,
            token,
            challenged_ns: now_ns,
        }));
        self.send_signal(now_ns, peer, Signal::Probe { token }, Some(from));
    }

    /// The answer to a challenge came from the address it was sent to.
    pub(super) fn take_challenge_answer(&mut self, peer: PeerIndex, token: u64, from: SocketAddr) {
        let Some(pipe) = self.pipe_mut(peer) else {
            return;
        };
        let is_answer = pipe
            .candidate
            .as_ref()
            .is_some_and(|candidate| candidate.token == token && candidate.endpoint == from);
        if is_answer {
            pipe.endpoint = Some(from);
            pipe.candidate = None;
            self.tell_state(peer);
        }
    }
}
