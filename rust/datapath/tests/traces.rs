//! Packets that ask for it leave a record of each step, whatever becomes of them.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing
)]

mod world;

use ei_datapath::codec::{Action, Answer, Effect, EffectBatch, Event, Outcome, StageList};
use ei_datapath::forward::{Fail, ServiceConfig};
use ei_datapath::trace::How;
use world::*;

const TO_2: &str = "forwarded to fd350000000000000000000000000003";

/// Passes everything on, and caches that.
struct Passes;

impl Service for Passes {
    fn answer<'a>(&mut self, event: &Event<'a>) -> Answer<'a> {
        let Event::PacketArrived(packet) = event else {
            return nothing();
        };
        let effects = vec![
            install(packet, Action::Pass, 60.0),
            Effect::Pass {
                packet: *packet,
                stages: StageList::none(),
            },
        ];
        Answer {
            outcome: Outcome::Passed,
            reason: "",
            effects,
        }
    }
}

/// Drops everything for its own reason, and caches that.
struct Refuses;

impl Service for Refuses {
    fn answer<'a>(&mut self, event: &Event<'a>) -> Answer<'a> {
        let Event::PacketArrived(packet) = event else {
            return nothing();
        };
        Answer {
            outcome: Outcome::Dropped,
            reason: "no_members",
            effects: vec![install(packet, Action::Discard("no_members"), 60.0)],
        }
    }
}

/// Holds everything.
struct Holds;

impl Service for Holds {
    fn answer<'a>(&mut self, event: &Event<'a>) -> Answer<'a> {
        let outcome = match event {
            Event::PacketArrived(_) => Outcome::Held,
            _ => Outcome::None,
        };
        Answer {
            outcome,
            ..nothing()
        }
    }
}

/// host 0 — node 1 with the services 16 (delivery) and 20 (passes) — host 2
fn one_node() -> World {
    let mut world = World::new();
    let (source, node, destination) = (world.host(), world.node(), world.host());
    world.serve(node, ServiceConfig::new(16), Delivery::new());
    world.serve(node, ServiceConfig::new(20), Passes);
    world.join(source, node);
    world.join(destination, node);
    world
}

fn send_traced(world: &mut World) {
    let packet = Outgoing {
        is_traced: true,
        ..world.packet(1, 7, 2)
    };
    world.send(0, &packet).unwrap();
    world.settle();
}

/// How, verdict and services of the records since the last call.
fn steps(world: &mut World) -> Vec<(How, String, Vec<u32>)> {
    let records = traces(world, 1).into_iter();
    records
        .map(|record| (record.how, record.verdict, record.services))
        .collect()
}

fn step(how: How, verdict: &str, services: &[u32]) -> (How, String, Vec<u32>) {
    (how, verdict.to_owned(), services.to_vec())
}

#[test]
fn a_packet_is_queued_then_decided_and_the_next_finds_the_decision() {
    let mut world = one_node();

    send_traced(&mut world);
    send_traced(&mut world);

    let expected = [
        step(How::Queued, "missed", &[16]),
        step(How::Decided, TO_2, &[16]),
        step(How::Cached, TO_2, &[16]),
    ];
    assert_eq!(steps(&mut world), expected);
}

#[test]
fn every_service_of_a_chain_is_named_and_its_steps_are_of_one_arrival() {
    let mut world = one_node();
    world.ends[1].datapath.set_chain(16, &[20, 16]).unwrap();
    world.ends[1].stopped.insert(16);
    send_traced(&mut world);
    world.now_ns += 5 * MILLISECOND_NS;
    world.ends[1].stopped.clear();
    world.settle();

    let records = traces(&mut world, 1);

    let services: Vec<_> = records.iter().flat_map(|one| &one.services).collect();
    assert_eq!(services, [&20, &20, &16, &16]);
    assert_eq!(records[3].verdict, TO_2);
    assert!(records.iter().all(|one| one.packet == records[0].packet));
    assert!(records[3].spent_ns() >= 5 * MILLISECOND_NS);

    send_traced(&mut world);
    assert_eq!(
        steps(&mut world),
        [step(How::Cached, TO_2, &[20, 16])],
        "joined"
    );
}

