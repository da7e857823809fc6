//! What waits for one service: its misses, control messages and news, bounded and shared fairly.
//!
//! Every ingress pipe has a share (at the first node that is: every source). Shares are served by
//! deficit round robin over bytes; within a share packets and control messages keep their order. When
//! the queue is full, the heaviest share loses its oldest packet, or the newcomer its place if it is
//! of the heaviest (`slow_path_busy`): a flood pushes out only itself. News (peers up and down, answers
//! to queries, counts) come before all shares, in their own order.
//!
//! Source: M. Shreedhar and G. Varghese, Efficient fair queuing using deficit round robin, 1996.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::control::ControlReceipt;
use crate::counters::Book;
use crate::packet::OwnedPacket;
use crate::stages::Name;
use crate::wire::Address;

/// What an item costs beside its bytes, about the cost of handling an empty one.
const ITEM_COST: usize = 256;
/// Bytes that a share may send on each turn.
const QUANTUM: usize = 2_048;
/// Bytes per packet that the limit of packets stands for.
const MEAN_COST: usize = 2_048;
/// Answers to queries and tallies that may wait; more are dropped, and the query asked again.
const MAX_ANSWERS: usize = 4_096;
/// Round trips of so many peers may wait; more are dropped, and told when they change again.
const MAX_MEASURED_PEERS: usize = 1 << 18;

/// A packet that waits for the service.
#[derive(Clone, Debug)]
pub struct WaitingPacket {
    /// The packet.
    pub packet: OwnedPacket,
    /// Where in its chain the service is.
    pub position: usize,
    /// Which books it is in.
    pub book: Book,
}

/// What a share holds.
#[derive(Clone, Debug)]
pub enum Item {
    /// A miss.
    Packet(WaitingPacket),
    /// A control message.
    Control {
        /// Who sent it.
        sender: Address,
        /// At most 64 KiB.
        message: Vec<u8>,
        /// To commit when the service has answered.
        receipt: ControlReceipt,
    },
}

/// What the service should know.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// A peer's pipe came up or went down.
    PeerChanged {
        /// Which.
        peer: Address,
        /// Up or down.
        is_up: bool,
    },
    /// A query was answered.
    Resolved {
        /// Opaque.
        query: Vec<u8>,
        /// Opaque; `None` when there is no such record.
        record: Option<Vec<u8>>,
    },
    /// The counts that were asked for.
    TallyRead {
        /// Name.
        object: Vec<u8>,
        /// Counted.
        packets: u64,
        /// Counted.
        payload_bytes: u64,
    },
    /// Packets that were asked for and are not kept.
    NotKept {
        /// Name of the history.
        object: Vec<u8>,
        /// Of the packets, 1 to 256.
        names: Vec<Name>,
        /// Who lacks them.
        to: Address,
    },
    /// Round trips in seconds.
    PeersMeasured(Vec<(Address, f64)>),
}

/// What came of offering a packet.
#[derive(Debug)]
pub struct Offer {
    /// Whether it waits now; else the queue is full, and its sender holds as much as anybody.
    pub is_kept: bool,
    /// What was pushed out for it.
    pub pushed_out: Vec<WaitingPacket>,
}

#[derive(Clone, Debug, Default)]
struct Share {
    items: VecDeque<Item>,
    /// Of its packets.
    packet_cost: usize,
    deficit: usize,
}

/// What the service has not heard of a peer yet.
#[derive(Clone, Debug, Default)]
struct Unheard {
    /// At most the last two.
    states: VecDeque<bool>,
    /// Places among the news: as many as there are states, or more, where later ones took earlier ones back.
    places: usize,
}

/// The queue of one service.
#[derive(Clone, Debug, Default)]
pub struct MissQueue {
    news: VecDeque<News>,
    answers: usize,
    measured_peers: usize,
    changes: BTreeMap<Address, Unheard>,
    shares: BTreeMap<Address, Share>,
    turns: VecDeque<Address>,
    packets: usize,
    packet_cost: usize,
    /// Shares that have packets, by their cost: else each packet that finds no room would cost a search of all.
    by_weight: BTreeSet<(usize, Address)>,
    limit_packets: usize,
}

