//! One counter for each fate: what became of a packet, and why (law 6).
//!
//! `received = forwarded + delivered + consumed + missed + Σ dropped(reason)` holds at any instant, and
//! `missed = answered + passed + waiting + Σ dropped(reason)` for those that went to a service; copies
//! are counted apart. A service's own reasons (from its manifest) are counted per service.

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident = $word:literal,)+) => {
        /// Why a packet was dropped. The word is stable: metrics, logs, `ei status` and the docs use it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Reason { $($(#[doc = $doc])+ $name,)+ }

        impl Reason {
            /// Every reason, in the order of their numbers.
            pub const ALL: &[Reason] = &[$(Reason::$name),+];

            /// The stable word, as in `ei_packets_dropped_total{reason="..."}`.
            pub const fn word(self) -> &'static str {
                match self { $(Reason::$name => $word),+ }
            }

            /// One sentence for people: what happened.
            pub const fn explanation(self) -> &'static str {
                match self { $(Reason::$name => concat!($($doc),+)),+ }
            }
        }
    };
}

reasons! {
    /// The datagram is shorter than its own lengths say.
    Truncated = "truncated",
    /// The wire version is not one this build speaks.
    UnknownVersion = "unknown_version",
    /// The datagram type is not one of this version.
    UnknownType = "unknown_type",
    /// A reserved flag is set.
    UnknownFlags = "unknown_flags",
    /// The handshake offers no cipher suite this build has.
    UnknownSuite = "unknown_suite",
    /// The receiver index names no pipe here.
    UnknownPipe = "unknown_pipe",
    /// The seal does not verify: corrupted, forged or under another key.
    BadSeal = "bad_seal",
    /// The counter was seen before, or is older than the replay window.
    Replayed = "replayed",
    /// The key is past its lifetime or its packet limit.
    KeyExpired = "key_expired",
    /// A handshake message does not verify.
    BadHandshake = "bad_handshake",
    /// An initiation is shorter than its padding demands.
    UnpaddedInitiation = "unpadded_initiation",
    /// The initiator's key belongs to no known peer.
    UnknownPeer = "unknown_peer",
    /// A source of handshakes exceeded its rate.
    HandshakeRate = "handshake_rate",
    /// The initiation was answered with a cookie, since handshakes are queueing up.
    CookieRequired = "cookie_required",
    /// The initiation's timestamp was used before.
    StaleInitiation = "stale_initiation",
    /// The L3.5 header cannot be parsed.
    BadHeader = "bad_header",
    /// The source is not the host at the other end of the pipe.
    SourceForged = "source_forged",
    /// The hop limit is used up.
    HopLimit = "hop_limit",
    /// No service with that number runs here.
    UnknownService = "unknown_service",
    /// The payload is sealed neither end to end nor on the pipe.
    Unprotected = "unprotected",
    /// A service reads the payload, but the packet did not come over a COVERED pipe.
    NotCovered = "not_covered",
    /// The queue of misses to the service is full.
    SlowPathBusy = "slow_path_busy",
    /// The service's worker died or was killed before it answered.
    WorkerLost = "worker_lost",
    /// The service is not running, and fails closed.
    ServiceDown = "service_down",
    /// The service raised an error or broke its contract on this packet.
    ServiceError = "service_error",
    /// The service used more CPU time than its manifest allows for an event.
    CpuExceeded = "cpu_exceeded",
    /// The service's stable store could not be written (disk full, or worse); nothing of its batch happened.
    StoreFailed = "store_failed",
    /// The service took the packet and gave no answer.
    NoAnswer = "no_answer",
    /// A held packet's query was not answered in time.
    HoldTimeout = "hold_timeout",
    /// A held packet was pushed out, since its source or query holds too many.
    HoldFull = "hold_full",
    /// An effect is not allowed: capability, limit or unknown peer.
    EffectRefused = "effect_refused",
    /// A decision says discard; the service's own word is counted with it.
    Discarded = "discarded",
    /// A service dropped the packet; its own word is counted with it.
    DroppedByService = "dropped_by_service",
    /// A `Meter` stage has no tokens left.
    Metered = "metered",
    /// The next hop has no pipe, and none could be opened in time.
    PeerUnreachable = "peer_unreachable",
    /// Too many packets already wait for the pipe to open.
    DialQueueFull = "dial_queue_full",
    /// The packet is larger than the pipe to the next hop carries.
    TooBig = "too_big",
    /// The socket would not take the datagram.
    SendFailed = "send_failed",
    /// A chain of services is too long, or hands on where nothing follows.
    ChainBroken = "chain_broken",
    /// The end-to-end seal of a datagram does not verify, or has no session.
    BadEndToEnd = "bad_end_to_end",
    /// The receiving application's queue is full.
    ReceiverBusy = "receiver_busy",
    /// No application on this host listens for the packet's service and connection.
    NoListener = "no_listener",
    /// The control message cannot be parsed, or its window is exceeded.
    BadControl = "bad_control",
}

