//! Packets through whole datapaths: hosts, nodes, services, on a virtual clock.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing
)]

mod world;

use ei_datapath::codec::{Action, Answer, Event, Hop};
use ei_datapath::counters::{Counters, Fate, Reason};
use ei_datapath::forward::{Notice, ServiceConfig};
use ei_datapath::handshake::public_key;
use ei_datapath::pipes::PeerKind;
use ei_datapath::trains::Train;
use ei_datapath::wire::{Address, Header, Protection};
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

fn dropped(world: &World, end: usize, reason: Reason) -> u64 {
    world.counters(end).dropped[reason as usize]
}

// -- the walk -------------------------------------------------------------------------------------

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
fn a_train_stays_a_train_and_keeps_its_order() {
    let mut world = one_node();
    let packet = world.packet(1, 7, 2);
    world.send(0, &packet).unwrap();
    world.settle();
    for number in 0..64 {
        world
            .send(
                0,
                &Outgoing {
                    payload: vec![number; 100],
                    ..packet.clone()
                },
            )
            .unwrap();
    }
    let (to_node, segment, mut bytes) = {
        let train = world.ends[0].datapath.next_train().unwrap();
        (train.to, train.segment_bytes, train.bytes.to_vec())
    };
    assert_eq!(to_node, world.ends[1].endpoint);
    assert_eq!(bytes.len(), 64 * segment);

    let (now_ns, from) = (world.now_ns, world.ends[0].endpoint);
    world.ends[1]
        .datapath
        .handle_train(now_ns, from, &mut bytes, segment, None);

    let train = world.ends[1].datapath.next_train().unwrap();
    assert_eq!(train.bytes.len(), 64 * train.segment_bytes);
    let (from, segment, mut bytes) = (to_node, train.segment_bytes, train.bytes.to_vec());
    world.ends[2]
        .datapath
        .handle_train(now_ns, from, &mut bytes, segment, None);
    world.settle();
    let order: Vec<_> = world.received(2)[1..]
        .iter()
        .map(|(_, payload)| payload[0])
        .collect();
    assert_eq!(order, (0..64).collect::<Vec<_>>());
    world.assert_balanced();
}

#[test]
fn datagrams_that_come_singly_have_the_fates_that_they_have_alone() {
    let run = |is_together: bool| {
        let mut world = one_node();
        let packet = world.packet(1, 7, 2);
        world.send(0, &packet).unwrap();
        world.settle();
        let from = world.ends[0].endpoint;
        let mut datagrams = Vec::new();
        // A decided one, one of a new connection, and two that are none; then the first once more.
        for connection in [7, 8] {
            world
                .send(
                    0,
                    &Outgoing {
                        connection,
                        ..packet.clone()
                    },
                )
                .unwrap();
            let train = world.ends[0].datapath.next_train().unwrap();
            datagrams.push((from, train.bytes.to_vec()));
        }
        datagrams.push((from, Vec::new()));
        datagrams.push((from, vec![0x14; 90]));
        datagrams.push(datagrams[0].clone());
        let now_ns = world.now_ns;
        let datapath = &mut world.ends[1].datapath;
        let all = datagrams
            .iter_mut()
            .map(|(from, bytes)| (*from, bytes.as_mut_slice()));
        if is_together {
            datapath.handle_singles(now_ns, all, None);
        } else {
            for (from, bytes) in all {
                datapath.handle(now_ns, from, bytes);
            }
        }
        world.settle();
        world.assert_balanced();
        (world.counters(1), world.received(2).len())
    };

    assert_eq!(run(true), run(false));
    assert_eq!(run(true).1, 3);
}

#[test]
fn a_decision_is_forgotten_when_its_time_is_over() {
    let mut world = one_node();
    let packet = world.packet(1, 7, 2);
    world.send(0, &packet).unwrap();
    world.settle();

    world.pass(61 * SECOND_NS);
    world.send(0, &packet).unwrap();
    world.settle();

    assert_eq!(world.counters(1).missed, 2);
    assert_eq!(world.received(2).len(), 2);
}

/// Decides to copy each packet to all of these; those of odd connections changed.
struct ToAll(Vec<[u8; 16]>);