impl MissQueue {
    /// An empty queue of at most `limit_packets`, and 2 KiB times as many bytes.
    pub fn new(limit_packets: usize) -> Self {
        Self {
            limit_packets,
            ..Self::default()
        }
    }

    /// Let so many wait from now on; what waits already stays.
    pub fn set_limit(&mut self, limit_packets: usize) {
        self.limit_packets = limit_packets;
    }

    /// Packets that wait.
    pub fn packets(&self) -> usize {
        self.packets
    }

    /// What they count for: their bytes, and 256 for each.
    pub fn bytes(&self) -> usize {
        self.packet_cost
    }

    /// Most that they may count for.
    pub fn limit_bytes(&self) -> usize {
        self.limit_packets.saturating_mul(MEAN_COST)
    }

    /// Whether nothing at all waits.
    pub fn is_empty(&self) -> bool {
        self.news.is_empty() && self.turns.is_empty()
    }

    /// Offer a packet of `bytes` that came by `ingress`; `make` is called if it may wait.
    pub fn offer(
        &mut self,
        ingress: Address,
        bytes: usize,
        make: impl FnOnce() -> WaitingPacket,
    ) -> Offer {
        let cost = ITEM_COST + bytes;
        let mut pushed_out = Vec::new();
        while !self.has_room(cost) {
            let own = self
                .shares
                .get(&ingress)
                .map_or(0, |share| share.packet_cost);
            let victim = self.heaviest().filter(|(_, weight)| own + cost < *weight);
            match victim.and_then(|(heaviest, _)| self.push_out(&heaviest)) {
                Some(packet) => pushed_out.push(packet),
                None => {
                    return Offer {
                        is_kept: false,
                        pushed_out,
                    };
                }
            }
        }
        self.packets += 1;
        self.packet_cost += cost;
        self.share(ingress).items.push_back(Item::Packet(make()));
        self.weigh(&ingress, |weight| weight + cost);
        Offer {
            is_kept: true,
            pushed_out,
        }
    }

    /// Add a control message. Its sender's window bounds how many there are, with `forget_control` whenever the
    /// sender begins a new one.
    pub fn push_control(&mut self, sender: Address, message: Vec<u8>, receipt: ControlReceipt) {
        self.share(sender).items.push_back(Item::Control {
            sender,
            message,
            receipt,
        });
    }

    /// Forget the control messages of a sender: who said them is gone.
    pub fn forget_control(&mut self, sender: &Address) {
        if let Some(share) = self.shares.get_mut(sender) {
            share.items.retain(|item| matches!(item, Item::Packet(_)));
            self.took(sender, None);
        }
    }

    /// Add news; false when too many answers wait already.
    pub fn push_news(&mut self, news: News) -> bool {
        match &news {
            News::PeerChanged { peer, is_up } => {
                let unheard = self.changes.entry(*peer).or_default();
                if unheard.states.len() == 2 {
                    // Up, down, up again: what the service has not heard of it need not hear twice.
                    unheard.states.pop_back();
                    return true;
                }
                unheard.states.push_back(*is_up);
                if unheard.places >= unheard.states.len() {
                    return true;
                }
                unheard.places += 1;
            }
            News::Resolved { .. } | News::TallyRead { .. } | News::NotKept { .. }
                if self.answers >= MAX_ANSWERS =>
            {
                return false;
            }
            News::Resolved { .. } | News::TallyRead { .. } | News::NotKept { .. } => {
                self.answers += 1;
            }
            News::PeersMeasured(rtts) => {
                if self.measured_peers + rtts.len() > MAX_MEASURED_PEERS {
                    return false;
                }
                self.measured_peers += rtts.len();
            }
        }
        self.news.push_back(news);
        true
    }

    /// Forget the news: a new worker is told everything from the start.
    pub fn forget_news(&mut self) {
        self.news.clear();
        self.changes.clear();
        self.answers = 0;
        self.measured_peers = 0;
    }

