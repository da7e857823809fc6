//! Smoothed round-trip time (RFC 6298).

const UNKNOWN_TIMEOUT_NS: u64 = 250_000_000;
/// One answer that came late makes nobody wait longer than this, or a round trip, for the next.
const MOST_JITTER_NS: u64 = 100_000_000;

/// Round-trip time of a pipe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rtt {
    /// Zero before the first sample.
    smoothed_ns: u64,
    variation_ns: u64,
}

impl Rtt {
    /// One measured round trip.
    ///
    /// One of less than a quarter begins anew: nothing makes a path so much faster, but a peer that was
    /// frozen, or a queue that has emptied, had made it slow.
    pub fn add(&mut self, sample_ns: u64) {
        let sample_ns = sample_ns.max(1);
        if sample_ns.saturating_mul(4) < self.smoothed_ns || self.smoothed_ns == 0 {
            self.smoothed_ns = sample_ns;
            self.variation_ns = sample_ns / 2;
            return;
        }
        let difference_ns = self.smoothed_ns.abs_diff(sample_ns);
        self.variation_ns = (3 * self.variation_ns + difference_ns) / 4;
        self.smoothed_ns = (7 * self.smoothed_ns + sample_ns) / 8;
    }

    /// The smoothed round trip, once there is a sample.
    pub fn smoothed_ns(&self) -> Option<u64> {
        (self.smoothed_ns != 0).then_some(self.smoothed_ns)
    }

    /// How long an answer may take before it counts as missing.
    pub fn timeout_ns(&self) -> u64 {
        match self.smoothed_ns() {
            None => UNKNOWN_TIMEOUT_NS,
            Some(smoothed_ns) => smoothed_ns + self.jitter_ns(),
        }
    }

    /// How much later than usual a packet may be: four times the variation, at most 100 ms or a round trip.
    pub fn jitter_ns(&self) -> u64 {
        (4 * self.variation_ns).min(MOST_JITTER_NS.max(self.smoothed_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_path_gives_a_tight_timeout() {
        let mut rtt = Rtt::default();
        assert_eq!(rtt.smoothed_ns(), None);

        for _ in 0..100 {
            rtt.add(10_000_000);
        }

        assert_eq!(rtt.smoothed_ns(), Some(10_000_000));
        assert!(rtt.timeout_ns() < 11_000_000);
    }

    #[test]
    fn what_a_frozen_peer_answers_late_is_forgotten_with_the_next_answer() {
        let mut rtt = Rtt::default();
        rtt.add(10_000_000);
        rtt.add(3_000_000_000);

        rtt.add(10_000_000);

        assert_eq!(rtt.smoothed_ns(), Some(10_000_000));
    }

    #[test]
    fn a_jittery_path_gives_a_patient_one() {
        let mut rtt = Rtt::default();
        for index in 0..100 {
            rtt.add(if index % 2 == 0 {
                5_000_000
            } else {
                15_000_000
            });
        }

        assert!(rtt.timeout_ns() > 20_000_000);
    }
}
