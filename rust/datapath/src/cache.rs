//! Decisions: install, look up, forget; bounded.
//!
//! A lookup touches two cache lines, an index slot and the entry, writes nothing and allocates
//! nothing. Whether a found entry still holds is for `revisions` and the clock to say.
//! When full, the heaviest holder loses its oldest entry: the entries of one ingress pipe are one
//! holder's, so that no peer can push another's decisions out.

mod entry;
mod index;
mod key;
mod revisions;
mod shares;

pub use entry::{Action, Entry, Hop, More, Part, ServiceIndex, StageRef, Task};
pub use index::EntryId;
pub use key::{KeyHasher, Level, Question, cut};
pub use revisions::{KEY_SLOTS, Revisions, TAG_SLOTS};

use ei_memory::{ask_for_huge_pages, prefetch};

use crate::wire::Address;
use index::Index;
use shares::Shares;

/// A bounded table from 128-bit keys to entries.
#[derive(Clone, Debug, Default)]
pub struct Cache {
    index: Index,
    /// `None` where an entry was removed, listed in `unused`.
    entries: Vec<Option<Entry>>,
    unused: Vec<u32>,
    shares: Shares,
    /// Entries by the service of their first part.
    by_service: Vec<usize>,
    limit: usize,
    swept: usize,
}

impl Cache {
    /// An empty cache of at most `limit` entries; 0 keeps nothing. Grows as it fills.
    pub fn new(limit: usize) -> Self {
        Self {
            limit: limit.min(u32::MAX as usize - 1),
            ..Self::default()
        }
    }

    /// Take and touch all memory now: a page fault in the hot path costs as much as twenty packets.
    pub fn reserve(&mut self) {
        self.index.reserve(self.limit);
        self.shares.reserve(self.limit);
        let before = self.entries.len();
        self.entries
            .reserve_exact(self.limit.saturating_sub(before));
        ask_for_huge_pages(self.entries.spare_capacity_mut());
        self.entries.resize_with(self.limit, || None);
        self.unused
            .splice(0..0, (before as u32..self.limit as u32).rev());
    }

    /// Entries kept, valid or not.
    pub fn len(&self) -> usize {
        self.entries.len() - self.unused.len()
    }

