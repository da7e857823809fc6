//! Nodes with two threads: nothing shared but the messages between them.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing
)]

mod world;

use std::net::SocketAddr;

use ei_datapath::codec::{
    Action, Answer, Effect, EffectBatch, Event, Hop, Outcome, Packet, Stage, StageList,
};
use ei_datapath::counters::Fate;
use ei_datapath::forward::{Datapath, DatapathConfig, Notice, ServiceConfig};
use ei_datapath::handshake::public_key;
use ei_datapath::pipes::PeerKind;
use ei_datapath::wire::{Address, DatagramType};
use world::{MILLISECOND_NS, SECOND_NS, Service, address, answered, install, nothing, send};

/// A node of two threads, as the shell of a real one would run it.
struct Node {
    lanes: [Datapath; 2],
    address: Address,
    endpoint: SocketAddr,
    key: [u8; 32],
}

impl Node {
    fn new(number: usize) -> Self {
        let mut key = [3; 32];
        key[8] = number as u8;
        let lane = |lane| {
            let mut config = DatapathConfig::new(PeerKind::Node, address(number), key);
            config.seed = Some([number as u8 * 2 + lane; 32]);
            config.lanes = 2;
            config.lane = lane;
            let mut datapath = Datapath::new(config);
            datapath.add_service(ServiceConfig::new(16));
            datapath
        };
        let endpoint = SocketAddr::from(([127, 2, 0, number as u8 + 1], 3535));
        Self {
            lanes: [lane(0), lane(1)],
            address: address(number),
            endpoint,
            key,
        }
    }

    fn know(&mut self, other: &Node) {
        for lane in &mut self.lanes {
            let key = public_key(&other.key);
            lane.add_peer(other.address, key, PeerKind::Node, Some(other.endpoint))
                .unwrap();
        }
    }

    /// Carry the messages of each thread to whom they are for.
    fn gossip(&mut self, now_ns: u64) {
        for from in 0..2 {
            while let Some(message) = self.lanes[from].take_lane_message() {
                if message.is_for_first() {
                    assert_ne!(from, 0, "lane 0 tells itself nothing");
                    self.lanes[0].apply_lane_message(now_ns, message);
                } else {
                    self.lanes[1 - from].apply_lane_message(now_ns, message);
                }
            }
        }
    }

    /// The thread that the kernel would give this datagram to.
    fn steered(&mut self, datagram: &[u8]) -> &mut Datapath {
        let is_data = DatagramType::of(datagram) == Ok(DatagramType::Data);
        let lane = if is_data {
            usize::from(datagram[4] & 0x0f) % 2
        } else {
            0
        };
        &mut self.lanes[lane]
    }
}

/// Let both nodes talk until they are silent.
fn settle(now_ns: &mut u64, one: &mut Node, other: &mut Node) {
    for _ in 0..50 {
        *now_ns += MILLISECOND_NS;
        for (from, to) in [(true, false), (false, true)] {
            let (from, to) = if (from, to) == (true, false) {
                (&mut *one, &mut *other)
            } else {
                (&mut *other, &mut *one)
            };
            from.gossip(*now_ns);
            for lane in 0..2 {
                let mut trains = Vec::new();
                while let Some(train) = from.lanes[lane].next_train() {
                    trains.push((train.bytes.to_vec(), train.segment_bytes));
                }
                for (mut bytes, segment) in trains {
                    for datagram in bytes.chunks_mut(segment) {
                        to.steered(datagram)
                            .handle(*now_ns, from.endpoint, datagram);
                    }
                }
            }
            to.gossip(*now_ns);
        }
    }
}

fn joined() -> (u64, Node, Node) {
    let (mut one, mut other) = (Node::new(0), Node::new(1));
    one.know(&other);
    other.know(&one);
    (SECOND_NS, one, other)
}

fn packet(payload: &[u8]) -> Packet<'_> {
    const SOURCE: [u8; 16] = [0xab; 16];
    Packet {
        service: 16,
        ingress: &SOURCE,
        source: &SOURCE,
        connection: 7,
        metadata: b"",
        payload,
        traffic_class: 0,
        hop_limit: 9,
        protection: 1,
        is_covered: false,
        is_traced: false,
        egress: b"",
    }
}

