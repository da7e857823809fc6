//! One stream joined to one socket: what either has goes to the other, as far as the other takes it.
//!
//! Windows and the socket's buffers bound what one turn moves. What was taken from one and did not go
//! to the other waits here, at most one piece each way; a joint that rests holds nothing.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;

use ei_streams::{Bytes, ConnectionKey, Reading, Streams as Endpoint, StreamsError};
use rustix::io::Errno;
use rustix::net::{
    RecvFlags, SendAncillaryBuffer, SendFlags, Shutdown, recv, sendmsg, shutdown, sockopt,
};

use super::tail::Tail;

/// Most bytes that wait on their way from one to the other.
pub(super) const PIECE_BYTES: usize = 64 * 1024;

/// Pieces that one call of the system gets.
const MAX_PIECES: usize = 64;

/// For what came last from a socket that broke, to reach whom it is for.
const GRACE_NS: u64 = 1_000_000_000;

/// Why a joint moves nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// Both directions have ended, and the peer has all.
    Ended,
    /// The socket broke.
    Socket(Errno),
    /// The peer gave up sending.
    Reset(u64),
    /// The peer wants no more.
    Stopped(u64),
    /// The stream or its connection is gone.
    Gone,
}

impl From<Errno> for Over {
    fn from(errno: Errno) -> Self {
        Self::Socket(errno)
    }
}

impl From<StreamsError> for Over {
    fn from(error: StreamsError) -> Self {
        match error {
            StreamsError::Stopped { code, .. } => Self::Stopped(code),
            _ => Self::Gone,
        }
    }
}

#[derive(Debug)]
pub(super) struct Joint {
    pub(super) key: ConnectionKey,
    pub(super) stream: u64,
    pub(super) socket: OwnedFd,
    pub(super) over: Option<Over>,
    /// From the stream to the socket, and back.
    pub(super) there_bytes: u64,
    pub(super) back_bytes: u64,
    pub(super) moved_ns: u64,
    unsent: Vec<u8>,
    unwritten: Vec<Bytes>,
    socket_end: Ending,
    stream_end: Ending,
    cut: Option<Cut>,
    pub(super) back_moved_ns: u64,
    pub(super) tail: Tail,
}

/// A socket that broke, as one does whose server answers and closes with the request unread.
#[derive(Clone, Copy, Debug)]
struct Cut {
    errno: Errno,
    /// What it had received before is on its way too.
    is_read: bool,
}

/// A socket that goes on without its stream, and what is to be done for that.
pub(super) struct Left {
    pub(super) socket: OwnedFd,
    pub(super) there_bytes: u64,
    pub(super) back_bytes: u64,
    /// Came from the stream, and the socket has not taken it.
    pub(super) unsent: Vec<u8>,
    /// The last that came from the socket.
    pub(super) tail: Vec<u8>,
}

/// `Closing::Ended` of a node: it has all of this direction already, by a stream before this one.
pub(super) const HAS_ALL: u64 = 9;

/// How far the end of one direction has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Open,
    /// Its source has ended.
    Read,
    /// And its sink was told.
    Told,
    /// And has it all.
    Done,
}

impl Joint {
    pub(super) fn new(
        (key, stream): (ConnectionKey, u64),
        socket: OwnedFd,
        now_ns: u64,
        keep_bytes: usize,
    ) -> Self {
        Self {
            key,
            stream,
            socket,
            over: None,
            there_bytes: 0,
            back_bytes: 0,
            moved_ns: now_ns,
            unsent: Vec::new(),
            unwritten: Vec::new(),
            socket_end: Ending::Open,
            stream_end: Ending::Open,
            cut: None,
            back_moved_ns: 0,
            tail: Tail::new(keep_bytes),
        }
    }

    /// Give the socket back: another stream takes the place of this one.
    pub(super) fn leave(self) -> Left {
        Left {
            socket: self.socket,
            there_bytes: self.there_bytes,
            back_bytes: self.back_bytes,
            unsent: self.unwritten.concat(),
            tail: self.tail.into_bytes(),
        }
    }

    /// Move what can move, both ways; note when there is nothing more to move ever.
    pub(super) fn advance(&mut self, endpoint: &mut Endpoint, piece: &mut [u8], now_ns: u64) {
        if self.over.is_some() {
            return;
        }
        let before = (self.there_bytes, self.back_bytes);
        let fed = self.feed_socket(endpoint);
        let moved = self.unless_cut(fed, false).and_then(|()| {
            let fed = self.feed_stream(endpoint, piece);
            match self.unless_cut(fed, true) {
                Err(Over::Stopped(HAS_ALL)) => {
                    self.socket_end = Ending::Done;
                    Ok(())
                }
                fed => fed,
            }
        });
        if before != (self.there_bytes, self.back_bytes) {
            self.moved_ns = now_ns;
        }
        if before.1 != self.back_bytes {
            self.back_moved_ns = now_ns;
        }
        if let Err(over) = moved {
            self.over = Some(over);
        } else if let Some(cut) = self.cut
            && self.cut_due_ns().is_none_or(|due_ns| due_ns <= now_ns)
        {
            self.over = Some(Over::Socket(cut.errno));
        }
        self.note_end();
    }