impl Service for ToAll {
    fn answer<'a>(&mut self, event: &Event<'a>) -> Answer<'a> {
        let Event::PacketArrived(packet) = event else {
            return nothing();
        };
        let hops: Vec<&'a [u8]> = self.0.iter().map(|to| &*Vec::leak(to.to_vec())).collect();
        let is_changed = packet.connection % 2 == 1;
        let hop = |to: &&'a [u8]| Hop {
            to,
            metadata: is_changed.then_some(b"new"),
            connection: is_changed.then_some(99),
            source: is_changed.then_some(&[9; 16]),
        };
        let action = Action::Forward(hops.iter().map(hop).collect());
        let mut effects = vec![install(packet, action, 60.0)];
        let copy = match is_changed {
            true => ei_datapath::codec::Packet {
                metadata: b"new",
                connection: 99,
                source: &[9; 16],
                ..*packet
            },
            false => *packet,
        };
        effects.extend(hops.iter().map(|to| send(&copy, to)));
        answered(effects)
    }
}

/// Two sources, a node that copies to 64 hosts, and these.
fn copying(copies_per_s: u64) -> (World, [usize; 2], usize, Vec<usize>) {
    let mut world = World::new();
    let sources = [world.host(), world.host()];
    let node = world.add(PeerKind::Node, |config| config.copies_per_s = copies_per_s);
    let members: Vec<_> = (0..64).map(|_| world.host()).collect();
    let to = members
        .iter()
        .map(|member| world.ends[*member].address.0)
        .collect();
    world.serve(node, ServiceConfig::new(16), ToAll(to));
    for member in members.iter().chain(&sources) {
        world.join(*member, node);
    }
    (world, sources, node, members)
}

#[test]
fn b6_one_sender_causes_so_many_copies_a_second_and_another_is_not_touched_by_it() {
    const RATE: u64 = 6_400;
    let (mut world, [greedy, modest], node, members) = copying(RATE);
    let packet = world.packet(node, 7, greedy);
    let other = world.packet(node, 8, modest);
    world.send(greedy, &packet).unwrap();
    world.settle();
    let began_ns = world.now_ns;

    for _ in 0..1_000 {
        world.send(greedy, &packet).unwrap();
        world.settle();
    }
    for _ in 0..10 {
        world.send(modest, &other).unwrap();
    }
    world.settle();

    let passed_s = (world.now_ns - began_ns).div_ceil(SECOND_NS);
    let received = world.received(members[63]);
    let copies = received.len() as u64 * 64;
    // The first packet was copied by the service itself, and a burst is 2,048.
    assert!(
        copies > RATE && copies <= 2_048 + RATE * passed_s + 11 * 64,
        "{copies}"
    );
    let capped = dropped(&world, node, Reason::CopiesCapped);
    assert!(capped > 500, "{capped}");
    assert!(received.len() as u64 + capped >= 1_001 + 10);
}

/// What the members got, and what the node counted, of one host's packets of these connections.
fn copied(
    copies_per_s: u64,
    connections: &[u64],
    is_train: bool,
) -> (Vec<Vec<(u64, u8)>>, Counters) {
    let (mut world, [source, other], node, members) = copying(copies_per_s);
    for connection in [7, 8] {
        let packet = world.packet(node, connection, other);
        world.send(source, &packet).unwrap();
        world.settle();
    }
    for (number, connection) in connections.iter().enumerate() {
        let mut packet = world.packet(node, *connection, other);
        packet.payload.fill(number as u8);
        packet.is_traced = number == 50;
        world.send(source, &packet).unwrap();
    }
    let train = world.ends[source].datapath.next_train().unwrap();
    let (segment, mut bytes) = (train.segment_bytes, train.bytes.to_vec());
    assert!(bytes.len() > 60 * segment);
    let (now_ns, from, own) = (
        world.now_ns,
        world.ends[source].endpoint,
        world.ends[node].endpoint,
    );
    let datapath = &mut world.ends[node].datapath;
    if is_train {
        let mut left = Vec::new();
        let mut depart = |train: Train<'_>| {
            let datagrams = train.bytes.chunks(train.segment_bytes);
            left.extend(datagrams.map(|datagram| (train.to, own, datagram.to_vec())));
            train.datagrams()
        };
        datapath.handle_train(now_ns, from, &mut bytes, segment, Some(&mut depart));
        // Whole trains leave meanwhile.
        let are_alike = connections.iter().all(|each| *each == connections[0]);
        assert_eq!(left.is_empty(), !are_alike || copies_per_s > 0);
        world.in_flight.extend(left);
    } else {
        for datagram in bytes.chunks_mut(segment) {
            datapath.handle(now_ns, from, datagram);
        }
    }
    world.settle();
    world.assert_balanced();
    let received = members.iter().map(|member| {
        let received = world.received(*member);
        let marks = received
            .iter()
            .map(|(connection, payload)| (*connection, payload[0]));
        marks.collect()
    });
    (received.collect(), world.counters(node))
}

