//! Who makes room when the buffers of the streams are used up.
//!
//! What is kept of splices goes first, where it is more than a fifth of all: half of that and more. Then, for
//! each that comes, one goes: of the peer or pipe that holds most, the one that came first.

use super::entry::Entry;
use super::keeping::Kept;
use super::{Closing, Junction, Sockets};

/// What is kept may be a fifth of all that may be reserved before it is cut, to a tenth.
const KEPT_PARTS: usize = 5;
const CUT_PARTS: usize = 10;

impl Junction {
    /// While the node has no memory left, no stream is let in and none is opened, and what is kept of splices
    /// is given up. Returns the bytes of that.
    pub fn set_tight(&mut self, is_tight: bool) -> u64 {
        self.is_tight = is_tight;
        match is_tight {
            true => self.forget_down_to(0),
            false => 0,
        }
    }

    /// Give up what is kept beyond `limit` bytes, the oldest first; returns how much that was.
    fn forget_down_to(&mut self, limit: usize) -> u64 {
        // What another stream is being given now is not kept but on its way.
        let is_kept = |entry: &Entry| {
            let kept = entry.kept.as_ref();
            kept.is_some_and(|kept| kept.room_bytes() > 0 && !Kept::is_behind(kept))
        };
        let mut keepers: Vec<(u64, usize)> = self
            .table
            .places()
            .filter(|(_, entry)| is_kept(entry))
            .map(|(place, entry)| (entry.added, place))
            .collect();
        keepers.sort_unstable();
        let before = self.table.kept_bytes();
        for (_, place) in keepers {
            if self.table.kept_bytes() <= limit {
                break;
            }
            self.table.release_kept(place);
        }
        let bytes = (before - self.table.kept_bytes()) as u64;
        self.counted.forgotten_bytes += bytes;
        bytes
    }

    /// Whether one more stream of a service may be, of `peer` if it is another's; where memory is all that is
    /// missing, some is made.
    pub(super) fn make_room(
        &mut self,
        sockets: &mut impl Sockets,
        service: u32,
        peer: Option<&[u8; 16]>,
    ) -> Result<(), Closing> {
        if self.is_tight {
            return Err(Closing::TooManyStreams);
        }
        let room = self.table.check_room(service, peer);
        if room != Err(Closing::TooManyStreams) || !self.table.is_short_of_memory(peer) {
            return room;
        }
        if self.table.kept_bytes() > self.table.limit_bytes() / KEPT_PARTS {
            self.forget_down_to(self.table.limit_bytes() / CUT_PARTS);
        }
        if self.table.is_short_of_memory(peer)
            && let Some(place) = self.table.first_to_go(peer, &self.config.address)
        {
            self.crowd_out(sockets, place);
        }
        self.table.check_room(service, peer)
    }

    /// Close a stream, and what it is spliced with, for the memory that they hold.
    fn crowd_out(&mut self, sockets: &mut impl Sockets, place: usize) {
        self.counted.crowded_out += 1;
        let with = self.table.get(place).and_then(|entry| entry.splice);
        if let Some(with) = with.map(|splice| splice.with) {
            // It waits for nobody who might come instead.
            self.table.release_kept(with);
            if let Some(entry) = self.table.get_mut(with) {
                entry.kept = None;
            }
        }
        self.close(sockets, place, Closing::TooManyStreams);
        // Before the service has heard of it: it writes nothing any more.
        self.table.release_window(place);
    }
}