#[test]
fn decided_parts_of_a_chain_are_named_when_a_later_one_is_asked() {
    let mut world = one_node();
    world.ends[1].datapath.set_chain(16, &[20, 16]).unwrap();
    send_traced(&mut world);
    steps(&mut world);
    world.serve(1, ServiceConfig::new(16), Delivery::new());

    send_traced(&mut world);

    let expected = [
        step(How::Queued, "missed", &[20, 16]),
        step(How::Decided, TO_2, &[16]),
    ];
    assert_eq!(steps(&mut world), expected);
}

#[test]
fn guards_come_after_the_service_that_chose_the_hop() {
    let mut world = one_node();
    world.ends[1]
        .datapath
        .set_guards(address(2), &[20])
        .unwrap();

    send_traced(&mut world);

    let steps = steps(&mut world);
    let services: Vec<_> = steps.iter().flat_map(|step| &step.2).collect();
    assert_eq!(services, [&16, &16, &20, &20], "{steps:?}");
}

#[test]
fn a_service_that_is_down_is_named_with_the_drop() {
    let mut world = one_node();
    world.ends[1].stopped.insert(16);
    lose_worker(&mut world, 1, 16);

    send_traced(&mut world);

    let expected = [step(How::Dropped, "service_down", &[16])];
    assert_eq!(steps(&mut world), expected);
}

#[test]
fn a_service_that_fails_open_had_no_say() {
    let mut world = one_node();
    let config = ServiceConfig {
        fail: Fail::Open,
        ..ServiceConfig::new(20)
    };
    world.serve(1, config, Passes);
    world.ends[1].datapath.set_chain(16, &[20, 16]).unwrap();
    world.settle();
    world.ends[1].stopped.insert(20);
    lose_worker(&mut world, 1, 20);

    send_traced(&mut world);

    let expected = [
        step(How::Queued, "missed", &[16]),
        step(How::Decided, TO_2, &[16]),
    ];
    assert_eq!(steps(&mut world), expected);
}

#[test]
fn what_a_dead_worker_had_is_lost_also_what_it_held() {
    let mut world = one_node();
    world.serve(1, ServiceConfig::new(16), Holds);
    send_traced(&mut world);
    let now_ns = world.now_ns;
    let mut events = Vec::new();
    let packet = Outgoing {
        is_traced: true,
        ..world.packet(1, 8, 2)
    };
    world.send(0, &packet).unwrap();
    world.flush();
    world.deliver();
    world.ends[1]
        .datapath
        .take_events(now_ns, 0.0, 16, &mut events);

    lose_worker(&mut world, 1, 16);

    let lost = step(How::Dropped, "worker_lost", &[16]);
    let steps = steps(&mut world);
    assert_eq!(&steps[1].1, "held");
    assert_eq!(&steps[3..], [lost.clone(), lost]);
}

#[test]
fn what_is_pushed_out_of_a_full_queue_says_so() {
    let mut world = one_node();
    let config = ServiceConfig {
        queue_packets: 1,
        ..ServiceConfig::new(16)
    };
    world.serve(1, config, Delivery::new());
    world.settle();
    world.ends[1].stopped.insert(16);
    for _ in 0..40 {
        send_traced(&mut world);
    }

    let steps = steps(&mut world);

    let busy = step(How::Dropped, "slow_path_busy", &[16]);
    assert!(steps.contains(&busy), "{steps:?}");
}

#[test]
fn what_names_no_service_here_says_so() {
    let mut world = one_node();
    world.ends[1].datapath.remove_service(16);

    send_traced(&mut world);

    let expected = [step(How::Dropped, "unknown_service", &[])];
    assert_eq!(steps(&mut world), expected);
}