/// A service of `node` sends a packet to `to` from the thread `lane`.
fn send_from(now_ns: u64, node: &mut Node, lane: usize, to: Address) {
    let effects = vec![send(&packet(b"data"), &to.0)]
        .into_iter()
        .chain([Effect::Count {
            name: "undeclared",
            amount: 1,
        }])
        .collect();
    let answers = vec![Answer {
        outcome: Outcome::None,
        reason: "",
        effects,
    }];
    let mut bytes = Vec::new();
    EffectBatch {
        sequence: 0,
        epoch: 0,
        answers,
    }
    .encode(&mut bytes);
    node.lanes[lane].put_effects(now_ns, 16, &bytes).unwrap();
}

/// Discards nothing, forwards nowhere it should not: back to the sender, and caches that.
struct Returns;

impl Service for Returns {
    fn answer<'a>(&mut self, event: &Event<'a>) -> Answer<'a> {
        let Event::PacketArrived(packet) = event else {
            return nothing();
        };
        let hop = Hop {
            to: packet.ingress,
            metadata: None,
            connection: None,
            source: None,
        };
        let _ = StageList::none();
        answered(vec![install(packet, Action::Forward(vec![hop]), 60.0)])
    }
}

fn work(now_ns: u64, lane: &mut Datapath) -> usize {
    let mut events = Vec::new();
    if lane.take_events(now_ns, 0.0, 16, &mut events) == 0 {
        return 0;
    }
    let effects = world::answer(&mut Returns, &events);
    lane.put_effects(now_ns, 16, &effects).unwrap();
    1
}

#[test]
fn a_thread_that_wants_a_pipe_gets_it_from_the_first() {
    let (mut now_ns, mut one, mut other) = joined();

    send_from(now_ns, &mut one, 1, other.address);
    settle(&mut now_ns, &mut one, &mut other);

    let sent = one.lanes[1].statistics().counters;
    assert_eq!((sent.sent, sent.copies_waiting), (1, 0));
    let arrived = other.lanes[1].statistics().counters;
    assert_eq!(
        (arrived.missed, arrived.waiting),
        (1, 1),
        "lane 1 seals for lane 1"
    );
    for lane in one.lanes.iter().chain(&other.lanes) {
        assert!(lane.statistics().counters.is_balanced());
    }
    let up = Notice::PeerUp {
        peer: other.address,
    };
    assert_eq!(
        one.lanes[0].take_notice(),
        Some(up),
        "the first tells the node, once"
    );
    assert_eq!(one.lanes[1].take_notice(), None);
}

#[test]
fn a_tag_revoked_on_one_thread_is_revoked_on_all() {
    let (mut now_ns, mut one, mut other) = joined();
    let mut missed = |one: &mut Node, other: &mut Node| {
        send_from(now_ns, one, 1, other.address);
        settle(&mut now_ns, one, other);
        while work(now_ns, &mut other.lanes[1]) > 0 {}
        other.lanes[1].statistics().counters.missed
    };
    assert_eq!(missed(&mut one, &mut other), 1);
    assert_eq!(missed(&mut one, &mut other), 1, "decided");

    let answers = vec![Answer {
        effects: vec![Effect::Revoke { tag: b"tag" }],
        ..nothing()
    }];
    let mut bytes = Vec::new();
    EffectBatch {
        sequence: 0,
        epoch: 0,
        answers,
    }
    .encode(&mut bytes);
    other.lanes[0].put_effects(SECOND_NS, 16, &bytes).unwrap();
    other.gossip(SECOND_NS);

    assert_eq!(missed(&mut one, &mut other), 2);
}

#[test]
fn only_the_first_thread_starts_the_service_and_tells_of_peers() {
    let (mut now_ns, mut one, mut other) = joined();
    send_from(now_ns, &mut one, 0, other.address);
    settle(&mut now_ns, &mut one, &mut other);

    assert_eq!(one.lanes[0].services_with_events(), [16]);
    assert!(one.lanes[1].services_with_events().is_empty());
}

