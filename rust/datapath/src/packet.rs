//! One packet inside the datapath: opened, parsed, with the pipe that it came by.

use crate::cache::Question;
use crate::wire::{Address, Header};

/// What a hop puts in the place of a packet's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes<'a> {
    /// Whom the copy speaks for.
    pub source: Option<Address>,
    /// Its connection.
    pub connection: Option<u64>,
    /// Its metadata, at most 255 bytes.
    pub metadata: Option<&'a [u8]>,
}

impl Changes<'_> {
    /// Whether the copy is the packet.
    #[inline]
    pub fn are_none(&self) -> bool {
        self.source.is_none() && self.connection.is_none() && self.metadata.is_none()
    }
}

/// A packet whose bytes are somebody else's: a datagram's, a queue's or a worker's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// As it will leave: hop limit counted down, source set.
    pub header: Header<'a>,
    /// Peer whose pipe delivered it.
    pub ingress: Address,
    /// Whom it speaks for.
    pub source: Address,
    /// Without padding.
    pub payload: &'a [u8],
    /// The payload was inside the seal, and will be on the next pipe.
    pub is_covered: bool,
    /// The hop that was chosen for it, before a receiver's guard.
    pub egress: Option<Address>,
    /// When it came here, also after services handed it on.
    pub arrived_ns: u64,
}

impl<'a> Packet<'a> {
    /// What it asks of the cache.
    #[inline]
    pub fn question(&self) -> Question<'a> {
        Question {
            service: self.header.service,
            ingress: self.ingress,
            source: self.source,
            connection: self.header.connection,
            metadata: self.header.metadata,
            egress: self.egress,
        }
    }

    /// The copy that leaves by a hop.
    pub fn changed(&self, changes: &Changes<'a>) -> Self {
        let mut copy = *self;
        if let Some(source) = changes.source {
            copy.source = source;
            copy.header.source = changes.source;
        }
        copy.header.connection = changes.connection.unwrap_or(copy.header.connection);
        copy.header.metadata = changes.metadata.unwrap_or(copy.header.metadata);
        copy
    }
}

/// A packet that waits, with bytes of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedPacket {
    header: Header<'static>,
    ingress: Address,
    source: Address,
    is_covered: bool,
    egress: Option<Address>,
    arrived_ns: u64,
    /// Metadata, then payload.
    bytes: Box<[u8]>,
    metadata_bytes: usize,
}

impl OwnedPacket {
    /// A copy of `packet`.
    pub fn new(packet: &Packet<'_>) -> Self {
        let metadata = packet.header.metadata;
        let mut bytes = Vec::with_capacity(metadata.len() + packet.payload.len());
        bytes.extend_from_slice(metadata);
        bytes.extend_from_slice(packet.payload);
        Self {
            header: Header {
                metadata: &[],
                ..packet.header
            },
            ingress: packet.ingress,
            source: packet.source,
            is_covered: packet.is_covered,
            egress: packet.egress,
            arrived_ns: packet.arrived_ns,
            bytes: bytes.into(),
            metadata_bytes: metadata.len(),
        }
    }

    /// The packet again.
    pub fn view(&self) -> Packet<'_> {
        let (metadata, payload) = self
            .bytes
            .split_at_checked(self.metadata_bytes)
            .unwrap_or_default();
        Packet {
            header: Header {
                metadata,
                ..self.header
            },
            ingress: self.ingress,
            source: self.source,
            payload,
            is_covered: self.is_covered,
            egress: self.egress,
            arrived_ns: self.arrived_ns,
        }
    }

    /// Bytes of metadata and payload.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Protection;

    fn packet() -> Packet<'static> {
        Packet {
            header: Header {
                hop_limit: 3,
                class: 1,
                service: 16,
                connection: 7,
                payload_bytes: 3,
                protection: Protection::Datagrams,
                source: Some(Address([2; 16])),
                metadata: b"meta",
                is_traced: true,
            },
            ingress: Address([1; 16]),
            source: Address([2; 16]),
            payload: b"pay",
            is_covered: true,
            egress: None,
            arrived_ns: 5,
        }
    }

    #[test]
    fn what_waited_is_the_packet_that_came() {
        assert_eq!(OwnedPacket::new(&packet()).view(), packet());
    }

    #[test]
    fn a_hop_changes_only_what_it_names() {
        assert_eq!(packet().changed(&Changes::default()), packet());
        let changed = packet().changed(&Changes {
            source: Some(Address([4; 16])),
            connection: Some(9),
            metadata: Some(b"new"),
        });

        assert_eq!(
            (changed.header.connection, changed.header.metadata),
            (9, &b"new"[..])
        );
        assert_eq!(changed.source, Address([4; 16]));
        assert_eq!(changed.header.source, Some(changed.source));
        assert_eq!(changed.payload, packet().payload);
    }
}
