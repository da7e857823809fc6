//! What `ei bench` needs in native code: the baseline, and packets faster than a node takes them.

mod plain;
mod salvo;
pub(crate) mod spin;

pub(crate) use plain::PlainForwarder;
pub(crate) use salvo::Salvo;
