//! Streams within connections: opening, writing, reading, ending.

use bytes::Bytes;

use super::Streams;
use crate::{ConnectionKey, Reading, StreamsError};

impl Streams {
    /// Open a stream; `None` while the peer allows no more (`Event::StreamsAvailable` follows). The peer
    /// hears of it with the first bytes or the end.
    ///
    /// # Errors
    /// There is no such connection, or it was lost.
    pub fn open_stream(
        &mut self,
        key: ConnectionKey,
        is_bidirectional: bool,
    ) -> Result<Option<u64>, StreamsError> {
        self.with(key, |connection| {
            Ok((connection.open(is_bidirectional)?, false))
        })
    }

    /// Write to a stream; return how many bytes were taken. Fewer than offered means that the windows are
    /// full: `Event::Writable` follows.
    ///
    /// # Errors
    /// No such connection or stream, or the peer stopped the stream.
    pub fn write(
        &mut self,
        key: ConnectionKey,
        stream: u64,
        bytes: &[u8],
    ) -> Result<usize, StreamsError> {
        self.with(key, |connection| {
            let accepted = connection.write(stream, bytes)?;
            Ok((accepted, accepted > 0))
        })
    }

    /// End a stream after what was written; `Event::StreamFinished` follows when the peer has it all.
    ///
    /// # Errors
    /// No such connection or stream, or the peer stopped the stream.
    pub fn finish(&mut self, key: ConnectionKey, stream: u64) -> Result<(), StreamsError> {
        self.with(key, |connection| Ok((connection.finish(stream)?, true)))
    }

    /// Give up sending on a stream, telling the peer `code` (at most 2^62 - 1).
    ///
    /// # Errors
    /// No such connection or stream, or the code is too large.
    pub fn reset(
        &mut self,
        key: ConnectionKey,
        stream: u64,
        code: u64,
    ) -> Result<(), StreamsError> {
        self.with(key, |connection| {
            Ok((connection.reset(stream, code)?, true))
        })
    }

    /// Ask the peer to send no more on a stream, telling it `code` (at most 2^62 - 1); what is unread is
    /// dropped.
    ///
    /// # Errors
    /// No such connection or stream, or the code is too large.
    pub fn stop(&mut self, key: ConnectionKey, stream: u64, code: u64) -> Result<(), StreamsError> {
        self.with(key, |connection| Ok((connection.stop(stream, code)?, true)))
    }

    /// Append up to `max_bytes` of a stream to `pieces`, without copying. Having read less than that, wait
    /// for `Event::Readable`; having read as much, read again.
    ///
    /// # Errors
    /// No such connection or stream; a stream that was read to its end or reset is gone.
    pub fn read(
        &mut self,
        key: ConnectionKey,
        stream: u64,
        max_bytes: usize,
        pieces: &mut Vec<Bytes>,
    ) -> Result<Reading, StreamsError> {
        self.with(key, |connection| connection.read(stream, max_bytes, pieces))
    }
}
