//! Finds out soon that a silent path works again: asks over it until something is acknowledged.
//!
//! QUIC's probe time-out doubles with each try, so after an outage its next try comes as late again as the
//! outage was long. And a probe of our own would wait for the congestion window, which what was lost fills.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

const MILLISECOND_NS: u64 = 1_000_000;
/// An acknowledgement later than two round trips and this is missed; QUIC delays them by 25 ms.
const PATIENCE_NS: u64 = 50 * MILLISECOND_NS;
/// Between two tries: what they add to a gap at most.
const SPACING_NS: u64 = 50 * MILLISECOND_NS;
/// A second of tries; a longer outage is QUIC's own affair.
const MOST_TRIES: u32 = 20;

/// What a connection and its congestion controller tell one another, which QUIC does not.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slip(Arc<Content>);

#[derive(Debug, Default)]
struct Content {
    is_allowed: AtomicBool,
    sent: AtomicU64,
    acknowledged: AtomicU64,
}

impl Slip {
    /// Let one packet leave although the congestion window is full.
    pub(crate) fn allow(&self) {
        self.0.is_allowed.store(true, Relaxed);
    }

    pub(crate) fn is_allowed(&self) -> bool {
        self.0.is_allowed.load(Relaxed)
    }

    /// A packet left.
    pub(crate) fn note_sent(&self, number: u64) {
        self.0.is_allowed.store(false, Relaxed);
        self.0.sent.store(number, Relaxed);
    }

    /// Something was acknowledged, up to this packet.
    pub(crate) fn note_acknowledged(&self, number: u64) {
        self.0.acknowledged.store(number, Relaxed);
    }

    /// The last packet sent, the last one acknowledged.
    pub(crate) fn read(&self) -> (u64, u64) {
        (self.0.sent.load(Relaxed), self.0.acknowledged.load(Relaxed))
    }
}

/// When to ask next.
#[derive(Debug, Default)]
pub(crate) struct Probing {
    /// Stream frames sent so far.
    frames: u64,
    /// The last packet that had stream frames, or one soon after it.
    awaited: u64,
    acknowledged: u64,
    /// The last packet of before the path changed, until one of after it is acknowledged.
    changed_after: Option<u64>,
    /// When the next try is due, and how many are left; `None` while nothing is missed.
    tries: Option<(u64, u32)>,
}

impl Probing {
    /// Take note of what was sent and acknowledged by now.
    ///
    /// Of all packets only those with stream frames are waited for: nobody acknowledges the others. While it
    /// asks, an acknowledgement of something older, late by the outage, changes nothing.
    pub(crate) fn watch(&mut self, now_ns: u64, slip: &Slip, frames: u64, round_trip_ns: u64) {
        let (sent, acknowledged) = slip.read();
        if frames != self.frames {
            self.frames = frames;
            self.awaited = sent;
        }
        if acknowledged != self.acknowledged {
            self.acknowledged = acknowledged;
            let is_asking = self.tries.is_some_and(|(_, left)| left < MOST_TRIES);
            if !is_asking || self.awaited <= acknowledged {
                self.tries = None;
            }
        }
        if self.tries.is_none() && self.awaited > acknowledged {
            let patience_ns = PATIENCE_NS.saturating_add(round_trip_ns.saturating_mul(2));
            self.tries = Some((now_ns.saturating_add(patience_ns), MOST_TRIES));
        }
    }

    /// The path is another one: ask from now on.
    pub(crate) fn change_path(&mut self, now_ns: u64, slip: &Slip) {
        let (sent, _) = slip.read();
        self.changed_after = Some(sent);
        self.ask(now_ns, slip);
    }

    /// Ask from now on, until something of what is sent from now on is acknowledged.
    pub(crate) fn ask(&mut self, now_ns: u64, slip: &Slip) {
        let (sent, _) = slip.read();
        self.awaited = self.awaited.max(sent + 1);
        self.tries = Some((now_ns, MOST_TRIES));
    }

    /// Whether a new path has answered for the first time, which is said once.
    pub(crate) fn take_answer(&mut self) -> bool {
        let acknowledged = self.acknowledged;
        self.changed_after
            .take_if(|number| acknowledged > *number)
            .is_some()
    }

    /// Whether a try is due, which then counts as made.
    pub(crate) fn take_due(&mut self, now_ns: u64) -> bool {
        match &mut self.tries {
            Some((at_ns, left)) if *left > 0 && *at_ns <= now_ns => {
                *at_ns = now_ns.saturating_add(SPACING_NS);
                *left -= 1;
                true
            }
            _ => false,
        }
    }

    /// When the next try is due.
    pub(crate) fn deadline_ns(&self) -> Option<u64> {
        self.tries
            .and_then(|(at_ns, left)| (left > 0).then_some(at_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = MILLISECOND_NS;

    #[test]
    fn nothing_is_asked_while_acknowledgements_come() {
        let mut probing = Probing::default();
        let slip = Slip::default();
        for round in 1..100 {
            let now_ns = round * 60 * MS;
            slip.note_sent(round);
            probing.watch(now_ns, &slip, round, 10 * MS);
            slip.note_acknowledged(round - 1);
            probing.watch(now_ns + 20 * MS, &slip, round, 10 * MS);

            assert!(!probing.take_due(now_ns + 60 * MS));
        }
    }

    #[test]
    fn a_second_of_silence_is_asked_into_and_then_no_more() {
        let mut probing = Probing::default();
        let slip = Slip::default();
        slip.note_sent(1);
        probing.watch(0, &slip, 1, 10 * MS);

        let asked: Vec<u64> = (0..10_000).filter(|ms| probing.take_due(ms * MS)).collect();

        assert_eq!(asked, (0..20).map(|n| 70 + 50 * n).collect::<Vec<u64>>());
        assert_eq!(probing.deadline_ns(), None);
    }

    #[test]
    fn an_old_acknowledgement_that_comes_late_does_not_end_the_wait() {
        let mut probing = Probing::default();
        let slip = Slip::default();
        slip.note_sent(9);
        probing.watch(0, &slip, 1, 10 * MS);
        slip.note_acknowledged(4);
        probing.watch(60 * MS, &slip, 1, 10 * MS);

        assert_eq!(probing.deadline_ns(), Some(130 * MS));
    }

    #[test]
    fn a_late_acknowledgement_does_not_make_it_patient_again_while_it_asks() {
        let mut probing = Probing::default();
        let slip = Slip::default();
        slip.note_sent(9);
        probing.watch(0, &slip, 1, 10 * MS);
        assert!(probing.take_due(70 * MS));
        slip.note_acknowledged(4);

        probing.watch(80 * MS, &slip, 1, 100 * MS);

        assert_eq!(probing.deadline_ns(), Some(120 * MS));
    }

    #[test]
    fn nobody_waits_for_what_was_sent_without_stream_frames() {
        let mut probing = Probing::default();
        let slip = Slip::default();
        slip.note_sent(9);

        probing.watch(0, &slip, 0, 10 * MS);

        assert_eq!(probing.deadline_ns(), None);
    }
}
