//! Payloads that are compressed between two nodes: host 0 — node 1 — node 2 — host 3.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing
)]

mod world;

use ei_datapath::codec::{Action, Answer, Decision, Effect, Event, Outcome, Stage, StageList};
use ei_datapath::counters::Reason;
use ei_datapath::forward::{Fail, ServiceConfig};
use ei_datapath::wire::Protection;
use world::*;

const DELIVERY: u32 = 16;
const COMPRESSION: u32 = 37;
const NUMBER: u32 = 0x8001;
/// Prefix and seal of a pipe, the header with source and metadata.
const PLAIN_BYTES: u64 = 16 + 16 + 36 + 16;

fn reading(number: u32) -> Vec<u8> {
    format!(
        r#"{{"device":"meter-{number:05}","temperature":{number}.5,"battery_v":3.312,"ok":true}}"#
    )
    .into_bytes()
}

fn dictionary() -> Vec<u8> {
    let readings: Vec<_> = (0..1_000).map(reading).collect();
    let sizes: Vec<_> = readings.iter().map(Vec::len).collect();
    let mut bytes = vec![0; 4_096];
    let length =
        zstd::zstd_safe::train_from_buffer(&mut bytes[..], &readings.concat(), &sizes).unwrap();
    bytes.truncate(length);
    bytes[4..8].copy_from_slice(&NUMBER.to_le_bytes());
    bytes
}

/// Compresses before the pipe to a node, decompresses what a node sent.
struct Compression {
    dictionary: Option<Vec<u8>>,
    node: [u8; 16],
    caches: bool,
}

impl Service for Compression {
    fn answer<'a>(&mut self, event: &Event<'a>) -> Answer<'a> {
        let packet = match (event, &self.dictionary) {
            (Event::PacketArrived(packet), _) => packet,
            (Event::Started, Some(dictionary)) => {
                return Answer {
                    effects: vec![Effect::KeepDictionary {
                        object: b"tenant",
                        dictionary: Vec::leak(dictionary.clone()),
                    }],
                    ..nothing()
                };
            }
            _ => return nothing(),
        };
        let stages = if packet.egress == self.node {
            vec![Stage::Compress {
                object: b"tenant",
                dictionary: NUMBER,
                ratio: 100,
            }]
        } else if packet.ingress == self.node {
            vec![Stage::Decompress {
                object: b"tenant",
                ratio: 100,
                limit_bytes: 1_400,
            }]
        } else {
            Vec::new()
        };
        let stages = || StageList::new(stages.clone(), Box::leak(Box::default()));
        let decision = Decision {
            key: key_of(packet),
            action: Action::Pass,
            ttl_s: 60.0,
            tag: b"tag",
            stages: stages(),
        };
        let pass = Effect::Pass {
            packet: *packet,
            stages: stages(),
        };
        let effects = if self.caches {
            vec![Effect::Install(decision), pass]
        } else {
            vec![pass]
        };
        Answer {
            outcome: Outcome::Passed,
            reason: "",
            effects,
        }
    }
}

struct Setup {
    caches: bool,
    at_second: bool,
    dictionary_at_second: bool,
}

const ALL: Setup = Setup {
    caches: true,
    at_second: true,
    dictionary_at_second: true,
};

fn world_of(setup: &Setup) -> World {
    let mut world = World::new();
    let (source, first, second, destination) =
        (world.host(), world.node(), world.node(), world.host());
    world.serve(
        first,
        ServiceConfig::new(DELIVERY),
        Delivery::new().via(destination, second),
    );
    world.serve(second, ServiceConfig::new(DELIVERY), Delivery::new());
    for (node, other) in [(first, second), (second, first)] {
        if node == second && !setup.at_second {
            continue;
        }
        let has_dictionary = node == first || setup.dictionary_at_second;
        let service = Compression {
            dictionary: Some(dictionary()).filter(|_| has_dictionary),
            node: world.ends[other].address.0,
            caches: setup.caches,
        };
        let config = ServiceConfig {
            match_metadata: Some(0),
            fail: Fail::Bypass,
            ..ServiceConfig::new(COMPRESSION)
        };
        world.serve(node, config, service);
        let datapath = &mut world.ends[node].datapath;
        datapath
            .set_chain(DELIVERY, &[COMPRESSION, DELIVERY])
            .unwrap();
    }
    world.join(source, first);
    world.join(first, second);
    world.join(destination, second);
    let to = world.ends[second].address;
    world.ends[first]
        .datapath
        .set_guards(to, &[COMPRESSION])
        .unwrap();
    world.settle();
    world
}

