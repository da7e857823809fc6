//! Placeholder crate comment.
#![forbid(unsafe_code)]
