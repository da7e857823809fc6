//! Nanoseconds per packet of a hit, by how many pipes are in use: `Datapath::handle_singles` on 64
//! datagrams at a time, each by another pipe than the one before, and leaving by a third.
//!
//! `cargo bench -p ei-datapath --bench growth`. CPU time, the median of 7 runs with smallest and largest
//! beside it. Keys are installed as from another thread, so that no handshake has to be made; all pipes
//! are up all the time. `growth profile RUNS COUNT` runs one number alone, for a profiler.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing
)]

#[path = "../tests/world/mod.rs"]
mod world;

use std::hint::black_box;
use std::net::SocketAddr;

use ei_datapath::codec::{Action, Decision, Effect, EffectBatch, Hop, Key, StageList};
use ei_datapath::forward::{Datapath, DatapathConfig, LaneMessage, OutgoingPacket, ServiceConfig};
use ei_datapath::handshake::SessionSecrets;
use ei_datapath::pipes::{LaneUpdate, PeerKind};
use ei_datapath::wire::{Address, Protection};
use rustix::time::{ClockId, clock_gettime};
use world::answered;

const COUNTS: [usize; 6] = [2, 10, 100, 1_000, 10_000, 100_000];
const RUNS: usize = 7;
/// Of a run, at least; or one by each pipe.
const PACKETS: usize = 64 * 400;
const AT_ONCE: usize = 64;
const PAYLOAD_BYTES: usize = 432;
const NOW_NS: u64 = 1_000_000_000;
const MAX_DATAGRAM_BYTES: usize = 1_452;

fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "profile") {
        let number = |at: usize| arguments.get(at).and_then(|number| number.parse().ok());
        let count = number(at + 2).unwrap_or(100_000);
        let mut growth = Growth::new(count);
        for _ in 0..number(at + 1).unwrap_or(10) {
            black_box(growth.run(count));
        }
        return;
    }
    let mut growth = Growth::new(COUNTS.into_iter().max().unwrap_or(2));
    let mut costs_ns = COUNTS.map(|_| Vec::new());
    for run in 0..=RUNS {
        for (place, count) in COUNTS.into_iter().enumerate() {
            let cost_ns = growth.run(count);
            if run > 0 {
                costs_ns[place].push(cost_ns);
            }
        }
    }
    println!("{:>10}{:>9}{:>9}{:>9}  ns", "pipes", "median", "min", "max");
    for (count, mut costs_ns) in COUNTS.into_iter().zip(costs_ns) {
        costs_ns.sort_by(f64::total_cmp);
        let (least, most) = (costs_ns[0], costs_ns[costs_ns.len() - 1]);
        println!(
            "{count:>10}{:>9.0}{least:>9.0}{most:>9.0}",
            costs_ns[RUNS / 2]
        );
    }
}

/// A node with many hosts. What they send is sealed by one datapath with the other ends of all pipes.
struct Growth {
    node: Datapath,
    hosts: Datapath,
    random: u64,
}

impl Growth {
    fn new(count: usize) -> Self {
        let config = |kind, number: u8| DatapathConfig {
            cache_entries: 2 * count,
            reserves_memory: kind == PeerKind::Node,
            ..DatapathConfig::new(kind, Address([number; 16]), [number; 32])
        };
        let mut node = Datapath::new(config(PeerKind::Node, 1));
        let mut hosts = Datapath::new(config(PeerKind::Host, 2));
        node.add_service(ServiceConfig::new(16));
        for number in 0..count {
            for (datapath, kind, is_initiator) in [
                (&mut node, PeerKind::Host, false),
                (&mut hosts, PeerKind::Node, true),
            ] {
                connect(datapath, kind, number, is_initiator);
            }
        }
        decide(&mut node, count);
        Self {
            node,
            hosts,
            random: 1,
        }
    }

