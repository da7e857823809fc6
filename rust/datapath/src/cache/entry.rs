//! One decision as the datapath keeps it: one cache line, the rest out of line.

use std::num::NonZeroU32;

use crate::packet::Changes;
use crate::pipes::PeerIndex;
use crate::wire::Address;

/// Place of a service in the datapath's table; dense, wire-independent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceIndex(pub u16);

/// What is done with a packet after the stages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// One copy to this peer, unchanged, unguarded: by far the most frequent.
    ForwardOne(PeerIndex),
    /// One copy for each of `Entry::hops`.
    Forward,
    /// On to the next of the chain; at the end of a receiver's guards: to the hop they guard.
    Pass,
    /// Drop it for a service's own reason.
    Discard {
        /// Whose reason.
        service: ServiceIndex,
        /// Place in its manifest's list.
        reason: u16,
    },
}

/// What may revoke an entry: a tag of a service, and a newer answer of the same service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Who answered.
    pub service: ServiceIndex,
    /// Slot of the tag in the service's table of epochs.
    pub tag_slot: u16,
    /// Slot of the part's own key in the service's table of answers; `OWN` for an entry that is the
    /// answer itself, which a newer answer simply replaces.
    pub key_slot: u16,
}

impl Part {
    /// The entry is the part itself.
    pub const OWN: u16 = u16::MAX;
}

/// One copy of the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    /// Who gets it.
    pub peer: PeerIndex,
    /// The receiver has guards, which are asked first.
    pub is_guarded: bool,
    /// Replaces the packet's.
    pub connection: Option<u64>,
    /// Replaces the packet's: start and length in `More::metadata`.
    pub metadata: Option<(u32, u8)>,
    /// Replaces the packet's: where its 16 bytes end in `More::metadata`.
    pub source: Option<NonZeroU32>,
}

impl Hop {
    /// One copy to this peer, unchanged, unguarded.
    pub fn plain(peer: PeerIndex) -> Self {
        Self {
            peer,
            is_guarded: false,
            connection: None,
            metadata: None,
            source: None,
        }
    }

    /// Whether the copy is the packet.
    pub fn changes_nothing(&self) -> bool {
        self.connection.is_none() && self.metadata.is_none() && self.source.is_none()
    }

    /// What it changes; `joined` is `More::metadata`.
    fn changes<'a>(&self, joined: &'a [u8]) -> Option<Changes<'a>> {
        let metadata = match self.metadata {
            Some((start, length)) => {
                let start = start as usize;
                Some(joined.get(start..start + usize::from(length))?)
            }
            None => None,
        };
        let source = match self.source {
            Some(end) => Some(Address(*joined.get(..end.get() as usize)?.last_chunk()?)),
            None => None,
        };
        Some(Changes {
            source,
            connection: self.connection,
            metadata,
        })
    }
}

/// A stage with its object, found by place. A generation that no longer matches means that the object
/// was evicted: the entry is then as good as absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StageRef {
    /// Whose object.
    pub service: ServiceIndex,
    /// Place in the service's table.
    pub object: u32,
    /// Of that place when the stage was resolved.
    pub generation: u32,
    /// What this stage does with it.
    pub task: Task,
}

/// What of a stage is not in its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// A meter or tally: the object says all.
    Count,
    /// Make a frame of the payload.
    Compress {
        /// Number of the dictionary.
        dictionary: u32,
        /// Most times that a payload may be as long as its frame.
        ratio: u32,
    },
    /// Make a payload of the frame.
    Decompress {
        /// Most times that a payload may be as long as its frame.
        ratio: u32,
        /// Longest payload.
        limit_bytes: u32,
    },
}

/// What most entries do not have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct More {
    /// Copies to make, 1 to 1,024, with `Action::Forward`.
    pub hops: Box<[Hop]>,
    /// New metadata and sources of the hops, joined.
    pub metadata: Box<[u8]>,
    /// In the order of the chain.
    pub stages: Box<[StageRef]>,
    /// All parts but the first.
    pub parts: Box<[Part]>,
}

/// One decision: exactly one cache line of 64 bytes, so that a hit touches one.
#[derive(Clone, Debug)]
#[repr(align(64))]
pub struct Entry {
    pub(super) key: u128,
    /// When it is forgotten.
    pub expires_ns: u64,
    /// Nothing that revokes it may be newer than this.
    pub revision: u64,
    /// Stages, several hops, several parts.
    pub more: Option<Box<More>>,
    /// After the stages.
    pub action: Action,
    /// The first (mostly only) answer in it.
    pub part: Part,
}

