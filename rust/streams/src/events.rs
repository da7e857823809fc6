//! What comes out of the streams: events, transmits, and what a read found.

use std::fmt;

use quinn_proto::{ConnectionError, TransportError, TransportErrorCode};

use crate::ConnectionKey;
use crate::identity::wrong_identity_text;

/// Something that happened. Order is kept within a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A host that is not connected wants to be: find its key, then `accept`, or `refuse`. Unanswered it is
    /// refused after the configured time.
    KeyWanted {
        /// The connection that waits.
        key: ConnectionKey,
    },
    /// The handshake is done and the peer has proved its key. At the end that called `connect` the peer may
    /// still refuse this host's key, which is then the next event.
    Connected {
        /// The connection.
        key: ConnectionKey,
    },
    /// The connection is gone. What its streams received can still be read until `close`.
    ConnectionLost {
        /// The connection.
        key: ConnectionKey,
        /// Why.
        loss: Loss,
    },
    /// The peer opened a stream.
    StreamOpened {
        /// The connection.
        key: ConnectionKey,
        /// The stream.
        stream: u64,
        /// Whether this end may write to it as well.
        is_bidirectional: bool,
    },
    /// A read may find bytes, the end or a reset. Comes once until it is taken.
    Readable {
        /// The connection.
        key: ConnectionKey,
        /// The stream.
        stream: u64,
    },
    /// A stream that took fewer bytes than offered may take more.
    Writable {
        /// The connection.
        key: ConnectionKey,
        /// The stream.
        stream: u64,
    },
    /// The peer has acknowledged everything up to the end of this stream.
    StreamFinished {
        /// The connection.
        key: ConnectionKey,
        /// The stream.
        stream: u64,
    },
    /// The peer gave up sending on the stream; what was unread is gone.
    StreamReset {
        /// The connection.
        key: ConnectionKey,
        /// The stream.
        stream: u64,
        /// The peer's code.
        code: u64,
    },
    /// The peer wants no more bytes on the stream; writes fail with the same code.
    StreamStopped {
        /// The connection.
        key: ConnectionKey,
        /// The stream.
        stream: u64,
        /// The peer's code.
        code: u64,
    },
    /// The peer allows more streams, after `open_stream` found none allowed.
    StreamsAvailable {
        /// The connection.
        key: ConnectionKey,
        /// Of which kind.
        is_bidirectional: bool,
    },
}

/// Why a connection ended, by kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LossKind {
    /// The peer's application closed it.
    Closed,
    /// The peer does not accept the connection.
    Refused,
    /// The peer proved another key than the expected one.
    WrongIdentity,
    /// The peer expected another key than this host's.
    IdentityRefused,
    /// The handshake took longer than configured.
    HandshakeTimeout,
    /// Nothing was heard for the idle time.
    TimedOut,
    /// This host had no memory left for another peer, and this one held most: its oldest connection went.
    CrowdedOut,
    /// The peer no longer knows the connection: it was restarted.
    Reset,
    /// The peer broke the protocol, or says that this host did.
    Protocol,
}

impl LossKind {
    /// The stable word for logs and for Python.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Refused => "refused",
            Self::WrongIdentity => "wrong_identity",
            Self::IdentityRefused => "identity_refused",
            Self::HandshakeTimeout => "handshake_timeout",
            Self::TimedOut => "timed_out",
            Self::CrowdedOut => "crowded_out",
            Self::Reset => "reset",
            Self::Protocol => "protocol",
        }
    }
}

/// Why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The kind, for programs.
    pub kind: LossKind,
    /// One sentence, for people.
    pub text: String,
    /// The peer's code when its application closed, else 0.
    pub code: u64,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// TLS alert `certificate_unknown`: how rustls refuses an identity that is not the expected one.
const ALERT_CERTIFICATE_UNKNOWN: u8 = 46;

impl Loss {
    pub(crate) fn new(kind: LossKind, text: impl Into<String>) -> Self {
        Self {
            kind,
            text: text.into(),
            code: 0,
        }
    }

    pub(crate) fn from_quic(error: ConnectionError) -> Self {
        let alert = TransportErrorCode::crypto(ALERT_CERTIFICATE_UNKNOWN);
        match error {
            ConnectionError::ApplicationClosed(close) => {
                let reason = String::from_utf8_lossy(&close.reason);
                let text = if reason.is_empty() {
                    format!("the peer closed with code {}", close.error_code)
                } else {
                    format!("the peer closed with code {}: {reason}", close.error_code)
                };
                Self {
                    kind: LossKind::Closed,
                    text,
                    code: close.error_code.into_inner(),
                }
            }
            ConnectionError::ConnectionClosed(close) => match close.error_code {
                TransportErrorCode::CONNECTION_REFUSED => {
                    Self::new(LossKind::Refused, "the peer does not accept the connection")
                }
                code if code == alert => Self::new(
                    LossKind::IdentityRefused,
                    "the peer expected another identity key than this host's",
                ),
                _ => Self::new(
                    LossKind::Protocol,
                    format!("the peer ended the connection: {close}"),
                ),
            },
            ConnectionError::TransportError(TransportError { code, reason, .. })
                if code == alert =>
            {
                Self::new(LossKind::WrongIdentity, wrong_identity_text(&reason))
            }
            ConnectionError::TransportError(error) => Self::new(
                LossKind::Protocol,
                format!("the peer broke the protocol: {error}"),
            ),
            ConnectionError::VersionMismatch => Self::new(
                LossKind::Protocol,
                "the peer speaks another version of QUIC",
            ),
            ConnectionError::Reset => Self::new(
                LossKind::Reset,
                "the peer no longer knows the connection: it was restarted",
            ),
            ConnectionError::TimedOut => {
                Self::new(LossKind::TimedOut, "nothing was heard of the peer")
            }
            ConnectionError::LocallyClosed => Self::new(LossKind::Closed, "closed by this host"),
            ConnectionError::CidsExhausted => Self::new(
                LossKind::Refused,
                "this host has no connection identifiers left",
            ),
        }
    }
}

/// Payloads to send on one connection, back to back in the caller's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Where to.
    pub key: ConnectionKey,
    /// Bytes written to the buffer.
    pub bytes: usize,
    /// Bytes of each payload; only the last may be shorter.
    pub payload_bytes: usize,
}

/// What a read found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// The bytes appended are all there are now, or all that were asked for; more may come.
    Open,
    /// The stream ended after the bytes appended.
    Finished,
    /// The peer gave up the stream.
    Reset {
        /// The peer's code.
        code: u64,
    },
}
