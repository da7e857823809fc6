//! Bytes from one TCP socket to another inside the kernel: through a pipe, never copied out.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};

/// What a pipe holds at most; a socket is read as much at once.
const PIPE_BYTES: usize = 256 * 1024;

/// Pipes that are kept for the next splice that has bytes to move.
const MAX_SPARE: usize = 64;

/// A pipe, and how much is in it.
#[derive(Debug)]
pub(super) struct Pipe {
    exit: OwnedFd,
    entry: OwnedFd,
    pub(super) held_bytes: usize,
}

/// What came of moving bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moved {
    Some(usize),
    Blocked,
    /// Only out of a socket.
    End,
}

impl Pipe {
    /// From a socket into the pipe.
    ///
    /// # Errors
    /// The socket broke.
    pub(super) fn fill(&mut self, from: BorrowedFd<'_>) -> io::Result<Moved> {
        let room = PIPE_BYTES.saturating_sub(self.held_bytes);
        match moved(|| splice(from, None, &self.entry, None, room, flags()))? {
            Moved::Some(0) => Ok(Moved::End),
            Moved::Some(bytes) => {
                self.held_bytes += bytes;
                Ok(Moved::Some(bytes))
            }
            other => Ok(other),
        }
    }

    /// Out of the pipe into a socket.
    ///
    /// # Errors
    /// The socket broke.
    pub(super) fn drain(&mut self, to: BorrowedFd<'_>) -> io::Result<Moved> {
        let moved = moved(|| splice(&self.exit, None, to, None, self.held_bytes, flags()))?;
        if let Moved::Some(bytes) = moved {
            self.held_bytes = self.held_bytes.saturating_sub(bytes);
        }
        Ok(moved)
    }
}

fn flags() -> SpliceFlags {
    SpliceFlags::MOVE | SpliceFlags::NONBLOCK
}

fn moved(splice: impl Fn() -> rustix::io::Result<usize>) -> io::Result<Moved> {
    loop {
        match splice() {
            Ok(bytes) => return Ok(Moved::Some(bytes)),
            Err(Errno::AGAIN) => return Ok(Moved::Blocked),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Empty pipes for whoever has bytes to move: a splice that rests holds none.
#[derive(Debug, Default)]
pub(super) struct Pipes(Vec<Pipe>);

impl Pipes {
    /// # Errors
    /// No descriptor is left.
    pub(super) fn take(&mut self) -> io::Result<Pipe> {
        if let Some(spare) = self.0.pop() {
            return Ok(spare);
        }
        let (exit, entry) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        // Within the system's limit for users; else it stays as it is, and `fill` moves less.
        let _size = fcntl_setpipe_size(&entry, PIPE_BYTES);
        Ok(Pipe {
            exit,
            entry,
            held_bytes: 0,
        })
    }

    /// Give a pipe back, if it is empty.
    pub(super) fn give_back(&mut self, pipe: Pipe) -> Option<Pipe> {
        if pipe.held_bytes > 0 {
            return Some(pipe);
        }
        if self.0.len() < MAX_SPARE {
            self.0.push(pipe);
        }
        None
    }
}
