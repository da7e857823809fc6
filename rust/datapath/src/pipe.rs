//! One pipe: what is known of the peer, its sessions, and whether it lives.
//!
//! Liveness is measured in the data path: whatever verifies is a sign of life. Between nodes each end
//! sends at least every 50 ms; elsewhere a packet that stays unanswered for 50 ms is followed by
//! probes. Three missed are down, once the last had time to come: a probe waits behind the data before
//! it. An idle pipe of a host sends every 15 s, which keeps NATs open.

mod rtt;
mod session;

pub use rtt::Rtt;
pub use session::{IsNewest, KeyLimits, LaneShare, Session};

use std::mem::offset_of;
use std::net::SocketAddr;
use std::ops::Range;

use crate::aead::KEY_BYTES;
use crate::control::Control;
use crate::handshake::Waiting;
use crate::handshake::cookies::Cookie;
use crate::wire::Address;
use crate::wire::handshake::MAC_BYTES;

/// A time that never comes.
pub(crate) const NEVER_NS: u64 = u64::MAX;
/// Idle pipes of hosts send this often (below the 30 s of the shortest NAT timers, RFC 4787).
pub const KEEPALIVE_NS: u64 = 15_000_000_000;
/// Heartbeats that may be missed before a peer counts as down.
pub const MISSED_BEATS: u64 = 3;

/// Probes that may stay unanswered while our own socket loses datagrams: of ten answers nine may be lost
/// among them.
const EXCUSED_PROBES: u64 = 40;

/// What a peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerKind {
    /// An end system.
    Host,
    /// A service node.
    Node,
}

/// How a pipe is kept alive; follows from what the two ends are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Upkeep {
    /// Both are nodes: heartbeats always.
    Beating,
    /// This end is a host: keepalive, and probes while data is unanswered.
    Keeping,
    /// The other end is a host that keeps the pipe alive: probes while data is unanswered.
    Kept,
}

impl Upkeep {
    pub(crate) fn between(own: PeerKind, peer: PeerKind) -> Self {
        match (own, peer) {
            (PeerKind::Node, PeerKind::Node) => Self::Beating,
            (PeerKind::Host, _) => Self::Keeping,
            (PeerKind::Node, PeerKind::Host) => Self::Kept,
        }
    }

    /// A silent peer is probed this often.
    pub(crate) fn probe_spacing_ns(self, heartbeat_ns: u64) -> u64 {
        match self {
            Self::Beating => heartbeat_ns / 4,
            Self::Keeping | Self::Kept => heartbeat_ns,
        }
    }
}

/// A handshake that this end began.
pub(crate) struct Dialling {
    /// `None` when no initiation could be made; the next retry tries again.
    pub(crate) waiting: Option<Waiting>,
    /// Our receiver index that the response must carry.
    pub(crate) index: Option<u32>,
    pub(crate) mac1: [u8; MAC_BYTES],
    /// Where the last initiation went.
    pub(crate) endpoint: SocketAddr,
    pub(crate) began_ns: u64,
    pub(crate) sent_ns: u64,
    pub(crate) retry_ns: u64,
    pub(crate) tries: u32,
    /// The next initiation carries it.
    pub(crate) cookie: Option<(Cookie, u64)>,
    /// A cookie was followed at once in this try; only the timer sends the next.
    pub(crate) followed_cookie: bool,
}

/// A new address of the peer that has not proved itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    pub(crate) endpoint: SocketAddr,
    pub(crate) token: u64,
    pub(crate) challenged_ns: u64,
}

/// A session that is not in use yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Next {
    pub(crate) index: u32,
    /// When it is used, if we began it; else forgotten, if the peer has not used it by then.
    pub(crate) due_ns: u64,
    /// Where our part of the handshake went: the peer proved to be there.
    pub(crate) endpoint: Option<SocketAddr>,
    /// The peer's boot number, if we answered.
    pub(crate) boot: Option<u64>,
}

/// What is counted per pipe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PipeStatistics {
    /// Datagrams sealed.
    pub sent: u64,
    /// Datagrams opened.
    pub received: u64,
    /// Bytes of them on the wire.
    pub sent_bytes: u64,
    /// Bytes of them on the wire.
    pub received_bytes: u64,
    /// Packets that policy did not take.
    pub refused: u64,
}

