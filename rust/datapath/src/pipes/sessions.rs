//! All sessions of a thread, found by receiver index without hashing.
//!
//! ```text
//! receiver index: place 20 bits | generation 8 bits | lane 4 bits
//! ```
//! The generation changes whenever a place is given away, so that packets for a session of before are
//! told apart from those of the present one.

use super::PeerIndex;
use crate::pipe::Session;

const LANE_BITS: u32 = 4;
const GENERATION_BITS: u32 = 8;
const PLACE_SHIFT: u32 = LANE_BITS + GENERATION_BITS;
/// Most sessions: 20 bits.
const MAX_PLACES: usize = 1 << (u32::BITS - PLACE_SHIFT);

enum State {
    Free,
    /// Given to a handshake that is not finished.
    Reserved,
    Ready(Box<Session>),
}

struct Place {
    generation: u8,
    peer: PeerIndex,
    state: State,
}

/// The table. Indices have lane bits zero, except where a packet's own index is looked up.
#[derive(Default)]
pub(super) struct SessionTable {
    places: Vec<Place>,
    free: Vec<u32>,
}

impl SessionTable {
    /// A receiver index for a handshake with `peer`; `None` when all are in use.
    pub(super) fn reserve(&mut self, peer: PeerIndex) -> Option<u32> {
        let place = match self.free.pop() {
            Some(place) => place,
            None if self.places.len() < MAX_PLACES => {
                self.places.push(Place {
                    generation: 0,
                    peer,
                    state: State::Free,
                });
                (self.places.len() - 1) as u32
            }
            None => return None,
        };
        let entry = self.places.get_mut(place as usize)?;
        entry.peer = peer;
        entry.state = State::Reserved;
        Some(index_of(place, entry.generation))
    }

    /// The peer of an unfinished handshake.
    pub(super) fn reserved_for(&self, index: u32) -> Option<PeerIndex> {
        let entry = self.entry(index)?;
        matches!(entry.state, State::Reserved).then_some(entry.peer)
    }

    /// Finish a reserved index.
    pub(super) fn put(&mut self, index: u32, session: Box<Session>) {
        if let Some(entry) = self.entry_mut(index) {
            entry.state = State::Ready(session);
        }
    }

    /// Put a session at an index that another thread's table gave out.
    pub(super) fn put_at(&mut self, index: u32, peer: PeerIndex, session: Box<Session>) {
        let place = (index >> PLACE_SHIFT) as usize;
        while self.places.len() <= place {
            self.places.push(Place {
                generation: 0,
                peer,
                state: State::Free,
            });
        }
        if let Some(entry) = self.places.get_mut(place) {
            *entry = Place {
                generation: generation_of(index),
                peer,
                state: State::Ready(session),
            };
        }
    }

    /// Free an index, reserved or ready.
    pub(super) fn release(&mut self, index: u32) {
        if let Some(entry) = self.entry_mut(index) {
            entry.state = State::Free;
            entry.generation = entry.generation.wrapping_add(1);
            self.free.push(index >> PLACE_SHIFT);
        }
    }

    /// The session of a packet's receiver index, with the index without its lane.
    #[inline]
    pub(super) fn find(&mut self, index: u32) -> Option<(u32, PeerIndex, &mut Session)> {
        let entry = self.places.get_mut((index >> PLACE_SHIFT) as usize)?;
        if entry.generation != generation_of(index) {
            return None;
        }
        match &mut entry.state {
            State::Ready(session) => Some((index & !0x0f, entry.peer, session)),
            State::Free | State::Reserved => None,
        }
    }

    /// The same to look at.
    #[inline]
    pub(super) fn look(&self, index: u32) -> Option<(PeerIndex, &Session)> {
        let entry = self.entry(index)?;
        match &entry.state {
            State::Ready(session) => Some((entry.peer, session)),
            State::Free | State::Reserved => None,
        }
    }

    /// Sessions and unfinished handshakes.
    pub(super) fn len(&self) -> usize {
        self.places.len() - self.free.len()
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
            .filter(|entry| !matches!(entry.state, State::Free))
    }
}

fn index_of(place: u32, generation: u8) -> u32 {
    (place << PLACE_SHIFT) | (u32::from(generation) << LANE_BITS)
}

fn generation_of(index: u32) -> u8 {
    (index >> LANE_BITS) as u8
}
