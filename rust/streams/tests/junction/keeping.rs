//! Another stream takes the place of one that was lost, and misses nothing.

use ei_streams::Event;
use ei_streams::junction::{Closing, Legacy, News, Order, Target};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::crossing::{Crossing, SECOND_NS, Server, address};

const IDLE_NS: u64 = 10 * SECOND_NS;

fn splice(a: u64, keep_bytes: usize, from_byte: Option<u64>) -> Order<'static> {
    Order::Splice {
        a,
        b: 3,
        idle_ns: IDLE_NS,
        keep_bytes,
        from_byte,
        meter: None,
    }
}

/// A stream of the host's, spliced with a server of which so much is kept.
fn kept(keep_bytes: usize) -> (Crossing, u64) {
    let mut crossing = Crossing::new(1);
    let stream = crossing.open(b"\0\0abc");
    crossing.open_legacy(3);
    crossing.order(0, splice(2, keep_bytes, None));
    (crossing, stream)
}

fn server(crossing: &mut Crossing) -> &mut Server {
    crossing.nodes[0].servers.all.values_mut().next().unwrap()
}

fn sends(crossing: &mut Crossing, bytes: &[u8], has_ended: bool) {
    let (socket, server) = crossing.nodes[0].servers.all.iter_mut().next().unwrap();
    let socket = *socket;
    server.sends.extend(bytes);
    server.has_ended = has_ended;
    crossing.nodes[0].junction.socket_ready(socket);
    crossing.settle();
}

/// The host loses its stream, and says so as its node would.
fn lose(crossing: &mut Crossing, stream: u64) {
    let code = Closing::Lost.code();
    let key = Crossing::key();
    let _ended = crossing.host.reset(key, stream, code);
    let _ended = crossing.host.stop(key, stream, code);
    crossing.settle();
}

fn read_bytes(crossing: &Crossing, of: u64) -> u64 {
    let news = crossing.nodes[0].news.iter();
    let mut closed = news.filter_map(|news| match news {
        News::Closed {
            stream, read_bytes, ..
        } if *stream == of => Some(*read_bytes),
        _ => None,
    });
    closed.next().unwrap()
}

#[test]
fn a_stream_that_comes_later_begins_where_the_lost_one_was_left() {
    let (mut crossing, stream) = kept(1_000);
    sends(&mut crossing, b"0123456789", false);
    assert_eq!(crossing.host_reads(stream), b"0123456789");

    lose(&mut crossing, stream);
    assert_eq!(crossing.closed(0), [(2, Closing::Lost)]);
    assert_eq!(server(&mut crossing).closed, None);
    sends(&mut crossing, b"abc", false);
    assert_eq!(
        server(&mut crossing).sends.len(),
        3,
        "nothing is read of it"
    );
    let later = crossing.open(b"\0\0de");
    crossing.order(0, splice(4, 1_000, Some(6)));

    assert_eq!(crossing.host_reads(later), b"6789abc");
    assert_eq!(server(&mut crossing).received, b"abcde");
}

#[test]
fn all_that_a_lost_stream_brought_goes_on_and_is_told() {
    let (mut crossing, stream) = kept(1_000);
    server(&mut crossing).room = 1;
    let key = Crossing::key();
    assert_eq!(crossing.host.write(key, stream, &[7; 5_000]), Ok(5_000));
    crossing.settle();

    lose(&mut crossing, stream);
    server(&mut crossing).room = 1 << 20;
    sends(&mut crossing, b"", false);

    let received = server(&mut crossing).received.len() as u64;
    assert_eq!(received, read_bytes(&crossing, 2));
    assert!(received > 4, "{received}");
}

#[test]
fn what_is_not_kept_any_more_closes_the_stream_that_wants_it_and_not_the_other() {
    let (mut crossing, stream) = kept(4);
    sends(&mut crossing, b"0123456789", false);
    let _read = crossing.host_reads(stream);
    lose(&mut crossing, stream);

    for (number, byte) in [(4, 5), (6, 11)] {
        let late = crossing.open(b"\0\0");
        crossing.order(0, splice(number, 4, Some(byte)));

        assert_eq!(crossing.closed(0).last(), Some(&(number, Closing::TooLate)));
        assert_eq!(crossing.reset_code(late), Some(Closing::TooLate.code()));
    }
    let just_in_time = crossing.open(b"\0\0");
    crossing.order(0, splice(8, 4, Some(6)));
    assert_eq!(crossing.host_reads(just_in_time), b"6789");
}

