//! What `ei bench` needs in native code: the baseline, and a source of packets.

mod plain;

pub(crate) use plain::PlainForwarder;
