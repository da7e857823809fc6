//! How many copies the packets of one peer may cause: a packet costs who sends it one seal, and the node one for
//! each copy.

use std::collections::HashMap;

use crate::counters::Reason;
use crate::stages::Meter;
use crate::wire::Address;

/// Copies at once: those of any one packet, and a tenth of a second's.
const LEAST_BURST: u64 = 2_048;
const BURSTS_PER_S: u64 = 10;
/// No peer has it.
const NOBODY: Address = Address([0; 16]);

/// A token bucket for each peer whose packets became copies.
#[derive(Debug)]
pub(super) struct CopyBudget {
    /// 0 has no bound.
    per_s: u64,
    of_peer: HashMap<Address, Meter>,
}

impl CopyBudget {
    pub(super) fn new(per_s: u64) -> Self {
        Self {
            per_s,
            of_peer: HashMap::new(),
        }
    }

    /// Take as many as a packet that came from `peer` becomes. All of whom `is_peer` is not true have one
    /// bucket: a service may say of its packets that they came from anybody.
    ///
    /// # Errors
    /// `CopiesCapped` when there are too few; then none are taken.
    pub(super) fn take(
        &mut self,
        now_ns: u64,
        peer: Address,
        copies: usize,
        is_peer: impl FnOnce(&Address) -> bool,
    ) -> Result<(), Reason> {
        if self.per_s == 0 || copies <= 1 {
            return Ok(());
        }
        let peer = if is_peer(&peer) { peer } else { NOBODY };
        let burst = LEAST_BURST.max(self.per_s / BURSTS_PER_S);
        let meter = self.of_peer.entry(peer);
        let meter = meter.or_insert_with(|| Meter::new(now_ns, self.per_s, burst));
        let taken = meter.take(now_ns, copies);
        taken.map_err(|_| Reason::CopiesCapped)
    }

    /// A peer is no peer any more.
    pub(super) fn forget(&mut self, peer: &Address) {
        self.of_peer.remove(peer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    const ONE: Address = Address([1; 16]);
    const OTHER: Address = Address([2; 16]);

    #[test]
    fn b6_who_has_used_up_its_copies_waits_and_others_do_not() {
        let mut budget = CopyBudget::new(10_000);
        assert_eq!(budget.take(0, ONE, 2_000, |_| true), Ok(()));
        assert_eq!(
            budget.take(0, ONE, 1_000, |_| true),
            Err(Reason::CopiesCapped)
        );

        assert_eq!(budget.take(0, OTHER, 1_000, |_| true), Ok(()));
        assert_eq!(budget.take(100_000_000, ONE, 1_000, |_| true), Ok(()));
    }

    #[test]
    fn b6_all_who_are_no_peers_share_one_bucket() {
        let mut budget = CopyBudget::new(10_000);
        for number in 0..10_000u64 {
            let made_up = Address((u128::from(number) + 1).to_le_bytes());
            let _capped = budget.take(number, made_up, 1_000, |_| false);
        }

        assert_eq!(budget.of_peer.len(), 1);
        assert_eq!(
            budget.take(10_000, OTHER, 1_000, |_| false),
            Err(Reason::CopiesCapped)
        );
        assert_eq!(budget.take(10_000, OTHER, 1_000, |_| true), Ok(()));
    }

    #[test]
    fn one_copy_is_a_packet_as_any_other() {
        let mut budget = CopyBudget::new(1);
        for _ in 0..5_000 {
            assert_eq!(budget.take(0, ONE, 1, |_| true), Ok(()));
        }
        assert!(budget.of_peer.is_empty());
    }

    #[test]
    fn without_a_bound_and_of_whom_was_forgotten_nothing_is_kept() {
        let mut budget = CopyBudget::new(0);
        assert_eq!(budget.take(0, ONE, 1 << 20, |_| true), Ok(()));
        assert!(budget.of_peer.is_empty());

        let mut budget = CopyBudget::new(10_000);
        assert_eq!(budget.take(0, ONE, 100, |_| true), Ok(()));
        budget.forget(&ONE);
        assert!(budget.of_peer.is_empty());
    }

    proptest! {
        #[test]
        fn b6_no_schedule_makes_more_copies_than_the_rate_and_a_burst(
            steps in vec((0u64..50_000_000, 0usize..1_024), 1..200),
        ) {
            let mut budget = CopyBudget::new(10_000);
            let (mut now_ns, mut copies) = (0, 0);
            for (pause_ns, wanted) in steps {
                now_ns += pause_ns;
                if wanted > 1 && budget.take(now_ns, ONE, wanted, |_| true).is_ok() {
                    copies += wanted as u64;
                }
            }

            prop_assert!(copies <= LEAST_BURST + 10_000 * now_ns / 1_000_000_000 + 1);
        }
    }
}
