//! What is kept of one other host.

use std::collections::VecDeque;

use super::EndToEndStatistics;
use super::session::Session;
use crate::handshake::Waiting;
use crate::pipe::KeyLimits;
use crate::wire::handshake::MAC_BYTES;

/// A datagram that waits for keys.
pub(super) struct Queued {
    pub(super) associated: Vec<u8>,
    pub(super) datagram: Vec<u8>,
    pub(super) expires_ns: u64,
}

/// A handshake that this end began.
pub(super) struct Dialling {
    pub(super) waiting: Waiting,
    pub(super) own_id: u32,
    /// Of the datagram that asked for it: retries go where that goes.
    pub(super) associated: Vec<u8>,
    pub(super) sent_ns: u64,
    pub(super) retry_ns: u64,
    pub(super) tries: usize,
    pub(super) cookie: Option<[u8; MAC_BYTES]>,
    pub(super) gives_up_ns: u64,
}

/// The half of an initiation that came first.
pub(super) struct Half {
    pub(super) sender_id: u32,
    pub(super) half: u8,
    pub(super) bytes: Vec<u8>,
}

/// Sessions with one host, the handshake under way, and what waits for it.
#[derive(Default)]
pub(super) struct Peer {
    pub(super) current: Option<Box<Session>>,
    pub(super) previous: Option<Box<Session>>,
    /// We answered; the peer has not used it yet.
    pub(super) next: Option<Box<Session>>,
    pub(super) dialling: Option<Box<Dialling>>,
    pub(super) queue: VecDeque<Queued>,
    pub(super) half: Option<Half>,
    pub(super) last_timestamp: u64,
    pub(super) last_initiation_ns: Option<u64>,
    pub(super) used_ns: u64,
    /// It sends under keys that we do not have: begin a handshake.
    pub(super) is_asked: bool,
    pub(super) asked_ns: Option<u64>,
}

impl Peer {
    /// It uses keys that we lost in a restart: note that it needs new ones, at most once a second.
    /// Returns whether a handshake shall begin.
    pub(super) fn ask(&mut self, now_ns: u64) -> bool {
        const SPACING_NS: u64 = 1_000_000_000;
        let has_keys = self.current.is_some() || self.next.is_some() || self.dialling.is_some();
        let is_too_soon = self
            .asked_ns
            .is_some_and(|at_ns| now_ns.saturating_sub(at_ns) < SPACING_NS);
        if has_keys || is_too_soon {
            return false;
        }
        self.is_asked = true;
        self.asked_ns = Some(now_ns);
        true
    }

    /// Drop the datagrams that waited too long.
    pub(super) fn drop_expired(&mut self, now_ns: u64, statistics: &mut EndToEndStatistics) {
        while self
            .queue
            .front()
            .is_some_and(|queued| now_ns >= queued.expires_ns)
        {
            self.queue.pop_front();
            statistics.expired += 1;
        }
    }

    /// Erase keys that are past their time.
    pub(super) fn erase_expired(&mut self, now_ns: u64, limits: &KeyLimits) {
        self.half = None;
        for session in [&mut self.current, &mut self.previous, &mut self.next] {
            if session
                .as_ref()
                .is_some_and(|session| session.is_expired(now_ns, limits))
            {
                *session = None;
            }
        }
    }

    /// Whether a timer is running for it.
    pub(super) fn is_busy(&self) -> bool {
        self.is_asked || self.dialling.is_some() || !self.queue.is_empty()
    }

    pub(super) fn deadline_ns(&self) -> Option<u64> {
        if self.is_asked {
            return self.asked_ns;
        }
        let retry_ns = self.dialling.as_ref().map(|dialling| dialling.retry_ns);
        let expiry_ns = self.queue.front().map(|queued| queued.expires_ns);
        retry_ns.into_iter().chain(expiry_ns).min()
    }
}
