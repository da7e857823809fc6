//! What a service asks for, in order and out of it.

use ei_streams::junction::{Closing, Legacy, News, Order, Target};
use ei_streams::sites::Sites;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::crossing::{Crossing, SECOND_NS, SERVICE};

fn window_of(crossing: &Crossing) -> usize {
    match crossing.nodes[0].news[0] {
        News::Opened { window, .. } => window,
        _ => panic!("{:?}", crossing.nodes[0].news),
    }
}

fn write(crossing: &mut Crossing, bytes: usize) {
    let order = Order::Write {
        stream: 2,
        data: &vec![7; bytes],
        is_end: false,
    };
    crossing.order(0, order);
}

#[test]
fn a_read_is_answered_once_with_no_more_than_was_asked_for() {
    let mut crossing = Crossing::new(1);
    let _stream = crossing.open(b"\0\0abcdef");

    let order = Order::Read {
        stream: 2,
        limit: 4,
        idle_ns: SECOND_NS,
    };
    crossing.order(0, order);
    crossing.pass(2 * SECOND_NS);

    let data = News::Data {
        stream: 2,
        data: b"abcd".to_vec(),
        is_end: false,
    };
    assert_eq!(crossing.nodes[0].news[1..], [data]);
}

#[test]
fn a_read_that_finds_nothing_in_time_closes_the_stream() {
    let mut crossing = Crossing::new(1);
    let stream = crossing.open(b"\0\0");

    let order = Order::Read {
        stream: 2,
        limit: 4,
        idle_ns: SECOND_NS,
    };
    crossing.order(0, order);
    crossing.pass(2 * SECOND_NS);

    assert_eq!(crossing.closed(0), [(2, Closing::Deadline)]);
    assert_eq!(crossing.reset_code(stream), Some(Closing::Deadline.code()));
}

#[test]
fn the_window_is_exact() {
    let mut crossing = Crossing::new(1);
    let stream = crossing.open(b"\0\0");
    let window = window_of(&crossing);
    crossing.nodes[0].is_listening = false;

    write(&mut crossing, window);
    assert_eq!(crossing.closed(0), []);
    assert_eq!(crossing.host_reads(stream).len(), window);
    let told = News::Writable { stream: 2, window };
    assert!(crossing.nodes[0].news.contains(&told));
    // Before it is heard: a large answer is sent in parts, the last of which says what it answers.
    write(&mut crossing, window);
    assert_eq!(crossing.closed(0), []);
    write(&mut crossing, 1);

    assert_eq!(crossing.closed(0), [(2, Closing::StreamOverrun)]);
}

#[test]
fn a_service_whose_answers_come_in_parts_is_told_again_and_again() {
    let mut crossing = Crossing::new(1);
    let stream = crossing.open(b"\0\0");
    let window = window_of(&crossing);
    crossing.nodes[0].is_listening = false;
    let mut rest = window;

    for _ in 0..20 {
        // It writes all but a tenth, hears of a new window, and writes that before its answer comes.
        write(&mut crossing, rest - window / 10);
        rest = window;
        assert_eq!(crossing.host_reads(stream).len(), window - window / 10);
        let told = News::Writable { stream: 2, window };
        assert_eq!(crossing.nodes[0].news.pop(), Some(told));
        write(&mut crossing, window - window / 10);
        let _read = crossing.host_reads(stream);
        crossing.nodes[0].junction.window_heard(32, 2, window);
        crossing.settle();
        let told = News::Writable { stream: 2, window };
        assert_eq!(crossing.nodes[0].news.pop(), Some(told));
        crossing.nodes[0].junction.window_heard(32, 2, window);
    }

    assert_eq!(crossing.closed(0), []);
}

#[test]
fn last_bytes_that_nobody_takes_are_not_kept_for_ever() {
    for has_worker in [true, false] {
        let mut crossing = Crossing::new(1);
        crossing.open_legacy(3);
        crossing.nodes[0]
            .servers
            .all
            .values_mut()
            .next()
            .unwrap()
            .room = 0;
        let order = Order::Write {
            stream: 3,
            data: b"abc",
            is_end: true,
        };
        crossing.order(0, order);
        crossing.order(0, Order::Close { stream: 3 });
        assert_eq!(crossing.nodes[0].junction.statistics().open, 1);

        if has_worker {
            crossing.pass(31 * SECOND_NS);
        } else {
            let node = &mut crossing.nodes[0];
            node.junction.lose_service(0, &mut node.servers, 32);
        }

        let node = &crossing.nodes[0];
        assert_eq!(node.junction.statistics().open, 0);
        assert_eq!(node.servers.all.values().next().unwrap().closed, Some(true));
    }
}

#[test]
fn an_end_that_takes_nothing_is_given_up() {
    let mut crossing = Crossing::new(1);
    crossing.open_legacy(3);
    crossing.nodes[0]
        .servers
        .all
        .values_mut()
        .next()
        .unwrap()
        .room = 0;
    let order = Order::Write {
        stream: 3,
        data: b"abc",
        is_end: false,
    };
    crossing.order(0, order);

    crossing.pass(299 * SECOND_NS);
    assert_eq!(crossing.closed(0), []);
    crossing.pass(2 * SECOND_NS);

    assert_eq!(crossing.closed(0), [(3, Closing::Deadline)]);
}