/// A peer and the association with it. What packets need lies in the first two cache lines.
#[repr(C, align(64))]
pub(crate) struct Pipe {
    pub(crate) address: Address,
    pub(crate) endpoint: Option<SocketAddr>,
    /// The session that seals and opens.
    pub(crate) current: Option<u32>,
    /// Something is to be done then; `NEVER_NS` when nothing is. Kept by `Pipes::set_timer`.
    pub(crate) timer_ns: u64,
    // The second line.
    pub(crate) last_received_ns: u64,
    pub(crate) last_sent_ns: u64,
    /// When the oldest packet was sent that nothing came after; `NEVER_NS` when none.
    pub(crate) unanswered_ns: u64,
    sent: u64,
    received: u64,
    sent_bytes: u64,
    received_bytes: u64,
    max_datagram_bytes: u32,
    pub(crate) kind: PeerKind,
    pub(crate) upkeep: Upkeep,
    /// Policy takes its packets.
    pub(crate) is_carried: bool,
    pub(crate) is_up: bool,
    // What packets do not need.
    /// Keep trying: it was dialled, and is not meant to be down.
    pub(crate) is_wanted: bool,
    /// Where to dial: from configuration or records.
    pub(crate) known_endpoint: Option<SocketAddr>,
    pub(crate) public_key: [u8; KEY_BYTES],
    /// The session before, which opens what is still under way.
    pub(crate) previous: Option<u32>,
    /// It is forgotten then.
    pub(crate) retire_previous_ns: u64,
    pub(crate) next_probe_ns: u64,
    /// When the round trip was last measured.
    pub(crate) measured_ns: u64,
    pub(crate) rtt: Rtt,
    /// Of the peer's last accepted initiation.
    pub(crate) last_timestamp: u64,
    pub(crate) last_initiation_ns: Option<u64>,
    pub(crate) boot: Option<u64>,
    pub(crate) next: Option<Box<Next>>,
    pub(crate) dialling: Option<Box<Dialling>>,
    pub(crate) candidate: Option<Box<Candidate>>,
    pub(crate) control: Option<Box<Control>>,
    /// Packets that policy did not take.
    pub(crate) refused: u64,
}

impl Pipe {
    /// The bytes that packets need, to be asked for beforehand.
    pub(crate) const READ_BY_PACKETS: Range<usize> = 0..offset_of!(Pipe, is_wanted);

    pub(crate) fn new(
        address: Address,
        public_key: [u8; KEY_BYTES],
        own: PeerKind,
        kind: PeerKind,
        endpoint: Option<SocketAddr>,
    ) -> Self {
        Self {
            address,
            public_key,
            kind,
            upkeep: Upkeep::between(own, kind),
            is_carried: true,
            is_up: false,
            is_wanted: false,
            endpoint: None,
            known_endpoint: endpoint,
            current: None,
            timer_ns: NEVER_NS,
            previous: None,
            retire_previous_ns: NEVER_NS,
            last_received_ns: 0,
            last_sent_ns: 0,
            unanswered_ns: NEVER_NS,
            next_probe_ns: NEVER_NS,
            measured_ns: 0,
            rtt: Rtt::default(),
            max_datagram_bytes: 0,
            last_timestamp: 0,
            last_initiation_ns: None,
            boot: None,
            next: None,
            dialling: None,
            candidate: None,
            control: None,
            sent: 0,
            received: 0,
            sent_bytes: 0,
            received_bytes: 0,
            refused: 0,
        }
    }

    /// Indices of all its sessions, which it has no more: the one in use, the one before it, the next.
    pub(crate) fn take_sessions(&mut self) -> [Option<u32>; 3] {
        let next = self.next.take().map(|next| next.index);
        [self.current.take(), self.previous.take(), next]
    }

    /// Where the next initiation goes: by turns where the peer is said to be and where it was last,
    /// beginning with the latter while it is there.
    pub(crate) fn dial_endpoint(&self, tries: u32) -> Option<SocketAddr> {
        if self.is_up == (tries & 1 == 0) {
            self.endpoint.or(self.known_endpoint)
        } else {
            self.known_endpoint.or(self.endpoint)
        }
    }

    /// Where to dial. Apart, for else each packet would read it too, in a cache line that it does not need.
    #[cold]
    #[inline(never)]
    pub(crate) fn endpoint_to_dial(&self) -> Option<SocketAddr> {
        self.known_endpoint
    }

    /// The largest datagram that both ends take; 0 before there is a session.
    #[inline]
    pub(crate) fn max_datagram_bytes(&self) -> usize {
        self.max_datagram_bytes as usize
    }

    pub(crate) fn set_max_datagram_bytes(&mut self, bytes: usize) {
        self.max_datagram_bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
    }

    /// What was counted.
    pub(crate) fn statistics(&self) -> PipeStatistics {
        PipeStatistics {
            sent: self.sent,
            received: self.received,
            sent_bytes: self.sent_bytes,
            received_bytes: self.received_bytes,
            refused: self.refused,
        }
    }

