//! What `ei bench` needs in native code: the baseline, and packets faster than a node takes them.

mod plain;
mod plain_quic;
mod replay;
mod salvo;
pub(crate) mod spin;

pub(crate) use plain::PlainForwarder;
pub(crate) use plain_quic::PlainQuicForwarder;
pub(crate) use replay::Replay;
pub(crate) use salvo::Salvo;
