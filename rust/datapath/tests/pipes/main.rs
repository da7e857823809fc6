//! Pipes: endpoints joined in memory, on a virtual clock. Letters and numbers such as A13 are lines of
//! `docs/reference/robustness.md`.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::indexing_slicing
)]

mod net;

mod admission;
mod closing;
mod control;
mod faults;
mod keys;
mod lanes;
mod liveness;
mod opening;
mod overflowing;
mod roaming;
mod silence;