#[test]
fn an_old_window_ends_when_a_new_one_is_heard() {
    let mut crossing = Crossing::new(1);
    let stream = crossing.open(b"\0\0");
    let window = window_of(&crossing);
    crossing.nodes[0].is_listening = false;
    write(&mut crossing, window - 100);
    assert_eq!(crossing.host_reads(stream).len(), window - 100);

    crossing.nodes[0].junction.window_heard(32, 2, window);
    write(&mut crossing, window + 1);

    assert_eq!(crossing.closed(0), [(2, Closing::StreamOverrun)]);
}

#[test]
fn a_stream_that_ended_both_ways_is_closed() {
    let mut crossing = Crossing::new(1);
    let stream = crossing.open(b"\0\0abc");
    crossing.host.finish(Crossing::key(), stream).unwrap();
    let order = Order::Read {
        stream: 2,
        limit: 100,
        idle_ns: SECOND_NS,
    };
    crossing.order(0, order);
    assert_eq!(crossing.closed(0), []);

    let order = Order::Write {
        stream: 2,
        data: b"de",
        is_end: true,
    };
    crossing.order(0, order);

    assert_eq!(crossing.host_reads(stream), b"de");
    let closed = News::Closed {
        stream: 2,
        why: Closing::Ended,
        read_bytes: 3,
        written_bytes: 2,
    };
    assert_eq!(crossing.nodes[0].news.last(), Some(&closed));
}

#[test]
fn a_number_that_is_taken_or_even_is_refused() {
    let mut crossing = Crossing::new(1);
    crossing.open_legacy(3);
    let before = crossing.nodes[0].news.len();

    crossing.open_legacy(3);
    crossing.open_legacy(4);

    assert_eq!(crossing.nodes[0].news.len(), before);
    assert_eq!(crossing.nodes[0].junction.statistics().refused, 2);
}

/// A service that asks and does not listen: what is kept for it is bounded, and when it listens it hears of all that.
#[test]
fn b9_who_asks_for_streams_without_end_and_does_not_listen_gets_no_more() {
    let mut crossing = Crossing::new(1);
    crossing.nodes[0].is_listening = false;
    let now_ns = crossing.now_ns;
    let node = &mut crossing.nodes[0];
    for number in 0..20_000 {
        let to = Target::AtHost;
        let open = Order::Open {
            stream: 2 * number + 1,
            to,
            deadline_ns: SECOND_NS,
            ahead: 0,
        };
        node.junction
            .order(now_ns, &mut node.servers, SERVICE, open);
    }

    let statistics = node.junction.statistics();
    assert_eq!(statistics.open, 4_000 + 4_096);
    assert_eq!(statistics.refused, 20_000 - 4_000 - 4_096);
    crossing.nodes[0].is_listening = true;
    crossing.settle();
    assert_eq!(crossing.nodes[0].news.len(), 4_000 + 4_096);
    assert_eq!(crossing.nodes[0].junction.statistics().open, 0);
}

fn order_of(kind: u8, a: u64, b: u64, bytes: usize) -> Order<'static> {
    static DATA: [u8; 70_000] = [9; 70_000];
    match kind % 7 {
        0 => Order::Open {
            stream: a,
            to: Target::Legacy(Legacy {
                host: "h".to_owned(),
                port: 1,
                is_udp: false,
            }),
            deadline_ns: SECOND_NS,
            ahead: 0,
        },
        1 => Order::Read {
            stream: a,
            limit: bytes.max(1),
            idle_ns: SECOND_NS,
        },
        2 => Order::Write {
            stream: a,
            data: &DATA[..bytes],
            is_end: b == 0,
        },
        3 => Order::Close { stream: a },
        4 => Order::Splice {
            a,
            b,
            idle_ns: SECOND_NS,
            keep_bytes: bytes / 2,
            from_byte: bytes.is_multiple_of(3).then_some(bytes as u64 % 12),
            meter: None,
        },
        5 => Order::StartTls {
            stream: a,
            site: crate::securing::NAME,
        },
        _ => Order::Open {
            stream: a,
            to: Target::AtNode {
                node: crate::crossing::address(1),
                opening: b"on".to_vec(),
            },
            deadline_ns: SECOND_NS,
            ahead: 0,
        },
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]

    #[test]
    fn whatever_is_asked_for_the_books_are_right(
        orders in vec((any::<u8>(), 0u64..8, 0u64..8, 0usize..70_000), 0..40)
    ) {
        let mut crossing = Crossing::new(2);
        let sites = Sites::new(vec![crate::securing::site()]).unwrap();
        crossing.nodes[0].junction.set_sites(sites);
        for _ in 0..2 {
            let stream = crossing.open(b"\0\0abcdef");
            let _ = crossing.host.finish(Crossing::key(), stream);
        }

        for (kind, a, b, bytes) in orders {
            crossing.order(0, order_of(kind, a, b, bytes));
        }
        for stream in 0..8 {
            crossing.order(0, Order::Close { stream });
        }
        crossing.pass(40 * SECOND_NS);

        let counted = crossing.nodes[0].junction.statistics();
        prop_assert_eq!(counted.open, 0);
        prop_assert_eq!(counted.opened, counted.closed.values().sum::<u64>());
        let told = crossing.closed(0).len() as u64;
        prop_assert_eq!(told, counted.opened);
        prop_assert!(crossing.nodes[0].servers.all.values().all(|one| one.closed.is_some()));
    }
}
