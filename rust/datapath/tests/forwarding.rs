//! Packets through whole datapaths: hosts, nodes, services, on a virtual clock.

mod world;

use ei_datapath::counters::Reason;
use ei_datapath::forward::ServiceConfig;
use ei_datapath::wire::Protection;
use world::*;

/// host 0 — node 1 — host 2
fn one_node() -> World {
    let mut world = World::new();
    let (source, node, destination) = (world.host(), world.node(), world.host());
    world.serve(node, ServiceConfig::new(16), Delivery::new());
    world.join(source, node);
    world.join(destination, node);
    world
}

/// host 0 — node 1 — node 2 — host 3
fn two_nodes() -> World {
    let mut world = World::new();
    let (source, first, second, destination) =
        (world.host(), world.node(), world.node(), world.host());
    world.serve(
        first,
        ServiceConfig::new(16),
        Delivery::new().via(destination, second),
    );
    world.serve(second, ServiceConfig::new(16), Delivery::new());
    world.join(source, first);
    world.join(first, second);
    world.join(destination, second);
    world
}

#[test]
fn the_first_packet_is_decided_by_the_service_and_the_second_by_the_cache() {
    let mut world = one_node();
    let packet = world.packet(1, 7, 2);

    world.send(0, &packet).unwrap();
    world.settle();
    let after_first = world.counters(1);
    world.send(0, &packet).unwrap();
    world.settle();
    let after_second = world.counters(1);

    assert_eq!(
        (
            after_first.missed,
            after_first.answered,
            after_first.forwarded
        ),
        (1, 1, 0)
    );
    assert_eq!((after_second.missed, after_second.forwarded), (1, 1));
    assert_eq!(world.received(2), vec![(7, vec![7; 100]); 2]);
    assert_eq!(
        world.ends[2].received[0].source,
        address(0),
        "the node said whose it is"
    );
    world.assert_balanced();
}

#[test]
fn a_packet_crosses_two_nodes() {
    let mut world = two_nodes();
    let packet = world.packet(1, 7, 3);

    for _ in 0..3 {
        world.send(0, &packet).unwrap();
        world.settle();
    }

    assert_eq!(world.received(3).len(), 3);
    assert_eq!(world.ends[3].received[2].source, address(0));
    for node in [1, 2] {
        let counters = world.counters(node);
        assert_eq!((counters.missed, counters.forwarded), (1, 2));
    }
    world.assert_balanced();
}

#[test]
fn neither_sealed_nor_covered_is_refused_where_it_begins() {
    let mut world = one_node();
    let packet = Outgoing {
        protection: Protection::None,
        ..world.packet(1, 7, 2)
    };

    assert_eq!(world.send(0, &packet), Err(Reason::Unprotected));
    let covered = Outgoing {
        is_covered: true,
        ..packet
    };
    world.send(0, &covered).unwrap();
    world.settle();

    assert_eq!(world.received(2).len(), 1);
}