#[test]
fn ends_are_kept_too() {
    let (mut crossing, stream) = kept(1_000);
    crossing.host.finish(Crossing::key(), stream).unwrap();
    crossing.settle();
    sends(&mut crossing, b"answer", true);
    assert_eq!(crossing.closed(0), [(2, Closing::Ended)]);
    assert_eq!(server(&mut crossing).closed, Some(false));

    let later = crossing.open(b"\0\0");
    crossing.order(0, splice(4, 1_000, Some(2)));
    assert_eq!(crossing.host_reads(later), b"swer");
    assert_eq!(crossing.closed(0).last(), Some(&(4, Closing::Ended)));

    crossing.order(0, Order::Close { stream: 3 });
    assert_eq!(crossing.closed(0).last(), Some(&(3, Closing::Ended)));
    crossing.pass(SECOND_NS);
    assert_eq!(crossing.nodes[0].junction.statistics().open, 0);
}

#[test]
fn the_servers_end_comes_behind_what_was_kept() {
    let (mut crossing, stream) = kept(1_000);
    sends(&mut crossing, b"answer", true);
    lose(&mut crossing, stream);

    let later = crossing.open(b"\0\0more");
    crossing.order(0, splice(4, 1_000, Some(0)));

    assert_eq!(crossing.host_reads(later), b"answer");
    assert_eq!(server(&mut crossing).received, b"abcmore");
    crossing.host.finish(Crossing::key(), later).unwrap();
    crossing.settle();
    assert_eq!(crossing.closed(0).last(), Some(&(4, Closing::Ended)));
}

fn open(crossing: &mut Crossing, node: usize, stream: u64, to: Target) {
    let deadline_ns = 10 * SECOND_NS;
    let order = Order::Open {
        stream,
        to,
        deadline_ns,
        ahead: 0,
    };
    crossing.order(node, order);
}

/// A stream of the host's, from node 0 on to node 1.
fn by_way_of_a_node(crossing: &mut Crossing, number: u64) -> u64 {
    let stream = crossing.open(b"\0\0");
    let to = Target::AtNode {
        node: address(1),
        opening: b"on".to_vec(),
    };
    open(crossing, 0, number + 1, to);
    let order = Order::Splice {
        a: number,
        b: number + 1,
        idle_ns: IDLE_NS,
        keep_bytes: 0,
        from_byte: None,
        meter: None,
    };
    crossing.order(0, order);
    stream
}

#[test]
fn a_node_on_the_way_says_that_an_end_came_by_another_stream_already() {
    let mut crossing = Crossing::new(2);
    let stream = by_way_of_a_node(&mut crossing, 2);
    let to = Target::Legacy(Legacy {
        host: "example.org".to_owned(),
        port: 80,
        is_udp: false,
    });
    open(&mut crossing, 1, 3, to);
    crossing.order(1, splice(2, 1_000, None));
    crossing.host.finish(Crossing::key(), stream).unwrap();
    crossing.settle();
    lose(&mut crossing, stream);

    let later = by_way_of_a_node(&mut crossing, 4);
    crossing.order(1, splice(4, 1_000, Some(0)));

    let stopped = Event::StreamStopped {
        key: Crossing::key(),
        stream: later,
        code: Closing::Ended.code(),
    };
    assert!(crossing.host_events.contains(&stopped));
    let (socket, server) = crossing.nodes[1].servers.all.iter_mut().next().unwrap();
    let socket = *socket;
    assert!(server.saw_end);
    server.sends.extend(b"answer");
    server.has_ended = true;
    crossing.nodes[1].junction.socket_ready(socket);
    crossing.settle();
    assert_eq!(crossing.host_reads(later), b"answer");
    assert_eq!(
        crossing.closed(0)[2..],
        [(4, Closing::Ended), (5, Closing::Ended)]
    );
}

#[test]
fn a_stream_that_the_service_closes_makes_room_for_the_next() {
    let (mut crossing, _) = kept(1_000);
    sends(&mut crossing, b"0123", false);

    crossing.order(0, Order::Close { stream: 2 });
    assert_eq!(crossing.closed(0), [(2, Closing::Closed)]);
    assert_eq!(read_bytes(&crossing, 2), 3);
    let later = crossing.open(b"\0\0");
    crossing.order(0, splice(4, 1_000, Some(0)));

    assert_eq!(crossing.host_reads(later), b"0123");
}

#[test]
fn a_server_that_breaks_ends_both() {
    let (mut crossing, _) = kept(1_000);

    server(&mut crossing).is_broken = true;
    sends(&mut crossing, b"half", false);

    let mut closed = crossing.closed(0);
    closed.sort_unstable();
    assert_eq!(closed, [(2, Closing::Reset), (3, Closing::Reset)]);
}

