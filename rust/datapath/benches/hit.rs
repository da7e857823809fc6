//! Nanoseconds per packet of the whole walk of a hit: `Datapath::handle` on trains of 64 packets, then
//! `next_train` until there is none. No socket, no kernel.
//!
//! `cargo bench -p ei-datapath --bench hit`. Each row is CPU time, the median of 9 runs with smallest
//! and largest beside it; `crypto` is the same run's `Pipes::open` and `seal` of the same packets alone,
//! the least that any hop costs. What the sender does is outside the clock. `hit profile RUNS` runs the
//! first row alone, for a profiler.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing
)]

#[path = "../tests/world/mod.rs"]
mod world;

use std::hint::black_box;

use ei_datapath::codec::{Action, Decision, Effect, EffectBatch, Hop, Key, StageList};
use ei_datapath::forward::{OutgoingPacket, ServiceConfig};
use ei_datapath::pipes::{PeerIndex, PeerKind, Pipes, PipesConfig};
use ei_datapath::wire::{Address, DatagramType, Header, Protection};
use rustix::time::{ClockId, clock_gettime};
use world::{Delivery, World, answered};

const RUNS: usize = 9;
const TRAIN: usize = 64;

fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "profile") {
        let runs = arguments.get(at + 1).and_then(|runs| runs.parse().ok());
        hits(&Setting {
            runs: runs.unwrap_or(40),
            trains: 100,
            ..Setting::default()
        });
        return;
    }
    println!(
        "{:<46}{:>8}{:>8}{:>8}{:>8}  ns per copy",
        "", "median", "min", "max", "crypto"
    );
    for (payload_bytes, is_covered) in [(432, false), (1_320, false), (432, true), (1_320, true)] {
        hits(&Setting {
            payload_bytes,
            is_covered,
            ..Setting::default()
        });
    }
    for decisions in [1_000, 64_000, 1_000_000] {
        hits(&Setting {
            decisions,
            ..Setting::default()
        });
    }
    for hops in [8, 64] {
        hits(&Setting {
            hops,
            trains: 50,
            ..Setting::default()
        });
    }
}

struct Setting {
    payload_bytes: usize,
    is_covered: bool,
    decisions: usize,
    hops: usize,
    trains: usize,
    runs: usize,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            payload_bytes: 432,
            is_covered: false,
            decisions: 1,
            hops: 1,
            trains: 2_000,
            runs: RUNS,
        }
    }
}

/// Send packets of random connections through a node that has decided all of them.
fn hits(setting: &Setting) {
    let mut world = World::new();
    let source = world.host();
    let node = world.add(ei_datapath::pipes::PeerKind::Node, |config| {
        config.cache_entries = setting.decisions.max(1_024);
        config.reserves_memory = true;
    });
    world.serve(node, ServiceConfig::new(16), Delivery::new());
    world.join(source, node);
    let destinations: Vec<_> = (0..setting.hops).map(|_| world.host()).collect();
    for destination in &destinations {
        world.join(*destination, node);
    }
    decide_all(&mut world, node, &destinations, setting);

    let mut random = 1u64;
    let (mut per_copy_ns, mut crypto_ns) = (Vec::new(), Vec::new());
    let mut crypto = Crypto::new();
    let before = world.counters(node);
    for _ in 0..setting.runs {
        let mut spent_ns = 0;
        for _ in 0..setting.trains {
            let mut train = sealed_train(&mut world, source, node, setting, &mut random);
            let now_ns = world.now_ns;
            let from = world.ends[source].endpoint;
            let datapath = &mut world.ends[node].datapath;
            let segment = train.len() / TRAIN;
            let began_ns = cpu_ns();
            datapath.handle_train(now_ns, from, &mut train, segment, None);
            while let Some(train) = datapath.next_train() {
                black_box(train.bytes);
            }
            spent_ns += cpu_ns() - began_ns;
        }
        let copies = (setting.trains * TRAIN * setting.hops) as f64;
        per_copy_ns.push(spent_ns as f64 / copies);
        crypto_ns.push(crypto.run(setting));
    }
    let after = world.counters(node);
    let packets = (setting.runs * setting.trains * TRAIN) as u64;
    assert_eq!(
        after.forwarded - before.forwarded,
        packets,
        "every packet was a hit"
    );
    report(setting, per_copy_ns, crypto_ns);
}

fn sealed_train(
    world: &mut World,
    source: usize,
    node: usize,
    setting: &Setting,
    random: &mut u64,
) -> Vec<u8> {
    let now_ns = world.now_ns;
    let peer = world.ends[node].address;
    let payload = vec![0x5a; setting.payload_bytes];
    let host = &mut world.ends[source].datapath;
    for _ in 0..TRAIN {
        *random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let packet = OutgoingPacket {
            peer,
            service: 16,
            connection: (*random >> 33) % setting.decisions as u64,
            metadata: &[7; 16],
            payload: &payload,
            protection: Protection::Datagrams,
            is_covered: setting.is_covered,
            class: 0,
            is_traced: false,
        };
        host.send(now_ns, &packet).unwrap();
    }
    let mut train = Vec::new();
    while let Some(next) = host.next_train() {
        train.extend_from_slice(next.bytes);
    }
    train
}

