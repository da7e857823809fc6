//! Chains of services, guards of receivers, and what happens while a service has no worker.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing
)]

mod world;

use std::cell::RefCell;
use std::rc::Rc;

use ei_datapath::codec::{Action, Answer, Effect, Event, Hop, Outcome, StageList};
use ei_datapath::counters::Reason;
use ei_datapath::forward::{Fail, ServiceConfig};
use ei_datapath::routes::Expansion;
use world::*;

/// What services saw: (number, connection, egress).
type Seen = Rc<RefCell<Vec<(u32, u64, Vec<u8>)>>>;

/// Passes everything on, and caches that.
struct Passes {
    number: u32,
    seen: Seen,
}

impl Service for Passes {
    fn answer<'a>(&mut self, event: &Event<'a>) -> Answer<'a> {
        let Event::PacketArrived(packet) = event else {
            return nothing();
        };
        self.seen
            .borrow_mut()
            .push((self.number, packet.connection, packet.egress.to_vec()));
        let stages = StageList::none();
        let effects = vec![
            install(packet, Action::Pass, 60.0),
            Effect::Pass {
                packet: *packet,
                stages,
            },
        ];
        Answer {
            outcome: Outcome::Passed,
            reason: "",
            effects,
        }
    }
}

/// Delivers to the destinations in the metadata, 16 bytes each.
struct Spreads {
    seen: Seen,
}

impl Service for Spreads {
    fn answer<'a>(&mut self, event: &Event<'a>) -> Answer<'a> {
        let Event::PacketArrived(packet) = event else {
            return nothing();
        };
        self.seen
            .borrow_mut()
            .push((16, packet.connection, packet.egress.to_vec()));
        let destinations = packet.metadata.chunks(16);
        let hop = |to| Hop {
            to,
            metadata: None,
            connection: None,
            source: None,
        };
        let action = Action::Forward(destinations.clone().map(hop).collect());
        let mut effects = vec![install(packet, action, 60.0)];
        effects.extend(destinations.map(|to| send(packet, to)));
        answered(effects)
    }
}

/// host 0 — node 1 with services 16, 20, 21, 30, 31 — hosts 2 and 3
fn world_of_services() -> (World, Seen) {
    let mut world = World::new();
    let seen = Seen::default();
    let (source, node) = (world.host(), world.node());
    let destinations = [world.host(), world.host()];
    world.serve(node, ServiceConfig::new(16), Spreads { seen: seen.clone() });
    for number in [20, 21, 30, 31] {
        let service = Passes {
            number,
            seen: seen.clone(),
        };
        world.serve(node, ServiceConfig::new(number), service);
    }
    world.join(source, node);
    for destination in destinations {
        world.join(destination, node);
    }
    (world, seen)
}

fn packet_to(world: &World, destinations: &[usize]) -> Outgoing {
    let metadata = destinations
        .iter()
        .flat_map(|one| world.ends[*one].address.0)
        .collect();
    Outgoing {
        metadata,
        ..world.packet(1, 7, 2)
    }
}

fn send_and_settle(world: &mut World, packet: &Outgoing) {
    world.send(0, packet).unwrap();
    world.settle();
    world.assert_balanced();
}

fn visits(seen: &Seen) -> Vec<u32> {
    seen.borrow_mut()
        .drain(..)
        .map(|(number, ..)| number)
        .collect()
}

#[test]
fn a_chain_is_visited_once_and_then_joined() {
    let (mut world, seen) = world_of_services();
    world.ends[1].datapath.set_chain(16, &[20, 21, 16]).unwrap();
    let packet = packet_to(&world, &[2]);

    send_and_settle(&mut world, &packet);
    assert_eq!(visits(&seen), [20, 21, 16]);
    let parts = world.ends[1].datapath.statistics().decisions;
    send_and_settle(&mut world, &packet);
    let joined = world.ends[1].datapath.statistics().decisions;
    send_and_settle(&mut world, &packet);

    assert_eq!((parts, joined), (3, 4));
    assert!(visits(&seen).is_empty());
    assert_eq!(world.received(2).len(), 3);
    let counters = world.counters(1);
    assert_eq!(
        (counters.missed, counters.passed, counters.forwarded),
        (1, 1, 2)
    );
    assert_eq!(counters.copies_ended, 2, "handed to 21, then to 16");
}

#[test]
fn only_the_service_whose_answer_was_revoked_is_asked_again() {
    let (mut world, seen) = world_of_services();
    world.ends[1].datapath.set_chain(16, &[20, 21, 16]).unwrap();
    let packet = packet_to(&world, &[2]);
    for _ in 0..2 {
        send_and_settle(&mut world, &packet);
    }
    visits(&seen);

    let answers = vec![Answer {
        effects: vec![Effect::Revoke { tag: b"tag" }],
        ..nothing()
    }];
    let mut bytes = Vec::new();
    let batch = ei_datapath::codec::EffectBatch {
        sequence: 0,
        epoch: 0,
        answers,
    };
    batch.encode(&mut bytes);
    let now_ns = world.now_ns;
    world.ends[1]
        .datapath
        .put_effects(now_ns, 21, &bytes)
        .unwrap();
    send_and_settle(&mut world, &packet);

    assert_eq!(visits(&seen), [21]);
    send_and_settle(&mut world, &packet);
    assert!(visits(&seen).is_empty());
    assert_eq!(world.received(2).len(), 4);
}

