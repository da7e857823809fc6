//! Bytes move: from an end to the service or to another end, and out of what waits.

use super::entry::{End, Entry, Out};
use super::keeping::Kept;
use super::{Closing, Got, Junction, Sockets};
use crate::{Reading, StreamsError};

/// Bytes that one splice moves before others have their turn.
const TURN_BYTES: usize = 1 << 20;

/// Most bytes read at once.
const PIECE_BYTES: usize = 64 * 1024;

impl Junction {
    /// Move what can move on an open stream.
    pub(super) fn move_bytes(&mut self, sockets: &mut impl Sockets, place: usize) {
        let moved = self.shake_hands(sockets, place);
        if let Err(why) = moved.and_then(|()| self.flush(sockets, place)) {
            return self.close(sockets, place, why);
        }
        let with = self
            .table
            .get(place)
            .and_then(|entry| Some(entry.splice?.with));
        if let Some(with) = with {
            self.pump(sockets, place, with);
            self.pump(sockets, with, place);
            self.settle_splice(sockets, with, place);
        } else {
            self.settle(sockets, place);
        }
    }

    /// Both of a splice end when both directions have: neither before the other.
    fn settle_splice(&mut self, sockets: &mut impl Sockets, one: usize, other: usize) {
        self.finish(sockets, one);
        self.finish(sockets, other);
        let has_ended = |place| {
            self.table
                .get(place)
                .is_some_and(|entry| entry.is_read_up && entry.out == Out::Ended)
        };
        if has_ended(one) && has_ended(other) {
            self.settle(sockets, one);
            self.settle(sockets, other);
        }
    }

    /// What comes from one goes to the other, as far as the other takes it.
    fn pump(&mut self, sockets: &mut impl Sockets, from: usize, to: usize) {
        let splice = self.table.get(from).and_then(|entry| entry.splice);
        let meter = splice.and_then(|splice| splice.meter);
        let mut left = match meter {
            None => TURN_BYTES,
            Some(meter) => match self.metered(meter, from) {
                Some(allowance) => allowance,
                None => return,
            },
        };
        while left > 0 {
            let (Some(source), Some(sink)) = (self.table.get(from), self.table.get(to)) else {
                return;
            };
            let can_move = source.is_open() && sink.is_open() && sink.unsent_bytes == 0;
            if !can_move || sink.out != Out::Open {
                return;
            }
            let limit = left.min(PIECE_BYTES).min(sink.window);
            if source.kept.as_ref().is_some_and(Kept::is_behind) {
                match self.give(sockets, from, to, limit) {
                    Ok(given) => {
                        left = left.saturating_sub(given);
                        self.spend(meter, given);
                    }
                    Err(why) => return self.close(sockets, to, why),
                }
                continue;
            }
            if source.is_read_up {
                return;
            }
            // What is inside the kernel cannot be kept, nor sealed, nor counted before it moves.
            let is_seen =
                |entry: &Entry| meter.is_some() || entry.kept.is_some() || entry.secured.is_some();
            let straight = match (source.end, sink.end) {
                (End::Socket, End::Socket) if !is_seen(source) && !is_seen(sink) => {
                    sockets.splice(from, to, left)
                }
                _ => None,
            };
            let moved = match straight {
                Some(Ok(got)) => {
                    self.note_written(to, got.bytes);
                    self.note_spliced(from, got);
                    Ok(got)
                }
                Some(Err(why)) => Err((from, why)),
                None => self.carry(sockets, from, to, limit),
            };
            let got = match moved {
                Ok(got) => got,
                Err((broken, why)) => return self.close(sockets, broken, why),
            };
            left = left.saturating_sub(got.bytes);
            self.spend(meter, got.bytes);
            if got.is_end {
                if let Some(sink) = self.table.get_mut(to)
                    && sink.out == Out::Open
                {
                    sink.out = Out::Ending;
                }
                return;
            }
            if got.bytes == 0 {
                return;
            }
        }
        self.to_work.add(from);
    }

    fn spend(&mut self, meter: Option<usize>, bytes: usize) {
        if let Some(meter) = meter {
            self.meters.spend(meter, bytes);
        }
    }

    fn note_spliced(&mut self, from: usize, got: Got) {
        let now_ns = self.now_ns;
        self.counted.spliced_bytes += got.bytes as u64;
        self.note_read(from, got);
        if let Some(source) = self.table.get_mut(from)
            && let Some(splice) = &mut source.splice
            && got.bytes > 0
        {
            splice.moved_ns = now_ns;
        }
    }

    /// Read from one end and write to another; fails with the one that broke.
    fn carry(
        &mut self,
        sockets: &mut impl Sockets,
        from: usize,
        to: usize,
        limit: usize,
    ) -> Result<Got, (usize, Closing)> {
        let got = self.read_end(sockets, from, limit);
        let got = got.map_err(|why| (from, why))?;
        self.note_spliced(from, got);
        self.keep(from, got.bytes);
        if self
            .table
            .get(to)
            .is_some_and(|entry| entry.end == End::Socket)
        {
            // A call of the system for each payload would cost more than all else.
            for piece in self.pieces.drain(..) {
                self.scratch.extend_from_slice(&piece);
            }
        }
        let mut pieces = std::mem::take(&mut self.pieces);
        for piece in pieces.drain(..) {
            let written = self.write(sockets, to, &piece, |taken| piece.slice(taken..));
            written.map_err(|why| (to, why))?;
        }
        self.pieces = pieces;
        if !self.scratch.is_empty() {
            let scratch = std::mem::take(&mut self.scratch);
            let keep = |taken| bytes::Bytes::copy_from_slice(scratch.get(taken..).unwrap_or(&[]));
            let written = self.write(sockets, to, &scratch, keep);
            self.scratch = scratch;
            written.map_err(|why| (to, why))?;
        }
        Ok(got)
    }