impl Entry {
    /// An entry that answers `part` alone.
    pub fn new(action: Action, part: Part, expires_ns: u64, revision: u64) -> Self {
        Self {
            key: 0,
            expires_ns,
            revision,
            more: None,
            action,
            part,
        }
    }

    /// Stages to run before the action.
    pub fn stages(&self) -> &[StageRef] {
        self.more.as_ref().map_or(&[], |more| &more.stages)
    }

    /// All parts, the first one first.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        let more = self.more.as_ref().map_or(&[][..], |more| &more.parts);
        std::iter::once(&self.part).chain(more)
    }

    /// Number of copies that the action makes.
    pub fn hop_count(&self) -> usize {
        match (self.action, &self.more) {
            (Action::ForwardOne(_), _) => 1,
            (Action::Forward, Some(more)) => more.hops.len(),
            _ => 0,
        }
    }

    /// The peer that it sends to, if that is all that it does.
    #[inline]
    pub fn plain_way(&self) -> Option<PeerIndex> {
        match self.action {
            Action::ForwardOne(peer) if self.stages().is_empty() => Some(peer),
            _ => None,
        }
    }

    /// Whether all that it does is to make many copies, which nobody guards.
    #[inline]
    pub fn is_wide(&self) -> bool {
        const MANY: usize = 8;
        matches!(self.action, Action::Forward)
            && self.more.as_ref().is_some_and(|more| {
                more.hops.len() >= MANY
                    && more.stages.is_empty()
                    && !more.hops.iter().any(|hop| hop.is_guarded)
            })
    }

    /// The copy number `at`, and what of it is not the packet's.
    pub fn hop(&self, at: usize) -> Option<(Hop, Changes<'_>)> {
        match (self.action, &self.more) {
            (Action::ForwardOne(peer), _) if at == 0 => {
                Some((Hop::plain(peer), Changes::default()))
            }
            (Action::Forward, Some(more)) => {
                let hop = *more.hops.get(at)?;
                Some((hop, hop.changes(&more.metadata)?))
            }
            _ => None,
        }
    }

    /// All copies, in order.
    pub fn hops(&self) -> impl Iterator<Item = (Hop, Changes<'_>)> {
        (0..self.hop_count()).filter_map(|at| self.hop(at))
    }

    /// Bytes that the entry takes beside its cache line.
    pub fn more_bytes(&self) -> usize {
        self.more.as_ref().map_or(0, |more| {
            size_of::<More>()
                + size_of_val(&*more.hops)
                + more.metadata.len()
                + size_of_val(&*more.stages)
                + size_of_val(&*more.parts)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_one_cache_line() {
        assert_eq!(size_of::<Entry>(), 64);
        assert_eq!(size_of::<Option<Entry>>(), 64);
    }

    #[test]
    fn a_hop_of_many_is_small() {
        assert_eq!(size_of::<Hop>(), 40);
    }

    #[test]
    fn hops_are_read_back_with_what_they_change() {
        let part = Part {
            service: ServiceIndex(0),
            tag_slot: 0,
            key_slot: Part::OWN,
        };
        let hop = Hop {
            connection: Some(9),
            metadata: Some((1, 2)),
            source: NonZeroU32::new(20),
            ..Hop::plain(PeerIndex(1))
        };
        let more = More {
            hops: Box::new([hop]),
            metadata: Box::from(*b"abcd0123456789abcdef"),
            ..More::default()
        };
        let entry = Entry {
            more: Some(Box::new(more)),
            ..Entry::new(Action::Forward, part, 0, 0)
        };

        let changes = Changes {
            source: Some(Address(*b"0123456789abcdef")),
            connection: Some(9),
            metadata: Some(b"bc"),
        };
        assert_eq!(entry.hops().collect::<Vec<_>>(), [(hop, changes)]);
        let one = Entry::new(Action::ForwardOne(PeerIndex(4)), part, 0, 0);
        assert_eq!(
            one.hops().map(|(hop, _)| hop.peer).collect::<Vec<_>>(),
            [PeerIndex(4)]
        );
    }
}
