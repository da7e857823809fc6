//! Finds out soon that a silent path works again: asks over it until something is acknowledged.
//!
//! QUIC's probe time-out doubles with each try, so after an outage its next try comes as late again as the
//! outage was long. And a probe of our own would wait for the congestion window, which what was lost fills.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const MILLISECOND_NS: u64 = 1_000_000;
/// An acknowledgement later than two round trips and this is missed; QUIC delays them by 25 ms.
const PATIENCE_NS: u64 = 50 * MILLISECOND_NS;
/// Between two tries: what they add to a gap at most.
const SPACING_NS: u64 = 50 * MILLISECOND_NS;
/// A second of tries; a longer outage is QUIC's own affair.
const MOST_TRIES: u32 = 20;

/// Lets one payload of a connection leave although the congestion window is full.
#[derive(Clone, Debug, Default)]
pub(crate) struct Allowance(Arc<AtomicBool>);

impl Allowance {
    pub(crate) fn grant(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_granted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn spend(&self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// When to ask next.
#[derive(Debug, Default)]
pub(crate) struct Probing {
    acknowledgements: u64,
    /// Stream frames sent when the last acknowledgement came.
    answered_frames: u64,
    /// When the next try is due, and how many are left; `None` while nothing is missed.
    tries: Option<(u64, u32)>,
}

impl Probing {
    /// Take note of the counts of acknowledgements received and stream frames sent.
    pub(crate) fn watch(
        &mut self,
        now_ns: u64,
        acknowledgements: u64,
        sent_frames: u64,
        round_trip_ns: u64,
    ) {
        if acknowledgements != self.acknowledgements {
            self.acknowledgements = acknowledgements;
            self.answered_frames = sent_frames;
            self.tries = None;
        } else if self.tries.is_none() && sent_frames != self.answered_frames {
            let patience_ns = PATIENCE_NS.saturating_add(round_trip_ns.saturating_mul(2));
            self.tries = Some((now_ns.saturating_add(patience_ns), MOST_TRIES));
        }
    }

    /// Ask from now on.
    pub(crate) fn begin(&mut self, now_ns: u64) {
        self.tries = Some((now_ns, MOST_TRIES));
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
        for round in 0..100 {
            let now_ns = round * 60 * MS;
            probing.watch(now_ns, round, round, 10 * MS);
            probing.watch(now_ns + MS, round, round + 1, 10 * MS);

            assert!(!probing.take_due(now_ns + 50 * MS));
        }
    }

    #[test]
    fn a_second_of_silence_is_asked_into_and_then_no_more() {
        let mut probing = Probing::default();
        probing.watch(0, 0, 1, 10 * MS);

        let asked: Vec<u64> = (0..10_000).filter(|ms| probing.take_due(ms * MS)).collect();

        assert_eq!(asked, (0..20).map(|n| 70 + 50 * n).collect::<Vec<u64>>());
        assert_eq!(probing.deadline_ns(), None);
    }
}
