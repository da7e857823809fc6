//! Service modules in WebAssembly: an event's bytes in, its effects' bytes out.
//!
//! Pure: what an event may read it asks a [`Host`], and time is fuel. Each event has an instance of its
//! own, so nothing that a module leaves behind is there for the next (law 1), whatever it does; and
//! what traps is that event alone. The interface is in docs/reference/module-abi.md, and drawn in
//! `imports`.
#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)
)]

mod host;
mod imports;
mod module;

pub use host::{Fault, Host, Kept, Question};
pub use module::{Limits, Module};
