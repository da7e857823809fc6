//! `Keep`: keep the last packets, to be sent again when somebody lacks them.

use std::collections::{BTreeMap, VecDeque};

use crate::packet::{OwnedPacket, Packet};

/// Bytes of a payload by which it is found again.
pub const NAME_BYTES: usize = 8;

/// The first bytes of a payload: what a sender numbers its packets by.
pub type Name = [u8; NAME_BYTES];

/// A bounded history of packets; the oldest makes room.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    limit_packets: usize,
    limit_bytes: usize,
    bytes: usize,
    added_ns: u64,
    by_age: VecDeque<Name>,
    packets: BTreeMap<Name, OwnedPacket>,
}

impl Kept {
    /// An empty one that keeps nothing before `change`; idle from `now_ns` on.
    pub fn new(now_ns: u64) -> Self {
        Self {
            added_ns: now_ns,
            ..Self::default()
        }
    }

    /// Take other limits from now on; what is too much goes.
    pub fn change(&mut self, limit_packets: usize, limit_bytes: usize) {
        self.limit_packets = limit_packets;
        self.limit_bytes = limit_bytes;
        self.make_room(0, 0);
    }

    /// Bytes that it may come to hold.
    pub fn limit_bytes(&self) -> usize {
        self.limit_bytes
    }

    /// When the last packet was kept; before there is one, when it was made.
    pub fn added_ns(&self) -> u64 {
        self.added_ns
    }

    /// Keep a packet, unless one of its name is kept, or its payload has none.
    pub fn add(&mut self, now_ns: u64, packet: &Packet<'_>) {
        self.added_ns = now_ns;
        let Some(name) = packet.payload.first_chunk::<NAME_BYTES>() else {
            return;
        };
        let bytes = packet.header.metadata.len() + packet.payload.len();
        if bytes > self.limit_bytes || self.limit_packets == 0 || self.packets.contains_key(name) {
            return;
        }
        self.make_room(1, bytes);
        self.bytes += bytes;
        self.by_age.push_back(*name);
        self.packets.insert(*name, OwnedPacket::new(packet));
    }

    /// The packet of a name.
    pub fn find(&self, name: &Name) -> Option<&OwnedPacket> {
        self.packets.get(name)
    }

    /// Forget all packets, for their memory; returns their bytes. More are kept as they come.
    pub fn forget(&mut self) -> usize {
        self.by_age = VecDeque::new();
        self.packets = BTreeMap::new();
        std::mem::take(&mut self.bytes)
    }

    /// Packets that are kept.
    pub fn len(&self) -> usize {
        self.packets.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    fn make_room(&mut self, packets: usize, bytes: usize) {
        while self.packets.len() + packets > self.limit_packets
            || self.bytes + bytes > self.limit_bytes
        {
            let Some(oldest) = self.by_age.pop_front() else {
                return;
            };
            if let Some(packet) = self.packets.remove(&oldest) {
                self.bytes = self.bytes.saturating_sub(packet.bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Address, Header, Protection};
    use proptest::prelude::*;

    fn packet(payload: &[u8]) -> Packet<'_> {
        Packet {
            header: Header {
                hop_limit: 3,
                class: 0,
                service: 48,
                connection: 7,
                payload_bytes: payload.len() as u16,
                protection: Protection::None,
                source: Some(Address([2; 16])),
                metadata: b"",
                is_traced: false,
            },
            ingress: Address([1; 16]),
            source: Address([2; 16]),
            payload,
            is_covered: true,
            egress: None,
            arrived_ns: 0,
        }
    }

    fn kept(packets: usize, bytes: usize) -> Kept {
        let mut kept = Kept::default();
        kept.change(packets, bytes);
        kept
    }

    #[test]
    fn a_packet_is_found_by_the_start_of_its_payload() {
        let mut kept = kept(8, 1_000);

        kept.add(5, &packet(b"number 1 and more"));

        let found = kept.find(b"number 1").unwrap();
        assert_eq!(found.view().payload, b"number 1 and more");
        assert!(kept.find(b"number 2").is_none());
        assert_eq!((kept.len(), kept.added_ns()), (1, 5));
    }

    #[test]
    fn what_was_forgotten_is_gone_and_more_is_kept_as_before() {
        let mut kept = kept(8, 1_000);
        kept.add(0, &packet(b"number 1"));

        assert_eq!(kept.forget(), 8);

        assert!(kept.is_empty() && kept.find(b"number 1").is_none());
        kept.add(0, &packet(b"number 2"));
        assert!(kept.find(b"number 2").is_some());
    }

    #[test]
    fn the_first_of_a_name_stays() {
        let mut kept = kept(8, 1_000);
        kept.add(0, &packet(b"number 1 first"));

        kept.add(0, &packet(b"number 1 again"));

        let found = kept.find(b"number 1").unwrap();
        assert_eq!(found.view().payload, b"number 1 first");
    }

    #[test]
    fn what_is_too_short_for_a_name_or_too_long_is_not_kept() {
        let mut kept = kept(8, 10);

        kept.add(0, &packet(b"number"));
        kept.add(0, &packet(b"number 1 is long"));

        assert!(kept.is_empty());
    }

    #[test]
    fn smaller_limits_hold_at_once() {
        let mut kept = kept(8, 1_000);
        kept.add(0, &packet(b"number 1"));
        kept.add(0, &packet(b"number 2"));

        kept.change(1, 1_000);

        assert!(kept.find(b"number 1").is_none() && kept.find(b"number 2").is_some());
    }

    proptest! {
        /// Whatever comes, the limits hold and what is kept are the newest.
        #[test]
        fn it_is_bounded_and_the_oldest_makes_room(
            limit_packets in 0usize..6, limit_bytes in 0usize..200,
            sizes in proptest::collection::vec(8usize..64, 0..40),
        ) {
            let mut kept = kept(limit_packets, limit_bytes);
            let mut held: Vec<(Name, usize)> = Vec::new();
            for (number, size) in sizes.into_iter().enumerate() {
                let mut payload = vec![0; size];
                payload[..NAME_BYTES].copy_from_slice(&(number as u64).to_be_bytes());
                kept.add(0, &packet(&payload));
                if size <= limit_bytes && limit_packets > 0 {
                    held.push(((number as u64).to_be_bytes(), size));
                    while held.len() > limit_packets
                        || held.iter().map(|(_, size)| size).sum::<usize>() > limit_bytes {
                        held.remove(0);
                    }
                }
            }

            prop_assert_eq!(kept.len(), held.len());
            prop_assert!(held.iter().all(|(name, _)| kept.find(name).is_some()));
        }
    }
}
