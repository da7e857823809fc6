//! What the streams need of sockets to the legacy Internet, which are the shell's.

use super::Closing;

/// A port of the legacy Internet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Legacy {
    /// Name, or address as text.
    pub host: String,
    /// Not 0.
    pub port: u16,
    /// Else TCP. Each datagram is then `length u16 LE | datagram` among the bytes.
    pub is_udp: bool,
}

/// What a read found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Got {
    /// So many bytes; 0 and no end: nothing is there now.
    pub bytes: usize,
    /// Nothing follows them.
    pub is_end: bool,
}

/// Sockets of streams, named by a number that is free again after `close`. None of these waits.
pub trait Sockets {
    /// Find the address, see whether it is allowed, connect. `Junction::socket_opened` or
    /// `Junction::socket_failed` follows, unless that takes until `until_ns`. From now on up to `ahead`
    /// more are kept connected, for those that are opened next.
    fn open(&mut self, socket: usize, to: &Legacy, ahead: usize, until_ns: u64);

    /// Append up to `limit` bytes to `out`. After it found nothing `Junction::socket_ready` follows.
    ///
    /// # Errors
    /// The socket broke.
    fn read(&mut self, socket: usize, limit: usize, out: &mut Vec<u8>) -> Result<Got, Closing>;

    /// Write; returns how many bytes were taken. After fewer `Junction::socket_ready` follows.
    ///
    /// # Errors
    /// The socket broke.
    fn write(&mut self, socket: usize, bytes: &[u8]) -> Result<usize, Closing>;

    /// Bytes straight from one socket to another; `None` if these two cannot: then they are read and
    /// written. The end is not passed on. What `from` gave and `to` has not taken is the shell's, and
    /// goes first.
    fn splice(&mut self, from: usize, to: usize, limit: usize) -> Option<Result<Got, Closing>>;

    /// The other end sees the end after what was written.
    fn finish(&mut self, socket: usize);

    /// Forget the socket; `is_abrupt` resets it.
    fn close(&mut self, socket: usize, is_abrupt: bool);
}