    /// Entries whose first part is the service's.
    pub fn len_of(&self, service: ServiceIndex) -> usize {
        self.by_service
            .get(usize::from(service.0))
            .copied()
            .unwrap_or(0)
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Most entries.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// The entry of `key`, valid or not.
    #[inline]
    pub fn find(&self, key: u128) -> Option<(EntryId, &Entry)> {
        let id = self.index.find(key, |id| {
            self.entry(id).is_some_and(|entry| entry.key == key)
        })?;
        self.entry(id).map(|entry| (id, entry))
    }

    /// Ask for where the way to the entry of `key` begins, without waiting for it.
    #[inline]
    pub fn fetch_slot(&self, key: u128) {
        self.index.fetch(key);
    }

    /// The same for the entry itself, once `fetch_slot` has had time.
    #[inline]
    pub fn fetch_entry(&self, key: u128) {
        if let Some(entry) = self
            .index
            .guess(key)
            .and_then(|id| self.entries.get(id.0 as usize))
        {
            prefetch(entry);
        }
    }

    /// The entry at a place that `find` or `insert` gave.
    #[inline]
    pub fn entry(&self, id: EntryId) -> Option<&Entry> {
        self.entries.get(id.0 as usize)?.as_ref()
    }

    /// Keep `entry` under `key`, replacing what was there, at the young end of `holder`'s entries.
    /// `None` when the limit is 0.
    pub fn insert(&mut self, key: u128, holder: Address, mut entry: Entry) -> Option<EntryId> {
        if self.limit == 0 {
            return None;
        }
        if let Some((id, _)) = self.find(key) {
            self.remove(id);
        }
        if self.len() >= self.limit
            && let Some(victim) = self.shares.victim(&holder)
        {
            self.remove(victim);
        }
        entry.key = key;
        let service = usize::from(entry.part.service.0);
        if self.by_service.len() <= service {
            self.by_service.resize(service + 1, 0);
        }
        if let Some(count) = self.by_service.get_mut(service) {
            *count += 1;
        }
        let id = match self.unused.pop() {
            Some(place) => EntryId(place),
            None => {
                self.entries.push(None);
                EntryId((self.entries.len() - 1) as u32)
            }
        };
        *self.entries.get_mut(id.0 as usize)? = Some(entry);
        self.index.insert(key, id);
        self.shares.add(id, holder);
        Some(id)
    }

    /// Forget the entry at `id`; no effect when there is none.
    pub fn remove(&mut self, id: EntryId) {
        let Some(entry) = self.entries.get_mut(id.0 as usize).and_then(Option::take) else {
            return;
        };
        if let Some(count) = self.by_service.get_mut(usize::from(entry.part.service.0)) {
            *count -= 1;
        }
        self.index.remove(entry.key, id);
        self.shares.remove(id);
        self.unused.push(id.0);
    }

    /// Look at the next places, at most `count` and a 32nd of all, and forget those entries that no
    /// longer hold: memory comes back although nobody asks for them again.
    pub fn sweep(&mut self, count: usize, holds: impl Fn(&Entry) -> bool) {
        for _ in 0..count.min(self.entries.len().div_ceil(32)) {
            self.swept = (self.swept + 1) % self.entries.len().max(1);
            let id = EntryId(self.swept as u32);
            if self.entry(id).is_some_and(|entry| !holds(entry)) {
                self.remove(id);
            }
        }
    }

    /// All entries, in no particular order.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipes::PeerIndex;

    const PART: Part = Part {
        service: ServiceIndex(0),
        tag_slot: 0,
        key_slot: Part::OWN,
    };
    const HOLDER: Address = Address([1; 16]);

    fn to(peer: u32) -> Entry {
        Entry::new(Action::ForwardOne(PeerIndex(peer)), PART, 0, 0)
    }

    fn found(cache: &Cache, key: u128) -> Option<Action> {
        cache.find(key).map(|(_, entry)| entry.action)
    }

    #[test]
    fn a_newer_answer_replaces_the_older_one() {
        let mut cache = Cache::new(4);

        cache.insert(1, HOLDER, to(1));
        cache.insert(1, HOLDER, to(2));

        assert_eq!(found(&cache, 1), Some(Action::ForwardOne(PeerIndex(2))));
        assert_eq!(cache.len(), 1);
    }

    #[test]
    fn a_full_cache_forgets_the_oldest_of_its_heaviest_holder() {
        let mut cache = Cache::new(3);
        let other = Address([2; 16]);
        cache.insert(1, other, to(1));
        cache.insert(2, HOLDER, to(2));
        cache.insert(3, HOLDER, to(3));

        cache.insert(4, other, to(4));

        assert_eq!(cache.len(), 3);
        assert_eq!(found(&cache, 2), None);
        assert!([1, 3, 4].iter().all(|key| found(&cache, *key).is_some()));
    }

    #[test]
    fn a_cache_of_size_0_keeps_nothing() {
        let mut cache = Cache::new(0);

        assert_eq!(cache.insert(1, HOLDER, to(1)), None);
        assert!(cache.is_empty());
    }

    #[test]
    fn sweeping_finds_what_nobody_asks_for() {
        let mut cache = Cache::new(8);
        for key in 0..8 {
            cache.insert(key, HOLDER, to(key as u32));
        }

        for _ in 0..8 {
            cache.sweep(8, |entry| {
                matches!(entry.action, Action::ForwardOne(PeerIndex(3)))
            });
        }

        assert_eq!(cache.len(), 1);
        assert!(found(&cache, 3).is_some());
    }
}
