//! Events and effects as bytes: what crosses to a service's worker and back.
//!
//! The truth is the Python of `ei/runtime/batches.py` and `ei/sdk`: msgpack arrays, a tagged variant
//! being `[tag, fields...]`. One message is one batch, in simulation and over a worker's socket alike.
//! Nothing here panics or allocates more than a small multiple of what it was given: every malformed
//! batch is a `CodecError` that names the field.

mod effects;
mod events;
mod msgpack;
mod parse;
mod streams;
mod worker;

pub use effects::{
    Action, Answer, Decision, Effect, EffectBatch, Hop, Key, Outcome, Packet, Stage, StageList,
};
pub use events::{EventBatch, MAX_BATCH_BYTES, MAX_BATCH_ITEMS};
pub use streams::{
    MAX_KEEP_BYTES, MAX_OPENING_BYTES, MAX_PIECE_BYTES, SpliceMeter, StreamEffect, StreamEffects,
    StreamTarget,
};
pub use worker::{Event, Events};

/// Why a batch of effects cannot be read. The worker that wrote it is not to be trusted further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodecError {
    /// The bytes end inside `field`.
    Truncated {
        /// Name of the field, as in the Python Struct.
        field: &'static str,
    },
    /// `field` has another msgpack type than it must.
    WrongType {
        /// Name of the field.
        field: &'static str,
        /// First byte of what stands there.
        found: u8,
    },
    /// A number does not fit its field.
    OutOfRange {
        /// Name of the field.
        field: &'static str,
    },
    /// An array has another length than its Struct.
    WrongLength {
        /// Name of the Struct.
        field: &'static str,
        /// Length found.
        found: u32,
    },
    /// A tagged variant that is not allowed here.
    UnknownTag {
        /// Name of the union.
        field: &'static str,
        /// Tag found.
        found: u64,
    },
    /// Bytes follow the batch.
    TrailingBytes,
    /// The batch answers another batch than the oldest one outstanding.
    WrongSequence {
        /// Sequence of the oldest outstanding batch; 0 when none is.
        expected: u64,
        /// Sequence found.
        found: u64,
    },
    /// Fewer answers than the batch had items.
    TooFewAnswers {
        /// Items of the batch.
        items: usize,
        /// Answers found.
        answers: usize,
    },
    /// No such service runs here.
    UnknownService {
        /// Its number.
        service: u32,
    },
}

impl std::fmt::Display for CodecError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Truncated { field } => write!(formatter, "the batch ends inside {field}"),
            Self::WrongType { field, found } => {
                write!(
                    formatter,
                    "{field} has the wrong msgpack type (byte {found:#04x})"
                )
            }
            Self::OutOfRange { field } => write!(formatter, "{field} is out of range"),
            Self::WrongLength { field, found } => {
                write!(formatter, "{field} is not an array of {found}")
            }
            Self::UnknownTag { field, found } => write!(formatter, "{field} has no tag {found}"),
            Self::TrailingBytes => write!(formatter, "bytes follow the batch"),
            Self::WrongSequence { expected, found } => {
                write!(
                    formatter,
                    "the batch answers {found}, but {expected} is the oldest unanswered"
                )
            }
            Self::TooFewAnswers { items, answers } => {
                write!(formatter, "{answers} answers to a batch of {items} events")
            }
            Self::UnknownService { service } => {
                write!(formatter, "no service {service} runs here")
            }
        }
    }
}

impl std::error::Error for CodecError {}
