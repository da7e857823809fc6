//! `Keep` and `SendKept` through whole datapaths: what was forwarded is sent again by the cache's own
//! history, and the service hears of what is not there.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]

mod world;

use std::sync::{Arc, Mutex};

use ei_datapath::codec::{Action, Answer, Decision, Effect, Event, Hop, Outcome, Stage, StageList};
use ei_datapath::forward::ServiceConfig;
use world::*;

type Told = Arc<Mutex<Vec<(Vec<u8>, Vec<Vec<u8>>)>>>;

/// Forwards to the host in the metadata and keeps what it forwards; connection 9 asks for "number 1"
/// and "number 8" again.
struct Repeating {
    told: Told,
}

impl Service for Repeating {
    fn answer<'a>(&mut self, event: &Event<'a>) -> Answer<'a> {
        let packet = match event {
            Event::PacketArrived(packet) => packet,
            Event::NotKept { object, names, to } => {
                assert_eq!(*to, address(2).0);
                let names = names.iter().map(|name| name.to_vec()).collect();
                self.told.lock().unwrap().push((object.to_vec(), names));
                return nothing();
            }
            _ => return nothing(),
        };
        if packet.connection == 9 {
            return Answer {
                outcome: Outcome::Dropped,
                reason: "asked",
                effects: vec![Effect::SendKept {
                    object: b"history",
                    names: vec![b"number 1", b"number 8"],
                    to: packet.metadata,
                    metadata: b"again",
                }],
            };
        }
        let stage = Stage::Keep {
            object: b"history",
            packets: 4,
            bytes: 10_000,
        };
        let stages = || StageList::new(vec![stage], Box::leak(Box::default()));
        let hop = Hop {
            to: packet.metadata,
            metadata: None,
            connection: None,
            source: None,
        };
        answered(vec![
            Effect::Install(Decision {
                key: key_of(packet),
                action: Action::Forward(vec![hop]),
                ttl_s: 60.0,
                tag: b"",
                stages: stages(),
            }),
            Effect::Send {
                packet: *packet,
                to: packet.metadata,
                stages: stages(),
            },
        ])
    }
}

fn world() -> (World, Told) {
    let mut world = World::new();
    let (source, node, destination) = (world.host(), world.node(), world.host());
    let told = Told::default();
    let mut config = ServiceConfig::new(16);
    config.drop_reasons = vec!["asked".into()];
    world.serve(node, config, Repeating { told: told.clone() });
    world.join(source, node);
    world.join(destination, node);
    (world, told)
}

fn say(world: &mut World, connection: u64, payload: &[u8]) {
    let mut packet = world.packet(1, connection, 2);
    packet.payload = payload.to_vec();
    world.send(0, &packet).unwrap();
    world.settle();
}

#[test]
fn what_was_decided_or_not_is_sent_again_and_the_service_hears_of_the_rest() {
    let (mut world, told) = world();
    for payload in [b"number 0", b"number 1", b"number 2"] {
        say(&mut world, 7, payload);
    }

    say(&mut world, 9, b"");

    let received = world.received(2);
    assert_eq!(received.len(), 4);
    assert_eq!(received[3], (7, b"number 1".to_vec()));
    assert_eq!(world.ends[2].received[3].metadata, b"again");
    let missing = vec![(b"history".to_vec(), vec![b"number 8".to_vec()])];
    assert_eq!(*told.lock().unwrap(), missing);
    world.assert_balanced();
}

#[test]
fn a_history_that_is_full_forgets_its_oldest() {
    let (mut world, told) = world();
    for number in 1..=5 {
        say(&mut world, 7, format!("number {number}").as_bytes());
    }

    say(&mut world, 9, b"");

    assert_eq!(world.received(2).len(), 5);
    let names = vec![b"number 1".to_vec(), b"number 8".to_vec()];
    assert_eq!(*told.lock().unwrap(), vec![(b"history".to_vec(), names)]);
    world.assert_balanced();
}
