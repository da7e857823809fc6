//! Streams to other nodes.

use ei_streams::junction::{Closing, News, Order, Target};

use crate::crossing::{Crossing, SECOND_NS, address};

fn reach(crossing: &mut Crossing, stream: u64) {
    let to = Target::AtNode {
        node: address(1),
        opening: b"on".to_vec(),
    };
    let order = Order::Open {
        stream,
        to,
        deadline_ns: 5 * SECOND_NS,
        ahead: 0,
    };
    crossing.order(0, order);
}

fn opened(crossing: &Crossing, node: usize) -> usize {
    let news = crossing.nodes[node].news.iter();
    news.filter(|news| matches!(news, News::Opened { .. }))
        .count()
}

#[test]
fn streams_share_a_connection_that_stays_warm() {
    let mut crossing = Crossing::new(2);

    reach(&mut crossing, 1);
    reach(&mut crossing, 3);
    for stream in [1, 3] {
        crossing.order(0, Order::Close { stream });
    }
    reach(&mut crossing, 5);

    assert_eq!((opened(&crossing, 0), opened(&crossing, 1)), (3, 3));
    assert_eq!(crossing.nodes[1].junction.statistics().connections, 1);
    let [News::Opened { opening, peer, .. }, ..] = &crossing.nodes[1].news[..] else {
        panic!("{:?}", crossing.nodes[1].news);
    };
    assert_eq!((&opening[..], *peer), (&b"on"[..], address(0)));
}

#[test]
fn more_streams_than_a_connection_allows_wait_for_room() {
    let mut crossing = Crossing::new(2);
    for number in 0..1_100 {
        reach(&mut crossing, 2 * number + 1);
    }
    assert_eq!(opened(&crossing, 0), 1_024);

    // QUIC tells of room when an eighth has become free.

    for number in 0..200 {
        let stream = 2 * number + 1;
        crossing.order(0, Order::Close { stream });
    }
    for number in 0..200 {
        let stream = 2 * number + 2;
        crossing.order(1, Order::Close { stream });
    }
    crossing.pass(SECOND_NS);

    assert_eq!(opened(&crossing, 0), 1_100);
}

#[test]
fn a_place_that_another_service_took_gets_no_connection_of_the_first() {
    let mut crossing = Crossing::new(2);
    crossing.nodes[0].junction.add_service(34, false);
    let node = &mut crossing.nodes[0];
    let mut order = |service, stream, order| {
        let order = match order {
            Some(what) => Order::Open {
                stream,
                to: Target::AtNode {
                    node: address(1),
                    opening: what,
                },
                deadline_ns: 5 * SECOND_NS,
                ahead: 0,
            },
            None => Order::Close { stream },
        };
        node.junction.order(0, &mut node.servers, service, order);
        let _told = node.junction.next_news(0, &mut node.servers, service, 1);
    };

    order(32, 1, Some(b"of 32".to_vec()));
    order(32, 1, None);
    order(34, 1, Some(b"of 34".to_vec()));
    crossing.settle();

    assert_eq!(opened(&crossing, 1), 0);
}

#[test]
fn a_node_that_does_not_want_the_service_refuses() {
    let mut crossing = Crossing::new(2);
    let node = &mut crossing.nodes[1];
    node.junction.lose_service(0, &mut node.servers, 32);

    reach(&mut crossing, 1);

    assert_eq!(crossing.closed(0), [(1, Closing::Reset)]);
}
