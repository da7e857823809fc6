//! What a module may ask while it handles an event, and how that may end.

use std::fmt::{Debug, Display};

/// Which of the two stores of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Survives a crash of the node.
    Stable,
    /// Is lost with the worker.
    Ephemeral,
}

/// What a module asks; each is one import.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Question<'a> {
    /// What of the context fits into one value.
    Context,
    /// All peers that are up, with their round trips.
    Peers,
    /// The round trip of one peer: eight bytes of a float; nothing when it is not up.
    Peer(&'a [u8]),
    /// The answer to a query; nothing when there is none yet.
    Record(&'a [u8]),
    /// A value of a store.
    Get(Kept, &'a [u8]),
    /// To keep a value.
    Put {
        /// Where.
        kept: Kept,
        /// Under which key.
        key: &'a [u8],
        /// What.
        value: &'a [u8],
        /// For how long; above 0.
        ttl_s: Option<f64>,
    },
    /// To forget a key.
    Delete(Kept, &'a [u8]),
    /// To keep a value if another is there, or none; nothing when that is not so.
    CompareAndPut {
        /// Where.
        kept: Kept,
        /// Under which key.
        key: &'a [u8],
        /// What.
        value: &'a [u8],
        /// What must be there before.
        expected: Option<&'a [u8]>,
        /// For how long; above 0.
        ttl_s: Option<f64>,
    },
    /// To begin to go through the keys with a prefix, in the place of any other such walk.
    Scan(Kept, &'a [u8]),
    /// The next entry of that walk; nothing at its end.
    Next,
    /// So many random bytes.
    Random(usize),
}

/// Who answers a module.
pub trait Host: 'static {
    /// Why it does not.
    type Error: Display + Debug + Send + Sync + 'static;

    /// Answers a question with bytes, or with nothing.
    ///
    /// # Errors
    ///
    /// The event fails, for this reason.
    fn ask(&mut self, question: Question<'_>) -> Result<Option<Vec<u8>>, Self::Error>;

    /// Is called now and then while a module computes.
    ///
    /// # Errors
    ///
    /// The event is not to go on.
    fn pause(&mut self) -> Result<(), Self::Error>;
}

/// Why an event came to nothing.
#[derive(Debug, PartialEq, Eq)]
pub enum Fault<E> {
    /// It used its fuel up.
    OutOfFuel,
    /// What it asked was refused.
    Host(E),
    /// It did what WebAssembly does not allow, or more than it may: what, in words.
    Trap(String),
}
