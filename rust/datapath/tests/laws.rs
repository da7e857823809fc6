//! The laws that are the datapath's own: 4 (install before send), 5 (decisions are soft state), 6 (every
//! packet has exactly one fate) and 7 (bounded, and shared fairly).

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing
)]

mod world;

use ei_datapath::codec::{
    Action, Answer, Decision, Effect, EffectBatch, Event, Hop, Outcome, Packet, Stage, StageList,
};
use ei_datapath::counters::Reason;
use ei_datapath::forward::ServiceConfig;
use ei_datapath::pipes::PeerKind;
use world::*;

/// A repeatable stream of numbers.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

// -- law 4 ----------------------------------------------------------------------------------------

#[test]
fn when_a_packet_leaves_its_decision_is_installed_whatever_the_order_of_the_effects() {
    struct SendsFirst;
    impl Service for SendsFirst {
        fn answer<'a>(&mut self, event: &Event<'a>) -> Answer<'a> {
            let Event::PacketArrived(packet) = event else {
                return nothing();
            };
            let hop = Hop {
                to: packet.metadata,
                metadata: None,
                connection: None,
                source: None,
            };
            answered(vec![
                send(packet, packet.metadata),
                install(packet, Action::Forward(vec![hop]), 60.0),
            ])
        }
    }
    let mut world = World::new();
    let (source, node) = (world.host(), world.node());
    let destination = world.host();
    world.serve(node, ServiceConfig::new(16), SendsFirst);
    world.join(source, node);
    world.join(destination, node);
    let packet = world.packet(node, 7, destination);
    world.send(source, &packet).unwrap();
    world.flush();
    world.deliver();
    world.work();

    // The answer has not left the node yet, and the next packet is there.
    world.send(source, &packet).unwrap();
    let now_ns = world.now_ns;
    let from = world.ends[source].endpoint;
    let mut bytes = world.ends[source]
        .datapath
        .next_train()
        .unwrap()
        .bytes
        .to_vec();
    let fate = world.ends[node].datapath.handle(now_ns, from, &mut bytes);

    assert_eq!(fate, ei_datapath::counters::Fate::Forwarded);
    world.settle();
    assert_eq!(world.received(destination).len(), 2);
}

// -- law 5 ----------------------------------------------------------------------------------------

/// A function of the packet alone: forwards to one or several hosts, meters, tallies, discards.
struct Pure;

fn hosts_of(connection: u64) -> Vec<usize> {
    match connection % 4 {
        0 => vec![2],
        1 => vec![3],
        2 => vec![2, 3],
        _ => vec![2, 3, 4],
    }
}

impl Service for Pure {
    fn answer<'a>(&mut self, event: &Event<'a>) -> Answer<'a> {
        let Event::PacketArrived(packet) = event else {
            return nothing();
        };
        let mut stages = vec![
            Stage::Tally { object: b"all" },
            Stage::Keep {
                object: b"last",
                packets: 8,
                bytes: 2_000,
            },
        ];
        if packet.connection % 3 == 0 {
            stages.push(Stage::Meter {
                object: b"third",
                rate_bytes_per_s: 5_000,
                burst_bytes: 700,
            });
        }
        let bytes: &'a mut Vec<u8> = Box::leak(Box::default());
        let stages = StageList::new(stages, bytes);
        if packet.connection % 7 == 6 {
            let action = Action::Discard("unwanted");
            let mut decision = decision_of(packet, action);
            decision.stages = stages;
            return Answer {
                outcome: Outcome::Dropped,
                reason: "unwanted",
                effects: vec![Effect::Install(decision)],
            };
        }
        let to: Vec<&'a [u8]> = hosts_of(packet.connection)
            .iter()
            .map(|host| leaked(address(*host).0))
            .collect();
        let hop = |to: &&'a [u8]| Hop {
            to,
            metadata: None,
            connection: None,
            source: None,
        };
        let mut decision = decision_of(packet, Action::Forward(to.iter().map(hop).collect()));
        decision.stages = stages.clone();
        let mut effects = vec![Effect::Install(decision)];
        let send = |to: &&'a [u8]| Effect::Send {
            packet: *packet,
            to,
            stages: stages.clone(),
        };
        effects.extend(to.iter().map(send));
        answered(effects)
    }
}

/// Interposed or guarding: passes all but some, and says so once and for all.
struct Gate {
    refuses: fn(&Packet<'_>) -> bool,
}

impl Service for Gate {
    fn answer<'a>(&mut self, event: &Event<'a>) -> Answer<'a> {
        let Event::PacketArrived(packet) = event else {
            return nothing();
        };
        if (self.refuses)(packet) {
            let decision = decision_of(packet, Action::Discard("unwanted"));
            return Answer {
                outcome: Outcome::Dropped,
                reason: "unwanted",
                effects: vec![Effect::Install(decision)],
            };
        }
        let stages = StageList::none();
        Answer {
            outcome: Outcome::Passed,
            reason: "",
            effects: vec![
                Effect::Install(decision_of(packet, Action::Pass)),
                Effect::Pass {
                    packet: *packet,
                    stages,
                },
            ],
        }
    }
}

