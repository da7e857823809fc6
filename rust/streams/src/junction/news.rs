//! What a service is told. Nothing of it is kept for the service: bytes are read when there is room for
//! them in the batch that is being made.

use super::entry::{End, Stage};
use super::{Closing, Junction, Sockets};

/// Something that happened to a stream, as the events of `ei/sdk/streams.py`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// `StreamOpened`
    Opened {
        /// Its number.
        stream: u64,
        /// Who is at the other end.
        peer: [u8; 16],
        /// What for; empty for the service's own.
        opening: Vec<u8>,
        /// Bytes that may be written now.
        window: usize,
    },
    /// `StreamData`
    Data {
        /// Its number.
        stream: u64,
        /// Empty only at the end.
        data: Vec<u8>,
        /// Nothing follows.
        is_end: bool,
    },
    /// `StreamWritable`
    Writable {
        /// Its number.
        stream: u64,
        /// Bytes that may be written now in all; the old window ends with `window_heard`.
        window: usize,
    },
    /// `StreamClosed`
    Closed {
        /// Its number.
        stream: u64,
        /// Why.
        why: Closing,
        /// That came.
        read_bytes: u64,
        /// That went.
        written_bytes: u64,
    },
}

impl Junction {
    /// The next thing to tell a service; data has at most `room` bytes.
    pub fn next_news(
        &mut self,
        now_ns: u64,
        sockets: &mut impl Sockets,
        service: u32,
        room: usize,
    ) -> Option<News> {
        self.at(now_ns);
        while let Some(place) = self.table.next_ready(service) {
            if let Some(news) = self.news_of(sockets, place, room.max(1)) {
                return Some(news);
            }
        }
        None
    }

    /// The service has heard of a window: from now on it may write no more than that.
    pub fn window_heard(&mut self, service: u32, stream: u64, window: usize) {
        let Some(place) = self.table.find(service, stream) else {
            return;
        };
        if let Some(entry) = self.table.get_mut(place) {
            entry.is_window_told = false;
            entry.allowed = entry.allowed.min(window);
            if entry.window_news().is_some() {
                self.table.note_ready(place);
            }
        }
    }

    fn news_of(&mut self, sockets: &mut impl Sockets, place: usize, room: usize) -> Option<News> {
        let entry = self.table.get_mut(place)?;
        let stream = entry.number?;
        if std::mem::take(&mut entry.is_news) {
            let news = News::Opened {
                stream,
                peer: entry.peer,
                opening: std::mem::take(&mut entry.opening),
                window: entry.allowed,
            };
            self.table.note_ready(place);
            return Some(news);
        }
        if let Stage::Closed(why) = entry.stage {
            return self.closed(place, stream, why);
        }
        if entry.is_open() && entry.asked.is_some() {
            match self.data(sockets, place, stream, room) {
                Ok(None) => {}
                Ok(news) => {
                    self.settle(sockets, place);
                    self.table.note_ready(place);
                    return news;
                }
                Err(why) => {
                    self.close(sockets, place, why);
                    return None;
                }
            }
        }
        let entry = self.table.get_mut(place)?;
        let window = entry.window_news()?;
        entry.is_window_told = true;
        // What is written under it may come before the answer; what was on its way counts against the old.
        entry.allowed = entry.allowed.saturating_add(window);
        entry.credit = window;
        Some(News::Writable { stream, window })
    }

    fn data(
        &mut self,
        sockets: &mut impl Sockets,
        place: usize,
        stream: u64,
        room: usize,
    ) -> Result<Option<News>, Closing> {
        let entry = self.table.get_mut(place).ok_or(Closing::Lost)?;
        let limit = entry.asked.map_or(0, |asked| asked.limit).min(room);
        let is_read_up = entry.is_read_up;
        let mut data = Vec::new();
        let mut is_end = true;
        if !is_read_up {
            let got = self.read_end(sockets, place, limit)?;
            if got.bytes == 0 && !got.is_end {
                return Ok(None);
            }
            self.note_read(place, got);
            if let Some(kept) = self.table.get_mut(place).and_then(|one| one.kept.as_mut()) {
                // The service has it.
                kept.skip(got.bytes);
            }
            is_end = got.is_end;
            data.reserve_exact(got.bytes);
            for piece in self.pieces.drain(..) {
                data.extend_from_slice(&piece);
            }
            data.append(&mut self.scratch);
        }
        if let Some(entry) = self.table.get_mut(place) {
            entry.asked = None;
        }
        self.set_deadline(place);
        Ok(Some(News::Data {
            stream,
            data,
            is_end,
        }))
    }

    fn closed(&mut self, place: usize, stream: u64, why: Closing) -> Option<News> {
        let entry = self.table.get_mut(place)?;
        if std::mem::replace(&mut entry.is_told, true) {
            return None;
        }
        let news = News::Closed {
            stream,
            why,
            read_bytes: entry.read_bytes,
            written_bytes: entry.written_bytes,
        };
        if entry.end == End::Gone {
            self.forget(place);
        }
        Some(news)
    }
}
