//! One counter for each fate: what became of a packet, and why (law 6).
//!
//! `received = forwarded + delivered + consumed + missed + Σ dropped(reason)` holds at any instant, and
//! `missed = answered + passed + waiting + Σ missed_dropped(reason)` for those that went to a service.
//! Copies are counted apart: every packet that is made here (one per next hop, per `SendPacket`, per
//! `PassPacket`, per packet of this host's own) and `copies = sent + copies_ended + copies_waiting +
//! Σ copies_dropped(reason)`. A service's own reasons (from its manifest) are counted per service.

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
    /// Something follows the seal of a COVERED datagram, which seals all there is.
    TrailingBytes = "trailing_bytes",
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
    /// The packets of that peer have become as many copies as they may in a second.
    CopiesCapped = "copies_capped",
    /// A compressed payload is no whole frame of its dictionary.
    Undecodable = "undecodable",
    /// A compressed payload names a dictionary that its tenant has not, or no more, here.
    UnknownDictionary = "unknown_dictionary",
    /// A compressed payload would grow beyond the caps of ratio, size or window.
    ExpandsTooMuch = "expands_too_much",
    /// A compressed payload was about to reach a host: no service decompressed it.
    StillPacked = "still_packed",
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
    /// The policy of this node takes no packets from that peer.
    NotAllowed = "not_allowed",
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

impl Fate {
    /// The stable word; a drop's is its reason's.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Forwarded => "forwarded",
            Self::Delivered => "delivered",
            Self::Consumed => "consumed",
            Self::Missed => "missed",
            Self::Dropped(reason) => reason.word(),
        }
    }
}

/// Counts by reason.
pub type ByReason = [u64; Reason::ALL.len()];

/// Counts of fates, by reason where there is one. Owned by one thread; sums are taken by the reader.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    pub dropped: ByReason,
    /// Missed packets that the service answered.
    pub answered: u64,
    /// Missed packets that a service handed on to the next of its chain, or that a decision answered in the queue.
    pub passed: u64,
    /// Missed packets in a queue, at a worker or held: a gauge.
    pub waiting: u64,
    /// Missed packets that went no further, by reason.
    pub missed_dropped: ByReason,
    /// Packets made here.
    pub copies: u64,
    /// Copies sealed and sent.
    pub sent: u64,
    /// Copies that ended at a service here, or that a decision turned into others.
    pub copies_ended: u64,
    /// Copies that wait for a pipe, in a queue, at a worker or held: a gauge.
    pub copies_waiting: u64,
    /// Copies that went no further, by reason.
    pub copies_dropped: ByReason,
    /// Datagrams of the pipes themselves that were sent: handshake, heartbeat, control.
    pub signals: u64,
    /// Decisions that were refused, since their tag was revoked meanwhile (`stale_decision`).
    pub stale_decisions: u64,
    /// Effects that were refused (`effect_refused`): unknown peer, limit, undeclared word.
    pub effects_refused: u64,
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
            copies: 0,
            sent: 0,
            copies_ended: 0,
            copies_waiting: 0,
            copies_dropped: [0; Reason::ALL.len()],
            signals: 0,
            stale_decisions: 0,
            effects_refused: 0,
            received_bytes: 0,
            sent_bytes: 0,
        }
    }
}

/// Which books a packet is in: those of packets from the network, or those of copies made here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Book {
    /// Received; counted as missed when it went to a service.
    Received,
    /// Made here.
    Copy,
}