fn decision_of<'a>(packet: &Packet<'a>, action: Action<'a>) -> Decision<'a> {
    let key = key_of(packet);
    Decision {
        key,
        action,
        ttl_s: 2.0,
        tag: b"tag",
        stages: StageList::none(),
    }
}

fn leaked<'a>(address: [u8; 16]) -> &'a [u8] {
    Vec::leak(address.to_vec())
}

fn with_words(number: u32) -> ServiceConfig {
    ServiceConfig {
        drop_reasons: vec!["unwanted".to_owned()],
        ..ServiceConfig::new(number)
    }
}

/// What each host gets when the same packets go through a node with this much cache.
fn deliveries(cache_entries: usize, has_chain: bool) -> Vec<Vec<(u64, Vec<u8>)>> {
    let mut world = World::new();
    let source = world.host();
    let node = world.add(PeerKind::Node, |config| {
        config.cache_entries = cache_entries
    });
    let destinations: Vec<_> = (0..3).map(|_| world.host()).collect();
    world.serve(node, with_words(16), Pure);
    world.serve(
        node,
        with_words(20),
        Gate {
            refuses: |packet| packet.connection % 11 == 10,
        },
    );
    world.serve(
        node,
        with_words(30),
        Gate {
            refuses: |packet| packet.connection % 5 == 4,
        },
    );
    if has_chain {
        world.ends[node].datapath.set_chain(16, &[20, 16]).unwrap();
        world.ends[node]
            .datapath
            .set_guards(address(3), &[30])
            .unwrap();
    }
    world.join(source, node);
    for destination in &destinations {
        world.join(*destination, node);
    }
    let mut dice = Dice(5);
    for number in 0..600u64 {
        let mut packet = world.packet(node, dice.roll(20), source);
        packet.payload = number.to_le_bytes().to_vec();
        packet.payload.resize(8 + dice.roll(200) as usize, 1);
        world.send(source, &packet).unwrap();
        world.settle();
        world.now_ns += dice.roll(20) * MILLISECOND_NS;
        world.assert_balanced();
    }
    let counters = world.counters(node);
    if cache_entries == 0 || cache_entries > 100 {
        assert_eq!(counters.forwarded > 300, cache_entries > 0, "{counters:?}");
    }
    destinations
        .iter()
        .map(|host| world.received(*host))
        .collect()
}

#[test]
fn a_cache_of_any_size_changes_no_delivery() {
    for has_chain in [false, true] {
        let none = deliveries(0, has_chain);

        assert!(none.iter().all(|host| host.len() > 50));
        for cache_entries in [1, 3, 8, 10_000] {
            assert_eq!(
                deliveries(cache_entries, has_chain),
                none,
                "{cache_entries} entries"
            );
        }
    }
}

// -- law 6 ----------------------------------------------------------------------------------------

/// Answers anything: right, wrong, refused, held, undeclared.
struct Playful {
    dice: Dice,
    hosts: usize,
}

impl Service for Playful {
    fn answer<'a>(&mut self, event: &Event<'a>) -> Answer<'a> {
        let Event::PacketArrived(packet) = event else {
            return Answer {
                effects: self.nonsense(None),
                ..nothing()
            };
        };
        let reason = [
            "service_error",
            "unwanted",
            "undeclared",
            "hold_timeout",
            "",
        ][self.dice.roll(5) as usize];
        let outcome = match self.dice.roll(8) {
            0 => Outcome::Held,
            1 => Outcome::Dropped,
            2 => Outcome::None,
            3 => Outcome::Passed,
            _ => Outcome::Answered,
        };
        let mut effects = self.nonsense(Some(*packet));
        for _ in 0..self.dice.roll(4) {
            let to = leaked(address(self.dice.roll(self.hosts as u64 + 2) as usize).0);
            effects.push(send(packet, to));
            let hop = Hop {
                to,
                metadata: None,
                connection: Some(3),
                source: Some(to),
            };
            let action = match self.dice.roll(3) {
                0 => Action::Pass,
                1 => Action::Discard("unwanted"),
                _ => Action::Forward(vec![hop]),
            };
            if self.dice.roll(3) == 0 {
                effects.push(install(packet, action, 1.0));
            }
        }
        Answer {
            outcome,
            reason,
            effects,
        }
    }
}