#[test]
fn a_close_by_the_first_thread_overtakes_the_data_of_another_and_loses_none() {
    let (mut now_ns, mut one, mut other) = joined();
    send_from(now_ns, &mut one, 1, other.address);
    settle(&mut now_ns, &mut one, &mut other);
    send_from(now_ns, &mut one, 1, other.address);
    let mut under_way = one.lanes[1].next_train().unwrap().bytes.to_vec();

    one.lanes[0].close_peer(now_ns, &other.address);
    settle(&mut now_ns, &mut one, &mut other);
    let fate = other
        .steered(&under_way.clone())
        .handle(now_ns, one.endpoint, &mut under_way);

    assert_eq!(fate, Fate::Missed);
    let down = Notice::PeerDown { peer: one.address };
    let told = std::iter::from_fn(|| other.lanes[0].take_notice()).last();
    assert_eq!(told, Some(down));
    for (node, peer) in [(&one, &other), (&other, &one)] {
        for lane in &node.lanes {
            let seen = lane.statistics().peers;
            assert!(
                seen.iter()
                    .all(|seen| seen.address == peer.address && !seen.is_up)
            );
        }
    }
}

#[test]
fn no_thread_seals_under_a_key_whose_pipe_another_closed() {
    let (mut now_ns, mut one, mut other) = joined();
    send_from(now_ns, &mut one, 1, other.address);
    settle(&mut now_ns, &mut one, &mut other);
    one.lanes[0].close_peer(now_ns, &other.address);
    one.gossip(now_ns);

    send_from(now_ns, &mut one, 1, other.address);

    assert!(one.lanes[1].next_train().is_none());
    settle(&mut now_ns, &mut one, &mut other);
    now_ns += SECOND_NS;
    one.lanes[0].poll(now_ns);
    settle(&mut now_ns, &mut one, &mut other);
    assert_eq!(
        one.lanes[1].statistics().counters.sent,
        2,
        "by a pipe of its own"
    );
}

#[test]
fn a_dictionary_kept_by_one_thread_is_there_for_all() {
    let (now_ns, mut one, _) = joined();
    let samples: Vec<_> = (0..1_000)
        .map(|number| format!(r#"{{"meter":{number},"celsius":{}.5}}"#, number % 40))
        .collect();
    let sizes: Vec<_> = samples.iter().map(String::len).collect();
    let mut dictionary = vec![0; 2_048];
    let joined = samples.concat();
    let length =
        zstd::zstd_safe::train_from_buffer(&mut dictionary[..], joined.as_bytes(), &sizes).unwrap();
    dictionary.truncate(length);
    let put = |lane: &mut Datapath, effect: Effect<'_>| {
        let answers = vec![Answer {
            effects: vec![effect],
            ..nothing()
        }];
        let mut bytes = Vec::new();
        EffectBatch {
            sequence: 0,
            epoch: 0,
            answers,
        }
        .encode(&mut bytes);
        lane.put_effects(now_ns, 16, &bytes).unwrap();
        lane.statistics().counters.effects_refused
    };
    let compress = Stage::Compress {
        object: b"tenant",
        dictionary: 1,
        ratio: 100,
    };
    let mut bytes = Vec::new();
    let stages = StageList::new(vec![compress], &mut bytes);
    let data = packet(b"data");
    let uses = || {
        let Effect::Install(mut decision) = install(&data, Action::Pass, 60.0) else {
            panic!("not an install");
        };
        decision.stages = stages.clone();
        Effect::Install(decision)
    };
    assert_eq!(put(&mut one.lanes[1], uses()), 1, "there is none yet");

    let keep = Effect::KeepDictionary {
        object: b"tenant",
        dictionary: &dictionary,
    };
    assert_eq!(put(&mut one.lanes[0], keep), 0);
    one.gossip(now_ns);

    assert_eq!(put(&mut one.lanes[1], uses()), 1, "no more are refused");
}
