//! How the batches of one service fare: how many, how long its worker took, what came to nothing.

const MICROSECOND_NS: u64 = 1_000;
const MILLISECOND_NS: u64 = 1_000 * MICROSECOND_NS;

/// Upper bounds of the durations that are told apart, inclusive; what took longer comes after the last.
pub const BATCH_BOUNDS_NS: [u64; 11] = [
    50 * MICROSECOND_NS,
    100 * MICROSECOND_NS,
    250 * MICROSECOND_NS,
    500 * MICROSECOND_NS,
    MILLISECOND_NS,
    2_500 * MICROSECOND_NS,
    5 * MILLISECOND_NS,
    10 * MILLISECOND_NS,
    25 * MILLISECOND_NS,
    100 * MILLISECOND_NS,
    1_000 * MILLISECOND_NS,
];

/// The batches of one service since it was added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BatchStatistics {
    /// Answered.
    pub batches: u64,
    /// Events in those.
    pub events: u64,
    /// Events that were lost with a worker, or of whose effects one was refused.
    pub failed: u64,
    /// From handing a batch over to its answer, all together.
    pub spent_ns: u64,
    /// Batches by how long that took.
    pub by_duration: [u64; BATCH_BOUNDS_NS.len() + 1],
}

impl BatchStatistics {
    pub(super) fn note_answered(&mut self, events: usize, spent_ns: u64) {
        self.batches += 1;
        self.events += events as u64;
        self.spent_ns = self.spent_ns.saturating_add(spent_ns);
        let place = BATCH_BOUNDS_NS.partition_point(|bound_ns| *bound_ns < spent_ns);
        if let Some(count) = self.by_duration.get_mut(place) {
            *count += 1;
        }
    }

    /// Count in what another thread did for the same service.
    pub fn add(&mut self, other: &Self) {
        self.batches += other.batches;
        self.events += other.events;
        self.failed += other.failed;
        self.spent_ns = self.spent_ns.saturating_add(other.spent_ns);
        for (sum, count) in self.by_duration.iter_mut().zip(other.by_duration) {
            *sum += count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_what_it_bounds_and_threads_are_one_service() {
        let mut one = BatchStatistics::default();
        one.note_answered(3, 50 * MICROSECOND_NS);
        one.note_answered(1, 50 * MICROSECOND_NS + 1);
        let mut other = BatchStatistics::default();
        other.note_answered(2, 5_000 * MILLISECOND_NS);
        other.failed = 1;

        one.add(&other);

        assert_eq!(
            one,
            BatchStatistics {
                batches: 3,
                events: 6,
                failed: 1,
                spent_ns: 5_000_100_001,
                by_duration: [1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
            }
        );
    }
}