impl Playful {
    /// Effects that are refused, or do little.
    fn nonsense<'a>(&mut self, packet: Option<Packet<'a>>) -> Vec<Effect<'a>> {
        const LONG: &[u8] = &[0; 300];
        let stages = StageList::none();
        let mut effects = vec![
            Effect::Revoke { tag: LONG },
            Effect::Count {
                name: "undeclared",
                amount: 1,
            },
            Effect::Count {
                name: "seen",
                amount: u64::MAX,
            },
            Effect::ReadTally { object: b"" },
            Effect::SendKept {
                object: b"last",
                names: vec![b"short"],
                to: LONG,
                metadata: b"",
            },
            Effect::SendControl {
                message: b"x",
                to: b"nobody",
            },
            Effect::Resolve { query: &[0; 2_000] },
        ];
        if let Some(packet) = packet {
            let wrong = [
                Packet {
                    metadata: LONG,
                    ..packet
                },
                Packet {
                    protection: 4,
                    ..packet
                },
                Packet {
                    protection: 0,
                    is_covered: false,
                    ..packet
                },
                Packet {
                    source: b"short",
                    ..packet
                },
                Packet {
                    service: u64::MAX,
                    ..packet
                },
                Packet {
                    hop_limit: 256,
                    ..packet
                },
                Packet {
                    egress: b"half",
                    ..packet
                },
            ];
            let to = leaked(address(0).0);
            for packet in wrong {
                effects.push(Effect::Send {
                    packet,
                    to,
                    stages: stages.clone(),
                });
                effects.push(Effect::Pass {
                    packet,
                    stages: stages.clone(),
                });
            }
            effects.push(Effect::Send {
                packet,
                to: b"nobody",
                stages: stages.clone(),
            });
            effects.push(Effect::Pass { packet, stages });
            for ttl_s in [0.0, -1.0, f64::NAN, f64::INFINITY, 3_601.0] {
                effects.push(install(&packet, Action::Pass, ttl_s));
            }
            effects.push(install(&packet, Action::Forward(vec![]), 1.0));
            effects.push(install(&packet, Action::Discard("undeclared"), 1.0));
            let nowhere = Hop {
                to: b"nobody",
                metadata: None,
                connection: None,
                source: None,
            };
            effects.push(install(&packet, Action::Forward(vec![nowhere]), 1.0));
        }
        let wanted = self.dice.roll(effects.len() as u64) as usize;
        effects.split_off(effects.len() - wanted)
    }
}

/// A batch that comes by itself: releases what may be held, and more.
fn released(dice: &mut Dice) -> Vec<u8> {
    let outcomes = [
        Outcome::Answered,
        Outcome::Dropped,
        Outcome::Passed,
        Outcome::Held,
        Outcome::None,
    ];
    let answers = (0..dice.roll(4))
        .map(|_| Answer {
            outcome: outcomes[dice.roll(5) as usize],
            reason: "hold_timeout",
            effects: Vec::new(),
        })
        .collect();
    let mut bytes = Vec::new();
    EffectBatch {
        sequence: 0,
        epoch: 0,
        answers,
    }
    .encode(&mut bytes);
    bytes
}

fn playful_world(seed: u64) -> World {
    let mut world = World::new();
    let hosts: Vec<_> = (0..4).map(|_| world.host()).collect();
    let nodes: Vec<_> = (0..2).map(|_| world.node()).collect();
    for (place, node) in nodes.iter().enumerate() {
        for number in [16, 20, 30] {
            let config = ServiceConfig {
                queue_packets: 8,
                counters: vec!["seen".to_owned()],
                ..with_words(number)
            };
            let dice = Dice(seed * 100 + number as u64 + place as u64);
            world.serve(*node, config, Playful { dice, hosts: 6 });
        }
        world.ends[*node].datapath.set_chain(16, &[20, 16]).unwrap();
        world.ends[*node]
            .datapath
            .set_guards(address(1), &[30])
            .unwrap();
    }
    for host in hosts {
        world.join(host, nodes[host % 2]);
    }
    world.join(nodes[0], nodes[1]);
    world
}

