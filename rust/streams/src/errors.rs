//! What a caller can do wrong. Bytes from a peer never make an error: they end in an event or a counter.

use std::fmt;

use crate::ConnectionKey;

/// A refused call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamsError {
    /// A value of the configuration is outside what it may be.
    BadConfig(String),
    /// A key cannot be used.
    BadKey(String),
    /// The system gives no random bytes.
    NoRandomness(String),
    /// There is no such connection, or it is gone.
    NotConnected(ConnectionKey),
    /// The connection exists already.
    AlreadyConnected(ConnectionKey),
    /// No incoming connection of this key waits for an answer.
    NotWaiting(ConnectionKey),
    /// As many connections as configured exist, or their buffers take all that is configured.
    TooManyConnections {
        /// Connections that exist.
        connections: usize,
        /// Bytes that their buffers may take.
        reserved_bytes: u64,
    },
    /// The stream does not exist, or this side of it has ended.
    ClosedStream(u64),
    /// The stream goes the other way only.
    WrongDirection(u64),
    /// The peer asked not to be sent more, with its code.
    Stopped {
        /// The stream.
        stream: u64,
        /// The peer's code.
        code: u64,
    },
    /// An error code or stream number is above 2^62 - 1.
    TooLarge(u64),
}

impl fmt::Display for StreamsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadConfig(what) => write!(f, "bad stream configuration: {what}"),
            Self::BadKey(what) => write!(f, "bad identity key: {what}"),
            Self::NoRandomness(what) => write!(f, "the system gives no random bytes: {what}"),
            Self::NotConnected(key) => write!(f, "no stream connection {:#x}", key.connection),
            Self::AlreadyConnected(key) => {
                write!(f, "stream connection {:#x} exists already", key.connection)
            }
            Self::NotWaiting(key) => {
                write!(
                    f,
                    "no incoming stream connection {:#x} waits for an answer",
                    key.connection
                )
            }
            Self::TooManyConnections {
                connections,
                reserved_bytes,
            } => write!(
                f,
                "{connections} stream connections exist and may buffer {reserved_bytes} B: no room for more"
            ),
            Self::ClosedStream(stream) => write!(f, "stream {stream} is closed"),
            Self::WrongDirection(stream) => write!(f, "stream {stream} goes the other way only"),
            Self::Stopped { stream, code } => {
                write!(f, "the peer stopped stream {stream} with code {code}")
            }
            Self::TooLarge(number) => {
                write!(f, "{number} exceeds the largest code or stream, 2^62 - 1")
            }
        }
    }
}

impl std::error::Error for StreamsError {}
