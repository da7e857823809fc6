//! A small internet in memory: datapaths on a virtual clock, links that lose nothing, services in Rust.

#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "each test uses a part of it"
)]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing
)]

mod raw;

pub use raw::RawPeer;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use ei_datapath::codec::{
    Action, Answer, Decision, Effect, EffectBatch, Event, Events, Hop, Key, Outcome, Packet,
    StageList,
};
use ei_datapath::counters::Counters;
use ei_datapath::forward::{
    Datapath, DatapathConfig, OutgoingPacket, ReceivedPacket, ServiceConfig,
};
use ei_datapath::handshake::public_key;
use ei_datapath::pipes::PeerKind;
use ei_datapath::trace::TraceRecord;
use ei_datapath::wire::{Address, Protection};

pub const MILLISECOND_NS: u64 = 1_000_000;
pub const SECOND_NS: u64 = 1_000_000_000;

/// What a service of these tests answers; `events` of one batch, in order, one answer each.
pub trait Service {
    fn answer<'a>(&mut self, event: &Event<'a>) -> Answer<'a>;
}

/// One end of the little internet.
pub struct End {
    pub datapath: Datapath,
    pub address: Address,
    pub endpoint: SocketAddr,
    pub services: BTreeMap<u32, Box<dyn Service>>,
    /// Services whose worker is not served now.
    pub stopped: BTreeSet<u32>,
    pub received: Vec<ReceivedPacket>,
    pub key: [u8; 32],
    kind: PeerKind,
}

pub struct World {
    pub now_ns: u64,
    pub ends: Vec<End>,
    /// (to, from, bytes) in flight.
    pub in_flight: Vec<(SocketAddr, SocketAddr, Vec<u8>)>,
    pub delay_ns: u64,
    /// Endpoints from and to which nothing comes through.
    pub cut: BTreeSet<SocketAddr>,
}

pub fn address(number: usize) -> Address {
    let mut bytes = [0; 16];
    bytes[0] = 0xfd;
    bytes[1] = 0x35;
    bytes[15] = number as u8 + 1;
    bytes[14] = (number >> 8) as u8;
    Address(bytes)
}

impl World {
    pub fn new() -> Self {
        Self {
            now_ns: SECOND_NS,
            ends: Vec::new(),
            in_flight: Vec::new(),
            delay_ns: MILLISECOND_NS,
            cut: BTreeSet::new(),
        }
    }

    pub fn add(&mut self, kind: PeerKind, change: impl FnOnce(&mut DatapathConfig)) -> usize {
        let number = self.ends.len();
        let mut key = [7; 32];
        key[8..10].copy_from_slice(&(number as u16 + 1).to_le_bytes());
        let mut config = DatapathConfig::new(kind, address(number), key);
        let mut seed = [9; 32];
        seed[8..10].copy_from_slice(&(number as u16).to_le_bytes());
        config.seed = Some(seed);
        change(&mut config);
        let [high, low] = (number as u16).to_be_bytes();
        self.ends.push(End {
            datapath: Datapath::new(config),
            address: address(number),
            endpoint: SocketAddr::from(([127, 1, high, low], 3535)),
            services: BTreeMap::new(),
            stopped: BTreeSet::new(),
            received: Vec::new(),
            key,
            kind,
        });
        number
    }

    pub fn node(&mut self) -> usize {
        self.add(PeerKind::Node, |_| {})
    }

    pub fn host(&mut self) -> usize {
        self.add(PeerKind::Host, |_| {})
    }

    pub fn serve(&mut self, node: usize, config: ServiceConfig, service: impl Service + 'static) {
        let number = config.number;
        self.ends[node].datapath.add_service(config);
        self.ends[node].services.insert(number, Box::new(service));
    }

    /// Make two ends know each other.
    pub fn acquaint(&mut self, one: usize, other: usize) {
        for (own, peer) in [(one, other), (other, one)] {
            let public = public_key(&self.ends[peer].key);
            let (address, kind) = (self.ends[peer].address, self.ends[peer].kind);
            let endpoint = Some(self.ends[peer].endpoint);
            self.ends[own]
                .datapath
                .add_peer(address, public, kind, endpoint)
                .unwrap();
        }
    }