    /// A packet of the peer verified.
    #[inline]
    pub(crate) fn note_received(&mut self, now_ns: u64, bytes: usize) {
        self.last_received_ns = now_ns;
        self.unanswered_ns = NEVER_NS;
        self.received += 1;
        self.received_bytes += bytes as u64;
    }

    /// A packet was sealed; returns whether it is the first that awaits an answer.
    #[inline]
    pub(crate) fn note_sent(&mut self, now_ns: u64, bytes: usize) -> bool {
        self.last_sent_ns = now_ns;
        self.sent += 1;
        self.sent_bytes += bytes as u64;
        let is_first = self.unanswered_ns == NEVER_NS && self.upkeep != Upkeep::Beating;
        if is_first {
            self.unanswered_ns = now_ns;
        }
        is_first
    }

    /// When the peer counts as down if nothing comes. Silence counts anew from `overflowed_ns`, when our own
    /// socket was full and lost datagrams, for a while: some may have been the peer's.
    pub(crate) fn down_ns(&self, heartbeat_ns: u64, overflowed_ns: u64) -> u64 {
        let tolerance_ns = MISSED_BEATS * heartbeat_ns + self.patience_ns(heartbeat_ns);
        let unanswered_ns = self.unanswered_ns.saturating_add(tolerance_ns);
        let silent_ns = self.last_received_ns.saturating_add(tolerance_ns);
        let down_ns = match self.upkeep {
            Upkeep::Beating => silent_ns,
            Upkeep::Keeping => unanswered_ns,
            Upkeep::Kept => silent_ns
                .saturating_add(MISSED_BEATS * KEEPALIVE_NS)
                .min(unanswered_ns),
        };
        if overflowed_ns < self.last_received_ns {
            return down_ns;
        }
        let latest_ns = down_ns.saturating_add(self.excused_ns(heartbeat_ns));
        latest_ns.min(down_ns.max(overflowed_ns.saturating_add(tolerance_ns)))
    }

    /// Whether it counts as down by `down_ns`. What had come to our own socket by then may have its sign of
    /// life, and is read first, for a while: `read_ns` says until when all was.
    pub(crate) fn is_down(
        &self,
        now_ns: u64,
        down_ns: u64,
        read_ns: u64,
        heartbeat_ns: u64,
    ) -> bool {
        let excused_ns = self.excused_ns(heartbeat_ns);
        now_ns.min(read_ns) >= down_ns || now_ns >= down_ns.saturating_add(excused_ns)
    }

    fn excused_ns(&self, heartbeat_ns: u64) -> u64 {
        EXCUSED_PROBES * self.upkeep.probe_spacing_ns(heartbeat_ns)
    }

    /// How long the answer to the last probe may take. Between nodes both ends speak by themselves. Else
    /// never less than two and a half heartbeats: behind a flood that has just begun even the first probe,
    /// sent with the second heartbeat, takes its time.
    fn patience_ns(&self, heartbeat_ns: u64) -> u64 {
        match self.upkeep {
            Upkeep::Beating => heartbeat_ns.max(self.rtt.jitter_ns()),
            Upkeep::Keeping | Upkeep::Kept => (heartbeat_ns * 5 / 2).max(self.rtt.timeout_ns()),
        }
    }

    /// When the next heartbeat, keepalive or probe is due.
    pub(crate) fn probe_ns(&self, heartbeat_ns: u64) -> u64 {
        let unanswered_ns = self.after_silence_ns(self.unanswered_ns, heartbeat_ns);
        match self.upkeep {
            Upkeep::Beating => self
                .last_sent_ns
                .saturating_add(heartbeat_ns)
                .min(self.after_silence_ns(self.last_received_ns, heartbeat_ns * 3 / 2)),
            Upkeep::Keeping => self
                .last_sent_ns
                .saturating_add(KEEPALIVE_NS)
                .min(unanswered_ns),
            Upkeep::Kept => unanswered_ns,
        }
    }

    /// The first probe of a silence goes out after `wait_ns`, the others by `next_probe_ns`.
    fn after_silence_ns(&self, silent_ns: u64, wait_ns: u64) -> u64 {
        let first_ns = silent_ns.saturating_add(wait_ns);
        match self.next_probe_ns {
            NEVER_NS => first_ns,
            next_ns => first_ns.max(next_ns),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_packets_need_of_a_pipe_is_two_cache_lines() {
        assert_eq!(Pipe::READ_BY_PACKETS.end.next_multiple_of(64), 128);
        assert!(size_of::<Pipe>() <= 384, "{}", size_of::<Pipe>());
    }
}
