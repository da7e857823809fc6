//! All sessions of a thread, found by receiver index without hashing.
//!
//! ```text
//! receiver index: place 20 bits | generation 8 bits | lane 4 bits
//! ```
//! The generation changes whenever a place is given away, so that packets for a session of before are
//! told apart from those of the present one.

use ei_memory::{Slab, prefetch};

use super::PeerIndex;
use crate::pipe::Session;
use crate::randomness::Randomness;

const LANE_BITS: u32 = 4;
const GENERATION_BITS: u32 = 8;
const PLACE_SHIFT: u32 = LANE_BITS + GENERATION_BITS;
/// Most sessions: 20 bits.
const MAX_PLACES: usize = 1 << (u32::BITS - PLACE_SHIFT);

/// Eight bytes, of which a hundred thousand stay in the caches.
#[derive(Clone, Copy)]
struct Place {
    peer: PeerIndex,
    generation: u8,
    is_taken: bool,
    /// Given out by another thread's table, which will also give it out again.
    is_lent: bool,
}

/// The table. Indices have lane bits zero, except where a packet's own index is looked up.
#[derive(Default)]
pub(super) struct SessionTable {
    places: Vec<Place>,
    /// By place; none where it is free, or given to a handshake that is not finished.
    ready: Slab<Session>,
    free: Vec<u32>,
    taken: usize,
}

impl SessionTable {
    /// A receiver index for a handshake with `peer`; `None` when all are in use.
    ///
    /// The generations of a place begin anywhere: who is not on the path should not be able to guess where an
    /// answer has to go.
    pub(super) fn reserve(&mut self, peer: PeerIndex, randomness: &mut Randomness) -> Option<u32> {
        let place = match self.free.pop() {
            Some(place) => place,
            None if self.places.len() < MAX_PLACES => {
                let [generation] = randomness.array().ok()?;
                self.places.push(Place {
                    peer,
                    generation,
                    is_taken: false,
                    is_lent: false,
                });
                (self.places.len() - 1) as u32
            }
            None => return None,
        };
        let entry = self.places.get_mut(place as usize)?;
        entry.peer = peer;
        entry.is_taken = true;
        self.taken += 1;
        Some(index_of(place, entry.generation))
    }

    /// The peer of an unfinished handshake.
    pub(super) fn reserved_for(&self, index: u32) -> Option<PeerIndex> {
        let entry = self.entry(index)?;
        let is_ready = self.ready.get(index >> PLACE_SHIFT).is_some();
        (entry.is_taken && !is_ready).then_some(entry.peer)
    }

    /// Finish a reserved index.
    pub(super) fn put(&mut self, index: u32, session: Session) {
        if self.entry_mut(index).is_some() {
            self.ready.put(index >> PLACE_SHIFT, session);
        }
    }

    /// Put a session at an index that another thread's table gave out.
    pub(super) fn put_at(&mut self, index: u32, peer: PeerIndex, session: Session) {
        let place = (index >> PLACE_SHIFT) as usize;
        let taken = Place {
            peer,
            generation: generation_of(index),
            is_taken: true,
            is_lent: true,
        };
        if self.places.len() <= place {
            let free = Place {
                is_taken: false,
                ..taken
            };
            self.places.resize(place + 1, free);
        }
        if let Some(entry) = self.places.get_mut(place) {
            self.taken += usize::from(!entry.is_taken);
            *entry = taken;
            self.ready.put(index >> PLACE_SHIFT, session);
        }
    }

    /// Free an index, reserved or ready.
    pub(super) fn release(&mut self, index: u32) {
        if let Some(entry) = self.entry_mut(index) {
            entry.is_taken = false;
            entry.generation = entry.generation.wrapping_add(1);
            let is_lent = entry.is_lent;
            self.taken -= 1;
            self.ready.remove(index >> PLACE_SHIFT);
            if !is_lent {
                self.free.push(index >> PLACE_SHIFT);
            }
        }
    }

    /// The session of a packet's receiver index, with the index without its lane.
    #[inline]
    pub(super) fn find(&mut self, index: u32) -> Option<(u32, PeerIndex, &mut Session)> {
        let peer = self.entry(index)?.peer;
        let session = self.ready.get_mut(index >> PLACE_SHIFT)?;
        Some((index & !0x0f, peer, session))
    }

    /// Ask for what opening a packet of this index reads, without waiting for it.
    #[inline]
    pub(super) fn fetch_opening(&self, index: u32) {
        let place = index >> PLACE_SHIFT;
        if let Some(entry) = self.places.get(place as usize) {
            prefetch(entry);
        }
        for bytes in Session::READ_BY_OPENING {
            self.ready.fetch(place, bytes);
        }
    }

    /// Ask for what sealing reads, without waiting for it.
    #[inline]
    pub(super) fn fetch_sealing(&self, index: u32) {
        let place = index >> PLACE_SHIFT;
        if let Some(entry) = self.places.get(place as usize) {
            prefetch(entry);
        }
        self.ready.fetch(place, Session::READ_BY_SEALING);
    }

    /// Whose session it is.
    #[inline]
    pub(super) fn peer(&self, index: u32) -> Option<PeerIndex> {
        self.entry(index).map(|entry| entry.peer)
    }

    /// Sessions and unfinished handshakes.
    pub(super) fn len(&self) -> usize {
        self.taken
    }

    fn entry(&self, index: u32) -> Option<&Place> {
        self.places
            .get((index >> PLACE_SHIFT) as usize)
            .filter(|entry| entry.generation == generation_of(index))
    }

    fn entry_mut(&mut self, index: u32) -> Option<&mut Place> {
        self.places
            .get_mut((index >> PLACE_SHIFT) as usize)
            .filter(|entry| entry.generation == generation_of(index))
            .filter(|entry| entry.is_taken)
    }
}

fn index_of(place: u32, generation: u8) -> u32 {
    (place << PLACE_SHIFT) | (u32::from(generation) << LANE_BITS)
}

fn generation_of(index: u32) -> u8 {
    (index >> LANE_BITS) as u8
}
