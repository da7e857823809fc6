//! What is to happen, in order: of the simulation, which has a hundred thousand deadlines at a time.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// Items by time, then by rank, then in the order of their coming.
#[derive(Clone, Debug)]
pub struct Agenda<T> {
    heap: BinaryHeap<Entry<T>>,
    sequence: u64,
}

#[derive(Clone, Debug)]
struct Entry<T> {
    when_ns: u64,
    rank: u32,
    sequence: u64,
    item: T,
}

impl<T> Default for Agenda<T> {
    fn default() -> Self {
        Self {
            heap: BinaryHeap::new(),
            sequence: 0,
        }
    }
}

impl<T> Agenda<T> {
    /// Put something in.
    pub fn push(&mut self, when_ns: u64, rank: u32, item: T) {
        self.sequence += 1;
        self.heap.push(Entry {
            when_ns,
            rank,
            sequence: self.sequence,
            item,
        });
    }

    /// Take out what comes next, if that is before `before_ns`: its time, its rank, and itself.
    pub fn pop(&mut self, before_ns: u64) -> Option<(u64, u32, T)> {
        if self.earliest_ns()? >= before_ns {
            return None;
        }
        self.heap
            .pop()
            .map(|entry| (entry.when_ns, entry.rank, entry.item))
    }

    /// When something happens next.
    pub fn earliest_ns(&self) -> Option<u64> {
        self.heap.peek().map(|entry| entry.when_ns)
    }

    /// All that is in it, in no order.
    pub fn items(&self) -> impl Iterator<Item = &T> {
        self.heap.iter().map(|entry| &entry.item)
    }

    /// Throw away all items but those.
    pub fn retain(&mut self, mut is_kept: impl FnMut(&T) -> bool) {
        self.heap.retain(|entry| is_kept(&entry.item));
    }

    /// How much is in it.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether nothing is.
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// Forget everything.
    pub fn clear(&mut self) {
        self.heap.clear();
    }
}

impl<T> Entry<T> {
    fn key(&self) -> (u64, u32, u64) {
        (self.when_ns, self.rank, self.sequence)
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<T> Eq for Entry<T> {}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Entry<T> {
    /// The earliest is the greatest: it is on top of the heap.
    fn cmp(&self, other: &Self) -> Ordering {
        other.key().cmp(&self.key())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_by_time_then_rank_then_as_they_were_put_in() {
        let mut agenda = Agenda::default();
        for (when_ns, rank, item) in [
            (2, 0, "e"),
            (1, 2, "d"),
            (1, 1, "b"),
            (1, 1, "c"),
            (1, 0, "a"),
        ] {
            agenda.push(when_ns, rank, item);
        }

        let order: Vec<_> = std::iter::from_fn(|| agenda.pop(3))
            .map(|(_, _, item)| item)
            .collect();

        assert_eq!(order, ["a", "b", "c", "d", "e"]);
    }

    #[test]
    fn nothing_comes_before_its_time() {
        let mut agenda = Agenda::default();
        agenda.push(5, 0, "later");

        assert_eq!(agenda.pop(5), None);
        assert_eq!(agenda.earliest_ns(), Some(5));
        assert_eq!(agenda.pop(6), Some((5, 0, "later")));
        assert!(agenda.is_empty());
    }
}
