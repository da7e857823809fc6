//! One stream of a service.

use std::collections::VecDeque;

use bytes::Bytes;

use super::Closing;
use super::keeping::Kept;
use crate::ConnectionKey;
use crate::secured::Secured;

/// Where the bytes of a stream come from and go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// A stream of a QUIC connection.
    Quic(ConnectionKey, u64),
    /// The shell's socket of the stream's own number.
    Socket,
    /// None yet: the QUIC connection to a node is being made.
    Coming,
    /// None any more.
    Gone,
}

/// How far a stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Another opened it: its opening is being read.
    BeingRead,
    /// The service opened it: it is being connected.
    Connecting,
    /// Bytes flow.
    Open,
    /// Nothing is left to do but to tell.
    Closed(Closing),
}

/// How far the writing direction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Out {
    /// More may be written.
    Open,
    /// Nothing more: the end goes out after what is unsent.
    Ending,
    /// The end went out.
    Ended,
}

/// What a service asked to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) limit: usize,
    pub(super) until_ns: u64,
}

/// The other stream of a splice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Splice {
    pub(super) with: usize,
    pub(super) idle_ns: u64,
    /// When a byte came from here last.
    pub(super) moved_ns: u64,
    /// Whose tokens its bytes take.
    pub(super) meter: Option<usize>,
}

/// An end that takes nothing for so long is given up.
const STUCK_NS: u64 = 300 * 1_000_000_000;

/// One stream of a service.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) service: u32,
    /// Counts the streams of the table, so that an older one has less.
    pub(super) added: u64,
    /// How the service knows it; `None` while its opening is being read.
    pub(super) number: Option<u64>,
    pub(super) peer: [u8; 16],
    /// By which it came, of an anonymous service.
    pub(super) pipe: Option<[u8; 16]>,
    pub(super) end: End,
    pub(super) stage: Stage,
    /// As it comes, with its length before it, or as it is to be written.
    pub(super) opening: Vec<u8>,
    /// TLS that ends here.
    pub(super) secured: Option<Box<Secured>>,
    /// Of `BeingRead`, `Connecting`, a handshake of TLS, of one that keeps and is spliced no more, and of one
    /// that is closed while its last bytes go out.
    pub(super) until_ns: Option<u64>,
    pub(super) asked: Option<Asked>,
    pub(super) splice: Option<Splice>,
    /// The meter of its splice where it waits for its turn.
    pub(super) metered_out: Option<usize>,
    /// What came last from the end, for a stream that may take the place of the other of a splice.
    pub(super) kept: Option<Kept>,
    /// Reserved beyond its windows.
    pub(super) extra_bytes: usize,
    /// The other end writes no more, and all of it was taken.
    pub(super) is_read_up: bool,
    pub(super) out: Out,
    /// Written, and not taken by the end.
    pub(super) unsent: VecDeque<Bytes>,
    pub(super) unsent_bytes: usize,
    /// What `unsent_bytes` may come to.
    pub(super) window: usize,
    /// What the service may write at most, whether or not it has heard of the last window.
    pub(super) allowed: usize,
    /// And at least, if all that came since that was told was written under it.
    pub(super) credit: usize,
    /// Since when an end takes nothing of what is unsent.
    pub(super) stuck_since_ns: Option<u64>,
    /// A larger window that the service was told of and has not heard yet.
    pub(super) is_window_told: bool,
    /// The other end wants no more bytes: it has all, or gave it up.
    pub(super) stopped: Option<Closing>,
    /// The service was told that it is closed, while its last bytes go out.
    pub(super) is_told: bool,
    /// `StreamOpened` is to be told.
    pub(super) is_news: bool,
    /// Among those of its service that have something to tell.
    pub(super) is_ready: bool,
    pub(super) read_bytes: u64,
    pub(super) written_bytes: u64,
}

