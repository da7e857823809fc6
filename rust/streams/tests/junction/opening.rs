//! How streams of hosts begin.

use ei_streams::ConnectionKey;
use ei_streams::junction::{Closing, News};

use crate::crossing::{Crossing, HOST, SECOND_NS, address};

#[test]
fn a_stream_is_told_when_its_opening_is_whole() {
    let mut crossing = Crossing::new(1);

    let stream = crossing.open(&[5, 0, b'o', b'p']);
    assert_eq!(crossing.nodes[0].news, []);
    let rest = b"enabcd";
    assert_eq!(crossing.host.write(Crossing::key(), stream, rest), Ok(6));
    crossing.settle();

    let [
        News::Opened {
            stream: 2,
            peer: HOST,
            opening,
            window,
        },
    ] = &crossing.nodes[0].news[..]
    else {
        panic!("{:?}", crossing.nodes[0].news);
    };
    assert_eq!(opening, b"opena");
    assert!(*window >= 4 * 1_024);
}

#[test]
fn an_opening_that_is_too_long_is_refused() {
    let mut crossing = Crossing::new(1);

    let stream = crossing.open(&[1, 4, 0]);

    assert_eq!(crossing.nodes[0].news, []);
    assert_eq!(crossing.reset_code(stream), Some(Closing::Refused.code()));
    assert_eq!(crossing.nodes[0].junction.statistics().open, 0);
}

#[test]
fn an_opening_that_does_not_come_is_not_waited_for() {
    let mut crossing = Crossing::new(1);
    let stream = crossing.open(&[5, 0]);

    crossing.pass(11 * SECOND_NS);

    assert_eq!(crossing.reset_code(stream), Some(Closing::Deadline.code()));
    assert_eq!(crossing.nodes[0].junction.statistics().open, 0);
    assert_eq!(crossing.nodes[0].news, []);
}

#[test]
fn a_service_without_a_worker_refuses_streams() {
    let mut crossing = Crossing::new(1);
    crossing.settle();
    let node = &mut crossing.nodes[0];
    node.junction.lose_service(0, &mut node.servers, 32);

    let stream = crossing.open(&[0, 0]);

    assert_eq!(crossing.reset_code(stream), Some(Closing::Refused.code()));
    assert_eq!(crossing.nodes[0].junction.statistics().refused, 1);
}

#[test]
fn packets_that_come_back_to_their_node_are_not_taken() {
    let mut crossing = Crossing::new(1);
    let key = ConnectionKey {
        peer: address(0),
        connection: 9,
    };
    let payload = [0xc0; 1_232];

    let junction = &mut crossing.nodes[0].junction;
    junction.handle(0, 32, address(1), key, [&payload[..]]);

    assert_eq!(junction.next_key_wanted(), None);
    assert!(junction.next_transmit(0, &mut Vec::new()).is_none());
}

#[test]
fn a_connection_without_streams_is_closed_after_a_while() {
    let mut crossing = Crossing::new(1);
    crossing.settle();
    assert_eq!(crossing.nodes[0].junction.statistics().connections, 1);

    crossing.pass(340 * SECOND_NS);

    assert_eq!(crossing.nodes[0].junction.statistics().connections, 0);
}