    /// The next news, if `fits` agrees.
    pub fn pop_news(&mut self, fits: impl Fn(&News) -> bool) -> Option<News> {
        loop {
            if !fits(self.news.front()?) {
                return None;
            }
            match self.news.pop_front()? {
                News::PeerChanged { peer, .. } => {
                    let Some(unheard) = self.changes.get_mut(&peer) else {
                        continue;
                    };
                    let state = unheard.states.pop_front();
                    unheard.places = unheard.places.saturating_sub(1);
                    if unheard.places == 0 {
                        self.changes.remove(&peer);
                    }
                    // Nothing is left to say when a later change took an earlier one back.
                    if let Some(is_up) = state {
                        return Some(News::PeerChanged { peer, is_up });
                    }
                }
                answer
                @ (News::Resolved { .. } | News::TallyRead { .. } | News::NotKept { .. }) => {
                    self.answers = self.answers.saturating_sub(1);
                    return Some(answer);
                }
                News::PeersMeasured(rtts) => {
                    self.measured_peers = self.measured_peers.saturating_sub(rtts.len());
                    return Some(News::PeersMeasured(rtts));
                }
            }
        }
    }

    /// The next item of the share whose turn it is, if `fits` agrees.
    pub fn pop(&mut self, fits: impl Fn(&Item) -> bool) -> Option<Item> {
        loop {
            let turn = *self.turns.front()?;
            let share = self.shares.get_mut(&turn)?;
            let next = share.items.front()?;
            let cost = cost_of(next);
            if share.deficit < cost {
                share.deficit += QUANTUM;
                self.turns.rotate_left(1);
                continue;
            }
            if !fits(next) {
                return None;
            }
            share.deficit -= cost;
            let item = share.items.pop_front();
            self.took(&turn, item.as_ref());
            return item;
        }
    }

    /// All that waits, without order: the service goes away.
    pub fn drain(&mut self) -> Vec<Item> {
        self.forget_news();
        self.turns.clear();
        self.packets = 0;
        self.packet_cost = 0;
        self.by_weight.clear();
        std::mem::take(&mut self.shares)
            .into_values()
            .flat_map(|share| share.items)
            .collect()
    }

    fn has_room(&self, cost: usize) -> bool {
        self.packets < self.limit_packets && self.packet_cost + cost <= self.limit_bytes().max(cost)
    }

    fn share(&mut self, ingress: Address) -> &mut Share {
        self.shares.entry(ingress).or_insert_with(|| {
            self.turns.push_back(ingress);
            Share {
                deficit: QUANTUM,
                ..Share::default()
            }
        })
    }

    fn heaviest(&self) -> Option<(Address, usize)> {
        let (weight, holder) = self.by_weight.last()?;
        Some((*holder, *weight))
    }

    /// The packets of a share cost more, or less.
    fn weigh(&mut self, holder: &Address, change: impl FnOnce(usize) -> usize) {
        let Some(share) = self.shares.get_mut(holder) else {
            return;
        };
        let before = share.packet_cost;
        share.packet_cost = change(before);
        let after = share.packet_cost;
        self.by_weight.remove(&(before, *holder));
        if after > 0 {
            self.by_weight.insert((after, *holder));
        }
    }

    /// Take the oldest packet out of a share.
    fn push_out(&mut self, holder: &Address) -> Option<WaitingPacket> {
        let share = self.shares.get_mut(holder)?;
        let at = share
            .items
            .iter()
            .position(|item| matches!(item, Item::Packet(_)))?;
        let item = share.items.remove(at);
        self.took(holder, item.as_ref());
        match item {
            Some(Item::Packet(packet)) => Some(packet),
            _ => None,
        }
    }

    /// Keep the sums right after an item was taken out of a share.
    fn took(&mut self, holder: &Address, item: Option<&Item>) {
        if let Some(item @ Item::Packet(_)) = item {
            let cost = cost_of(item);
            self.packets = self.packets.saturating_sub(1);
            self.packet_cost = self.packet_cost.saturating_sub(cost);
            self.weigh(holder, |weight| weight.saturating_sub(cost));
        }
        let share = self.shares.get(holder);
        if share.is_some_and(|share| share.items.is_empty()) {
            self.shares.remove(holder);
            if self.turns.front() == Some(holder) {
                self.turns.pop_front();
            } else {
                self.turns.retain(|turn| turn != holder);
            }
        }
    }
}