    /// The same, and open the pipe.
    pub fn join(&mut self, one: usize, other: usize) {
        self.acquaint(one, other);
        let (now_ns, peer) = (self.now_ns, self.ends[other].address);
        self.ends[one].datapath.dial(now_ns, &peer);
        self.settle();
    }

    pub fn packet(&self, to_node: usize, connection: u64, destination: usize) -> Outgoing {
        Outgoing {
            peer: self.ends[to_node].address,
            service: 16,
            connection,
            metadata: self.ends[destination].address.0.to_vec(),
            payload: vec![connection as u8; 100],
            protection: Protection::Datagrams,
            is_covered: false,
            is_traced: false,
        }
    }

    pub fn send(
        &mut self,
        host: usize,
        packet: &Outgoing,
    ) -> Result<(), ei_datapath::counters::Reason> {
        let now_ns = self.now_ns;
        self.ends[host].datapath.send(now_ns, &packet.view())
    }

    /// Everything that waits to be sent goes on its way.
    pub fn flush(&mut self) {
        for end in &mut self.ends {
            while let Some(train) = end.datapath.next_train() {
                for datagram in train.bytes.chunks(train.segment_bytes) {
                    self.in_flight
                        .push((train.to, end.endpoint, datagram.to_vec()));
                }
            }
        }
    }

    /// Deliver what is in flight; returns how many datagrams that were.
    pub fn deliver(&mut self) -> usize {
        let in_flight = std::mem::take(&mut self.in_flight);
        let count = in_flight.len();
        if count > 0 {
            self.now_ns += self.delay_ns;
        }
        let now_ns = self.now_ns;
        for (to, from, mut bytes) in in_flight {
            if self.cut.contains(&to) || self.cut.contains(&from) {
                continue;
            }
            if let Some(end) = self.ends.iter_mut().find(|end| end.endpoint == to) {
                end.datapath.handle(now_ns, from, &mut bytes);
            }
        }
        count
    }

    /// Let every service answer what waits for it; returns how many batches that were.
    pub fn work(&mut self) -> usize {
        let now_ns = self.now_ns;
        let mut batches = 0;
        for end in &mut self.ends {
            for number in end.datapath.services_with_events() {
                if end.stopped.contains(&number) {
                    continue;
                }
                let mut events = Vec::new();
                let service = end.services.get_mut(&number).unwrap();
                if end.datapath.take_events(now_ns, 0.0, number, &mut events) > 0 {
                    let effects = answer(service.as_mut(), &events);
                    end.datapath.put_effects(now_ns, number, &effects).unwrap();
                    batches += 1;
                }
            }
            end.received
                .extend(std::iter::from_fn(|| end.datapath.take_received()));
        }
        batches
    }

    /// Until nothing is in flight and no service has anything to do.
    pub fn settle(&mut self) {
        for _ in 0..10_000 {
            self.flush();
            if self.deliver() + self.work() == 0 && self.in_flight.is_empty() {
                self.flush();
                if self.in_flight.is_empty() {
                    return;
                }
            }
        }
        panic!("the world does not come to rest");
    }

    /// Let time pass, with all that is due in it.
    pub fn pass(&mut self, nanoseconds: u64) {
        let until_ns = self.now_ns + nanoseconds;
        while self.now_ns < until_ns {
            self.now_ns = (self.now_ns + 10 * MILLISECOND_NS).min(until_ns);
            let now_ns = self.now_ns;
            for end in &mut self.ends {
                end.datapath.poll(now_ns);
            }
            self.flush();
            self.deliver();
            self.work();
        }
        self.settle();
    }

    pub fn counters(&self, end: usize) -> Counters {
        self.ends[end].datapath.statistics().counters
    }

    /// Law 6 at every end.
    pub fn assert_balanced(&self) {
        for (number, end) in self.ends.iter().enumerate() {
            let counters = end.datapath.statistics().counters;
            assert!(counters.is_balanced(), "end {number}: {counters:#?}");
        }
    }

    /// (connection, payload) of what a host got, in order.
    pub fn received(&self, host: usize) -> Vec<(u64, Vec<u8>)> {
        let packets = self.ends[host].received.iter();
        packets
            .map(|packet| (packet.connection, packet.payload.clone()))
            .collect()
    }
}