    /// CPU nanoseconds per packet, with `count` of the pipes in use.
    fn run(&mut self, count: usize) -> f64 {
        let (mut sealed, mut places) = (Vec::new(), Vec::new());
        let mut order: Vec<_> = (0..count).collect();
        let packets = PACKETS.max(count);
        let mut seal_all = || {
            while places.len() < packets {
                self.shuffle(&mut order);
                for &number in &order {
                    let start = sealed.len();
                    self.seal(number, &mut sealed);
                    places.push((number, start..sealed.len()));
                }
            }
        };
        // A thread of its own, so that a profiler can tell it from the node.
        std::thread::scope(|scope| scope.spawn(&mut seal_all).join()).unwrap();
        let before = self.node.statistics().counters.forwarded;
        let (mut spent_ns, mut batch) = (0, Vec::new());
        for places in places.chunks(AT_ONCE) {
            batch.clear();
            for (_, place) in places {
                batch.extend_from_slice(&sealed[place.clone()]);
            }
            let length = batch.len() / places.len();
            let singles = batch.chunks_exact_mut(length).zip(places);
            let singles = singles.map(|(bytes, (number, _))| (endpoint(*number), bytes));
            let began_ns = cpu_ns();
            self.node.handle_singles(NOW_NS, singles, None);
            while let Some(train) = self.node.next_train() {
                black_box(train.bytes);
            }
            spent_ns += cpu_ns() - began_ns;
        }
        let forwarded = self.node.statistics().counters.forwarded - before;
        assert_eq!(forwarded as usize, places.len(), "every packet was a hit");
        spent_ns as f64 / places.len() as f64
    }

    fn seal(&mut self, number: usize, sealed: &mut Vec<u8>) {
        let packet = OutgoingPacket {
            peer: address(number),
            service: 16,
            connection: 1,
            metadata: &address(number ^ 1).0,
            payload: &[0x5a; PAYLOAD_BYTES],
            protection: Protection::Datagrams,
            is_covered: false,
            class: 0,
            is_traced: false,
        };
        self.hosts.send(NOW_NS, &packet).unwrap();
        while let Some(train) = self.hosts.next_train() {
            sealed.extend_from_slice(train.bytes);
        }
    }

    fn shuffle(&mut self, order: &mut [usize]) {
        for last in (1..order.len()).rev() {
            self.random = self.random.wrapping_mul(6_364_136_223_846_793_005) + 1;
            order.swap(last, (self.random >> 33) as usize % (last + 1));
        }
    }
}

/// Open the pipe to the peer of this number, by keys that both ends know.
fn connect(datapath: &mut Datapath, kind: PeerKind, number: usize, is_initiator: bool) {
    let peer = address(number);
    let mut public_key = [7; 32];
    public_key[..8].copy_from_slice(&(number as u64).to_le_bytes());
    datapath
        .add_peer(peer, public_key, kind, Some(endpoint(number)))
        .unwrap();
    let mut other_key = public_key;
    other_key[31] = 9;
    let index = (number as u32) << 12;
    let install = LaneUpdate::Install {
        peer,
        index,
        remote_index: index,
        made_ns: NOW_NS,
        secrets: SessionSecrets::of_directions([public_key, other_key], is_initiator),
        peer_lanes: 1,
    };
    let state = LaneUpdate::State {
        peer,
        is_up: true,
        endpoint: Some(endpoint(number)),
        max_datagram_bytes: MAX_DATAGRAM_BYTES,
    };
    for update in [install, LaneUpdate::Promote { peer, index }, state] {
        datapath.apply_lane_message(NOW_NS, LaneMessage::Keys(update));
    }
}

/// Each host of an even number speaks with the next one.
fn decide(node: &mut Datapath, count: usize) {
    let mut bytes = Vec::new();
    for first in (0..count).step_by(AT_ONCE) {
        let ends: Vec<_> = (first..count.min(first + AT_ONCE))
            .map(|number| (address(number).0, address(number ^ 1).0))
            .collect();
        let effects = ends.iter().map(|(from, to)| {
            Effect::Install(Decision {
                key: Key {
                    ingress: from,
                    source: from,
                    connection: 1,
                    metadata: to,
                    egress: &[],
                    service: 16,
                },
                action: Action::Forward(vec![Hop {
                    to,
                    metadata: None,
                    connection: None,
                    source: None,
                }]),
                ttl_s: 3_600.0,
                tag: b"bench",
                stages: StageList::none(),
            })
        });
        let answers = vec![answered(effects.collect())];
        bytes.clear();
        EffectBatch {
            sequence: 0,
            epoch: u64::MAX,
            answers,
        }
        .encode(&mut bytes);
        node.put_effects(NOW_NS, 16, &bytes).unwrap();
    }
    assert_eq!(node.statistics().decisions, count);
}

fn address(number: usize) -> Address {
    let mut bytes = [0xfd; 16];
    bytes[8..].copy_from_slice(&(number as u64).to_le_bytes());
    Address(bytes)
}

fn endpoint(number: usize) -> SocketAddr {
    let [_, high, middle, low] = (number as u32).to_be_bytes();
    SocketAddr::from(([10, high, middle, low], 3_535))
}

fn cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