#[test]
fn the_packets_of_a_train_are_copied_as_they_are_one_by_one() {
    let alternating: Vec<_> = (0..64).map(|number| 7 + number / 3 % 2).collect();
    let new_in_the_midst: Vec<_> = (0..64)
        .map(|number| if number % 20 == 9 { 9 } else { 8 })
        .collect();
    for (connections, copies_per_s) in [
        (vec![7; 64], 0),
        (vec![8; 64], 1_000),
        (alternating, 0),
        (new_in_the_midst, 0),
    ] {
        let as_train = copied(copies_per_s, &connections, true);
        let one_by_one = copied(copies_per_s, &connections, false);

        assert_eq!(as_train, one_by_one);
        assert!(as_train.0.iter().all(|received| received.len() > 2));
    }
}

#[test]
fn each_hop_gets_exactly_one_copy() {
    let (mut world, [source, _], node, members) = copying(0);
    let packet = world.packet(node, 7, source);

    for _ in 0..10 {
        world.send(source, &packet).unwrap();
        world.settle();
    }

    for member in &members {
        assert_eq!(world.received(*member), vec![(99, vec![7; 100]); 10]);
        for received in &world.ends[*member].received {
            assert_eq!(
                (&received.metadata[..], received.source.0),
                (&b"new"[..], [9; 16])
            );
        }
    }
    let counters = world.counters(node);
    assert_eq!(
        (counters.missed, counters.forwarded, counters.sent),
        (1, 9, 640)
    );
    world.assert_balanced();
}

// -- what the first node checks -------------------------------------------------------------------

fn header(source: Option<Address>, hop_limit: u8) -> Header<'static> {
    Header {
        hop_limit,
        class: 0,
        service: 16,
        connection: 1,
        payload_bytes: 4,
        protection: Protection::Datagrams,
        source,
        metadata: &[0xaa; 16],
        is_traced: false,
    }
}

/// The fate of a packet with this header from a peer of this kind.
fn fate_of(kind: PeerKind, header: Header<'_>, is_covered: bool) -> Fate {
    let mut world = one_node();
    let node_key = public_key(&world.ends[1].key);
    let node = &mut world.ends[1].datapath;
    let mut peer = RawPeer::connected(kind, node, address(1), node_key);
    let mut datagram = peer.seal(&header, b"data", is_covered);
    let fate = node.handle(2, peer.endpoint, &mut datagram);
    world.assert_balanced();
    fate
}

#[test]
fn a_host_speaks_for_itself_alone() {
    let own = Address([0xaa; 16]);

    assert_eq!(
        fate_of(PeerKind::Host, header(None, 9), false),
        Fate::Missed
    );
    assert_eq!(
        fate_of(PeerKind::Host, header(Some(own), 9), false),
        Fate::Missed
    );
    let forged = header(Some(address(2)), 9);
    assert_eq!(
        fate_of(PeerKind::Host, forged, false),
        Fate::Dropped(Reason::SourceForged)
    );
}

#[test]
fn a_node_must_say_for_whom_it_speaks() {
    assert_eq!(
        fate_of(PeerKind::Node, header(Some(address(2)), 9), false),
        Fate::Missed
    );
    let unsigned = header(None, 9);
    assert_eq!(
        fate_of(PeerKind::Node, unsigned, false),
        Fate::Dropped(Reason::BadHeader)
    );
}