/// Packets, bursts, faults and nonsense; the books are looked at after each.
fn live_through(seed: u64) -> World {
    let mut world = playful_world(seed);
    let mut dice = Dice(seed);
    for _ in 0..300 {
        let host = dice.roll(4) as usize;
        let node = 4 + host % 2;
        let now_ns = world.now_ns;
        match dice.roll(20) {
            0 => lose_worker(&mut world, node, 16),
            1 => {
                let batch = released(&mut dice);
                world.ends[node]
                    .datapath
                    .put_effects(now_ns, 16, &batch)
                    .unwrap();
            }
            2 => {
                let garbage: Vec<_> = (0..40).map(|_| dice.roll(256) as u8).collect();
                assert!(
                    world.ends[node]
                        .datapath
                        .put_effects(now_ns, 16, &garbage)
                        .is_err()
                );
            }
            3 => {
                let peer = world.ends[dice.roll(4) as usize].address;
                world.ends[node].datapath.remove_peer(now_ns, &peer);
            }
            4 => world.acquaint(host, node),
            5 => {
                let endpoint = world.ends[dice.roll(6) as usize].endpoint;
                if !world.cut.remove(&endpoint) {
                    world.cut.insert(endpoint);
                }
            }
            6 => world.pass(dice.roll(2_000) * MILLISECOND_NS),
            7 => {
                let mut noise: Vec<_> = (0..dice.roll(100)).map(|_| dice.roll(256) as u8).collect();
                let from = world.ends[host].endpoint;
                world.ends[node].datapath.handle(now_ns, from, &mut noise);
            }
            8 => {
                world.ends[node].stopped.insert(16);
            }
            9 => world.ends[node].stopped.clear(),
            _ => {
                for _ in 0..dice.roll(30) {
                    let destination = dice.roll(4) as usize;
                    let mut packet = world.packet(node, dice.roll(5), destination);
                    packet.is_covered = dice.roll(2) == 0;
                    packet.is_traced = dice.roll(5) == 0;
                    // A host that was forgotten, or whose pipe is long gone, cannot send.
                    let _ = world.send(host, &packet);
                }
                world.flush();
                world.deliver();
            }
        }
        world.assert_balanced();
        world.work();
        world.assert_balanced();
    }
    world
}

#[test]
fn every_packet_has_exactly_one_fate_whatever_happens() {
    let (mut missed, mut refused) = (0, 0);
    for seed in 0..12 {
        let mut world = live_through(seed);
        world.ends.iter_mut().for_each(|end| end.stopped.clear());
        world.settle();

        world.assert_balanced();
        for node in [4, 5] {
            for service in [16, 20, 30] {
                lose_worker(&mut world, node, service);
            }
            world.ends[node].datapath.remove_service(16);
            world.ends[node].datapath.remove_service(20);
            world.ends[node].datapath.remove_service(30);
            world.assert_balanced();
            let counters = world.counters(node);
            let waiting = counters.waiting;
            assert_eq!(waiting, 0, "nothing waits for services that are gone");
            missed += counters.missed;
            refused += counters.effects_refused;
        }
    }
    assert!(
        missed > 1_000 && refused > 1_000,
        "{missed} missed, {refused} effects refused"
    );
}

#[test]
fn a_held_packet_waits_until_it_is_released_or_its_worker_dies() {
    struct Holds;
    impl Service for Holds {
        fn answer<'a>(&mut self, event: &Event<'a>) -> Answer<'a> {
            match event {
                Event::PacketArrived(_) => Answer {
                    outcome: Outcome::Held,
                    ..nothing()
                },
                _ => nothing(),
            }
        }
    }
    let mut world = World::new();
    let (source, node) = (world.host(), world.node());
    world.serve(node, ServiceConfig::new(16), Holds);
    world.join(source, node);
    let packet = world.packet(node, 7, source);
    for _ in 0..3 {
        world.send(source, &packet).unwrap();
    }
    world.settle();
    assert_eq!(world.counters(node).waiting, 3);

    let answers = vec![Answer {
        outcome: Outcome::Answered,
        reason: "",
        effects: vec![],
    }];
    let mut bytes = Vec::new();
    EffectBatch {
        sequence: 0,
        epoch: 0,
        answers,
    }
    .encode(&mut bytes);
    world.ends[node]
        .datapath
        .put_effects(world.now_ns, 16, &bytes)
        .unwrap();
    assert_eq!(world.counters(node).waiting, 2);
    lose_worker(&mut world, node, 16);

    let counters = world.counters(node);
    assert_eq!((counters.waiting, counters.answered), (0, 1));
    assert_eq!(counters.missed_dropped[Reason::WorkerLost as usize], 2);
    world.assert_balanced();
}

// -- law 7 ----------------------------------------------------------------------------------------

#[test]
fn a_flood_of_misses_does_not_push_out_another_source() {
    let mut world = World::new();
    let (flooder, victim, node) = (world.host(), world.host(), world.node());
    let config = ServiceConfig {
        queue_packets: 64,
        ..ServiceConfig::new(16)
    };
    world.serve(node, config, Delivery::new());
    world.join(flooder, node);
    world.join(victim, node);
    world.ends[node].stopped.insert(16);

    for number in 0..500 {
        let packet = world.packet(node, number, flooder);
        world.send(flooder, &packet).unwrap();
        if number % 50 == 49 {
            let packet = world.packet(node, number, victim);
            world.send(victim, &packet).unwrap();
        }
    }
    world.flush();
    world.deliver();
    world.ends[node].stopped.clear();
    world.settle();

    assert_eq!(
        world.received(victim).len(),
        10,
        "all of the victim's packets were answered"
    );
    assert_eq!(world.received(flooder).len(), 54);
    world.assert_balanced();
}
