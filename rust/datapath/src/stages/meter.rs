//! `Meter`: drop what exceeds a token bucket over payload bytes.

use crate::counters::Reason;

/// Tokens are kept in billionths of a byte, so that a rate in bytes per second times nanoseconds is
/// exact: no rounding, hence no drift, and a reference in any language gives the same verdicts.
const PARTS_PER_BYTE: u128 = 1_000_000_000;

/// A token bucket. Starts full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meter {
    tokens: u128,
    filled_ns: u64,
    rate_bytes_per_s: u64,
    burst_bytes: u64,
}

impl Meter {
    /// A full bucket.
    pub fn new(now_ns: u64, rate_bytes_per_s: u64, burst_bytes: u64) -> Self {
        let tokens = u128::from(burst_bytes) * PARTS_PER_BYTE;
        Self {
            tokens,
            filled_ns: now_ns,
            rate_bytes_per_s,
            burst_bytes,
        }
    }

    /// Take another rate and burst from now on; tokens above the new burst are lost.
    pub fn change(&mut self, now_ns: u64, rate_bytes_per_s: u64, burst_bytes: u64) {
        self.fill(now_ns);
        self.rate_bytes_per_s = rate_bytes_per_s;
        self.burst_bytes = burst_bytes;
        self.fill(now_ns);
    }

    /// Take tokens for a packet.
    ///
    /// # Errors
    /// `Metered` when there are too few; then none are taken.
    pub fn take(&mut self, now_ns: u64, payload_bytes: usize) -> Result<(), Reason> {
        self.fill(now_ns);
        let wanted = payload_bytes as u128 * PARTS_PER_BYTE;
        self.tokens = self.tokens.checked_sub(wanted).ok_or(Reason::Metered)?;
        Ok(())
    }

    fn fill(&mut self, now_ns: u64) {
        let elapsed_ns = now_ns.saturating_sub(self.filled_ns);
        let most = u128::from(self.burst_bytes) * PARTS_PER_BYTE;
        let earned = u128::from(self.rate_bytes_per_s) * u128::from(elapsed_ns);
        self.tokens = self.tokens.saturating_add(earned).min(most);
        self.filled_ns = self.filled_ns.max(now_ns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND_NS: u64 = 1_000_000_000;

    #[test]
    fn a_bucket_starts_full_and_fills_at_its_rate() {
        let mut meter = Meter::new(0, 100, 1_000);

        assert_eq!(meter.take(0, 1_000), Ok(()));
        assert_eq!(meter.take(0, 1), Err(Reason::Metered));
        assert_eq!(meter.take(SECOND_NS, 101), Err(Reason::Metered));
        assert_eq!(meter.take(SECOND_NS, 100), Ok(()));
    }

    #[test]
    fn a_refused_packet_takes_nothing() {
        let mut meter = Meter::new(0, 1, 10);

        assert_eq!(meter.take(0, 11), Err(Reason::Metered));

        assert_eq!(meter.take(0, 10), Ok(()));
    }

    #[test]
    fn a_smaller_burst_holds_at_once() {
        let mut meter = Meter::new(0, 1, 1_000);

        meter.change(0, 1, 10);

        assert_eq!(meter.take(0, 11), Err(Reason::Metered));
    }

    proptest! {
        /// What passes in any window is at most the burst plus the rate times the window.
        #[test]
        fn no_more_passes_than_rate_and_burst_allow(
            rate in 1u64..1 << 40, burst in 1u64..1 << 40,
            packets in proptest::collection::vec((0u64..SECOND_NS, 0usize..65_000), 1..100),
        ) {
            let mut meter = Meter::new(0, rate, burst);
            let mut now_ns = 0;
            let mut passed = 0u128;
            for (gap_ns, bytes) in packets {
                now_ns += gap_ns;
                if meter.take(now_ns, bytes).is_ok() {
                    passed += bytes as u128;
                }
                let earned = u128::from(rate) * u128::from(now_ns) / PARTS_PER_BYTE;
                prop_assert!(passed <= u128::from(burst) + earned + 1);
            }
        }
    }
}