#[test]
fn b5_a_packet_dies_when_its_hop_limit_is_used_up() {
    assert_eq!(
        fate_of(PeerKind::Host, header(None, 1), false),
        Fate::Missed
    );
    let spent = header(None, 0);
    assert_eq!(
        fate_of(PeerKind::Host, spent, false),
        Fate::Dropped(Reason::HopLimit)
    );
}

#[test]
fn b5_the_highest_hop_limit_is_one_as_any_other() {
    assert_eq!(
        fate_of(PeerKind::Host, header(None, 255), false),
        Fate::Missed
    );
}

#[test]
fn nothing_unprotected_goes_on() {
    let bare = Header {
        protection: Protection::None,
        ..header(None, 9)
    };

    assert_eq!(
        fate_of(PeerKind::Host, bare, false),
        Fate::Dropped(Reason::Unprotected)
    );
    assert_eq!(fate_of(PeerKind::Host, bare, true), Fate::Missed);
}

#[test]
fn a_service_that_nobody_runs_is_unknown() {
    let unknown = Header {
        service: 99,
        ..header(None, 9)
    };

    assert_eq!(
        fate_of(PeerKind::Host, unknown, false),
        Fate::Dropped(Reason::UnknownService)
    );
}

#[test]
fn what_reads_payloads_gets_covered_packets_only_cached_or_not() {
    let mut world = one_node();
    let config = ServiceConfig {
        reads_payload: true,
        ..ServiceConfig::new(16)
    };
    world.serve(1, config, Delivery::new());
    let sealed = world.packet(1, 7, 2);
    let covered = Outgoing {
        is_covered: true,
        protection: Protection::None,
        ..sealed.clone()
    };

    for packet in [&covered, &covered, &sealed] {
        world.send(0, packet).unwrap();
        world.settle();
    }

    assert_eq!(world.received(2).len(), 2);
    assert_eq!(dropped(&world, 1, Reason::NotCovered), 1);
    assert_eq!(
        world.send(
            0,
            &Outgoing {
                is_covered: false,
                ..covered
            }
        ),
        Err(Reason::Unprotected)
    );
}

#[test]
fn b5_routes_in_a_circle_end_by_the_hop_limit() {
    let mut world = World::new();
    let (source, first, second) = (world.host(), world.node(), world.node());
    world.serve(
        first,
        ServiceConfig::new(16),
        Delivery::new().via(9, second),
    );
    world.serve(
        second,
        ServiceConfig::new(16),
        Delivery::new().via(9, first),
    );
    world.join(source, first);
    world.join(first, second);
    let mut packet = world.packet(first, 7, source);
    packet.metadata = address(9).0.to_vec();

    world.send(source, &packet).unwrap();
    world.settle();

    let ends = dropped(&world, first, Reason::HopLimit) + dropped(&world, second, Reason::HopLimit);
    assert_eq!(ends, 1);
    world.assert_balanced();
}

// -- peers that come and go -----------------------------------------------------------------------

#[test]
fn a_packet_to_a_known_peer_without_a_pipe_waits_for_it() {
    let mut world = World::new();
    let (source, node, destination) = (world.host(), world.node(), world.host());
    world.serve(node, ServiceConfig::new(16), Delivery::new());
    world.join(source, node);
    world.acquaint(destination, node);
    let packet = world.packet(node, 7, destination);

    for _ in 0..70 {
        world.send(source, &packet).unwrap();
    }
    world.settle();

    assert_eq!(world.received(destination).len(), 64);
    let counters = world.counters(node);
    assert_eq!(counters.copies_dropped[Reason::DialQueueFull as usize], 6);
    world.assert_balanced();
}

