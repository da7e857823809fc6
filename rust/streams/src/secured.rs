//! TLS of one stream, at the server's end: bytes of TLS in and out on one side, plain ones on the other.
//!
//! ```text
//!   receive ──▶ received ──▶ ┌─────────┐ ──▶ read
//!                            │ rustls  │
//!   to_send ◀── sealed   ◀── └─────────┘ ◀── write
//! ```
//! Bounded: what was received and not read is at most [`RECEIVE_BYTES`] sealed, one record in parts and
//! what `rustls` has opened (16 KiB); what was written and not sent is one record.

use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;

use rustls::{ServerConfig, ServerConnection};

/// Most bytes that may be received before the next read.
pub(crate) const RECEIVE_BYTES: usize = 16 * 1024;

/// Most plain bytes of a record.
const RECORD_BYTES: usize = 16 * 1024;

/// What one is counted with: received, in parts, opened, sealed.
pub(crate) const SECURED_BYTES: usize = 4 * (16 * 1024 + 512);

/// The other end broke the rules of TLS. What it is to be told is to be sent yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadTls;

/// One stream's TLS.
pub(crate) struct Secured {
    session: ServerConnection,
    /// Came, and not taken by `session` yet.
    received: Vec<u8>,
    /// Sealed, or from before TLS began, and not sent yet.
    to_send: Vec<u8>,
    has_said_end: bool,
}

impl Secured {
    /// Wait for the other end's greeting; `first` is to be sent before anything of TLS.
    ///
    /// # Errors
    /// The configuration of the site.
    pub(crate) fn new(site: Arc<ServerConfig>, first: Vec<u8>) -> Result<Self, BadTls> {
        let mut session = ServerConnection::new(site).map_err(|_| BadTls)?;
        // Nothing is written before the handshake is done, nor more than a record after.
        session.set_buffer_limit(None);
        Ok(Self {
            session,
            received: Vec::new(),
            to_send: first,
            has_said_end: false,
        })
    }

    pub(crate) fn is_handshaking(&self) -> bool {
        self.session.is_handshaking()
    }

    /// Bytes of TLS came.
    ///
    /// # Errors
    /// They break its rules.
    pub(crate) fn receive(&mut self, bytes: &[u8]) -> Result<(), BadTls> {
        self.received.extend_from_slice(bytes);
        self.take()?;
        match self.received.len() > RECEIVE_BYTES {
            // A message that never ends.
            true => Err(BadTls),
            false => Ok(()),
        }
    }

    /// Give `session` what it takes: it stops when what it has opened was not read.
    fn take(&mut self) -> Result<(), BadTls> {
        let mut taken = 0;
        let mut result = Ok(());
        while let Some(mut rest) = self.received.get(taken..).filter(|rest| !rest.is_empty()) {
            match self.session.read_tls(&mut rest) {
                Ok(0) => taken = self.received.len(), // after the end
                Ok(bytes) => taken += bytes,
                Err(_) => break,
            }
            if self.session.process_new_packets().is_err() {
                result = Err(BadTls);
                break;
            }
        }
        self.received.drain(..taken);
        self.seal();
        result
    }

    /// Append up to `limit` plain bytes; whether the other end said that none follow.
    ///
    /// # Errors
    /// What it sent breaks the rules of TLS.
    pub(crate) fn read(&mut self, limit: usize, out: &mut Vec<u8>) -> Result<bool, BadTls> {
        let end = out.len() + limit;
        loop {
            let start = out.len();
            if start == end {
                return Ok(false);
            }
            out.resize(end, 0);
            let found = self
                .session
                .reader()
                .read(out.get_mut(start..).unwrap_or(&mut []));
            out.truncate(start + found.as_ref().map_or(0, |bytes| *bytes));
            match found {
                Ok(0) => return Ok(true),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let before = self.received.len();
                    self.take()?;
                    if self.received.len() == before {
                        return Ok(false);
                    }
                }
                Err(_) => return Err(BadTls),
            }
        }
    }

    /// Seal plain bytes, as many as one record takes; none while a handshake lasts or what was sealed waits.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> usize {
        if self.is_handshaking() || !self.to_send.is_empty() {
            return 0;
        }
        let record = bytes.get(..RECORD_BYTES).unwrap_or(bytes);
        let taken = self.session.writer().write(record).unwrap_or(0);
        self.seal();
        taken
    }

    /// Say that nothing follows.
    pub(crate) fn say_end(&mut self) {
        if !std::mem::replace(&mut self.has_said_end, true) {
            self.session.send_close_notify();
            self.seal();
        }
    }

    /// What is to be sent.
    pub(crate) fn to_send(&self) -> &[u8] {
        &self.to_send
    }

    /// So many bytes of it were.
    pub(crate) fn note_sent(&mut self, bytes: usize) {
        self.to_send.drain(..bytes.min(self.to_send.len()));
    }

    fn seal(&mut self) {
        while self.session.wants_write() {
            // Into memory: it neither fails nor waits.
            let _bytes = self.session.write_tls(&mut self.to_send);
        }
    }
}

impl std::fmt::Debug for Secured {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let stage = match self.is_handshaking() {
            true => "handshake",
            false => "open",
        };
        write!(formatter, "Secured({stage})")
    }
}