fn covered(world: &World, connection: u64, payload: Vec<u8>) -> Outgoing {
    Outgoing {
        payload,
        protection: Protection::None,
        is_covered: true,
        ..world.packet(1, connection, 3)
    }
}

/// Send so many readings; returns the bytes that the first node sent for each.
fn send(world: &mut World, count: u32) -> u64 {
    let before = world.counters(1).sent_bytes;
    for number in 0..count {
        let packet = covered(world, 7, reading(number));
        world.send(0, &packet).unwrap();
        world.settle();
    }
    world.assert_balanced();
    (world.counters(1).sent_bytes - before) / u64::from(count)
}

fn expected(count: u32) -> Vec<(u64, Vec<u8>)> {
    (0..count).map(|number| (7, reading(number))).collect()
}

#[test]
fn a_payload_is_smaller_between_the_nodes_and_whole_at_the_host() {
    let mut world = world_of(&ALL);
    let bytes = send(&mut world, 20);

    assert_eq!(world.received(3), expected(20));
    let plain = PLAIN_BYTES + reading(0).len() as u64;
    assert!(bytes + 30 < plain, "{bytes} B of {plain} B a packet");
    assert!(
        world.ends[3]
            .received
            .iter()
            .all(|one| one.protection == Protection::None)
    );
    let found = [1, 2].map(|node| world.counters(node));
    // Two joins at the first node: what is not decided misses once at each service.
    assert!(
        found[0].forwarded >= 17 && found[1].forwarded >= 17,
        "{found:?}"
    );
}

#[test]
fn without_a_cache_the_deliveries_are_the_same() {
    let mut world = world_of(&Setup {
        caches: false,
        ..ALL
    });

    let bytes = send(&mut world, 5);

    assert_eq!(world.received(3), expected(5));
    assert!(bytes + 30 < PLAIN_BYTES + reading(0).len() as u64);
}

#[test]
fn what_no_service_decompresses_never_reaches_a_host() {
    let mut world = world_of(&Setup {
        at_second: false,
        ..ALL
    });

    send(&mut world, 3);

    assert!(world.ends[3].received.is_empty());
    assert_eq!(
        world.counters(2).copies_dropped[Reason::StillPacked as usize],
        3
    );
}

#[test]
fn a_dictionary_that_is_not_there_is_a_reason() {
    let mut world = world_of(&Setup {
        dictionary_at_second: false,
        ..ALL
    });

    send(&mut world, 3);

    // The stage names an object that is not there: what asks for it is refused.
    assert!(world.ends[3].received.is_empty());
    assert!(world.counters(2).effects_refused > 0);
}

#[test]
fn what_the_hosts_sealed_is_left_alone() {
    let mut world = world_of(&ALL);
    let packet = world.packet(1, 7, 3);

    for _ in 0..4 {
        world.send(0, &packet).unwrap();
        world.settle();
    }

    assert_eq!(world.received(3), vec![(7, packet.payload); 4]);
    world.assert_balanced();
}

#[test]
fn a_host_cannot_send_packed_payloads_to_another() {
    let mut world = world_of(&ALL);
    let packet = Outgoing {
        protection: Protection::Packed,
        ..covered(&world, 7, vec![0x28, 0xb5, 0x2f, 0xfd, 0, 0])
    };

    world.send(0, &packet).unwrap();
    world.settle();

    assert!(world.ends[3].received.is_empty());
    let dropped = world.counters(1).dropped[Reason::StillPacked as usize];
    assert_eq!(dropped, 1, "its own node takes none");
    world.assert_balanced();
}

#[test]
fn packets_to_a_node_pass_uncompressed_while_the_worker_is_away() {
    let mut world = world_of(&ALL);
    world.ends[1].stopped.insert(COMPRESSION);
    lose_worker(&mut world, 1, COMPRESSION);

    let bytes = send(&mut world, 3);

    assert_eq!(world.received(3), expected(3));
    assert!(bytes >= PLAIN_BYTES + reading(0).len() as u64);
}