#[test]
fn a_reason_of_a_service_is_told_in_its_word_cached_or_not() {
    let mut world = one_node();
    let config = ServiceConfig {
        drop_reasons: vec!["no_members".to_owned()],
        ..ServiceConfig::new(16)
    };
    world.serve(1, config, Refuses);

    send_traced(&mut world);
    send_traced(&mut world);

    let expected = [
        step(How::Queued, "missed", &[16]),
        step(How::Decided, "no_members", &[16]),
        step(How::Cached, "no_members", &[16]),
    ];
    assert_eq!(steps(&mut world), expected);
}

#[test]
fn a_packet_that_its_service_sends_nowhere_did_not_go_on() {
    let mut world = one_node();
    let stranger = world.host();
    let packet = Outgoing {
        is_traced: true,
        ..world.packet(1, 7, stranger)
    };
    world.send(0, &packet).unwrap();
    world.settle();

    let steps = steps(&mut world);

    assert_eq!(steps[1], step(How::Decided, "effect_refused", &[16]));
}

#[test]
fn what_follows_a_hold_is_told_as_of_the_packet_that_was_held() {
    send_held(address(0).0, 7);
}

#[test]
fn what_is_sent_as_anothers_is_told_as_of_the_packet_that_was_held() {
    send_held([9; 16], 99);
}

fn send_held(source: [u8; 16], connection: u64) {
    let mut world = one_node();
    world.serve(1, ServiceConfig::new(16), Holds);
    send_traced(&mut world);
    world.now_ns += 5 * MILLISECOND_NS;
    let (ingress, to) = (address(0).0, address(2).0);
    let packet = ei_datapath::codec::Packet {
        service: 16,
        ingress: &ingress,
        source: &source,
        connection,
        metadata: &to,
        payload: b"held",
        traffic_class: 0,
        hop_limit: 60,
        protection: 1,
        is_covered: false,
        is_traced: true,
        egress: b"",
    };
    let mut bytes = Vec::new();
    EffectBatch {
        sequence: 0,
        epoch: 0,
        answers: vec![answered(vec![send(&packet, &to)])],
    }
    .encode(&mut bytes);

    let now_ns = world.now_ns;
    world.ends[1]
        .datapath
        .put_effects(now_ns, 16, &bytes)
        .unwrap();

    let records = traces(&mut world, 1);
    assert_eq!(records[1].verdict, "held");
    assert_eq!(
        (records[2].how, &records[2].verdict[..]),
        (How::Decided, TO_2)
    );
    assert_eq!(records[2].packet, records[0].packet);
    assert!(records[2].spent_ns() >= 5 * MILLISECOND_NS);
}

#[test]
fn a_held_packet_that_is_dropped_says_why() {
    let mut world = one_node();
    world.serve(1, ServiceConfig::new(16), Holds);
    send_traced(&mut world);
    let answers = vec![Answer {
        outcome: Outcome::Dropped,
        reason: "hold_timeout",
        effects: vec![],
    }];
    let mut bytes = Vec::new();
    EffectBatch {
        sequence: 0,
        epoch: 0,
        answers,
    }
    .encode(&mut bytes);

    let now_ns = world.now_ns;
    world.ends[1]
        .datapath
        .put_effects(now_ns, 16, &bytes)
        .unwrap();

    let steps = steps(&mut world);
    assert_eq!(steps[2], step(How::Decided, "hold_timeout", &[16]));
}

#[test]
fn a_second_reading_of_the_clock_says_how_long_a_cached_decision_took() {
    let mut world = one_node();
    send_traced(&mut world);
    let now_ns = world.now_ns;
    assert!(world.ends[1].datapath.has_fresh_traces());
    world.ends[1].datapath.stamp_traces(now_ns);
    steps(&mut world);

    send_traced(&mut world);
    let arrived_ns = world.now_ns - MILLISECOND_NS;
    world.ends[1].datapath.stamp_traces(arrived_ns + 2_000);

    let records = traces(&mut world, 1);
    assert_eq!(records[0].packet.arrived_ns, arrived_ns);
    assert_eq!(records[0].spent_ns(), 2_000);
}