/// Law 7: 64 packets for each of 40 who do not answer would be 2,560, more than half of all places.
#[test]
fn b11_who_sends_to_many_silent_peers_leaves_room_for_what_others_send_to_one() {
    let mut world = World::new();
    let (source, node, other) = (world.host(), world.node(), world.host());
    world.serve(node, ServiceConfig::new(16), Delivery::new());
    world.join(source, node);
    world.join(other, node);
    let silent: Vec<_> = (0..41).map(|_| world.host()).collect();
    for one in &silent {
        world.acquaint(*one, node);
        let endpoint = world.ends[*one].endpoint;
        world.cut.insert(endpoint);
    }
    let (last, many) = silent.split_last().unwrap();

    for one in many {
        let packet = world.packet(node, 7, *one);
        for _ in 0..64 {
            world.send(source, &packet).unwrap();
        }
        world.settle();
    }
    let waiting_of_one = world.counters(node).copies_waiting;
    let packet = world.packet(node, 7, *last);
    for _ in 0..64 {
        world.send(other, &packet).unwrap();
    }
    world.settle();

    let counters = world.counters(node);
    assert_eq!(waiting_of_one, 2_048);
    assert_eq!(counters.copies_waiting, 2_048 + 64);
    assert_eq!(
        counters.copies_dropped[Reason::DialQueueFull as usize],
        64 * 40 - 2_048
    );
    world.pass(2 * SECOND_NS);
    assert_eq!(world.counters(node).copies_waiting, 0);
    let again = world.packet(node, 8, many[0]);
    world.send(source, &again).unwrap();
    world.settle();
    assert_eq!(world.counters(node).copies_waiting, 1);
    world.assert_balanced();
}

#[test]
fn what_waits_for_a_silent_peer_is_dropped_after_a_second() {
    let mut world = World::new();
    let (source, node, destination) = (world.host(), world.node(), world.host());
    world.serve(node, ServiceConfig::new(16), Delivery::new());
    world.join(source, node);
    world.acquaint(destination, node);
    let packet = world.packet(node, 7, destination);
    let silent = world.ends[destination].endpoint;
    world.cut.insert(silent);
    world.send(source, &packet).unwrap();
    world.settle();
    assert_eq!(world.counters(node).copies_waiting, 1);
    let deadline_ns = world.ends[node].datapath.next_deadline_ns().unwrap();
    assert!(deadline_ns <= world.now_ns + SECOND_NS);

    world.pass(SECOND_NS + SECOND_NS / 10);

    let counters = world.counters(node);
    assert_eq!(counters.copies_waiting, 0);
    assert_eq!(counters.copies_dropped[Reason::PeerUnreachable as usize], 1);
    world.assert_balanced();
}

#[test]
fn decisions_that_name_a_dead_peer_are_revoked_and_decided_again() {
    let mut world = two_nodes();
    let packet = world.packet(1, 7, 3);
    world.send(0, &packet).unwrap();
    world.settle();
    let dead = world.ends[2].endpoint;
    world.cut.insert(dead);

    world.pass(SECOND_NS);
    world.send(0, &packet).unwrap();
    world.settle();

    let notices: Vec<_> = std::iter::from_fn(|| world.ends[1].datapath.take_notice()).collect();
    assert!(notices.contains(&Notice::PeerDown { peer: address(2) }));
    assert_eq!(
        world.counters(1).missed,
        2,
        "the second packet missed again"
    );
    world.assert_balanced();
}

#[test]
fn a_service_hears_first_that_it_started_and_who_is_there() {
    #[derive(Clone, Default)]
    struct Listener(std::rc::Rc<std::cell::RefCell<Vec<String>>>);
    impl Service for Listener {
        fn answer<'a>(&mut self, event: &Event<'a>) -> Answer<'a> {
            let word = match event {
                Event::Started => "started".to_owned(),
                Event::PeerChanged { peer, is_up } => format!("{} {is_up}", peer[15]),
                Event::PacketArrived(_) => "packet".to_owned(),
                Event::PeersMeasured(rtts) => {
                    assert!(rtts.iter().all(|(_, rtt_s)| *rtt_s > 0.0 && *rtt_s < 1.0));
                    "measured".to_owned()
                }
                other => format!("{other:?}"),
            };
            self.0.borrow_mut().push(word);
            nothing()
        }
    }
    let mut world = World::new();
    let (source, node) = (world.host(), world.node());
    world.join(source, node);
    let listener = Listener::default();
    let heard = listener.0.clone();
    world.serve(node, ServiceConfig::new(16), listener);
    let packet = world.packet(node, 7, source);
    world.send(source, &packet).unwrap();

    world.settle();
    lose_worker(&mut world, node, 16);
    let gone = world.ends[source].address;
    let now_ns = world.now_ns;
    world.settle();
    world.ends[node].datapath.remove_peer(now_ns, &gone);
    world.settle();

    let heard: Vec<_> = heard
        .borrow()
        .iter()
        .filter(|word| *word != "measured")
        .cloned()
        .collect();
    assert_eq!(
        heard,
        [
            "started", "1 true", "packet", "started", "1 true", "1 false"
        ]
    );
    world.assert_balanced();
}

