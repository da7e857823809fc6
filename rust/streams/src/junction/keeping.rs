//! What came last from one end of a splice is kept, so that another stream can take the place of the other
//! end and miss nothing.
//!
//! ```text
//!             start            given          end
//!   forgotten │ kept, was given │ kept, to give │ not read yet
//! ```
//! Counted in bytes that ever came from the end. `given` is `end` but for the time in which a stream that
//! came later is given what it missed.

use std::collections::VecDeque;

use bytes::Bytes;

use super::entry::{End, Entry, Out};
use super::{Closing, Junction, Sockets};

/// What a stream keeps at first.
const FIRST_BYTES: usize = 4 * 1024;

/// What came before so long a silence has most likely arrived.
const SILENCE_NS: u64 = 60 * 1_000_000_000;

/// The last bytes that came from an end.
#[derive(Debug)]
pub(super) struct Kept {
    limit: usize,
    /// That may be kept now, and are reserved.
    room: usize,
    ring: VecDeque<u8>,
    end: u64,
    given: u64,
}

impl Kept {
    /// Nothing yet, of an end from which `end` bytes have come.
    pub(super) fn new(limit: usize, end: u64) -> Self {
        Self {
            limit,
            room: 0,
            ring: VecDeque::new(),
            end,
            given: end,
        }
    }

    /// So many more bytes should be reserved before as many are kept.
    fn wants(&self, bytes: usize) -> usize {
        if self.ring.len() + bytes <= self.room {
            return 0;
        }
        let doubled = (2 * self.room).max(FIRST_BYTES);
        doubled.min(self.limit).saturating_sub(self.room)
    }

    /// What is reserved for it.
    pub(super) fn room_bytes(&self) -> usize {
        self.room
    }

    /// Keep nothing of what came so far; what was reserved for it.
    pub(super) fn clear(&mut self) -> usize {
        self.ring = VecDeque::new();
        std::mem::take(&mut self.room)
    }

    fn grow(&mut self, bytes: usize) {
        self.room += bytes;
        self.ring.reserve_exact(self.room - self.ring.len());
    }

    /// Keep what has come, and is given at once.
    fn push(&mut self, bytes: &[u8]) {
        self.end += bytes.len() as u64;
        self.given = self.end;
        let kept = bytes.get(bytes.len().saturating_sub(self.room)..);
        let kept = kept.unwrap_or(bytes);
        let excess = (self.ring.len() + kept.len()).saturating_sub(self.room);
        self.ring.drain(..excess.min(self.ring.len()));
        self.ring.extend(kept);
    }

    /// Bytes came that are not kept: none before them is of use any more.
    pub(super) fn skip(&mut self, bytes: usize) {
        self.ring.clear();
        self.end += bytes as u64;
        self.given = self.end;
    }

    /// Go back to a byte, if that is kept or is the next.
    fn go_back(&mut self, byte: u64) -> bool {
        let is_there = (self.end - self.ring.len() as u64..=self.end).contains(&byte);
        if is_there {
            self.given = byte;
        }
        is_there
    }

    /// Whether there is something to give that was read before.
    pub(super) fn is_behind(&self) -> bool {
        self.given < self.end
    }

    /// The next bytes to give.
    fn next(&self, limit: usize) -> Bytes {
        let behind = usize::try_from(self.end - self.given).unwrap_or(usize::MAX);
        let start = self.ring.len().saturating_sub(behind);
        let (first, second) = self.ring.as_slices();
        let piece = match start.checked_sub(first.len()) {
            Some(start) => second.get(start..),
            None => first.get(start..),
        };
        let piece = piece.unwrap_or(&[]);
        Bytes::copy_from_slice(piece.get(..limit).unwrap_or(piece))
    }
}

impl Junction {
    /// Keep what was read last, in `pieces` and `scratch`, if the stream keeps anything.
    pub(super) fn keep(&mut self, place: usize, bytes: usize) {
        let Some(kept) = self.table.get(place).and_then(|entry| entry.kept.as_ref()) else {
            return;
        };
        let mut wanted = kept.wants(bytes);
        while wanted > 0 && !self.is_tight && self.table.reserve_kept(place, wanted) {
            let Some(kept) = self.table.get_mut(place).and_then(|one| one.kept.as_mut()) else {
                return;
            };
            kept.grow(wanted);
            wanted = kept.wants(bytes);
        }
        if let Some(kept) = self.table.get_mut(place).and_then(|one| one.kept.as_mut()) {
            for piece in &self.pieces {
                kept.push(piece);
            }
            kept.push(&self.scratch);
        }
    }

    /// Let a stream keep what comes from now on, and give on from a byte; whether that is there.
    pub(super) fn keep_for(&mut self, place: usize, limit: usize, from: Option<u64>) -> bool {
        let Some(entry) = self.table.get_mut(place) else {
            return false;
        };
        if limit > 0 && entry.kept.is_none() {
            entry.kept = Some(Kept::new(limit, entry.read_bytes));
        }
        match (from, &mut entry.kept) {
            (Some(byte), Some(kept)) => kept.go_back(byte),
            (Some(byte), None) => byte == entry.read_bytes,
            (None, _) => true,
        }
    }

