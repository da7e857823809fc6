//! Batches of events for a service's worker, and what happens when it dies.

use super::Datapath;
use super::peers::MAX_MEASURED;
use super::services::{Handed, Outstanding};
use crate::cache::ServiceIndex;
use crate::codec::EventBatch;
use crate::counters::{End, Fate, Reason};
use crate::decide::Verdict;
use crate::queue::{Item, News, WaitingPacket};
use crate::stages::NAME_BYTES;
use crate::trace::{TraceRecord, Traced};
use crate::wire::Address;

/// Batches that a worker may have unanswered: with 64 packets each, as many as its queue holds.
const MAX_OUTSTANDING: usize = 16;
/// What a packet's item takes beside its metadata and payload, at most.
const PACKET_ITEM_BYTES: usize = 128;

impl Datapath {
    /// Append the next `EventBatch` for a service to `out`; returns its length, 0 when nothing waits
    /// or too many batches are unanswered. Packets that a decision answers by now are sent instead.
    pub fn take_events(
        &mut self,
        now_ns: u64,
        unix_s: f64,
        number: u32,
        out: &mut Vec<u8>,
    ) -> usize {
        let Some(index) = self.decisions.routes.index(number) else {
            return 0;
        };
        let Some(service) = self.service(index) else {
            return 0;
        };
        if service.outstanding.len() >= MAX_OUTSTANDING {
            return 0;
        }
        service.is_down = false;
        let mut batch = std::mem::take(&mut self.batch);
        batch.clear();
        let mut items = Vec::new();
        self.hand_over_news(index, &mut batch, &mut items);
        self.hand_over_items(now_ns, index, &mut batch, &mut items);

        let before = out.len();
        let epoch = self.decisions.epoch();
        if let Some(service) = self.service(index)
            && !items.is_empty()
        {
            service.sequence += 1;
            let sequence = service.sequence;
            service.outstanding.push_back(Outstanding {
                sequence,
                handed_ns: now_ns,
                items,
            });
            batch.write(sequence, epoch, now_ns as f64 / 1e9, unix_s, out);
        }
        self.batch = batch;
        out.len() - before
    }

    /// The service's worker died: what it had not answered is lost, and `Started` leads the next batch.
    pub fn lose_worker(&mut self, now_ns: u64, number: u32) {
        let Some(index) = self.decisions.routes.index(number) else {
            return;
        };
        let is_first_lane = self.lane == 0;
        let reason = Reason::WorkerLost;
        for traced in self.drop_outstanding(index, reason) {
            let record = TraceRecord::dropped(traced, now_ns, reason, vec![number]);
            self.traces.push(record);
        }
        if let Some(service) = self.service(index) {
            service.queue.forget_news();
            service.must_start = is_first_lane;
            service.is_down = true;
        }
    }

    /// Run a service here no more; what it has is dropped (`service_down`).
    pub fn remove_service(&mut self, number: u32) {
        let Some(index) = self.decisions.routes.index(number) else {
            return;
        };
        self.drop_outstanding(index, Reason::ServiceDown);
        let waiting = self.service(index).map(|service| service.queue.drain());
        for item in waiting.into_iter().flatten() {
            match item {
                Item::Packet(waiting) => {
                    let end = End::Dropped(Reason::ServiceDown);
                    self.departures.counters.count_end(waiting.book, end);
                }
                Item::Control { receipt, .. } => self.departures.pipes.commit_control(receipt),
            }
        }
        self.decisions.routes.remove_service(number);
        self.decisions.reset_service(index, 0);
        if let Some(slot) = self.services.get_mut(usize::from(index.0)) {
            *slot = None;
        }
    }

    fn hand_over_news(
        &mut self,
        index: ServiceIndex,
        batch: &mut EventBatch,
        items: &mut Vec<Handed>,
    ) {
        let must_start = self
            .service(index)
            .is_some_and(|service| service.must_start);
        if must_start {
            let (up, rtts) = self.peers_now();
            if let Some(service) = self.service(index) {
                service.must_start = false;
                service.queue.forget_news();
                for peer in up {
                    service
                        .queue
                        .push_news(News::PeerChanged { peer, is_up: true });
                }
                for measured in rtts.chunks(MAX_MEASURED) {
                    service
                        .queue
                        .push_news(News::PeersMeasured(measured.to_vec()));
                }
            }
            batch.started();
            items.push(Handed::News);
        }
        let Some(service) = self.service(index) else {
            return;
        };
        while let Some(news) = service
            .queue
            .pop_news(|news| batch.has_room_for(news_bytes(news)))
        {
            match &news {
                News::PeerChanged { peer, is_up } => batch.peer_changed(peer, *is_up),
                News::Resolved { query, record } => batch.query_resolved(query, record.as_deref()),
                News::TallyRead {
                    object,
                    packets,
                    payload_bytes,
                } => {
                    batch.tally_read(object, *packets, *payload_bytes);
                }
                News::NotKept { object, names, to } => batch.not_kept(object, names, to),
                News::PeersMeasured(rtts) => batch.peers_measured(rtts),
            }
            items.push(Handed::News);
        }
    }

