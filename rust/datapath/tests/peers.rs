//! What services hear of peers, and which decisions fall with them.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing
)]

mod world;

use std::cell::RefCell;
use std::rc::Rc;

use ei_datapath::codec::{Answer, Event};
use ei_datapath::counters::Reason;
use ei_datapath::forward::{Datapath, DatapathConfig, Notice, ServiceConfig};
use ei_datapath::pipes::PeerKind;
use ei_datapath::wire::Address;
use world::*;

const SOURCE: usize = 0;
const NODE: usize = 1;
const DESTINATION: usize = 2;

/// Counts control messages, and answers nothing.
struct Counts(Rc<RefCell<usize>>);

impl Service for Counts {
    fn answer<'a>(&mut self, event: &Event<'a>) -> Answer<'a> {
        *self.0.borrow_mut() += usize::from(matches!(event, Event::ControlReceived { .. }));
        nothing()
    }
}

/// Whoever begins life after life has the room of one.
#[test]
fn b9_what_a_peer_said_in_earlier_lives_does_not_pile_up() {
    let mut world = World::new();
    let (source, node) = (world.host(), world.node());
    let counted = Rc::new(RefCell::new(0));
    let counts = Counts(Rc::clone(&counted));
    world.serve(NODE, ServiceConfig::new(48), counts);
    world.ends[NODE].stopped.insert(48);
    let to = world.ends[NODE].address;

    for life in 0..20 {
        let mut config = DatapathConfig::new(
            PeerKind::Host,
            world.ends[SOURCE].address,
            world.ends[SOURCE].key,
        );
        config.seed = Some([100 + life; 32]);
        world.ends[SOURCE].datapath = Datapath::new(config);
        world.pass(50_000_000);
        world.join(source, node);
        for number in 0..40u8 {
            // To a service and, of as many, to the node itself, which takes none of them.
            let now_ns = world.now_ns;
            let datapath = &mut world.ends[SOURCE].datapath;
            for service in [48, 2] {
                datapath
                    .send_control(now_ns, &to, service, &[number])
                    .unwrap();
            }
        }
        world.pass(300_000_000);
    }
    let told = notices(&mut world);
    world.ends[NODE].stopped.clear();
    world.settle();

    assert!((1..=40).contains(&*counted.borrow()), "{counted:?}");
    let told = told.iter();
    let told = told.filter(|one| matches!(one, Notice::ControlReceived { .. }));
    assert!(told.count() <= 64 + 40);
}

/// Peers as they were told of.
type Told = Rc<RefCell<Vec<(Address, bool)>>>;

/// Delivers, and remembers what it hears of peers.
struct Listens {
    delivery: Delivery,
    told: Told,
}

impl Service for Listens {
    fn answer<'a>(&mut self, event: &Event<'a>) -> Answer<'a> {
        if let Event::PeerChanged { peer, is_up } = event {
            let peer = Address((*peer).try_into().unwrap());
            self.told.borrow_mut().push((peer, *is_up));
        }
        self.delivery.answer(event)
    }
}

/// host 0 — node 1 — host 2, with a decided flow from 0 to 2; nothing of it is told yet.
fn decided() -> (World, Told) {
    let mut world = World::new();
    let (source, node, destination) = (world.host(), world.node(), world.host());
    let told = listen(&mut world, 16);
    world.join(source, node);
    world.join(destination, node);
    flow(&mut world);
    told.borrow_mut().clear();
    let _heard = notices(&mut world);
    (world, told)
}

fn listen(world: &mut World, number: u32) -> Told {
    let told = Told::default();
    let listens = Listens {
        delivery: Delivery::new(),
        told: Rc::clone(&told),
    };
    world.serve(NODE, ServiceConfig::new(number), listens);
    told
}

/// One packet of the flow; returns how many the service was asked about so far.
fn flow(world: &mut World) -> u64 {
    let packet = world.packet(NODE, 7, DESTINATION);
    world.send(SOURCE, &packet).unwrap();
    world.settle();
    world.counters(NODE).missed
}

fn notices(world: &mut World) -> Vec<Notice> {
    std::iter::from_fn(|| world.ends[NODE].datapath.take_notice()).collect()
}

fn avoid(world: &mut World, is_avoided: bool) {
    let peer = world.ends[DESTINATION].address;
    let datapath = &mut world.ends[NODE].datapath;
    datapath.set_peer_avoided(&peer, is_avoided);
    world.settle();
}

#[test]
fn an_avoided_peer_is_down_for_services_while_its_packets_flow() {
    let (mut world, told) = decided();
    let peer = world.ends[DESTINATION].address;
    let before = world.counters(NODE).missed;

    avoid(&mut world, true);
    avoid(&mut world, true);

    assert_eq!(*told.borrow(), [(peer, false)]);
    assert_eq!(flow(&mut world), before + 1, "decided anew");
    assert_eq!(world.received(DESTINATION).len(), 2);
    assert_eq!(notices(&mut world), []);
    let late = listen(&mut world, 17);
    world.pass(2 * SECOND_NS);
    assert_eq!(*late.borrow(), [(address(SOURCE), true)]);
    let statistics = world.ends[NODE].datapath.statistics();
    let seen = statistics.peers.iter().find(|one| one.address == peer);
    assert!(seen.unwrap().is_up);
}