#[test]
fn a_changed_chain_holds_at_once() {
    let (mut world, seen) = world_of_services();
    let packet = packet_to(&world, &[2]);
    send_and_settle(&mut world, &packet);
    visits(&seen);

    world.ends[1].datapath.set_chain(16, &[20, 16]).unwrap();
    send_and_settle(&mut world, &packet);

    assert_eq!(visits(&seen), [20, 16]);
}

#[test]
fn guards_see_the_hop_that_they_guard_and_only_that() {
    let (mut world, seen) = world_of_services();
    world.ends[1]
        .datapath
        .set_guards(address(3), &[30, 31])
        .unwrap();
    let packet = packet_to(&world, &[2, 3]);

    send_and_settle(&mut world, &packet);

    let to_3 = address(3).0.to_vec();
    let expected = [(16, 7, vec![]), (30, 7, to_3.clone()), (31, 7, to_3)];
    assert_eq!(*seen.borrow(), expected);
    for _ in 0..3 {
        send_and_settle(&mut world, &packet);
    }
    assert_eq!(seen.borrow().len(), 3, "cached from then on");
    assert_eq!((world.received(2).len(), world.received(3).len()), (4, 4));
}

#[test]
fn guards_of_a_single_hop_are_joined_with_the_chain() {
    let (mut world, seen) = world_of_services();
    world.ends[1].datapath.set_chain(16, &[20, 16]).unwrap();
    world.ends[1]
        .datapath
        .set_guards(address(2), &[30])
        .unwrap();
    let packet = packet_to(&world, &[2]);

    for _ in 0..4 {
        send_and_settle(&mut world, &packet);
    }

    assert_eq!(visits(&seen), [20, 16, 30]);
    let counters = world.counters(1);
    assert_eq!((counters.missed, counters.forwarded), (1, 3));
    assert_eq!(world.received(2).len(), 4);
}

#[test]
fn guards_that_come_later_hold_at_once() {
    let (mut world, seen) = world_of_services();
    let packet = packet_to(&world, &[2]);
    for _ in 0..2 {
        send_and_settle(&mut world, &packet);
    }
    visits(&seen);

    world.ends[1]
        .datapath
        .set_guards(address(2), &[30])
        .unwrap();
    send_and_settle(&mut world, &packet);
    assert_eq!(visits(&seen), [16, 30]);
    world.ends[1].datapath.set_guards(address(2), &[]).unwrap();
    send_and_settle(&mut world, &packet);

    assert_eq!(visits(&seen), [16]);
    assert_eq!(world.received(2).len(), 4);
}

#[test]
fn a_bundle_is_a_chain_of_other_services_and_one_lookup_once_it_is_decided() {
    let (mut world, seen) = world_of_services();
    let expansion = Expansion {
        first: vec![20, 16],
        later: vec![16],
        to_nodes: vec![31],
        to_hosts: vec![30],
    };
    world.ends[1].datapath.set_bundle(112, expansion).unwrap();
    let packet = Outgoing {
        service: 112,
        ..packet_to(&world, &[2])
    };

    for _ in 0..4 {
        send_and_settle(&mut world, &packet);
    }

    assert_eq!(visits(&seen), [20, 16, 30]);
    let counters = world.counters(1);
    assert_eq!((counters.missed, counters.forwarded), (1, 3));
    assert_eq!(world.received(2).len(), 4);

    let of_delivery = packet_to(&world, &[2]);
    send_and_settle(&mut world, &of_delivery);
    assert_eq!(
        visits(&seen),
        [16],
        "what names the service itself is its own"
    );
}

#[test]
fn a_service_that_passes_where_nothing_follows_breaks_the_chain() {
    let (mut world, _) = world_of_services();
    let packet = Outgoing {
        service: 20,
        ..packet_to(&world, &[2])
    };

    for _ in 0..2 {
        send_and_settle(&mut world, &packet);
    }

    let counters = world.counters(1);
    assert_eq!(counters.copies_dropped[Reason::ChainBroken as usize], 1);
    assert_eq!(counters.dropped[Reason::ChainBroken as usize], 1);
}

/// The chain [20, 16] with service 20's worker dead; what became of three packets.
fn without_worker(fail: Fail, guards: bool) -> (usize, u64) {
    let (mut world, seen) = world_of_services();
    let config = ServiceConfig {
        fail,
        ..ServiceConfig::new(20)
    };
    world.serve(1, config, Passes { number: 20, seen });
    if guards {
        world.ends[1]
            .datapath
            .set_guards(address(2), &[20])
            .unwrap();
    } else {
        world.ends[1].datapath.set_chain(16, &[20, 16]).unwrap();
    }
    world.settle();
    world.ends[1].stopped.insert(20);
    lose_worker(&mut world, 1, 20);
    let packet = packet_to(&world, &[2]);
    for _ in 0..3 {
        send_and_settle(&mut world, &packet);
    }
    let counters = world.counters(1);
    let down = Reason::ServiceDown as usize;
    (
        world.received(2).len(),
        counters.dropped[down] + counters.copies_dropped[down],
    )
}

#[test]
fn while_a_service_has_no_worker_its_manifest_says_what_happens() {
    assert_eq!(without_worker(Fail::Closed, false), (0, 3));
    assert_eq!(without_worker(Fail::Open, false), (3, 0));
    assert_eq!(without_worker(Fail::Bypass, false), (3, 0));
}

#[test]
fn a_guard_never_fails_open() {
    assert_eq!(without_worker(Fail::Open, true), (0, 3));
}