/// How a packet that waited came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The service answered it.
    Answered,
    /// The service handed it on, or a decision answered it in the queue.
    Passed,
    /// It went no further.
    Dropped(Reason),
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

    /// Count a copy by the fate that it found here at once.
    pub fn count_copy(&mut self, fate: Fate) {
        match fate {
            Fate::Forwarded | Fate::Delivered | Fate::Consumed => self.count_ended_copy(),
            Fate::Missed => self.count_waiting_copy(),
            Fate::Dropped(reason) => self.count_dropped_copy(reason),
        }
    }

    /// Count a copy that was sealed into a train, `bytes` long.
    pub fn count_sent(&mut self, bytes: usize) {
        self.copies += 1;
        self.sent += 1;
        self.sent_bytes += bytes as u64;
    }

    /// Count a copy that waits from now on.
    pub fn count_waiting_copy(&mut self) {
        self.copies += 1;
        self.copies_waiting += 1;
    }

    /// Count a copy that went no further at once.
    pub fn count_dropped_copy(&mut self, reason: Reason) {
        self.copies += 1;
        bump(&mut self.copies_dropped, reason);
    }

    /// Count a copy that a decision turned into others at once.
    pub fn count_ended_copy(&mut self) {
        self.copies += 1;
        self.copies_ended += 1;
    }

    /// Count the sending of a copy that waited for its pipe.
    pub fn count_waited_copy_sent(&mut self, bytes: usize) {
        self.copies_waiting = self.copies_waiting.saturating_sub(1);
        self.sent += 1;
        self.sent_bytes += bytes as u64;
    }

    /// Count a copy that waited for its pipe in vain.
    pub fn count_waited_copy_dropped(&mut self, reason: Reason) {
        self.count_end(Book::Copy, End::Dropped(reason));
    }

    /// Correct the books: the socket would not take `datagrams` that were counted as sent.
    pub fn count_unsent(&mut self, datagrams: u64) {
        let unsent = datagrams.min(self.sent);
        self.sent -= unsent;
        if let Some(count) = self.copies_dropped.get_mut(Reason::SendFailed as usize) {
            *count += unsent;
        }
    }

    /// Count the end of a packet that waited.
    pub fn count_end(&mut self, book: Book, end: End) {
        let (waiting, dropped) = match book {
            Book::Received => (&mut self.waiting, &mut self.missed_dropped),
            Book::Copy => (&mut self.copies_waiting, &mut self.copies_dropped),
        };
        *waiting = waiting.saturating_sub(1);
        match (book, end) {
            (_, End::Dropped(reason)) => bump(dropped, reason),
            (Book::Received, End::Answered) => self.answered += 1,
            (Book::Received, End::Passed) => self.passed += 1,
            (Book::Copy, End::Answered | End::Passed) => self.copies_ended += 1,
        }
    }

    /// Whether the three equations of law 6 hold.
    pub fn is_balanced(&self) -> bool {
        let sum = |counts: &ByReason| counts.iter().sum::<u64>();
        self.received
            == self.forwarded + self.delivered + self.consumed + self.missed + sum(&self.dropped)
            && self.missed == self.answered + self.passed + self.waiting + sum(&self.missed_dropped)
            && self.copies
                == self.sent + self.copies_ended + self.copies_waiting + sum(&self.copies_dropped)
    }
}

fn bump(counts: &mut ByReason, reason: Reason) {
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
        counters.count_end(Book::Received, End::Dropped(Reason::WorkerLost));

        assert!(counters.is_balanced());
        assert_eq!(counters.waiting, 0);
    }

    #[test]
    fn every_end_of_a_copy_keeps_the_books_balanced() {
        let mut counters = Counters::default();

        counters.count_sent(100);
        counters.count_dropped_copy(Reason::TooBig);
        counters.count_ended_copy();
        for end in [End::Answered, End::Passed, End::Dropped(Reason::WorkerLost)] {
            counters.count_waiting_copy();
            assert!(counters.is_balanced());
            counters.count_end(Book::Copy, end);
            assert!(counters.is_balanced());
        }
        counters.count_waiting_copy();
        counters.count_waited_copy_sent(100);

        assert!(counters.is_balanced());
        assert_eq!((counters.copies_waiting, counters.sent_bytes), (0, 200));
    }

    #[test]
    fn words_are_unique() {
        let words: std::collections::HashSet<_> = Reason::ALL.iter().map(|r| r.word()).collect();

        assert_eq!(words.len(), Reason::ALL.len());
    }
}
