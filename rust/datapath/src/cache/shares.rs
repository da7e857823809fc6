//! Who holds how much of the cache: the entries of one ingress pipe, oldest first (law 7).

use std::collections::{BTreeMap, BTreeSet};

use super::index::EntryId;
use crate::wire::Address;

/// No entry.
const NONE: u32 = u32::MAX;

/// The entries of every holder, each a list through `links`, and the holders by weight.
#[derive(Clone, Debug, Default)]
pub(super) struct Shares {
    links: Vec<Link>,
    shares: Vec<Share>,
    unused: Vec<u32>,
    by_holder: BTreeMap<Address, u32>,
    by_weight: BTreeSet<(u32, Address)>,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    older: u32,
    newer: u32,
    share: u32,
}

#[derive(Clone, Copy, Debug)]
struct Share {
    holder: Address,
    oldest: u32,
    newest: u32,
    count: u32,
}

impl Shares {
    /// Room for `entries` without growing.
    pub(super) fn reserve(&mut self, entries: usize) {
        if self.links.len() < entries {
            self.links.resize(
                entries,
                Link {
                    older: NONE,
                    newer: NONE,
                    share: NONE,
                },
            );
        }
    }

    /// Put `id` at the young end of its holder's list.
    pub(super) fn add(&mut self, id: EntryId, holder: Address) {
        let place = id.0 as usize;
        if self.links.len() <= place {
            self.links.resize(
                place + 1,
                Link {
                    older: NONE,
                    newer: NONE,
                    share: NONE,
                },
            );
        }
        let number = self.share_of(holder);
        let Some(share) = self.shares.get_mut(number as usize) else {
            return;
        };
        let newest = share.newest;
        if share.count == 0 {
            share.oldest = id.0;
        }
        share.newest = id.0;
        if let Some(link) = self.links.get_mut(place) {
            *link = Link {
                older: newest,
                newer: NONE,
                share: number,
            };
        }
        if let Some(before) = self.links.get_mut(newest as usize) {
            before.newer = id.0;
        }
        self.weigh(number, |count| count + 1);
    }

    /// Take `id` out of its holder's list.
    pub(super) fn remove(&mut self, id: EntryId) {
        let Some(link) = self.links.get(id.0 as usize).copied() else {
            return;
        };
        if let Some(older) = self.links.get_mut(link.older as usize) {
            older.newer = link.newer;
        }
        if let Some(newer) = self.links.get_mut(link.newer as usize) {
            newer.older = link.older;
        }
        if let Some(share) = self.shares.get_mut(link.share as usize) {
            if share.oldest == id.0 {
                share.oldest = link.newer;
            }
            if share.newest == id.0 {
                share.newest = link.older;
            }
        }
        self.weigh(link.share, |count| count.saturating_sub(1));
    }

    /// Whom to take from when `newcomer` wants one more: the newcomer itself unless somebody holds
    /// more; of several others the one with the largest address. Returns that holder's oldest entry.
    pub(super) fn victim(&self, newcomer: &Address) -> Option<EntryId> {
        let (most, heaviest) = self.by_weight.last()?;
        let own = self
            .by_holder
            .get(newcomer)
            .and_then(|number| self.shares.get(*number as usize));
        let number = match own {
            Some(own) if own.count >= *most => self.by_holder.get(newcomer)?,
            _ => self.by_holder.get(heaviest)?,
        };
        self.shares
            .get(*number as usize)
            .map(|share| EntryId(share.oldest))
    }

    fn share_of(&mut self, holder: Address) -> u32 {
        if let Some(number) = self.by_holder.get(&holder) {
            return *number;
        }
        let fresh = Share {
            holder,
            oldest: NONE,
            newest: NONE,
            count: 0,
        };
        let number = match self.unused.pop() {
            Some(number) => number,
            None => {
                self.shares.push(fresh);
                (self.shares.len() - 1) as u32
            }
        };
        if let Some(share) = self.shares.get_mut(number as usize) {
            *share = fresh;
        }
        self.by_holder.insert(holder, number);
        number
    }

    fn weigh(&mut self, number: u32, change: impl Fn(u32) -> u32) {
        let Some(share) = self.shares.get_mut(number as usize) else {
            return;
        };
        self.by_weight.remove(&(share.count, share.holder));
        share.count = change(share.count);
        if share.count == 0 {
            self.by_holder.remove(&share.holder);
            self.unused.push(number);
        } else {
            self.by_weight.insert((share.count, share.holder));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(last: u8) -> Address {
        Address([last; 16])
    }

    #[test]
    fn the_heaviest_holder_loses_its_oldest_entry() {
        let mut shares = Shares::default();
        for (id, who) in [(0, 1), (1, 2), (2, 2), (3, 2), (4, 3)] {
            shares.add(EntryId(id), holder(who));
        }

        assert_eq!(shares.victim(&holder(1)), Some(EntryId(1)));
        shares.remove(EntryId(1));
        assert_eq!(shares.victim(&holder(9)), Some(EntryId(2)));
    }

    #[test]
    fn among_equals_a_newcomer_pays_itself() {
        let mut shares = Shares::default();
        for (id, who) in [(0, 1), (1, 2), (2, 3)] {
            shares.add(EntryId(id), holder(who));
        }

        assert_eq!(shares.victim(&holder(1)), Some(EntryId(0)));
        assert_eq!(
            shares.victim(&holder(9)),
            Some(EntryId(2)),
            "the largest address, if it has none"
        );
    }

    #[test]
    fn a_holder_of_nothing_is_forgotten() {
        let mut shares = Shares::default();
        shares.add(EntryId(0), holder(1));

        shares.remove(EntryId(0));

        assert!(shares.by_holder.is_empty() && shares.by_weight.is_empty());
        assert_eq!(shares.victim(&holder(1)), None);
        shares.add(EntryId(0), holder(2));
        assert_eq!(shares.shares.len(), 1, "its place serves the next holder");
    }

    #[test]
    fn an_entry_is_taken_out_of_the_middle() {
        let mut shares = Shares::default();
        for id in 0..3 {
            shares.add(EntryId(id), holder(1));
        }

        shares.remove(EntryId(1));
        assert_eq!(shares.victim(&holder(1)), Some(EntryId(0)));
        shares.remove(EntryId(0));

        assert_eq!(shares.victim(&holder(1)), Some(EntryId(2)));
    }
}
