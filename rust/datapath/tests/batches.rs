//! How a service's worker fares, as the datapath sees it.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing
)]

mod world;

use ei_datapath::codec::{Answer, Effect, Event};
use ei_datapath::forward::{ServiceConfig, ServiceStatistics};
use world::*;

const SOURCE: usize = 0;
const NODE: usize = 1;

/// host 0 — node 1, whose service has heard of its start and its peer.
fn started(service: impl Service + 'static) -> World {
    let mut world = World::new();
    let (source, node) = (world.host(), world.node());
    world.serve(node, ServiceConfig::new(16), service);
    world.join(source, node);
    world
}

fn send_packets(world: &mut World, count: u64) {
    world.ends[NODE].stopped.insert(16);
    for connection in 0..count {
        let packet = world.packet(NODE, connection, SOURCE);
        world.send(SOURCE, &packet).unwrap();
    }
    world.settle();
}

fn seen(world: &World) -> ServiceStatistics {
    world.ends[NODE].datapath.statistics().services.remove(0)
}

#[test]
fn a_batch_is_counted_by_the_time_until_its_answer() {
    let mut world = started(Delivery::new());
    let before = seen(&world).batches;
    send_packets(&mut world, 3);
    let (handed_ns, mut events) = (world.now_ns, Vec::new());
    let datapath = &mut world.ends[NODE].datapath;
    datapath.take_events(handed_ns, 0.0, 16, &mut events);

    let effects = answer(&mut Delivery::new(), &events);
    let answered_ns = handed_ns + 3 * MILLISECOND_NS;
    datapath.put_effects(answered_ns, 16, &effects).unwrap();

    let batches = seen(&world).batches;
    assert_eq!(batches.batches - before.batches, 1);
    assert_eq!(batches.events - before.events, 3);
    assert_eq!(batches.spent_ns - before.spent_ns, 3 * MILLISECOND_NS);
    assert_eq!(batches.by_duration[6], 1, "more than 2.5 ms, at most 5");
    assert_eq!(batches.failed, 0);
}

#[test]
fn events_that_came_to_nothing_are_counted() {
    /// Counts what it did not declare.
    struct Wrong;
    impl Service for Wrong {
        fn answer<'a>(&mut self, event: &Event<'a>) -> Answer<'a> {
            let Event::PacketArrived(_) = event else {
                return nothing();
            };
            let count = Effect::Count {
                name: "undeclared",
                amount: 1,
            };
            answered(vec![count, Effect::Revoke { tag: b"tag" }])
        }
    }
    let mut world = started(Wrong);
    let packet = world.packet(NODE, 9, SOURCE);
    world.send(SOURCE, &packet).unwrap();
    world.settle();
    assert_eq!(seen(&world).batches.failed, 1);
    send_packets(&mut world, 2);
    let (now_ns, mut events) = (world.now_ns, Vec::new());
    let datapath = &mut world.ends[NODE].datapath;
    datapath.take_events(now_ns, 0.0, 16, &mut events);

    lose_worker(&mut world, NODE, 16);

    assert_eq!(seen(&world).batches.failed, 3);
}

#[test]
fn what_waits_is_seen_beside_its_bound() {
    let mut world = started(Delivery::new());

    send_packets(&mut world, 3);

    let seen = seen(&world);
    assert_eq!(seen.queue_packets, 3);
    // Metadata of 16 B and payload of 100 B each.
    assert_eq!(seen.queue_bytes, 3 * (256 + 116));
    assert_eq!(seen.queue_limit_bytes, 1_024 * 2_048);
}