impl Entry {
    pub(super) fn new(service: u32, peer: [u8; 16], end: End, stage: Stage) -> Self {
        Self {
            service,
            added: 0,
            number: None,
            peer,
            pipe: None,
            end,
            stage,
            opening: Vec::new(),
            secured: None,
            until_ns: None,
            asked: None,
            splice: None,
            metered_out: None,
            kept: None,
            extra_bytes: 0,
            is_read_up: false,
            out: Out::Open,
            unsent: VecDeque::new(),
            unsent_bytes: 0,
            window: 0,
            allowed: 0,
            credit: 0,
            stuck_since_ns: None,
            is_window_told: false,
            stopped: None,
            is_told: false,
            is_news: false,
            is_ready: false,
            read_bytes: 0,
            written_bytes: 0,
        }
    }

    /// Whether all that is left is to tell the service, if anything.
    pub(super) fn is_closed(&self) -> bool {
        matches!(self.stage, Stage::Closed(_))
    }

    /// Whether bytes may be read and written.
    pub(super) fn is_open(&self) -> bool {
        self.stage == Stage::Open
    }

    /// A window worth telling: the service has used up more than half of what it had.
    pub(super) fn window_news(&self) -> Option<usize> {
        let is_due = self.is_open()
            && !self.is_news
            && self.splice.is_none()
            && (self.out == Out::Open || self.stopped.is_some())
            && !self.is_window_told
            && self.credit < self.window / 2;
        let free = self.window.saturating_sub(self.unsent_bytes);
        (is_due && free >= self.window / 2).then_some(free)
    }

    /// When the stream has waited long enough for something.
    pub(super) fn deadline_ns(&self) -> Option<u64> {
        let asked_ns = self.asked.map(|asked| asked.until_ns);
        let idle_ns = self
            .splice
            .map(|splice| splice.moved_ns.saturating_add(splice.idle_ns));
        // A splice has its own.
        let stuck_ns = self.stuck_since_ns.filter(|_| self.splice.is_none());
        let stuck_ns = stuck_ns.map(|since_ns| since_ns.saturating_add(STUCK_NS));
        [self.until_ns, asked_ns, idle_ns, stuck_ns]
            .into_iter()
            .flatten()
            .min()
    }

    /// Keep what the end would not take.
    pub(super) fn keep(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.unsent_bytes += bytes.len();
            self.unsent.push_back(bytes);
        }
    }

    /// Nobody wants what is unsent.
    pub(super) fn drop_unsent(&mut self) {
        self.unsent.clear();
        self.unsent_bytes = 0;
        self.stuck_since_ns = None;
    }

    /// The end took so many of the unsent bytes.
    pub(super) fn note_sent(&mut self, mut bytes: usize) {
        self.unsent_bytes = self.unsent_bytes.saturating_sub(bytes);
        while bytes > 0
            && let Some(first) = self.unsent.front_mut()
        {
            if bytes < first.len() {
                let _sent = first.split_to(bytes);
                return;
            }
            bytes -= first.len();
            self.unsent.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        Entry {
            window: 100,
            allowed: 100,
            credit: 100,
            ..Entry::new(19, [1; 16], End::Socket, Stage::Open)
        }
    }

    #[test]
    fn what_was_sent_leaves_the_rest_in_order() {
        let mut entry = entry();
        entry.keep(Bytes::from_static(b"abc"));
        entry.keep(Bytes::from_static(b"defg"));

        entry.note_sent(4);

        assert_eq!(entry.unsent, [Bytes::from_static(b"efg")]);
        assert_eq!(entry.unsent_bytes, 3);
    }

    #[test]
    fn a_window_is_told_when_more_than_half_was_used_and_is_free_again() {
        let mut entry = entry();
        entry.credit = 50;
        assert_eq!(entry.window_news(), None);

        entry.credit = 49;
        entry.keep(Bytes::from_static(&[0; 51]));
        assert_eq!(entry.window_news(), None);

        entry.note_sent(1);
        assert_eq!(entry.window_news(), Some(50));

        entry.is_window_told = true;
        assert_eq!(entry.window_news(), None);
    }
}
