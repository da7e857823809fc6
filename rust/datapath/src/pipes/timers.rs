//! One deadline per peer, the earliest first: an indexed binary heap, so that 100,000 pipes cost
//! nothing while nothing is due, and moving a deadline allocates nothing.

use super::PeerIndex;

const ABSENT: u32 = u32::MAX;

/// The next deadline of each peer.
#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: Vec<(u64, u32)>,
    /// Place in `heap` by peer.
    places: Vec<u32>,
}

impl Timers {
    /// Set the peer's deadline, replacing the one it has.
    pub(super) fn set(&mut self, peer: PeerIndex, deadline_ns: u64) {
        let index = peer.0 as usize;
        if self.places.len() <= index {
            self.places.resize(index + 1, ABSENT);
        }
        match self.place(peer.0) {
            Some(place) => {
                let before = self.at(place);
                self.put(place, (deadline_ns, peer.0));
                if (deadline_ns, peer.0) < before {
                    self.rise(place)
                } else {
                    self.sink(place)
                }
            }
            None => {
                self.heap.push((deadline_ns, peer.0));
                let place = self.heap.len() - 1;
                self.put(place, (deadline_ns, peer.0));
                self.rise(place);
            }
        }
    }

    /// Forget the peer's deadline.
    pub(super) fn remove(&mut self, peer: PeerIndex) {
        let Some(place) = self.place(peer.0) else {
            return;
        };
        let last = self.heap.len() - 1;
        self.swap(place, last);
        self.heap.pop();
        if let Some(entry) = self.places.get_mut(peer.0 as usize) {
            *entry = ABSENT;
        }
        if place < self.heap.len() {
            self.rise(place);
            self.sink(place);
        }
    }

    /// The earliest deadline.
    pub(super) fn earliest_ns(&self) -> Option<u64> {
        self.heap.first().map(|(deadline_ns, _)| *deadline_ns)
    }

    /// Take out the peer with the earliest deadline, if that has come.
    pub(super) fn pop_due(&mut self, now_ns: u64) -> Option<PeerIndex> {
        let (deadline_ns, peer) = *self.heap.first()?;
        if deadline_ns > now_ns {
            return None;
        }
        self.remove(PeerIndex(peer));
        Some(PeerIndex(peer))
    }

    fn place(&self, peer: u32) -> Option<usize> {
        match self.places.get(peer as usize) {
            Some(&place) if place != ABSENT => Some(place as usize),
            _ => None,
        }
    }

    fn at(&self, place: usize) -> (u64, u32) {
        self.heap.get(place).copied().unwrap_or((u64::MAX, ABSENT))
    }

    fn put(&mut self, place: usize, entry: (u64, u32)) {
        if let Some(slot) = self.heap.get_mut(place) {
            *slot = entry;
        }
        if let Some(slot) = self.places.get_mut(entry.1 as usize) {
            *slot = place as u32;
        }
    }

    fn swap(&mut self, a: usize, b: usize) {
        let (at_a, at_b) = (self.at(a), self.at(b));
        self.put(a, at_b);
        self.put(b, at_a);
    }

    fn rise(&mut self, mut place: usize) {
        while place > 0 {
            let parent = (place - 1) / 2;
            if self.at(parent) <= self.at(place) {
                return;
            }
            self.swap(place, parent);
            place = parent;
        }
    }

    fn sink(&mut self, mut place: usize) {
        loop {
            let (left, right) = (2 * place + 1, 2 * place + 2);
            let child = if self.at(right) < self.at(left) {
                right
            } else {
                left
            };
            if self.at(child) >= self.at(place) {
                return;
            }
            self.swap(place, child);
            place = child;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn deadlines_come_in_order_as_in_a_sorted_map(
            steps in proptest::collection::vec((0u32..20, 0u64..100, 0u8..3), 1..200),
        ) {
            let mut timers = Timers::default();
            let mut model: BTreeMap<u32, u64> = BTreeMap::new();
            for (peer, deadline_ns, kind) in steps {
                match kind {
                    0 => {
                        timers.set(PeerIndex(peer), deadline_ns);
                        model.insert(peer, deadline_ns);
                    }
                    1 => {
                        timers.remove(PeerIndex(peer));
                        model.remove(&peer);
                    }
                    _ => {
                        let due = model.iter().map(|(peer, at)| (*at, *peer)).min();
                        let expected = due.filter(|(at, _)| *at <= deadline_ns);
                        if let Some((_, peer)) = expected {
                            model.remove(&peer);
                        }
                        prop_assert_eq!(
                            timers.pop_due(deadline_ns),
                            expected.map(|(_, peer)| PeerIndex(peer))
                        );
                    }
                }
                prop_assert_eq!(timers.earliest_ns(), model.values().min().copied());
            }
        }
    }
}