#[test]
fn a_removed_service_takes_its_packets_with_it() {
    let mut world = one_node();
    let packet = world.packet(1, 7, 2);
    world.ends[1].stopped.insert(16);
    for _ in 0..5 {
        world.send(0, &packet).unwrap();
    }
    world.settle();
    assert_eq!(world.counters(1).waiting, 5);

    world.ends[1].datapath.remove_service(16);
    world.send(0, &packet).unwrap();
    world.settle();

    let counters = world.counters(1);
    assert_eq!(counters.waiting, 0);
    assert_eq!(counters.missed_dropped[Reason::ServiceDown as usize], 5);
    assert_eq!(dropped(&world, 1, Reason::UnknownService), 1);
    world.assert_balanced();
}

#[test]
fn a_decision_does_not_outlive_the_service_that_made_it() {
    let mut world = one_node();
    let packet = world.packet(1, 7, 2);
    world.send(0, &packet).unwrap();
    world.settle();

    world.serve(1, ServiceConfig::new(16), Delivery::new());
    world.send(0, &packet).unwrap();
    world.settle();

    let counters = world.counters(1);
    assert_eq!((counters.missed, counters.forwarded), (2, 0));
}

#[test]
fn another_version_of_a_service_finds_what_waits_and_decides_anew() {
    let mut world = one_node();
    let decided = world.packet(1, 7, 2);
    world.send(0, &decided).unwrap();
    world.settle();
    world.ends[1].stopped.insert(16);
    let waiting = world.packet(1, 8, 2);
    for _ in 0..5 {
        world.send(0, &waiting).unwrap();
    }
    world.settle();

    world.serve(1, ServiceConfig::new(16), Delivery::new());
    world.ends[1].stopped.remove(&16);
    world.send(0, &decided).unwrap();
    world.settle();

    let counters = world.counters(1);
    assert_eq!((counters.missed, counters.waiting), (7, 0));
    assert_eq!(counters.missed_dropped.iter().sum::<u64>(), 0);
    world.assert_balanced();
}

// -- control, hosts -------------------------------------------------------------------------------

#[test]
fn control_messages_reach_the_service_and_its_answer_the_host() {
    struct Answers;
    impl Service for Answers {
        fn answer<'a>(&mut self, event: &Event<'a>) -> Answer<'a> {
            let Event::ControlReceived { sender, message } = event else {
                return nothing();
            };
            assert_eq!(*message, b"join");
            let effect = ei_datapath::codec::Effect::SendControl {
                message: b"welcome",
                to: sender,
            };
            Answer {
                effects: vec![effect],
                ..nothing()
            }
        }
    }
    let mut world = World::new();
    let (host, node) = (world.host(), world.node());
    world.serve(node, ServiceConfig::new(48), Answers);
    world.join(host, node);
    let now_ns = world.now_ns;
    let to = world.ends[node].address;

    world.ends[host]
        .datapath
        .send_control(now_ns, &to, 48, b"join")
        .unwrap();
    world.settle();

    let notices: Vec<_> = std::iter::from_fn(|| world.ends[host].datapath.take_notice()).collect();
    let welcome = Notice::ControlReceived {
        peer: to,
        service: 48,
        message: b"welcome".to_vec(),
    };
    assert!(notices.contains(&welcome), "{notices:?}");
}