    fn hand_over_items(
        &mut self,
        now_ns: u64,
        index: ServiceIndex,
        batch: &mut EventBatch,
        items: &mut Vec<Handed>,
    ) {
        loop {
            let Some(service) = self.service(index) else {
                return;
            };
            match service
                .queue
                .pop(|item| batch.has_room_for(item_bytes(item)))
            {
                Some(Item::Packet(waiting)) => {
                    if self.is_still_missing(now_ns, index, &waiting) {
                        items.push(hand_over(&waiting, batch));
                    }
                }
                Some(Item::Control {
                    sender,
                    message,
                    receipt,
                }) => {
                    batch.control(&sender, &message);
                    items.push(Handed::Control(receipt));
                }
                None => return,
            }
        }
    }

    /// Look a packet up once more: while it waited its decision may have come. If so it is followed.
    fn is_still_missing(
        &mut self,
        now_ns: u64,
        index: ServiceIndex,
        waiting: &WaitingPacket,
    ) -> bool {
        let packet = waiting.packet.view();
        let question = packet.question();
        let verdict = self
            .decisions
            .decide(now_ns, &question, waiting.position, packet.is_covered);
        if let Verdict::Missing {
            position, service, ..
        } = &verdict
            && *position == waiting.position
            && *service == index
        {
            return true;
        }
        let fate = self.follow(now_ns, &packet, verdict, waiting.book, waiting.position);
        match fate {
            // It waits for another service now.
            Fate::Missed => {}
            Fate::Dropped(reason) => {
                self.departures
                    .counters
                    .count_end(waiting.book, End::Dropped(reason));
            }
            Fate::Forwarded | Fate::Delivered | Fate::Consumed => {
                self.departures
                    .counters
                    .count_end(waiting.book, End::Passed);
            }
        }
        false
    }

    /// Count all that the worker had as dropped; returns those that are traced.
    fn drop_outstanding(&mut self, index: ServiceIndex, reason: Reason) -> Vec<Traced> {
        let Some(service) = self
            .services
            .get_mut(usize::from(index.0))
            .and_then(Option::as_mut)
        else {
            return Vec::new();
        };
        let mut lost = Vec::new();
        let mut traced: Vec<_> = service.held_traces.drain(..).collect();
        for handed in service.outstanding.drain(..).flat_map(|batch| batch.items) {
            service.batches.failed += 1;
            match handed {
                Handed::Packet { book, trace } => {
                    lost.push(book);
                    traced.extend(trace);
                }
                // At most once: the sender is told, although its message died with the worker.
                Handed::Control(receipt) => self.departures.pipes.commit_control(receipt),
                Handed::News => {}
            }
        }
        lost.extend(std::iter::from_fn(|| service.held.take()));
        for book in lost {
            service.count_drop(reason);
            self.departures
                .counters
                .count_end(book, End::Dropped(reason));
        }
        traced
    }
}

fn hand_over(waiting: &WaitingPacket, batch: &mut EventBatch) -> Handed {
    let packet = waiting.packet.view();
    let egress = packet.egress.as_ref();
    batch.packet(
        &packet.header,
        &packet.ingress,
        packet.payload,
        packet.is_covered,
        egress,
    );
    Handed::Packet {
        book: waiting.book,
        trace: Traced::of(&packet),
    }
}

fn item_bytes(item: &Item) -> usize {
    PACKET_ITEM_BYTES
        + match item {
            Item::Packet(waiting) => waiting.packet.bytes(),
            Item::Control { message, .. } => message.len(),
        }
}

fn news_bytes(news: &News) -> usize {
    PACKET_ITEM_BYTES
        + match news {
            News::PeerChanged { .. } => 0,
            News::Resolved { query, record } => query.len() + record.as_ref().map_or(0, Vec::len),
            News::TallyRead { object, .. } => object.len(),
            News::NotKept { object, names, .. } => object.len() + names.len() * (NAME_BYTES + 2),
            News::PeersMeasured(rtts) => rtts.len() * (size_of::<Address>() + 16),
        }
}