#[test]
fn services_hear_of_a_peer_that_is_avoided_no_more() {
    let (mut world, told) = decided();
    let peer = world.ends[DESTINATION].address;

    avoid(&mut world, true);
    avoid(&mut world, false);
    avoid(&mut world, false);

    assert_eq!(*told.borrow(), [(peer, false), (peer, true)]);
}

#[test]
fn an_avoided_peer_that_leaves_and_comes_back_is_a_peer_like_any_other() {
    let (mut world, told) = decided();
    let peer = world.ends[DESTINATION].address;

    avoid(&mut world, true);
    let now_ns = world.now_ns;
    let node = world.ends[NODE].address;
    world.ends[DESTINATION].datapath.close_peer(now_ns, &node);
    world.settle();
    let after_close = told.borrow().clone();
    world.join(DESTINATION, NODE);
    world.pass(SECOND_NS);

    assert_eq!(after_close, [(peer, false)], "it was down for them already");
    assert_eq!(*told.borrow(), [(peer, false), (peer, true)]);
    assert_eq!(
        notices(&mut world),
        [Notice::PeerDown { peer }, Notice::PeerUp { peer }]
    );
}

#[test]
fn who_is_down_cannot_be_avoided() {
    let mut world = World::new();
    let (source, node, destination) = (world.host(), world.node(), world.host());
    let told = listen(&mut world, 16);
    world.join(source, node);
    world.acquaint(destination, node);

    avoid(&mut world, true);
    world.join(destination, node);

    assert_eq!(
        *told.borrow(),
        [(address(source), true), (address(destination), true)]
    );
}

#[test]
fn decisions_that_go_to_a_peer_are_forgotten_on_demand_and_nothing_else_happens() {
    let (mut world, told) = decided();
    let peer = world.ends[DESTINATION].address;
    let before = flow(&mut world);

    world.ends[NODE].datapath.revoke_peer(&peer);

    assert_eq!(flow(&mut world), before + 1);
    assert_eq!(flow(&mut world), before + 1, "decided again");
    assert_eq!(*told.borrow(), []);
    assert_eq!(notices(&mut world), []);
}

#[test]
fn an_answer_older_than_the_revocation_of_its_peer_decides_nothing() {
    let (mut world, _) = decided();
    let (now_ns, peer) = (world.now_ns, world.ends[DESTINATION].address);
    let packet = world.packet(NODE, 8, DESTINATION);
    world.ends[NODE].stopped.insert(16);
    world.send(SOURCE, &packet).unwrap();
    world.settle();
    let datapath = &mut world.ends[NODE].datapath;
    let mut events = Vec::new();
    datapath.take_events(now_ns, 0.0, 16, &mut events);

    datapath.revoke_peer(&peer);
    let effects = answer(&mut Delivery::new(), &events);
    datapath.put_effects(now_ns, 16, &effects).unwrap();
    world.settle();

    let counters = world.counters(NODE);
    assert_eq!(counters.stale_decisions, 1);
    assert_eq!(
        world.received(DESTINATION).len(),
        2,
        "its packet still goes"
    );
}

// -- policy ---------------------------------------------------------------------------------------

#[test]
fn packets_of_a_peer_that_is_not_carried_are_dropped_decided_or_not() {
    let (mut world, _) = decided();
    let before = world.counters(NODE);
    let peer = world.ends[SOURCE].address;
    let seen = |world: &World| {
        let peers = world.ends[NODE].datapath.statistics().peers;
        peers
            .iter()
            .map(|one| (one.address, one.pipe.refused))
            .collect::<Vec<_>>()
    };

    world.ends[NODE].datapath.set_peer_carried(&peer, false);
    let after = flow(&mut world);
    let now_ns = world.now_ns;
    let node = world.ends[NODE].address;
    let datapath = &mut world.ends[SOURCE].datapath;
    datapath.send_control(now_ns, &node, 2, b"why?").unwrap();
    world.settle();

    assert_eq!(after, before.missed);
    let counters = world.counters(NODE);
    assert_eq!(counters.forwarded, before.forwarded);
    assert_eq!(counters.dropped[Reason::NotAllowed as usize], 1);
    assert_eq!(seen(&world), [(peer, 1), (address(DESTINATION), 0)]);
    assert!(matches!(
        notices(&mut world)[..],
        [Notice::ControlReceived { .. }]
    ));
    world.assert_balanced();
    world.ends[NODE].datapath.set_peer_carried(&peer, true);
    flow(&mut world);
    assert_eq!(world.counters(NODE).forwarded, before.forwarded + 1);
}

#[test]
fn who_is_not_carried_is_not_when_it_comes_back_until_it_is_another() {
    let (mut world, _) = decided();
    let (peer, node) = (world.ends[SOURCE].address, world.ends[NODE].address);
    world.ends[NODE].datapath.set_peer_carried(&peer, false);
    let now_ns = world.now_ns;

    world.ends[SOURCE].datapath.close_peer(now_ns, &node);
    world.settle();
    world.join(SOURCE, NODE);
    world.pass(SECOND_NS);
    flow(&mut world);
    let refused = world.counters(NODE).dropped[Reason::NotAllowed as usize];
    let now_ns = world.now_ns;
    world.ends[NODE].datapath.remove_peer(now_ns, &peer);
    world.ends[SOURCE].datapath.remove_peer(now_ns, &node);
    world.join(SOURCE, NODE);
    world.pass(SECOND_NS);
    flow(&mut world);

    assert_eq!(refused, 1);
    assert_eq!(world.counters(NODE).dropped[Reason::NotAllowed as usize], 1);
}
