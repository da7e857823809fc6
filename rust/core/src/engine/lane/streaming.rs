//! Packets of the node's own streams, between a datapath thread and the stream thread.

use ei_datapath::forward::OutgoingPacket;
use ei_datapath::wire::{Address, Protection};

use super::Lane;
use crate::engine::junction::{Mail, OwnTrain};

/// Batches of packets, and packets in each, that wait for the stream thread; more stay with the datapath,
/// which drops what it has no room for.
const MAX_BATCHES: usize = 64;
const BATCH_PACKETS: usize = 256;

/// What the stream thread has no room for is handed over after this.
const AGAIN_NS: u64 = 500_000;

/// Metadata of what goes back to somebody whom another node hides: empty is what comes from there.
const TO_THE_HIDDEN: &[u8] = &[1];

impl Lane {
    /// Packets of the node's own streams: they are cut into payloads, and leave in trains.
    pub(super) fn send_own(&mut self, now_ns: u64, train: &OwnTrain) {
        let OwnTrain { departure, bytes } = train;
        for payload in bytes.chunks(departure.payload_bytes.max(1)) {
            let packet = OutgoingPacket {
                peer: Address(departure.pipe),
                service: departure.service,
                connection: departure.connection,
                metadata: match departure.is_anonymous {
                    true => TO_THE_HIDDEN,
                    false => &[],
                },
                payload,
                protection: Protection::Streams,
                is_covered: departure.is_anonymous,
                class: 0,
                is_traced: false,
            };
            // Lost, as on any other way; QUIC sends it again.
            let _sent = self.datapath.send(now_ns, &packet);
        }
    }

    /// Give the stream thread the packets that are for it.
    pub(super) fn hand_over_streams(&mut self, now_ns: u64) {
        self.hand_over_again_ns = None;
        let mailbox = self.shared.streams.get();
        while self.datapath.has_received() {
            if mailbox.is_some_and(|mailbox| mailbox.len() >= MAX_BATCHES) {
                self.hand_over_again_ns = Some(now_ns + AGAIN_NS);
                return;
            }
            let packets = std::iter::from_fn(|| self.datapath.take_received());
            let packets: Vec<_> = packets.take(BATCH_PACKETS).collect();
            // Without a stream thread there are no streams: nobody answers.
            if let Some(mailbox) = mailbox {
                mailbox.put(Mail::Packets(packets));
            }
        }
    }
}