#[test]
fn silence_ends_both_and_so_does_waiting_for_nobody() {
    let (mut crossing, _) = kept(1_000);
    crossing.pass(IDLE_NS + SECOND_NS);
    assert_eq!(crossing.closed(0).len(), 2);

    let (mut crossing, stream) = kept(1_000);
    lose(&mut crossing, stream);
    crossing.pass(IDLE_NS + SECOND_NS);
    assert_eq!(crossing.closed(0).last(), Some(&(3, Closing::Deadline)));
    assert_eq!(server(&mut crossing).closed, Some(true));
}

#[test]
fn what_is_kept_is_reserved_and_given_back() {
    let (mut crossing, stream) = kept(1 << 20);
    let before = crossing.nodes[0].junction.statistics().buffered_bytes;
    for _ in 0..40 {
        sends(&mut crossing, &[1; 50_000], false);
        let _read = crossing.host_reads(stream);
    }

    let full = crossing.nodes[0].junction.statistics().buffered_bytes;
    assert_eq!(full - before, 1 << 20);
    for stream in [2, 3] {
        crossing.order(0, Order::Close { stream });
    }
    crossing.pass(SECOND_NS);
    assert!(crossing.nodes[0].junction.statistics().buffered_bytes < before);
}

#[test]
fn after_a_long_silence_it_is_given_back_and_the_stream_can_still_be_replaced() {
    let mut crossing = Crossing::new(1);
    let stream = crossing.open(b"\0\0abc");
    crossing.open_legacy(3);
    let spliced = |a, from_byte| Order::Splice {
        a,
        b: 3,
        idle_ns: 3_600 * SECOND_NS,
        keep_bytes: 1 << 20,
        from_byte,
        meter: None,
    };
    crossing.order(0, spliced(2, None));
    let before = crossing.nodes[0].junction.statistics().buffered_bytes;
    sends(&mut crossing, &[1; 50_000], false);
    assert_eq!(crossing.host_reads(stream).len(), 50_000);

    crossing.pass(50 * SECOND_NS);
    assert!(crossing.nodes[0].junction.statistics().buffered_bytes > before);
    crossing.pass(50 * SECOND_NS);

    assert_eq!(
        crossing.nodes[0].junction.statistics().buffered_bytes,
        before
    );
    lose(&mut crossing, stream);
    let later = crossing.open(b"\0\0");
    crossing.order(0, spliced(4, Some(50_000)));
    sends(&mut crossing, b"more", false);
    assert_eq!(crossing.host_reads(later), b"more");
}

#[test]
fn one_that_lingers_has_no_windows() {
    let (mut crossing, stream) = kept(1_000);
    crossing.host.finish(Crossing::key(), stream).unwrap();
    crossing.settle();
    let before = crossing.nodes[0].junction.statistics().buffered_bytes;

    sends(&mut crossing, b"answer", true);

    assert_eq!(crossing.closed(0), [(2, Closing::Ended)]);
    let lingering = crossing.nodes[0].junction.statistics().buffered_bytes;
    assert!(before - lingering > 60_000, "{before} {lingering}");
    let later = crossing.open(b"\0\0");
    crossing.order(0, splice(4, 1_000, Some(2)));
    assert_eq!(crossing.host_reads(later), b"swer");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn however_often_it_is_lost_every_byte_arrives_once(
        pieces in vec((1usize..200_000, 0usize..4, any::<bool>()), 1..12)
    ) {
        let (mut crossing, mut stream) = kept(1 << 20);
        let mut number = 2;
        let mut sent = Vec::new();
        let mut read = Vec::new();
        let mut written = 3;

        for (bytes, reads, is_lost) in pieces {
            let piece: Vec<u8> = (0..bytes).map(|at| ((sent.len() + at) % 251) as u8).collect();
            sent.extend_from_slice(&piece);
            sends(&mut crossing, &piece, false);
            for _ in 0..reads {
                let mut got = Vec::new();
                let _ = crossing.host.read(Crossing::key(), stream, 50_000, &mut got);
                read.extend(got.concat());
                crossing.settle();
            }
            written += crossing.host.write(Crossing::key(), stream, &[5; 1_000]).unwrap();
            crossing.settle();
            if is_lost {
                lose(&mut crossing, stream);
                number += 2;
                stream = crossing.open(b"\0\0");
                crossing.order(0, splice(number, 1 << 20, Some(read.len() as u64)));
            }
        }
        while let rest = crossing.host_reads(stream) && !rest.is_empty() {
            read.extend(rest);
        }

        prop_assert!(read == sent, "{} of {}", read.len(), sent.len());
        prop_assert_eq!(server(&mut crossing).received.len(), written);
    }
}