#[test]
fn control_messages_of_a_nodes_own_services_come_to_the_node_and_it_answers_by_itself() {
    let mut world = World::new();
    let (host, node) = (world.host(), world.node());
    world.join(host, node);
    let now_ns = world.now_ns;
    let (of_host, of_node) = (world.ends[host].address, world.ends[node].address);
    let notices = |world: &mut World, end: usize| -> Vec<_> {
        std::iter::from_fn(|| world.ends[end].datapath.take_notice()).collect()
    };

    let datapath = &mut world.ends[host].datapath;
    datapath.send_control(now_ns, &of_node, 2, b"find").unwrap();
    datapath
        .send_control(now_ns, &of_node, 99, b"nobody")
        .unwrap();
    world.settle();
    let datapath = &mut world.ends[node].datapath;
    datapath
        .send_control(now_ns, &of_host, 2, b"found")
        .unwrap();
    world.settle();

    let asked = Notice::ControlReceived {
        peer: of_host,
        service: 2,
        message: b"find".to_vec(),
    };
    let answered = Notice::ControlReceived {
        peer: of_node,
        service: 2,
        message: b"found".to_vec(),
    };
    let up = |peer| Notice::PeerUp { peer };
    assert_eq!(notices(&mut world, node), [up(of_host), asked]);
    assert_eq!(notices(&mut world, host), [up(of_node), answered]);
}

#[test]
fn control_messages_that_the_node_does_not_take_stay_with_their_sender() {
    let mut world = World::new();
    let (host, node) = (world.host(), world.node());
    world.join(host, node);
    let (now_ns, of_node) = (world.now_ns, world.ends[node].address);
    for number in 0..1_000_u32 {
        let datapath = &mut world.ends[host].datapath;
        datapath
            .send_control(now_ns, &of_node, 2, &number.to_be_bytes())
            .unwrap();
    }

    world.pass(5 * SECOND_NS);
    let mut heard = Vec::new();
    while heard.len() < 1_000 {
        let before = heard.len();
        while let Some(notice) = world.ends[node].datapath.take_notice() {
            if let Notice::ControlReceived { message, .. } = notice {
                heard.push(message);
            }
        }
        // What waits here, and a window's worth in the pipe.
        assert!((1..=64 + 32).contains(&(heard.len() - before)));
        world.pass(300 * MILLISECOND_NS);
    }

    let sent: Vec<_> = (0..1_000_u32)
        .map(|number| number.to_be_bytes().to_vec())
        .collect();
    assert_eq!(heard, sent);
}

#[test]
fn what_is_too_big_for_the_nodes_of_its_way_is_refused_at_its_source() {
    let mut world = two_nodes();
    let mut taken = Vec::new();
    for payload_bytes in 1_340..1_420 {
        let packet = Outgoing {
            payload: vec![7; payload_bytes],
            ..world.packet(1, 7, 3)
        };
        match world.send(0, &packet) {
            Ok(()) => taken.push(payload_bytes),
            Err(reason) => assert_eq!(reason, Reason::TooBig),
        }
        world.settle();
    }

    let arrived = world.received(3);
    let arrived: Vec<_> = arrived.iter().map(|(_, payload)| payload.len()).collect();
    assert_eq!(arrived, taken);
    assert_eq!(taken, (1_340..=1_356).collect::<Vec<_>>());
}

#[test]
fn a_host_that_does_not_take_its_packets_is_busy() {
    let mut world = one_node();
    let packet = world.packet(1, 7, 2);
    world.send(0, &packet).unwrap();
    world.settle();
    let now_ns = world.now_ns;
    let from = world.ends[1].endpoint;

    for _ in 0..8_200 {
        world.send(0, &packet).unwrap();
        world.flush();
        for (_, from, mut bytes) in std::mem::take(&mut world.in_flight) {
            world.ends[1].datapath.handle(now_ns, from, &mut bytes);
        }
        while let Some(train) = world.ends[1].datapath.next_train() {
            let mut bytes = train.bytes.to_vec();
            world.ends[2].datapath.handle(now_ns, from, &mut bytes);
        }
    }

    assert_eq!(dropped(&world, 2, Reason::ReceiverBusy), 8);
    world.assert_balanced();
}
