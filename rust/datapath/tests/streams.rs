//! Streams that end at a node: their packets are handed out to it, and it sends packets of its own.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing
)]

mod world;

use ei_datapath::counters::Reason;
use ei_datapath::forward::{OutgoingPacket, ServiceConfig};
use ei_datapath::wire::Protection;
use world::*;

const HOST: usize = 0;
const NODE: usize = 1;
const STREAMS: u32 = 19;

/// host 0 — node 1, which runs a service with streams
fn world() -> World {
    world_where(false)
}

fn world_where(is_anonymous: bool) -> World {
    let mut world = World::new();
    let (host, node) = (world.host(), world.node());
    let config = ServiceConfig {
        has_streams: true,
        is_anonymous,
        ..ServiceConfig::new(STREAMS)
    };
    world.serve(node, config, Delivery::new());
    world.join(host, node);
    world
}

fn packet(world: &World, protection: Protection) -> Outgoing {
    Outgoing {
        service: STREAMS,
        protection,
        metadata: Vec::new(),
        ..world.packet(NODE, 7, NODE)
    }
}

#[test]
fn a_packet_of_streams_is_for_the_node_and_asks_no_service() {
    let mut world = world();
    let packet = packet(&world, Protection::Streams);
    let before = world.counters(NODE);

    world.send(HOST, &packet).unwrap();
    world.settle();

    let received = &world.ends[NODE].received;
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].source, world.ends[HOST].address);
    assert_eq!(received[0].peer, world.ends[HOST].address);
    assert_eq!((received[0].service, received[0].connection), (STREAMS, 7));
    assert_eq!(received[0].payload, packet.payload);
    let after = world.counters(NODE);
    assert_eq!(after.delivered, before.delivered + 1);
    assert_eq!(after.missed, before.missed);
    world.assert_balanced();
}

#[test]
fn streams_need_no_cover_where_the_service_reads_payloads_too() {
    let mut world = World::new();
    let (host, node) = (world.host(), world.node());
    let config = ServiceConfig {
        has_streams: true,
        reads_payload: true,
        ..ServiceConfig::new(STREAMS)
    };
    world.serve(node, config, Delivery::new());
    world.join(host, node);
    let packet = packet(&world, Protection::Streams);

    world.send(HOST, &packet).unwrap();
    world.settle();

    assert!(!packet.is_covered);
    assert_eq!(world.ends[NODE].received.len(), 1);
    world.assert_balanced();
}

#[test]
fn any_other_packet_of_the_service_asks_it() {
    let mut world = world();
    let packet = packet(&world, Protection::Datagrams);
    let before = world.counters(NODE);

    world.send(HOST, &packet).unwrap();
    world.settle();

    assert!(world.ends[NODE].received.is_empty());
    assert_eq!(world.counters(NODE).missed, before.missed + 1);
    world.assert_balanced();
}

#[test]
fn of_an_anonymous_service_only_packets_with_empty_metadata_are_for_the_node() {
    let mut world = world_where(true);
    let packet = packet(&world, Protection::Streams);
    let onwards = Outgoing {
        metadata: vec![1],
        ..world.packet(NODE, 8, NODE)
    };
    let onwards = Outgoing {
        service: STREAMS,
        protection: Protection::Streams,
        ..onwards
    };
    let before = world.counters(NODE);

    world.send(HOST, &packet).unwrap();
    world.send(HOST, &onwards).unwrap();
    world.settle();

    let received: Vec<u64> = world.ends[NODE]
        .received
        .iter()
        .map(|one| one.connection)
        .collect();
    assert_eq!(received, [7]);
    assert_eq!(world.counters(NODE).missed, before.missed + 1);
    world.assert_balanced();
}

#[test]
fn the_node_answers_as_itself_in_trains() {
    let mut world = world();
    let (now_ns, peer) = (world.now_ns, world.ends[HOST].address);
    let payload = [5; 1_232];
    let packet = OutgoingPacket {
        peer,
        service: STREAMS,
        connection: 7,
        metadata: b"",
        payload: &payload,
        protection: Protection::Streams,
        is_covered: false,
        class: 0,
        is_traced: false,
    };

    let datapath = &mut world.ends[NODE].datapath;
    for _ in 0..10 {
        datapath.send(now_ns, &packet).unwrap();
    }
    let train = datapath.next_train().unwrap();
    let (to, bytes, segment_bytes) = (train.to, train.bytes.to_vec(), train.segment_bytes);

    assert_eq!(bytes.len().div_ceil(segment_bytes), 10);
    let from = world.ends[NODE].endpoint;
    for datagram in bytes.chunks(segment_bytes) {
        world.in_flight.push((to, from, datagram.to_vec()));
    }
    world.settle();
    let received = &world.ends[HOST].received;
    assert_eq!(received.len(), 10);
    assert_eq!(received[0].source, world.ends[NODE].address);
    world.assert_balanced();
}

/// Law 7: whoever sends more than the streams take has half of the room, and loses what is beyond.
#[test]
fn b11_what_nobody_takes_is_dropped_and_counted_and_the_packets_of_others_are_not() {
    let mut world = world();
    let other = world.host();
    world.join(other, NODE);
    let packet = packet(&world, Protection::Streams);
    let before = world.counters(NODE);

    for _ in 0..180 {
        for _ in 0..50 {
            world.send(HOST, &packet).unwrap();
        }
        for _ in 0..10 {
            world.send(other, &packet).unwrap();
        }
        world.flush();
        world.deliver();
    }

    let counters = world.counters(NODE);
    assert!(counters.is_balanced());
    let delivered = counters.delivered - before.delivered;
    let busy = counters.dropped[Reason::ReceiverBusy as usize];
    assert_eq!(delivered + busy, 180 * 60);
    world.work();
    let of_other = world.ends[other].address;
    let received = &world.ends[NODE].received;
    let kept = received.iter().filter(|one| one.peer == of_other).count();
    assert_eq!(kept, 180 * 10);
    assert!((3_000..=4_096).contains(&(received.len() - kept)));
}

#[test]
fn what_is_taken_makes_room_for_whoever_had_too_much() {
    let mut world = world();
    let packet = packet(&world, Protection::Streams);
    let send = |world: &mut World| {
        for _ in 0..100 {
            for _ in 0..50 {
                world.send(HOST, &packet).unwrap();
            }
            world.flush();
            world.deliver();
        }
    };

    send(&mut world);
    world.work();
    send(&mut world);
    world.work();

    assert_eq!(world.ends[NODE].received.len(), 2 * 4_096);
}