/// An `OutgoingPacket` with bytes of its own.
#[derive(Clone, Debug)]
pub struct Outgoing {
    pub peer: Address,
    pub service: u32,
    pub connection: u64,
    pub metadata: Vec<u8>,
    pub payload: Vec<u8>,
    pub protection: Protection,
    pub is_covered: bool,
    pub is_traced: bool,
}

impl Outgoing {
    pub fn view(&self) -> OutgoingPacket<'_> {
        OutgoingPacket {
            peer: self.peer,
            service: self.service,
            connection: self.connection,
            metadata: &self.metadata,
            payload: &self.payload,
            protection: self.protection,
            is_covered: self.is_covered,
            class: 0,
            is_traced: self.is_traced,
        }
    }
}

/// The worker of a service dies.
pub fn lose_worker(world: &mut World, node: usize, service: u32) {
    let now_ns = world.now_ns;
    world.ends[node].datapath.lose_worker(now_ns, service);
}

/// The records of traced packets that a node kept.
pub fn traces(world: &mut World, node: usize) -> Vec<TraceRecord> {
    std::iter::from_fn(|| world.ends[node].datapath.take_trace()).collect()
}

/// What a service answers to a batch, as bytes.
pub fn answer(service: &mut dyn Service, events: &[u8]) -> Vec<u8> {
    let events = Events::decode(events).unwrap();
    let answers = events
        .items
        .iter()
        .map(|event| service.answer(event))
        .collect();
    let batch = EffectBatch {
        sequence: events.sequence,
        epoch: events.epoch,
        answers,
    };
    let mut bytes = Vec::new();
    batch.encode(&mut bytes);
    bytes
}

pub fn nothing<'a>() -> Answer<'a> {
    Answer {
        outcome: Outcome::None,
        reason: "",
        effects: Vec::new(),
    }
}

pub fn answered(effects: Vec<Effect<'_>>) -> Answer<'_> {
    Answer {
        outcome: Outcome::Answered,
        reason: "",
        effects,
    }
}

pub fn key_of<'a>(packet: &Packet<'a>) -> Key<'a> {
    Key {
        ingress: packet.ingress,
        source: packet.source,
        connection: packet.connection,
        metadata: packet.metadata,
        egress: packet.egress,
        service: packet.service,
    }
}

pub fn install<'a>(packet: &Packet<'a>, action: Action<'a>, ttl_s: f64) -> Effect<'a> {
    let key = key_of(packet);
    let stages = StageList::none();
    Effect::Install(Decision {
        key,
        action,
        ttl_s,
        tag: b"tag",
        stages,
    })
}

pub fn send<'a>(packet: &Packet<'a>, to: &'a [u8]) -> Effect<'a> {
    Effect::Send {
        packet: *packet,
        to,
        stages: StageList::none(),
    }
}

/// Sends each packet towards the destination in its metadata, and caches that: `next` says by which
/// peer (itself, if it is missing).
pub struct Delivery {
    pub next: BTreeMap<[u8; 16], [u8; 16]>,
    pub ttl_s: f64,
    pub caches: bool,
}

impl Delivery {
    pub fn new() -> Self {
        Self {
            next: BTreeMap::new(),
            ttl_s: 60.0,
            caches: true,
        }
    }

    pub fn via(mut self, destination: usize, peer: usize) -> Self {
        self.next.insert(address(destination).0, address(peer).0);
        self
    }
}

impl Service for Delivery {
    fn answer<'a>(&mut self, event: &Event<'a>) -> Answer<'a> {
        let Event::PacketArrived(packet) = event else {
            return nothing();
        };
        let known = <[u8; 16]>::try_from(packet.metadata)
            .ok()
            .and_then(|key| self.next.get(&key));
        let to: &'a [u8] = match known {
            Some(next) => Vec::leak(next.to_vec()),
            None => packet.metadata,
        };
        let mut effects = Vec::new();
        if self.caches {
            let hop = Hop {
                to,
                metadata: None,
                connection: None,
                source: None,
            };
            effects.push(install(packet, Action::Forward(vec![hop]), self.ttl_s));
        }
        effects.push(send(packet, to));
        answered(effects)
    }
}