    /// Read from a stream's end into `pieces` or `scratch`.
    pub(super) fn read_end(
        &mut self,
        sockets: &mut impl Sockets,
        place: usize,
        limit: usize,
    ) -> Result<Got, Closing> {
        match self.is_secured(place) {
            true => self.read_secured(sockets, place, limit),
            false => self.read_raw(sockets, place, limit),
        }
    }

    /// The same of bytes as they come.
    pub(super) fn read_raw(
        &mut self,
        sockets: &mut impl Sockets,
        place: usize,
        limit: usize,
    ) -> Result<Got, Closing> {
        self.pieces.clear();
        self.scratch.clear();
        let end = self.table.get(place).map_or(End::Gone, |entry| entry.end);
        match end {
            End::Quic(key, stream) => {
                let reading = self.quic.read(key, stream, limit, &mut self.pieces);
                let bytes = self.pieces.iter().map(bytes::Bytes::len).sum();
                match reading {
                    Ok(Reading::Open) => Ok(Got {
                        bytes,
                        is_end: false,
                    }),
                    Ok(Reading::Finished) => Ok(Got {
                        bytes,
                        is_end: true,
                    }),
                    Ok(Reading::Reset { code }) => Err(Closing::of_code(code)),
                    Err(_) => Err(Closing::Lost),
                }
            }
            End::Socket => sockets.read(place, limit, &mut self.scratch),
            End::Coming | End::Gone => Ok(Got {
                bytes: 0,
                is_end: false,
            }),
        }
    }

    /// Write to a stream's end, and keep what it does not take: `rest` of what was taken.
    pub(super) fn write(
        &mut self,
        sockets: &mut impl Sockets,
        place: usize,
        bytes: &[u8],
        rest: impl FnOnce(usize) -> bytes::Bytes,
    ) -> Result<(), Closing> {
        let Some(entry) = self.table.get(place).filter(|entry| !entry.is_closed()) else {
            return Ok(());
        };
        let taken = match entry.unsent_bytes == 0 {
            true => self.write_end(sockets, place, bytes)?,
            false => 0,
        };
        if taken < bytes.len()
            && let Some(entry) = self.table.get_mut(place)
        {
            entry.keep(rest(taken));
            let _since = entry.stuck_since_ns.get_or_insert(self.now_ns);
            self.set_deadline(place);
        }
        Ok(())
    }

    /// Offer what is unsent to the end again.
    pub(super) fn flush(
        &mut self,
        sockets: &mut impl Sockets,
        place: usize,
    ) -> Result<(), Closing> {
        let _else_unsent_waits = self.send_sealed(sockets, place)?;
        while let Some(first) = self
            .table
            .get(place)
            .and_then(|entry| entry.unsent.front().cloned())
        {
            let taken = self.write_end(sockets, place, &first)?;
            if let Some(entry) = self.table.get_mut(place) {
                entry.note_sent(taken);
                if taken > 0 {
                    let is_left = entry.unsent_bytes > 0;
                    entry.stuck_since_ns = is_left.then_some(self.now_ns);
                }
            }
            if taken < first.len() {
                break;
            }
        }
        Ok(())
    }

    fn write_end(
        &mut self,
        sockets: &mut impl Sockets,
        place: usize,
        bytes: &[u8],
    ) -> Result<usize, Closing> {
        let taken = match self.is_secured(place) {
            true => self.write_secured(sockets, place, bytes)?,
            false => self.write_raw(sockets, place, bytes)?,
        };
        self.note_written(place, taken);
        Ok(taken)
    }

    /// Write bytes as they are to go; returns how many were taken.
    pub(super) fn write_raw(
        &mut self,
        sockets: &mut impl Sockets,
        place: usize,
        bytes: &[u8],
    ) -> Result<usize, Closing> {
        match self.table.get(place).map_or(End::Gone, |entry| entry.end) {
            End::Quic(key, stream) => match self.quic.write(key, stream, bytes) {
                Ok(taken) => Ok(taken),
                Err(StreamsError::Stopped { code, .. }) => {
                    self.note_stopped(sockets, place, code);
                    Ok(bytes.len())
                }
                Err(_) => Err(Closing::Lost),
            },
            End::Socket => sockets.write(place, bytes),
            End::Coming | End::Gone => Ok(0),
        }
    }

    fn is_secured(&self, place: usize) -> bool {
        self.table
            .get(place)
            .is_some_and(|entry| entry.secured.is_some())
    }

    fn note_written(&mut self, place: usize, bytes: usize) {
        self.counted.written_bytes += bytes as u64;
        if let Some(entry) = self.table.get_mut(place) {
            entry.written_bytes += bytes as u64;
        }
    }

    pub(super) fn note_read(&mut self, place: usize, got: Got) {
        self.counted.read_bytes += got.bytes as u64;
        if let Some(entry) = self.table.get_mut(place) {
            entry.read_bytes += got.bytes as u64;
            entry.is_read_up |= got.is_end;
        }
    }
}