fn cost_of(item: &Item) -> usize {
    ITEM_COST
        + match item {
            Item::Packet(waiting) => waiting.packet.bytes(),
            Item::Control { message, .. } => message.len(),
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Packet;
    use crate::pipes::PeerIndex;
    use crate::wire::{Header, Protection};
    use proptest::prelude::*;

    fn peer(last: u8) -> Address {
        Address([last; 16])
    }

    fn waiting(ingress: Address, connection: u64, payload: &[u8]) -> WaitingPacket {
        let header = Header {
            hop_limit: 1,
            class: 0,
            service: 16,
            connection,
            payload_bytes: payload.len() as u16,
            protection: Protection::Datagrams,
            source: Some(ingress),
            metadata: b"",
            is_traced: false,
        };
        let packet = Packet {
            header,
            ingress,
            source: ingress,
            payload,
            is_covered: false,
            egress: None,
            arrived_ns: 0,
        };
        WaitingPacket {
            packet: OwnedPacket::new(&packet),
            position: 0,
            book: Book::Received,
        }
    }

    fn offer(queue: &mut MissQueue, from: u8, connection: u64, bytes: usize) -> Offer {
        let payload = vec![0; bytes];
        queue.offer(peer(from), bytes, || {
            waiting(peer(from), connection, &payload)
        })
    }

    fn popped(queue: &mut MissQueue) -> Vec<(u8, u64)> {
        std::iter::from_fn(|| queue.pop(|_| true))
            .filter_map(|item| match item {
                Item::Packet(waiting) => {
                    let packet = waiting.packet.view();
                    Some((packet.ingress.0[0], packet.header.connection))
                }
                Item::Control { .. } => None,
            })
            .collect()
    }

    #[test]
    fn a_flood_pushes_out_only_itself() {
        let mut queue = MissQueue::new(8);
        for connection in 0..8 {
            assert!(offer(&mut queue, 1, connection, 100).is_kept);
        }

        let of_the_flood = offer(&mut queue, 1, 8, 100);
        let of_another = offer(&mut queue, 2, 0, 100);

        assert!(!of_the_flood.is_kept && of_the_flood.pushed_out.is_empty());
        assert!(of_another.is_kept);
        let pushed_out: Vec<_> = of_another
            .pushed_out
            .iter()
            .map(|one| one.packet.view().header.connection)
            .collect();
        assert_eq!(pushed_out, [0], "the oldest of the heaviest");
        assert_eq!(queue.packets(), 8);
    }

    #[test]
    fn shares_take_turns_by_bytes() {
        let mut queue = MissQueue::new(64);
        for connection in 0..8 {
            offer(&mut queue, 1, connection, 1_400);
        }
        for connection in 0..8 {
            offer(&mut queue, 2, connection, 1_400);
        }

        let order = popped(&mut queue);

        let first_half_of_2 = order.iter().take(8).filter(|(from, _)| *from == 2).count();
        assert!((3..=5).contains(&first_half_of_2), "{order:?}");
        for from in [1, 2] {
            let own: Vec<_> = order
                .iter()
                .filter(|one| one.0 == from)
                .map(|(_, number)| *number)
                .collect();
            assert_eq!(own, (0..8).collect::<Vec<_>>(), "a share keeps its order");
        }
        assert!(queue.is_empty());
    }

    #[test]
    fn bytes_are_bounded_too() {
        let mut queue = MissQueue::new(4);

        let kept = (0..4).filter(|connection| offer(&mut queue, 1, *connection, 4_000).is_kept);

        assert_eq!(kept.count(), 1);
        let mut small = MissQueue::new(1);
        assert!(
            offer(&mut small, 1, 0, 60_000).is_kept,
            "one packet always fits"
        );
        assert!(!offer(&mut MissQueue::new(0), 1, 0, 10).is_kept);
    }

    #[test]
    fn control_messages_keep_their_place_among_the_packets_of_their_peer() {
        let mut queue = MissQueue::new(4);
        let receipt = ControlReceipt {
            peer: PeerIndex(0),
            sequence: 0,
            generation: 0,
        };
        offer(&mut queue, 1, 1, 10);
        queue.push_control(peer(1), b"leave".to_vec(), receipt);
        offer(&mut queue, 1, 2, 10);

        let kinds: Vec<_> = std::iter::from_fn(|| queue.pop(|_| true))
            .map(|item| matches!(item, Item::Control { .. }))
            .collect();

        assert_eq!(kinds, [false, true, false]);
    }

    #[test]
    fn a_flapping_peer_is_news_of_bounded_size_and_right_in_the_end() {
        for flaps in 1..20 {
            let mut queue = MissQueue::new(4);
            for flap in 0..flaps {
                queue.push_news(News::PeerChanged {
                    peer: peer(1),
                    is_up: flap % 2 == 0,
                });
            }

            let waiting = queue.news.len();
            let heard: Vec<_> = std::iter::from_fn(|| queue.pop_news(|_| true)).collect();

            assert!(heard.len() <= 2);
            assert!(waiting <= 2, "{waiting} places after {flaps}");
            let last = News::PeerChanged {
                peer: peer(1),
                is_up: (flaps - 1) % 2 == 0,
            };
            assert_eq!(heard.last(), Some(&last), "after {flaps}");
            assert!(queue.changes.is_empty());
        }
    }

    #[test]
    fn answers_are_bounded() {
        let mut queue = MissQueue::new(4);
        let answer = || News::Resolved {
            query: vec![1],
            record: None,
        };

        let kept = (0..MAX_ANSWERS + 5)
            .filter(|_| queue.push_news(answer()))
            .count();

        assert_eq!(kept, MAX_ANSWERS);
    }

    #[test]
    fn round_trips_that_nobody_hears_are_bounded() {
        let mut queue = MissQueue::new(4);
        let measured = || News::PeersMeasured(vec![(peer(1), 0.1); 2_048]);

        let kept = (0..1_000).filter(|_| queue.push_news(measured())).count();

        assert_eq!(kept, MAX_MEASURED_PEERS / 2_048);
        queue.pop_news(|_| true);
        assert!(queue.push_news(measured()) && !queue.push_news(measured()));
        queue.forget_news();
        assert!(queue.push_news(measured()));
    }

    #[test]
    fn the_control_messages_of_a_peer_that_is_gone_are_forgotten_and_its_packets_are_not() {
        let mut queue = MissQueue::new(4);
        let receipt = ControlReceipt {
            peer: PeerIndex(0),
            sequence: 0,
            generation: 0,
        };
        for sender in [1, 2, 3] {
            queue.push_control(peer(sender), b"join".to_vec(), receipt);
        }
        offer(&mut queue, 1, 7, 10);

        queue.forget_control(&peer(1));
        queue.forget_control(&peer(2));
        queue.forget_control(&peer(4));

        let left: Vec<_> = std::iter::from_fn(|| queue.pop(|_| true))
            .map(|item| match item {
                Item::Packet(waiting) => waiting.packet.view().ingress,
                Item::Control { sender, .. } => sender,
            })
            .collect();
        assert_eq!(left, [peer(1), peer(3)]);
        assert!(queue.is_empty());
    }

    proptest! {
        #[test]
        fn what_is_remembered_of_the_shares_is_so(
            steps in proptest::collection::vec((0u8..8, 0usize..3_000, 0u8..4), 1..200),
        ) {
            let mut queue = MissQueue::new(16);
            let mut kept = 0;
            for (from, bytes, kind) in steps {
                if kind == 0 {
                    kept -= usize::from(queue.pop(|_| true).is_some());
                } else {
                    let offer = offer(&mut queue, from, 0, bytes);
                    kept += usize::from(offer.is_kept);
                    kept -= offer.pushed_out.len();
                }
                let shares = queue.shares.iter();
                let most = shares.map(|(one, share)| (share.packet_cost, *one)).max();
                let heaviest = queue.heaviest();
                prop_assert_eq!(heaviest, most.map(|(weight, one)| (one, weight)));
                prop_assert_eq!(queue.packets(), kept);
                prop_assert_eq!(queue.turns.len(), queue.shares.len());
            }
        }
    }

    #[test]
    fn what_does_not_fit_waits_for_the_next_batch() {
        let mut queue = MissQueue::new(4);
        offer(&mut queue, 1, 1, 10);

        assert!(queue.pop(|_| false).is_none());

        assert_eq!(popped(&mut queue), [(1, 1)]);
    }
}
