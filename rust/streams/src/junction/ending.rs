//! How streams end: well, for a reason, or late.

use super::entry::{End, Out, Stage};
use super::{Closing, Junction, Sockets};

/// How long the last bytes of a stream that the service closed may take.
const LAST_BYTES_NS: u64 = 30 * 1_000_000_000;

/// How long what a broken end sent last may take to go out at the other end of a splice. A reset would
/// overtake it: a server that refuses a request unread answers, and resets.
const GRACE_NS: u64 = 1_000_000_000;

impl Junction {
    /// Close a stream at once, and soon the one that it is spliced with.
    pub(super) fn close(&mut self, sockets: &mut impl Sockets, place: usize, why: Closing) {
        let Some(entry) = self.table.get_mut(place) else {
            return;
        };
        if entry.is_closed() {
            return;
        }
        if why == Closing::BadTls {
            return self.close_with_word(place);
        }
        entry.stage = Stage::Closed(why);
        let splice = entry.splice.take();
        self.release(sockets, place, Some(why));
        self.note_closed(place, why);
        if let Some(splice) = splice
            && !self.part(splice.with)
        {
            self.close_soon(splice.with, why);
        }
    }

    /// Close a stream whose TLS is bad: after the word for it has gone out.
    fn close_with_word(&mut self, place: usize) {
        let Some(entry) = self.table.get_mut(place) else {
            return;
        };
        entry.drop_unsent();
        entry.asked = None;
        entry.out = Out::Ending;
        let with = entry.splice.map(|splice| splice.with);
        self.close_soon(place, Closing::BadTls);
        if let Some(with) = with
            && !self.part(with)
        {
            self.close_soon(with, Closing::BadTls);
        }
    }

    /// Close a stream whose other one in a splice broke: after what came from that has gone out.
    fn close_soon(&mut self, place: usize, why: Closing) {
        let Some(entry) = self.table.get_mut(place) else {
            return;
        };
        if entry.is_closed() {
            return;
        }
        entry.stage = Stage::Closed(why);
        entry.splice = None;
        entry.until_ns = Some(self.now_ns + GRACE_NS);
        self.set_deadline(place);
        self.note_closed(place, why);
        self.to_work.add(place);
    }

    /// The service gives a stream up. Once it has written the end, what it wrote still goes out.
    pub(super) fn close_by_service(&mut self, sockets: &mut impl Sockets, place: usize) {
        let Some(entry) = self.table.get_mut(place) else {
            return;
        };
        if !entry.is_open() || entry.out == Out::Open || entry.splice.is_some() {
            return self.close(sockets, place, Closing::Closed);
        }
        let why = match entry.is_read_up && entry.out == Out::Ended {
            true => Closing::Ended,
            false => Closing::Closed,
        };
        entry.stage = Stage::Closed(why);
        entry.asked = None;
        entry.until_ns = Some(self.now_ns + LAST_BYTES_NS);
        if let End::Quic(key, stream) = entry.end
            && !entry.is_read_up
        {
            let _gone_already = self.quic.stop(key, stream, Closing::Closed.code());
        }
        self.set_deadline(place);
        self.note_closed(place, why);
        self.let_go(sockets, place);
    }

    /// The last bytes of a stream that the service has closed.
    pub(super) fn let_go(&mut self, sockets: &mut impl Sockets, place: usize) {
        if self.flush(sockets, place).is_err() {
            return self.release(sockets, place, Some(Closing::Closed));
        }
        self.finish(sockets, place);
        if self
            .table
            .get(place)
            .is_some_and(|entry| entry.out == Out::Ended)
        {
            self.release(sockets, place, None);
        }
    }

    /// Send the end, if all before it is sent.
    pub(super) fn finish(&mut self, sockets: &mut impl Sockets, place: usize) {
        let Some(entry) = self.table.get_mut(place) else {
            return;
        };
        if entry.out != Out::Ending || entry.unsent_bytes > 0 {
            return;
        }
        if !self.end_secured(sockets, place) {
            return;
        }
        let Some(entry) = self.table.get_mut(place) else {
            return;
        };
        entry.out = Out::Ended;
        match entry.end {
            // It can only fail where nobody reads any more, which is told otherwise.
            End::Quic(key, stream) => drop(self.quic.finish(key, stream)),
            End::Socket => sockets.finish(place),
            End::Coming | End::Gone => {}
        }
    }

