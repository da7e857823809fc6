//! Which answers still hold: tags, replaced answers, peers.
//!
//! One number counts every revocation of this datapath up. A tag's slot holds the number at which the
//! tag was last revoked; an entry holds the number at its installation, and is valid while none of its
//! slots is newer. Revoking is one store, however many entries carry the tag. Two tags that share a
//! slot are revoked together: a needless miss, never a wrong hit (decision record 23).

use super::{Entry, Hop, Part, ServiceIndex};
use crate::pipes::PeerIndex;

/// Slots for tags of one service.
pub const TAG_SLOTS: usize = 4_096;
/// Slots for answers of one service that were joined with others.
pub const KEY_SLOTS: usize = 1_024;

/// All that revokes entries.
#[derive(Clone, Debug, Default)]
pub struct Revisions {
    current: u64,
    services: Vec<Slots>,
    peers: Vec<u64>,
    newest_peer: u64,
}

/// The slots of one service; empty until the first is written, since most services never revoke.
#[derive(Clone, Debug, Default)]
struct Slots {
    /// Every answer up to this is void: the service was not this one then.
    floor: u64,
    tags: Vec<u64>,
    keys: Vec<u64>,
}

impl Revisions {
    /// The number of the latest revocation.
    pub fn current(&self) -> u64 {
        self.current
    }

    /// Void all answers at this service's place, which it takes or leaves.
    pub fn reset_service(&mut self, service: ServiceIndex) {
        let floor = self.next();
        let place = usize::from(service.0);
        if self.services.len() <= place {
            self.services.resize_with(place + 1, Slots::default);
        }
        if let Some(slots) = self.services.get_mut(place) {
            *slots = Slots {
                floor,
                ..Slots::default()
            };
        }
    }

    /// Void all answers of the service whose tag is in `slot`.
    pub fn revoke_tag(&mut self, service: ServiceIndex, slot: u16) {
        let revision = self.next();
        if let Some(slots) = self.services.get_mut(usize::from(service.0)) {
            write(&mut slots.tags, TAG_SLOTS, slot, revision);
        }
    }

    /// Void what was joined from older answers of the service under keys of `slot`.
    pub fn replace_key(&mut self, service: ServiceIndex, slot: u16) {
        let revision = self.next();
        if let Some(slots) = self.services.get_mut(usize::from(service.0)) {
            write(&mut slots.keys, KEY_SLOTS, slot, revision);
        }
    }

    /// Void all answers that name `peer` as a hop.
    pub fn revoke_peer(&mut self, peer: PeerIndex) {
        let revision = self.next();
        let place = peer.0 as usize;
        if self.peers.len() <= place {
            self.peers.resize(place + 1, 0);
        }
        if let Some(slot) = self.peers.get_mut(place) {
            *slot = revision;
        }
        self.newest_peer = revision;
    }

    /// Whether an answer with this tag and of this age may still be installed.
    pub fn is_fresh(&self, service: ServiceIndex, tag_slot: u16, epoch: u64) -> bool {
        self.services
            .get(usize::from(service.0))
            .is_some_and(|slots| slots.revoked(tag_slot) <= epoch.max(slots.floor))
    }

    /// Whether an answer that names `peer` and of this age may still be installed.
    pub fn is_fresh_peer(&self, peer: PeerIndex, epoch: u64) -> bool {
        self.peers
            .get(peer.0 as usize)
            .is_none_or(|revoked| *revoked <= epoch)
    }

    /// Whether nothing that `entry` rests on was revoked since its installation.
    #[inline]
    pub fn hold(&self, entry: &Entry) -> bool {
        let parts_hold = self.part_holds(&entry.part, entry.revision)
            && entry.more.as_ref().is_none_or(|more| {
                more.parts
                    .iter()
                    .all(|part| self.part_holds(part, entry.revision))
            });
        parts_hold && (self.newest_peer <= entry.revision || self.hops_hold(entry))
    }

    #[inline]
    fn part_holds(&self, part: &Part, revision: u64) -> bool {
        self.services
            .get(usize::from(part.service.0))
            .is_some_and(|slots| {
                slots.revoked(part.tag_slot) <= revision
                    && (part.key_slot == Part::OWN || slots.replaced(part.key_slot) <= revision)
            })
    }

    fn hops_hold(&self, entry: &Entry) -> bool {
        entry.hops().all(|(Hop { peer, .. }, _)| {
            self.peers
                .get(peer.0 as usize)
                .is_none_or(|revoked| *revoked <= entry.revision)
        })
    }

    fn next(&mut self) -> u64 {
        self.current += 1;
        self.current
    }
}

impl Slots {
    fn revoked(&self, tag_slot: u16) -> u64 {
        self.tags
            .get(usize::from(tag_slot))
            .copied()
            .unwrap_or(0)
            .max(self.floor)
    }

    fn replaced(&self, key_slot: u16) -> u64 {
        self.keys.get(usize::from(key_slot)).copied().unwrap_or(0)
    }
}

fn write(slots: &mut Vec<u64>, count: usize, slot: u16, revision: u64) {
    if slots.is_empty() {
        slots.resize(count, 0);
    }
    if let Some(place) = slots.get_mut(usize::from(slot)) {
        *place = revision;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Action;

    const SERVICE: ServiceIndex = ServiceIndex(1);

    fn entry(revisions: &Revisions, peer: u32) -> Entry {
        let part = Part {
            service: SERVICE,
            tag_slot: 5,
            key_slot: 6,
        };
        Entry::new(
            Action::ForwardOne(PeerIndex(peer)),
            part,
            0,
            revisions.current(),
        )
    }

    fn revisions() -> Revisions {
        let mut revisions = Revisions::default();
        revisions.reset_service(SERVICE);
        revisions
    }

    #[test]
    fn each_thing_an_entry_rests_on_revokes_it_and_nothing_else_does() {
        type Revoke = fn(&mut Revisions);
        let cases: [(Revoke, bool); 7] = [
            (|revisions| revisions.revoke_tag(SERVICE, 5), false),
            (|revisions| revisions.revoke_tag(SERVICE, 4), true),
            (|revisions| revisions.replace_key(SERVICE, 6), false),
            (|revisions| revisions.replace_key(SERVICE, 7), true),
            (|revisions| revisions.revoke_peer(PeerIndex(3)), false),
            (|revisions| revisions.revoke_peer(PeerIndex(2)), true),
            (|revisions| revisions.reset_service(SERVICE), false),
        ];
        for (number, (revoke, holds)) in cases.into_iter().enumerate() {
            let mut revisions = revisions();
            let older = entry(&revisions, 3);

            revoke(&mut revisions);

            assert_eq!(revisions.hold(&older), holds, "case {number}");
            assert!(
                revisions.hold(&entry(&revisions, 3)),
                "a newer one holds, case {number}"
            );
        }
    }

    #[test]
    fn an_answer_older_than_the_revocation_of_its_tag_is_stale() {
        let mut revisions = revisions();
        let epoch = revisions.current();

        revisions.revoke_tag(SERVICE, 5);

        assert!(!revisions.is_fresh(SERVICE, 5, epoch));
        assert!(revisions.is_fresh(SERVICE, 4, epoch));
        assert!(revisions.is_fresh(SERVICE, 5, revisions.current()));
    }
}