/// What became of one received packet. Exactly one of these, counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fate {
    /// A decision sent it on.
    Forwarded,
    /// It reached the application on this host.
    Delivered,
    /// Handshake or control: it was for the datapath itself.
    Consumed,
    /// No decision: handed to its service.
    Missed,
    /// It went no further.
    Dropped(Reason),
}

/// Counts of fates, by reason where there is one. Owned by one thread; sums are taken by the reader.
#[derive(Clone, Debug)]
pub struct Counters {
    /// Packets that came from the network.
    pub received: u64,
    /// Sent on by a decision.
    pub forwarded: u64,
    /// Handed to an application of this host.
    pub delivered: u64,
    /// Handshake and control.
    pub consumed: u64,
    /// Handed to a service.
    pub missed: u64,
    /// Dropped before any service, by reason.
    pub dropped: [u64; Reason::ALL.len()],
    /// Missed packets that the service answered.
    pub answered: u64,
    /// Missed packets that a service handed on to the next of its chain, or that a decision answered in the queue.
    pub passed: u64,
    /// Missed packets in a queue, at a worker or held: a gauge.
    pub waiting: u64,
    /// Missed packets that went no further, by reason.
    pub missed_dropped: [u64; Reason::ALL.len()],
    /// Datagrams sealed and sent, copies included.
    pub sent: u64,
    /// Bytes of received datagrams.
    pub received_bytes: u64,
    /// Bytes of sent datagrams.
    pub sent_bytes: u64,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            received: 0,
            forwarded: 0,
            delivered: 0,
            consumed: 0,
            missed: 0,
            dropped: [0; Reason::ALL.len()],
            answered: 0,
            passed: 0,
            waiting: 0,
            missed_dropped: [0; Reason::ALL.len()],
            sent: 0,
            received_bytes: 0,
            sent_bytes: 0,
        }
    }
}

impl Counters {
    /// Count one received packet by its fate.
    pub fn count(&mut self, fate: Fate) {
        self.received += 1;
        match fate {
            Fate::Forwarded => self.forwarded += 1,
            Fate::Delivered => self.delivered += 1,
            Fate::Consumed => self.consumed += 1,
            Fate::Missed => {
                self.missed += 1;
                self.waiting += 1;
            }
            Fate::Dropped(reason) => bump(&mut self.dropped, reason),
        }
    }

    /// Count the end of a missed packet that was dropped for `reason`.
    pub fn count_missed_drop(&mut self, reason: Reason) {
        self.waiting = self.waiting.saturating_sub(1);
        bump(&mut self.missed_dropped, reason);
    }

    /// Whether both equations of law 6 hold.
    pub fn is_balanced(&self) -> bool {
        let dropped: u64 = self.dropped.iter().sum();
        let missed_dropped: u64 = self.missed_dropped.iter().sum();
        self.received == self.forwarded + self.delivered + self.consumed + self.missed + dropped
            && self.missed == self.answered + self.passed + self.waiting + missed_dropped
    }
}

fn bump(counts: &mut [u64; Reason::ALL.len()], reason: Reason) {
    if let Some(count) = counts.get_mut(reason as usize) {
        *count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fate_keeps_the_books_balanced() {
        let mut counters = Counters::default();
        for fate in [
            Fate::Forwarded,
            Fate::Delivered,
            Fate::Consumed,
            Fate::Missed,
            Fate::Dropped(Reason::BadSeal),
        ] {
            counters.count(fate);
            assert!(counters.is_balanced());
        }
        counters.count_missed_drop(Reason::WorkerLost);
        assert!(counters.is_balanced());
        assert_eq!(counters.waiting, 0);
    }

    #[test]
    fn words_are_unique() {
        let words: std::collections::HashSet<_> = Reason::ALL.iter().map(|r| r.word()).collect();
        assert_eq!(words.len(), Reason::ALL.len());
    }
}
