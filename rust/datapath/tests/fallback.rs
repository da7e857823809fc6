//! Packets of a service that is not here visit the fallback, which carries them to a node that has it.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing
)]

mod world;

use ei_datapath::counters::Reason;
use ei_datapath::forward::ServiceConfig;
use ei_datapath::wire::Protection;
use world::*;

const SOURCE: usize = 0;
const FIRST: usize = 1;
const SECOND: usize = 2;
const FALLBACK: u32 = 17;
const ABSENT: u32 = 32;

/// host 0 — node 1 (17 knows the way) — node 2 (32)
fn world(absent: ServiceConfig) -> World {
    let mut world = World::new();
    let (source, first, second) = (world.host(), world.node(), world.node());
    let carries = Delivery::new().via(second, second);
    world.serve(first, ServiceConfig::new(FALLBACK), carries);
    world.serve(second, absent, Delivery::new().via(second, source));
    world.join(source, first);
    world.join(first, second);
    world
}

fn set_fallback(world: &mut World, service: Option<u32>) {
    world.ends[FIRST].datapath.set_fallback(service);
}

fn packet(world: &World) -> Outgoing {
    Outgoing {
        service: ABSENT,
        ..world.packet(FIRST, 7, SECOND)
    }
}

fn send(world: &mut World, packet: &Outgoing) {
    world.send(SOURCE, packet).unwrap();
    world.settle();
}

fn unknown(world: &World) -> u64 {
    world.counters(FIRST).dropped[Reason::UnknownService as usize]
}

#[test]
fn without_a_fallback_they_are_dropped_and_with_one_carried() {
    let mut world = world(ServiceConfig::new(ABSENT));
    let packet = packet(&world);

    send(&mut world, &packet);
    assert_eq!(unknown(&world), 1);
    set_fallback(&mut world, Some(FALLBACK));
    send(&mut world, &packet);
    send(&mut world, &packet);

    let counters = world.counters(FIRST);
    assert_eq!((counters.missed, counters.forwarded), (1, 1));
    assert!(world.counters(SECOND).missed > 0);
    set_fallback(&mut world, None);
    send(&mut world, &packet);
    assert_eq!(unknown(&world), 2, "no decision outlives the fallback");
    world.assert_balanced();
}

#[test]
fn a_fallback_that_is_not_here_itself_carries_nothing() {
    let mut world = world(ServiceConfig::new(ABSENT));
    let packet = packet(&world);
    set_fallback(&mut world, Some(18));
    send(&mut world, &packet);
    set_fallback(&mut world, Some(FALLBACK));
    world.ends[FIRST].datapath.remove_service(FALLBACK);

    send(&mut world, &packet);

    assert_eq!(unknown(&world), 2);
}

#[test]
fn a_service_that_comes_here_later_gets_its_packets_from_then_on() {
    let mut world = world(ServiceConfig::new(ABSENT));
    let packet = packet(&world);
    set_fallback(&mut world, Some(FALLBACK));
    send(&mut world, &packet);
    send(&mut world, &packet);
    let carried = world.counters(SECOND).received;

    let here = Delivery::new().via(SECOND, SOURCE);
    world.serve(FIRST, ServiceConfig::new(ABSENT), here);
    send(&mut world, &packet);

    assert_eq!(world.received(SOURCE).len(), 1);
    assert_eq!(world.counters(SECOND).received, carried);
}

#[test]
fn two_services_that_are_not_here_are_decided_apart() {
    let mut world = world(ServiceConfig::new(ABSENT));
    let one = packet(&world);
    let other = Outgoing {
        service: ABSENT + 1,
        ..one.clone()
    };
    set_fallback(&mut world, Some(FALLBACK));

    send(&mut world, &one);
    send(&mut world, &other);

    assert_eq!(world.counters(FIRST).missed, 2);
}

#[test]
fn a_payload_that_the_far_service_reads_is_covered_on_every_pipe() {
    let mut world = world(ServiceConfig {
        reads_payload: true,
        ..ServiceConfig::new(ABSENT)
    });
    let covered = Outgoing {
        protection: Protection::None,
        is_covered: true,
        payload: b"for the service's eyes".to_vec(),
        ..packet(&world)
    };
    set_fallback(&mut world, Some(FALLBACK));

    send(&mut world, &covered);
    let now_ns = world.now_ns;
    world.ends[SOURCE]
        .datapath
        .send(now_ns, &covered.view())
        .unwrap();
    let mut seen = Vec::new();
    for _ in 0..4 {
        world.flush();
        let flying = world.in_flight.iter();
        seen.extend(flying.map(|(_, _, bytes)| bytes.clone()));
        world.deliver();
        world.work();
    }

    let is_plain = |bytes: &Vec<u8>| {
        let payload = &covered.payload;
        bytes.windows(payload.len()).any(|part| part == payload)
    };
    assert!(seen.len() >= 2 && !seen.iter().any(is_plain));
    assert_eq!(world.counters(FIRST).forwarded, 1, "decided");
    assert_eq!(world.counters(SECOND).missed, 2);
    world.settle();
    world.assert_balanced();
}

#[test]
fn what_hosts_sealed_for_each_other_is_nothing_for_a_far_service_that_reads() {
    let mut world = world(ServiceConfig {
        reads_payload: true,
        ..ServiceConfig::new(ABSENT)
    });
    set_fallback(&mut world, Some(FALLBACK));
    let sealed = packet(&world);

    send(&mut world, &sealed);

    let dropped = world.counters(SECOND).dropped;
    assert_eq!(dropped[Reason::NotCovered as usize], 1);
}
