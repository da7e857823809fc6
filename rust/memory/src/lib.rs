//! What a datapath must say to the processor about memory, and cannot say in safe Rust.
//!
//! A crate of its own, so that the pure crates need no `unsafe`.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)
)]

mod pages;
mod prefetch;
mod slab;

pub use pages::ask_for_huge_pages;
pub use prefetch::{LINE_BYTES, prefetch};
pub use slab::Slab;