    /// After bytes moved: the end goes out behind the last, and a stream that ended both ways is closed.
    pub(super) fn settle(&mut self, sockets: &mut impl Sockets, place: usize) {
        self.finish(sockets, place);
        let Some(entry) = self.table.get_mut(place) else {
            return;
        };
        if !entry.is_open() {
            return;
        }
        if entry.is_read_up && entry.out == Out::Ended && entry.asked.is_none() {
            if entry.kept.is_some() {
                return self.rest(sockets, place);
            }
            let why = entry.stopped.unwrap_or(Closing::Ended);
            entry.stage = Stage::Closed(why);
            entry.splice = None;
            self.release(sockets, place, None);
            self.note_closed(place, why);
        } else if entry.asked.is_some() || entry.window_news().is_some() {
            self.table.note_ready(place);
        }
    }

    /// The other end wants no more bytes; what it sends is still read. Only of a stream that may be replaced
    /// it is not known whether that was meant for good: it is given up.
    pub(super) fn note_stopped(&mut self, sockets: &mut impl Sockets, place: usize, code: u64) {
        if self.keeper_of(place).is_some() {
            return self.close(sockets, place, Closing::of_code(code));
        }
        let Some(entry) = self.table.get_mut(place) else {
            return;
        };
        let why = match code == Closing::Ended.code() {
            true => Closing::Ended,
            false => Closing::Reset,
        };
        entry.stopped = Some(why);
        entry.out = Out::Ended;
        entry.drop_unsent();
        let with = entry.splice.map(|splice| splice.with);
        self.to_work.add(place);
        // Nothing more need come from the other one of a splice.
        let Some(with) = with else { return };
        self.stop(with, why);
        self.to_work.add(with);
    }

    pub(super) fn pass_deadline(&mut self, sockets: &mut impl Sockets, place: usize) {
        let now_ns = self.now_ns;
        let Some(entry) = self.table.get(place) else {
            return;
        };
        let heard_ns = entry
            .splice
            .and_then(|splice| self.table.get(splice.with)?.splice)
            .map_or(0, |back| back.moved_ns);
        let Some(entry) = self.table.get_mut(place) else {
            return;
        };
        if let Some(splice) = &mut entry.splice {
            splice.moved_ns = splice.moved_ns.max(heard_ns);
        }
        let is_late = entry.deadline_ns().is_some_and(|due_ns| due_ns <= now_ns);
        match (is_late, entry.stage) {
            (false, _) => self.set_deadline(place),
            (true, Stage::Closed(why)) => self.release(sockets, place, Some(why)),
            (true, _) => {
                // Silence ends both, also of those that could part.
                let late = self.keeper_of(place).unwrap_or(place);
                self.close(sockets, late, Closing::Deadline);
            }
        }
    }

    /// Let go of a stream's end: abruptly for a reason, or since it has ended.
    pub(super) fn release(
        &mut self,
        sockets: &mut impl Sockets,
        place: usize,
        why: Option<Closing>,
    ) {
        let Some(entry) = self.table.get_mut(place) else {
            return;
        };
        let end = entry.end;
        entry.drop_unsent();
        entry.asked = None;
        entry.until_ns = None;
        let is_secured = entry.secured.take().is_some();
        let is_told = entry.is_told;
        match (end, why) {
            (End::Quic(key, stream), why) => {
                if let Some(why) = why {
                    // Each fails where that direction has ended.
                    let _ended = self.quic.reset(key, stream, why.code());
                    let _ended = self.quic.stop(key, stream, why.code());
                } else if is_secured {
                    // TLS has ended; what may come behind it nobody reads, and that is no loss.
                    let _ended = self.quic.stop(key, stream, Closing::Ended.code());
                }
                self.links.note_gone(self.now_ns, &key);
            }
            (End::Socket, why) => sockets.close(place, why.is_some()),
            (End::Coming | End::Gone, _) => {}
        }
        self.table.set_end(place, End::Gone);
        self.set_deadline(place);
        if is_told {
            self.forget(place);
        }
    }

    /// Count a stream that closed, and tell its service of it if it knows the stream.
    fn note_closed(&mut self, place: usize, why: Closing) {
        *self.counted.closed.entry(why.word()).or_default() += 1;
        let Some(entry) = self.table.get_mut(place) else {
            return;
        };
        let is_known = entry
            .number
            .is_some_and(|number| number % 2 == 1 || !entry.is_news);
        entry.is_news = false;
        match is_known {
            true => self.table.note_ready(place),
            false => self.forget(place),
        }
    }

    /// Nothing is left of a stream.
    pub(super) fn forget(&mut self, place: usize) {
        self.deadlines.set(place, None);
        self.leave_meter(place);
        self.table.remove(place);
    }
}
