//! Packets with the header of the one before are not looked up anew: they fare as they do one by one.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing
)]

mod world;

use std::net::SocketAddr;

use ei_datapath::counters::Counters;
use ei_datapath::forward::ServiceConfig;
use ei_datapath::handshake::public_key;
use ei_datapath::pipes::{PeerKind, Pipes};
use ei_datapath::wire::{Header, Protection};
use proptest::prelude::*;
use world::*;

const DATAGRAM_BYTES: usize = 176;

/// In what a datagram differs from the usual one.
#[derive(Clone, Debug)]
enum Kind {
    Usual,
    /// 7 and 8 are decided, others are not.
    Connection(u64),
    HopLimit(u8),
    Class(u16),
    Unprotected,
    Traced,
    Covered,
    /// Says for whom it speaks, and that truly or not.
    Source(bool),
    /// By another peer's pipe.
    OtherPipe,
    /// To a host that nobody knows.
    Lost,
    /// A bit of it is wrong.
    Damaged(usize),
    /// Once more the datagram before it.
    Replayed,
}

fn kinds() -> impl Strategy<Value = Kind> {
    prop_oneof![
        12 => Just(Kind::Usual),
        2 => (7_u64..11).prop_map(Kind::Connection),
        1 => (0_u8..3).prop_map(Kind::HopLimit),
        1 => (1_u16..3).prop_map(Kind::Class),
        1 => Just(Kind::Unprotected),
        1 => Just(Kind::Traced),
        2 => Just(Kind::Covered),
        1 => any::<bool>().prop_map(Kind::Source),
        2 => Just(Kind::OtherPipe),
        1 => Just(Kind::Lost),
        1 => (0..8 * DATAGRAM_BYTES).prop_map(Kind::Damaged),
        1 => Just(Kind::Replayed),
    ]
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    OneByOne,
    Train,
    Singles,
}

/// What a node sent, trains as they left, and what it counted.
type Sent = (Vec<(SocketAddr, usize, Vec<u8>)>, Counters);

fn sent(kinds: &[Kind], way: Way) -> Sent {
    let mut world = World::new();
    let (node, destination) = (world.node(), world.host());
    world.serve(node, ServiceConfig::new(16), Delivery::new());
    world.join(destination, node);
    let node_key = public_key(&world.ends[node].key);
    let datapath = &mut world.ends[node].datapath;
    let mut peers = [0, 1].map(|number| {
        RawPeer::one_of_many(number, PeerKind::Host, datapath, address(node), node_key)
    });
    let from = peers[0].endpoint;
    for kind in [Kind::Connection(7), Kind::Connection(8), Kind::OtherPipe] {
        let mut datagram = sealed(&mut peers, &kind, 0);
        let now_ns = world.now_ns;
        let datapath = &mut world.ends[node].datapath;
        datapath.handle(now_ns, from, &mut datagram);
        world.settle();
    }

    let mut datagrams: Vec<Vec<u8>> = Vec::new();
    for (number, kind) in kinds.iter().enumerate() {
        let datagram = match (kind, datagrams.last()) {
            (Kind::Replayed, Some(before)) => before.clone(),
            _ => sealed(&mut peers, kind, number as u8),
        };
        assert_eq!(datagram.len(), DATAGRAM_BYTES);
        datagrams.push(datagram);
    }
    let now_ns = world.now_ns;
    let datapath = &mut world.ends[node].datapath;
    match way {
        Way::OneByOne => {
            for datagram in &mut datagrams {
                datapath.handle(now_ns, from, datagram);
            }
        }
        Way::Train => {
            let mut bytes = datagrams.concat();
            datapath.handle_train(now_ns, from, &mut bytes, DATAGRAM_BYTES, None);
        }
        Way::Singles => {
            let singles = datagrams
                .iter_mut()
                .map(|datagram| (from, &mut datagram[..]));
            datapath.handle_singles(now_ns, singles, None);
        }
    }
    let mut trains = Vec::new();
    while let Some(train) = datapath.next_train() {
        trains.push((train.to, train.segment_bytes, train.bytes.to_vec()));
    }
    world.settle();
    world.assert_balanced();
    (trains, world.counters(node))
}

fn sealed([peer, other]: &mut [RawPeer; 2], kind: &Kind, number: u8) -> Vec<u8> {
    let mut metadata = address(1);
    let mut header = Header {
        hop_limit: 9,
        class: 0,
        service: 16,
        connection: 7,
        payload_bytes: 0,
        protection: Protection::Datagrams,
        source: None,
        metadata: &[],
        is_traced: false,
    };
    let mut is_covered = false;
    match kind {
        Kind::Usual | Kind::OtherPipe | Kind::Damaged(_) | Kind::Replayed => {}
        Kind::Connection(connection) => header.connection = *connection,
        Kind::HopLimit(hop_limit) => header.hop_limit = *hop_limit,
        Kind::Class(class) => header.class = *class,
        Kind::Unprotected => header.protection = Protection::None,
        Kind::Traced => header.is_traced = true,
        Kind::Covered => is_covered = true,
        Kind::Source(true) => header.source = Some(peer.address),
        Kind::Source(false) => header.source = Some(address(5)),
        Kind::Lost => metadata = address(6),
    }
    header.metadata = &metadata.0;
    let header_bytes = header.emitted_bytes();
    let mut payload_bytes = DATAGRAM_BYTES - header_bytes;
    // As long covered as not, so that the header is the same.
    while Pipes::sealed_bytes(header_bytes, payload_bytes, false) > DATAGRAM_BYTES {
        payload_bytes -= 1;
    }
    header.payload_bytes = payload_bytes as u16;
    let sealer = match kind {
        Kind::OtherPipe => other,
        _ => peer,
    };
    let mut datagram = sealer.seal(&header, &vec![number; payload_bytes], is_covered);
    if let Kind::Damaged(bit) = kind {
        datagram[bit / 8] ^= 1 << (bit % 8);
    }
    datagram
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn packets_of_one_batch_fare_as_they_do_one_by_one(
        kinds in proptest::collection::vec(kinds(), 1..150)
    ) {
        let one_by_one = sent(&kinds, Way::OneByOne);

        prop_assert_eq!(&sent(&kinds, Way::Train), &one_by_one);
        prop_assert_eq!(&sent(&kinds, Way::Singles), &one_by_one);
    }
}

#[test]
fn packets_of_one_header_leave_as_one_train() {
    let (trains, counters) = sent(&vec![Kind::Usual; 64], Way::Train);

    let [(_, segment_bytes, bytes)] = &trains[..] else {
        panic!("{} trains", trains.len());
    };
    assert_eq!(bytes.len(), 64 * segment_bytes);
    assert_eq!(counters.dropped.iter().sum::<u64>(), 0);
}
