//! Whose turn it is: connections in the order in which they have something to do, and when they next will.

use std::collections::{BTreeSet, VecDeque};

/// Connections that wait for a turn, each at most once, served round robin.
#[derive(Default)]
pub(crate) struct Turns {
    queue: VecDeque<usize>,
    is_waiting: Vec<bool>,
}

impl Turns {
    /// Put a connection at the end, unless it waits already.
    pub(crate) fn add(&mut self, slot: usize) {
        if self.is_waiting.len() <= slot {
            self.is_waiting.resize(slot + 1, false);
        }
        let Some(is_waiting) = self.is_waiting.get_mut(slot) else {
            return;
        };
        if !std::mem::replace(is_waiting, true) {
            self.queue.push_back(slot);
        }
    }

    /// Take the first.
    pub(crate) fn next(&mut self) -> Option<usize> {
        let slot = self.queue.pop_front()?;
        if let Some(is_waiting) = self.is_waiting.get_mut(slot) {
            *is_waiting = false;
        }
        Some(slot)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

/// The next time at which each connection wants to be looked at, earliest first.
#[derive(Default)]
pub(crate) struct Deadlines {
    order: BTreeSet<(u64, usize)>,
    of_slot: Vec<Option<u64>>,
}

impl Deadlines {
    pub(crate) fn set(&mut self, slot: usize, deadline_ns: Option<u64>) {
        if self.of_slot.len() <= slot {
            self.of_slot.resize(slot + 1, None);
        }
        let Some(known) = self.of_slot.get_mut(slot) else {
            return;
        };
        if *known == deadline_ns {
            return;
        }
        if let Some(old) = std::mem::replace(known, deadline_ns) {
            self.order.remove(&(old, slot));
        }
        if let Some(new) = deadline_ns {
            self.order.insert((new, slot));
        }
    }

    pub(crate) fn earliest_ns(&self) -> Option<u64> {
        self.order.first().map(|(deadline_ns, _)| *deadline_ns)
    }

    /// Take one that is due.
    pub(crate) fn take_due(&mut self, now_ns: u64) -> Option<usize> {
        let (deadline_ns, slot) = *self.order.first()?;
        if deadline_ns > now_ns {
            return None;
        }
        self.set(slot, None);
        Some(slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_gets_one_turn_in_order() {
        let mut turns = Turns::default();
        for slot in [2, 0, 2, 1] {
            turns.add(slot);
        }

        let order: Vec<usize> = std::iter::from_fn(|| turns.next()).collect();

        assert_eq!(order, [2, 0, 1]);
        assert!(turns.is_empty());
    }

    #[test]
    fn a_deadline_that_moves_is_due_once() {
        let mut deadlines = Deadlines::default();
        deadlines.set(0, Some(10));
        deadlines.set(1, Some(20));
        deadlines.set(0, Some(30));

        assert_eq!(deadlines.earliest_ns(), Some(20));
        assert_eq!(deadlines.take_due(25), Some(1));
        assert_eq!(deadlines.take_due(25), None);
        assert_eq!(deadlines.take_due(30), Some(0));
        assert_eq!(deadlines.earliest_ns(), None);
    }
}