    /// Give what was kept and the other stream has not had yet; how much that was.
    ///
    /// # Errors
    /// The other stream broke.
    pub(super) fn give(
        &mut self,
        sockets: &mut impl Sockets,
        from: usize,
        to: usize,
        limit: usize,
    ) -> Result<usize, Closing> {
        let now_ns = self.now_ns;
        let Some(entry) = self.table.get_mut(from) else {
            return Ok(0);
        };
        let Some(kept) = &mut entry.kept else {
            return Ok(0);
        };
        let piece = kept.next(limit);
        kept.given += piece.len() as u64;
        if let Some(splice) = &mut entry.splice {
            splice.moved_ns = now_ns;
        }
        let is_last = entry.is_read_up && !kept.is_behind();
        self.write(sockets, to, &piece, |taken| piece.slice(taken..))?;
        if is_last
            && let Some(sink) = self.table.get_mut(to)
            && sink.out == Out::Open
        {
            sink.out = Out::Ending;
        }
        Ok(piece.len())
    }

    /// The other stream of a splice is gone: one that keeps stays, until the service has another for it.
    /// Whether it does.
    pub(super) fn part(&mut self, place: usize) -> bool {
        let now_ns = self.now_ns;
        let Some(entry) = self.table.get_mut(place) else {
            return false;
        };
        if !entry.is_open() || entry.kept.is_none() {
            return false;
        }
        if let Some(splice) = entry.splice.take() {
            entry.until_ns = Some(now_ns.saturating_add(splice.idle_ns));
            self.set_deadline(place);
            // What came from the other goes on to its end.
            self.to_work.add(place);
        }
        true
    }

    /// Both directions of a stream that keeps have ended: it stays for what it keeps, without its socket.
    pub(super) fn rest(&mut self, sockets: &mut impl Sockets, place: usize) {
        if let Some(entry) = self.table.get(place)
            && entry.end == End::Socket
        {
            sockets.close(place, false);
            self.table.set_end(place, End::Gone);
            self.table.release_window(place);
        }
        self.part(place);
    }

    /// Give back what is kept of splices that have been silent for long, unless somebody takes it slowly.
    pub(super) fn forget_kept(&mut self) {
        let is_silent = |entry: &Entry| {
            let has_taken = |with| {
                let other = self.table.get(with);
                other.is_some_and(|other| other.unsent_bytes == 0)
            };
            let is_kept = entry.kept.as_ref().is_some_and(|kept| !kept.is_behind());
            is_kept
                && entry.splice.is_some_and(|splice| {
                    splice.moved_ns.saturating_add(SILENCE_NS) <= self.now_ns
                        && has_taken(splice.with)
                })
        };
        let places = self.table.places();
        let silent: Vec<usize> = places
            .filter(|(_, entry)| is_silent(entry))
            .map(|(place, _)| place)
            .collect();
        for place in silent {
            self.table.release_kept(place);
        }
    }

    /// Whether the stream is spliced with one that keeps, and with which.
    pub(super) fn keeper_of(&self, place: usize) -> Option<usize> {
        let with = self.table.get(place)?.splice?.with;
        self.table.get(with)?.kept.as_ref().map(|_| with)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn kept(limit: usize) -> Kept {
        let mut kept = Kept::new(limit, 100);
        while kept.wants(usize::MAX / 2) > 0 {
            kept.grow(kept.wants(usize::MAX / 2));
        }
        kept
    }

    fn rest_of(kept: &mut Kept) -> Vec<u8> {
        let mut rest = Vec::new();
        while kept.is_behind() {
            let piece = kept.next(7);
            kept.given += piece.len() as u64;
            rest.extend_from_slice(&piece);
        }
        rest
    }

    proptest! {
        #[test]
        fn any_of_the_last_bytes_is_there_and_none_before(
            pieces in vec(vec(any::<u8>(), 0..40), 0..20),
            limit in 1usize..100,
        ) {
            let mut kept = kept(limit);
            let mut all = vec![0; 100];
            for piece in &pieces {
                kept.push(piece);
                all.extend_from_slice(piece);
            }

            let start = all.len() - (all.len() - 100).min(limit);
            for byte in 0..=all.len() + 1 {
                let is_there = (start..=all.len()).contains(&byte);
                prop_assert_eq!(kept.go_back(byte as u64), is_there);
                if is_there {
                    prop_assert_eq!(rest_of(&mut kept), &all[byte..]);
                }
            }
        }
    }

    #[test]
    fn room_is_asked_for_in_doubles_and_to_the_limit() {
        let mut kept = Kept::new(10_000, 0);
        let mut asked = Vec::new();

        while kept.wants(10_000) > 0 {
            asked.push(kept.wants(10_000));
            kept.grow(kept.wants(10_000));
        }

        assert_eq!(asked, [4_096, 4_096, 1_808]);
        assert_eq!(kept.wants(1 << 20), 0);
    }

    #[test]
    fn without_room_nothing_is_kept() {
        let mut kept = Kept::new(10_000, 0);

        kept.push(b"abc");

        assert!(!kept.go_back(0));
        assert!(kept.go_back(3));
    }

    #[test]
    fn before_what_was_skipped_nothing_is_there() {
        let mut kept = kept(50);
        kept.push(b"abc");

        kept.skip(2);
        kept.push(b"de");

        assert!(!kept.go_back(104));
        assert!(kept.go_back(105));
        assert_eq!(rest_of(&mut kept), b"de");
    }
}
