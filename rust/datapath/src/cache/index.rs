//! From a 128-bit key to the place of its entry: open addressing, eight bytes a slot.

use ei_memory::{ask_for_huge_pages, prefetch};

/// Place of an entry in the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(pub(super) u32);

/// Fewest slots once there are any; below this growing costs nothing.
const MIN_SLOTS: usize = 16;

/// A table at most half full. A slot is 32 bits of the key beside the entry's place, so that growing
/// and probing touch no entry but the right one (and one wrong in 2^32 per probe).
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    slots: Vec<u64>,
    len: usize,
}

impl Index {
    /// Room for `entries` without growing.
    pub(super) fn reserve(&mut self, entries: usize) {
        let wanted = (entries * 2).next_power_of_two().max(MIN_SLOTS);
        if wanted > self.slots.len() {
            self.resize(wanted);
        }
    }

    /// The entry whose place satisfies `is_it` among those whose key looks like `key`.
    pub(super) fn find(&self, key: u128, is_it: impl Fn(EntryId) -> bool) -> Option<EntryId> {
        let fingerprint = fingerprint(key);
        let mask = self.slots.len().wrapping_sub(1);
        let mut at = fingerprint as usize;
        loop {
            match unpack(*self.slots.get(at & mask)?) {
                None => return None,
                Some((found, id)) if found == fingerprint && is_it(id) => return Some(id),
                Some(_) => at = at.wrapping_add(1),
            }
        }
    }

    /// Ask for the slot where looking for `key` begins, without waiting for it.
    #[inline]
    pub(super) fn fetch(&self, key: u128) {
        let mask = self.slots.len().wrapping_sub(1);
        if let Some(slot) = self.slots.get(fingerprint(key) as usize & mask) {
            prefetch(slot);
        }
    }

    /// The first entry whose key looks like `key`.
    #[inline]
    pub(super) fn guess(&self, key: u128) -> Option<EntryId> {
        self.find(key, |_| true)
    }

    /// Add a key that is not there.
    pub(super) fn insert(&mut self, key: u128, id: EntryId) {
        self.reserve(self.len + 1);
        self.place(pack(fingerprint(key), id));
        self.len += 1;
    }

    /// Forget the key of `id`; no effect when absent.
    pub(super) fn remove(&mut self, key: u128, id: EntryId) {
        let mask = self.slots.len().wrapping_sub(1);
        let wanted = pack(fingerprint(key), id);
        let mut hole = fingerprint(key) as usize & mask;
        loop {
            match self.slots.get(hole) {
                None | Some(0) => return,
                Some(slot) if *slot == wanted => break,
                Some(_) => hole = hole.wrapping_add(1) & mask,
            }
        }
        self.len -= 1;
        self.close(hole, mask);
    }

    /// Move later slots of the same run into the hole, so that no probe ends too early.
    fn close(&mut self, mut hole: usize, mask: usize) {
        let mut at = hole;
        loop {
            at = at.wrapping_add(1) & mask;
            let slot = self.slots.get(at).copied().unwrap_or(0);
            let Some((fingerprint, _)) = unpack(slot) else {
                break;
            };
            let from_home = at.wrapping_sub(fingerprint as usize) & mask;
            let from_hole = at.wrapping_sub(hole) & mask;
            if from_home >= from_hole {
                self.set(hole, slot);
                hole = at;
            }
        }
        self.set(hole, 0);
    }

    fn resize(&mut self, slots: usize) {
        let before = std::mem::replace(&mut self.slots, vec![0; slots]);
        ask_for_huge_pages(&self.slots);
        for slot in before.into_iter().filter(|slot| *slot != 0) {
            self.place(slot);
        }
    }

    fn place(&mut self, packed: u64) {
        let mask = self.slots.len().wrapping_sub(1);
        let mut at = (packed >> 32) as usize & mask;
        while self.slots.get(at).is_some_and(|slot| *slot != 0) {
            at = at.wrapping_add(1) & mask;
        }
        self.set(at, packed);
    }

    fn set(&mut self, at: usize, packed: u64) {
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = packed;
        }
    }
}

fn fingerprint(key: u128) -> u32 {
    key as u32
}

fn pack(fingerprint: u32, id: EntryId) -> u64 {
    u64::from(fingerprint) << 32 | (u64::from(id.0) + 1)
}

fn unpack(slot: u64) -> Option<(u32, EntryId)> {
    let place = (slot & 0xffff_ffff) as u32;
    Some(((slot >> 32) as u32, EntryId(place.checked_sub(1)?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    proptest! {
        /// Keys from a small range, so that runs, wraps and equal fingerprints all occur.
        #[test]
        fn it_is_a_map(operations in proptest::collection::vec((any::<bool>(), 0u128..40), 0..400)) {
            let mut index = Index::default();
            let mut model = HashMap::new();
            for (adds, key) in operations {
                let key = key | (key % 3) << 64;
                let id = EntryId(key as u32 + (key >> 64) as u32 * 1000);
                if adds && !model.contains_key(&key) {
                    index.insert(key, id);
                    model.insert(key, id);
                } else if !adds {
                    index.remove(key, id);
                    model.remove(&key);
                }
                for (key, id) in &model {
                    prop_assert_eq!(index.find(*key, |found| found == *id), Some(*id));
                }
                prop_assert_eq!(index.len, model.len());
                prop_assert_eq!(index.find(99, |_| true), None);
            }
        }
    }

    #[test]
    fn an_empty_index_finds_nothing() {
        assert_eq!(Index::default().find(1, |_| true), None);
        Index::default().remove(1, EntryId(0));
    }
}