    /// When a socket that broke is given up, for which nobody's reading has to be waited.
    pub(super) fn cut_due_ns(&self) -> Option<u64> {
        let has_any = self.cut.is_some() && self.back_bytes > 0;
        has_any.then(|| self.back_moved_ns.saturating_add(GRACE_NS))
    }

    /// Take note of a socket that broke: what it had received goes on.
    fn unless_cut(&mut self, fed: Result<(), Over>, is_read: bool) -> Result<(), Over> {
        let Err(Over::Socket(errno)) = fed else {
            return fed;
        };
        let cut = self.cut.get_or_insert(Cut { errno, is_read });
        cut.is_read |= is_read;
        self.unwritten = Vec::new();
        Ok(())
    }

    /// The peer has acknowledged all up to the end of the socket's direction.
    pub(super) fn acknowledged(&mut self) {
        self.socket_end = Ending::Done;
        self.note_end();
    }

    /// Let the other side of the socket see that it was given up, when it is closed.
    pub(super) fn reset_socket(&self) {
        // A socket that refuses this is closed without it.
        let _reset = sockopt::set_socket_linger(&self.socket, Some(std::time::Duration::ZERO));
    }

    fn note_end(&mut self) {
        if (self.socket_end, self.stream_end) == (Ending::Done, Ending::Done) {
            self.over.get_or_insert(Over::Ended);
        }
    }

    fn feed_stream(&mut self, endpoint: &mut Endpoint, piece: &mut [u8]) -> Result<(), Over> {
        loop {
            if self.socket_end == Ending::Done {
                return Ok(());
            }
            if !self.unsent.is_empty() {
                let taken = endpoint.write(self.key, self.stream, &self.unsent)?;
                if taken < self.unsent.len() {
                    self.unsent.drain(..taken);
                    return Ok(());
                }
                self.unsent = Vec::new();
            }
            if self.socket_end == Ending::Read {
                endpoint.finish(self.key, self.stream)?;
                self.socket_end = Ending::Told;
            }
            if self.socket_end != Ending::Open || self.cut.is_some_and(|cut| cut.is_read) {
                return Ok(());
            }
            let count = match recv(&self.socket, &mut *piece, RecvFlags::DONTWAIT) {
                Ok((count, _)) => count,
                Err(Errno::AGAIN) => return Ok(()),
                Err(Errno::INTR) => continue,
                Err(errno) => return Err(errno.into()),
            };
            let got = piece.get(..count).unwrap_or_default();
            if let (true, Some(errno)) = (got.is_empty(), self.cut.map(|cut| cut.errno))
                && errno != Errno::PIPE
            {
                // The system says only once that it was reset; of an end before that it says this.
                return Err(errno.into());
            }
            if got.is_empty() {
                self.socket_end = Ending::Read;
                continue;
            }
            self.back_bytes += got.len() as u64;
            self.tail.push(got);
            let taken = endpoint.write(self.key, self.stream, got)?;
            if let Some(rest) = got.get(taken..) {
                self.unsent.extend_from_slice(rest);
            }
            if !self.unsent.is_empty() {
                return Ok(());
            }
        }
    }

    fn feed_socket(&mut self, endpoint: &mut Endpoint) -> Result<(), Over> {
        while self.cut.is_none() {
            while !self.unwritten.is_empty() {
                match send_pieces(&self.socket, &self.unwritten) {
                    Ok(count) => skip(&mut self.unwritten, count),
                    Err(Errno::AGAIN) => return Ok(()),
                    Err(Errno::INTR) => {}
                    Err(errno) => return Err(errno.into()),
                }
            }
            if self.stream_end == Ending::Read {
                shutdown(&self.socket, Shutdown::Write)?;
                self.stream_end = Ending::Done;
            }
            if self.stream_end != Ending::Open {
                self.unwritten = Vec::new();
                return Ok(());
            }
            let reading = endpoint.read(self.key, self.stream, PIECE_BYTES, &mut self.unwritten)?;
            let got: usize = self.unwritten.iter().map(Bytes::len).sum();
            self.there_bytes += got as u64;
            match reading {
                Reading::Finished => self.stream_end = Ending::Read,
                Reading::Reset { code } => return Err(Over::Reset(code)),
                Reading::Open if got == 0 => {
                    self.unwritten = Vec::new();
                    return Ok(());
                }
                Reading::Open => {}
            }
        }
        Ok(())
    }
}

fn send_pieces(socket: &OwnedFd, pieces: &[Bytes]) -> rustix::io::Result<usize> {
    let slices: Vec<IoSlice<'_>> = pieces
        .iter()
        .take(MAX_PIECES)
        .map(|piece| IoSlice::new(piece))
        .collect();
    let mut none: [MaybeUninit<u8>; 0] = [];
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    sendmsg(
        socket,
        &slices,
        &mut SendAncillaryBuffer::new(&mut none),
        flags,
    )
}

/// Drop the first `count` bytes of pieces.
fn skip(pieces: &mut Vec<Bytes>, mut count: usize) {
    let whole = pieces
        .iter()
        .take_while(|piece| {
            let is_whole = piece.len() <= count;
            if is_whole {
                count -= piece.len();
            }
            is_whole
        })
        .count();
    pieces.drain(..whole);
    if let Some(first) = pieces.first_mut() {
        *first = first.slice(count..);
    }
}