/// Install a decision for every connection, 64 at a time, as a worker would.
fn decide_all(world: &mut World, node: usize, destinations: &[usize], setting: &Setting) {
    let now_ns = world.now_ns;
    let source = world.ends[0].address.0;
    let addresses: Vec<_> = destinations
        .iter()
        .map(|one| world.ends[*one].address.0)
        .collect();
    let hop = |to| Hop {
        to,
        metadata: None,
        connection: None,
        source: None,
    };
    let hops: Vec<_> = addresses.iter().map(|to| hop(to.as_slice())).collect();
    let metadata = [7; 16];
    let install = |connection| {
        Effect::Install(Decision {
            key: Key {
                ingress: &source,
                source: &source,
                connection,
                metadata: &metadata,
                egress: &[],
                service: 16,
            },
            action: Action::Forward(hops.clone()),
            ttl_s: 3_600.0,
            tag: b"bench",
            stages: StageList::none(),
        })
    };
    let mut bytes = Vec::new();
    for first in (0..setting.decisions as u64).step_by(TRAIN) {
        let last = (first + TRAIN as u64).min(setting.decisions as u64);
        let answers = vec![answered((first..last).map(install).collect())];
        bytes.clear();
        EffectBatch {
            sequence: 0,
            epoch: u64::MAX,
            answers,
        }
        .encode(&mut bytes);
        world.ends[node]
            .datapath
            .put_effects(now_ns, 16, &bytes)
            .unwrap();
    }
    let statistics = world.ends[node].datapath.statistics();
    assert_eq!(statistics.decisions, setting.decisions);
}

/// Two pipes, without anything between them.
struct Crypto {
    sender: Pipes,
    node: Pipes,
}

impl Crypto {
    fn new() -> Self {
        let pipes = |number: u8, kind| {
            let mut key = [number; 32];
            key[9] = 77;
            let config = PipesConfig::new(key, Address([number; 16]), kind);
            (Pipes::new(config), ei_datapath::handshake::public_key(&key))
        };
        let (mut sender, sender_key) = pipes(1, PeerKind::Host);
        let (mut node, node_key) = pipes(2, PeerKind::Node);
        let endpoint = |port| Some(std::net::SocketAddr::from(([127, 0, 0, 1], port)));
        sender
            .add_peer(Address([2; 16]), node_key, PeerKind::Node, endpoint(2))
            .unwrap();
        node.add_peer(Address([1; 16]), sender_key, PeerKind::Host, endpoint(1))
            .unwrap();
        sender.dial(1, PeerIndex(0));
        for _ in 0..4 {
            exchange(&mut sender, &mut node, 1);
            exchange(&mut node, &mut sender, 2);
        }
        assert!(sender.is_up(PeerIndex(0)) && node.is_up(PeerIndex(0)));
        Self { sender, node }
    }

    /// CPU nanoseconds per copy of opening each packet once and sealing it for each hop.
    fn run(&mut self, setting: &Setting) -> f64 {
        let (payload, covered) = (vec![0x5a; setting.payload_bytes], setting.is_covered);
        let (received, sent) = (vec![0x10; 36], [0x10; 52]);
        let mut received_header = received;
        let mut header = Header {
            hop_limit: 9,
            class: 0,
            service: 16,
            connection: 7,
            payload_bytes: setting.payload_bytes as u16,
            protection: Protection::Datagrams,
            source: None,
            metadata: &[7; 16],
            is_traced: false,
        };
        header.emit(&mut received_header).unwrap();
        header.source = Some(Address([1; 16]));
        let mut sent_header = sent;
        header.emit(&mut sent_header).unwrap();
        let bytes = Pipes::sealed_bytes(36, payload.len(), covered);
        let mut train = vec![0; bytes * TRAIN];
        let mut out = vec![0; Pipes::sealed_bytes(52, payload.len(), covered)];
        let mut spent_ns = 0;
        for _ in 0..setting.trains {
            for place in train.chunks_exact_mut(bytes) {
                let sealed =
                    self.sender
                        .seal(1, PeerIndex(0), &received_header, &payload, covered, place);
                assert_eq!(sealed, Ok(bytes));
            }
            let from = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
            let began_ns = cpu_ns();
            for datagram in train.chunks_exact_mut(bytes) {
                let opened = self.node.open(1, from, datagram).unwrap();
                let payload = &datagram[opened.payload];
                for _ in 0..setting.hops {
                    let peer = PeerIndex(0);
                    black_box(
                        self.node
                            .seal(1, peer, &sent_header, payload, covered, &mut out),
                    )
                    .unwrap();
                }
            }
            spent_ns += cpu_ns() - began_ns;
        }
        spent_ns as f64 / (setting.trains * TRAIN * setting.hops) as f64
    }
}

/// Carry what waits from one to the other, which sees it come from `port`.
fn exchange(from: &mut Pipes, to: &mut Pipes, port: u16) {
    let endpoint = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    while let Some((_, mut datagram)) = from.take_outgoing() {
        if DatagramType::of(&datagram) == Ok(DatagramType::Data) {
            let opened = to.open(1, endpoint, &mut datagram).unwrap();
            let header = Header::parse(&datagram[opened.header.clone()]).unwrap();
            to.handle_control(1, &opened, &header, &datagram[opened.payload.clone()]);
        } else {
            to.handle_handshake(1, endpoint, &mut datagram);
        }
    }
}

fn cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

fn report(setting: &Setting, mut ns: Vec<f64>, mut crypto_ns: Vec<f64>) {
    ns.sort_by(f64::total_cmp);
    crypto_ns.sort_by(f64::total_cmp);
    let what = format!(
        "{} B payload{}, {} decision(s), {} hop(s)",
        setting.payload_bytes,
        if setting.is_covered { " covered" } else { "" },
        setting.decisions,
        setting.hops,
    );
    let (median, crypto) = (ns[ns.len() / 2], crypto_ns[crypto_ns.len() / 2]);
    println!(
        "{what:<46}{median:>8.1}{:>8.1}{:>8.1}{crypto:>8.1}",
        ns[0],
        ns[ns.len() - 1]
    );
}
