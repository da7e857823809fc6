//! `EventBatch`, written straight into the message to the worker.

use super::msgpack::Writer;
use crate::stages::Name;
use crate::wire::{Address, Header};

/// Most items of a batch (`MAX_BATCH_ITEMS` in `ei/runtime/batches.py`).
pub const MAX_BATCH_ITEMS: usize = 64;

/// Most bytes of a batch, unless a single item needs more (`MAX_BATCH_BYTES` there).
pub const MAX_BATCH_BYTES: usize = 128 * 1024;

/// A batch being written: items first, into `body`; the head is known when the last item is.
#[derive(Debug, Default)]
pub struct EventBatch {
    body: Vec<u8>,
    items: usize,
}

impl EventBatch {
    /// Forget all items; keeps the memory.
    pub fn clear(&mut self) {
        self.body.clear();
        self.items = 0;
    }

    /// Items written so far.
    pub fn items(&self) -> usize {
        self.items
    }

    /// Bytes that are left in the batch.
    pub fn room_bytes(&self) -> usize {
        MAX_BATCH_BYTES.saturating_sub(self.body.len() + 64)
    }

    /// Whether an item of about `bytes` would still fit.
    pub fn has_room_for(&self, bytes: usize) -> bool {
        self.items == 0
            || (self.items < MAX_BATCH_ITEMS && self.body.len() + bytes + 64 <= MAX_BATCH_BYTES)
    }

    /// `PacketArrived`: tag 0. `header.hop_limit` is what leaves this node.
    pub fn packet(
        &mut self,
        header: &Header<'_>,
        ingress: &Address,
        payload: &[u8],
        is_covered: bool,
        egress: Option<&Address>,
    ) {
        let mut writer = self.item(2, 0);
        writer.array(12);
        writer.integer(u64::from(header.service));
        writer.bytes(&ingress.0);
        writer.bytes(&header.source.unwrap_or(*ingress).0);
        writer.integer(header.connection);
        writer.bytes(header.metadata);
        writer.bytes(payload);
        writer.integer(u64::from(header.class));
        writer.integer(u64::from(header.hop_limit));
        writer.integer(header.protection as u64);
        writer.boolean(is_covered);
        writer.boolean(header.is_traced);
        writer.bytes(egress.map_or(&[], |egress| &egress.0));
    }

    /// `ControlReceived`: tag 1.
    pub fn control(&mut self, sender: &Address, message: &[u8]) {
        let mut writer = self.item(3, 1);
        writer.bytes(&sender.0);
        writer.bytes(message);
    }

    /// `PeerChanged`: tag 3.
    pub fn peer_changed(&mut self, peer: &Address, is_up: bool) {
        let mut writer = self.item(3, 3);
        writer.bytes(&peer.0);
        writer.boolean(is_up);
    }

    /// `QueryResolved`: tag 4.
    pub fn query_resolved(&mut self, query: &[u8], record: Option<&[u8]>) {
        let mut writer = self.item(3, 4);
        writer.bytes(query);
        match record {
            Some(record) => writer.bytes(record),
            None => writer.nil(),
        }
    }

    /// `TallyRead`: tag 5.
    pub fn tally_read(&mut self, object: &[u8], packets: u64, payload_bytes: u64) {
        let mut writer = self.item(4, 5);
        writer.bytes(object);
        writer.integer(packets);
        writer.integer(payload_bytes);
    }

    /// `NotKept`: tag 30.
    pub fn not_kept(&mut self, object: &[u8], names: &[Name], to: &Address) {
        let mut writer = self.item(4, 30);
        writer.bytes(object);
        writer.array(names.len());
        for name in names {
            writer.bytes(name);
        }
        writer.bytes(&to.0);
    }

    /// `Started`: tag 6.
    pub fn started(&mut self) {
        self.item(1, 6);
    }

    /// `PeersMeasured`: tag 7.
    pub fn peers_measured(&mut self, rtts_s: &[(Address, f64)]) {
        let mut writer = self.item(2, 7);
        writer.map(rtts_s.len());
        for (peer, rtt_s) in rtts_s {
            writer.bytes(&peer.0);
            writer.float(*rtt_s);
        }
    }

    /// Append the whole batch to `out`.
    pub fn write(&self, sequence: u64, epoch: u64, now_s: f64, unix_s: f64, out: &mut Vec<u8>) {
        let mut writer = Writer::new(out);
        writer.array(5);
        writer.integer(sequence);
        writer.integer(epoch);
        writer.float(now_s);
        writer.float(unix_s);
        writer.array(self.items);
        out.extend_from_slice(&self.body);
    }

    /// Begin an item: an array of `length`, its tag first.
    pub(super) fn item(&mut self, length: usize, tag: u64) -> Writer<'_> {
        self.items += 1;
        let mut writer = Writer::new(&mut self.body);
        writer.array(length);
        writer.integer(tag);
        writer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Protection;

    fn address(last: u8) -> Address {
        let mut bytes = [0; 16];
        bytes[0] = 0xfd;
        bytes[1] = 0x35;
        bytes[15] = last;
        Address(bytes)
    }

    /// `msgspec.msgpack.encode` of the same batch in Python.
    const GOLDEN: &str = "950102cb400c000000000000cb40120000000000009792009c10c410fd35000000000000\
        0000000000000001c410fd35000000000000000000000000000207c4026d6dc403706179013f01c3c2c4009301c4\
        10fd350000000000000000000000000001c4016d9303c410fd350000000000000000000000000001c39304c40171\
        c09405c4016f01cd012c9106920781c410fd350000000000000000000000000001cb3fd0000000000000";

    #[test]
    fn the_bytes_are_those_of_msgspec() {
        let mut batch = EventBatch::default();
        let header = Header {
            hop_limit: 63,
            class: 1,
            service: 16,
            connection: 7,
            payload_bytes: 3,
            protection: Protection::Datagrams,
            source: Some(address(2)),
            metadata: b"mm",
            is_traced: false,
        };
        batch.packet(&header, &address(1), b"pay", true, None);
        batch.control(&address(1), b"m");
        batch.peer_changed(&address(1), true);
        batch.query_resolved(b"q", None);
        batch.tally_read(b"o", 1, 300);
        batch.started();
        batch.peers_measured(&[(address(1), 0.25)]);
        let mut out = Vec::new();

        batch.write(1, 2, 3.5, 4.5, &mut out);

        let events = crate::codec::Events::decode(&out).unwrap();
        assert_eq!(
            (events.sequence, events.epoch, events.items.len()),
            (1, 2, 7)
        );
        let hex: String = out.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, GOLDEN);
    }
}
