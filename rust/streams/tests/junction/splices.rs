//! Streams of hosts spliced with sockets.

use ei_streams::junction::{Closing, Order};

use crate::crossing::{Crossing, SECOND_NS, Server};

/// A stream of the host's, spliced with a socket.
fn spliced() -> (Crossing, u64) {
    let mut crossing = Crossing::new(1);
    let stream = crossing.open(b"\0\0abc");
    crossing.open_legacy(3);
    let order = Order::Splice {
        a: 2,
        b: 3,
        idle_ns: 10 * SECOND_NS,
        keep_bytes: 0,
        from_byte: None,
        meter: None,
    };
    crossing.order(0, order);
    (crossing, stream)
}

fn server(crossing: &mut Crossing) -> (usize, &mut Server) {
    let (socket, server) = crossing.nodes[0].servers.all.iter_mut().next().unwrap();
    (*socket, server)
}

#[test]
fn bytes_and_ends_go_both_ways() {
    let (mut crossing, stream) = spliced();
    assert_eq!(server(&mut crossing).1.received, b"abc");

    crossing.host.finish(Crossing::key(), stream).unwrap();
    crossing.settle();
    let (socket, one) = server(&mut crossing);
    assert!(one.saw_end);
    one.sends.extend(b"answer");
    one.has_ended = true;
    crossing.nodes[0].junction.socket_ready(socket);
    crossing.settle();

    assert_eq!(crossing.host_reads(stream), b"answer");
    assert_eq!(crossing.closed(0).len(), 2);
    assert!(
        crossing
            .closed(0)
            .iter()
            .all(|(_, why)| *why == Closing::Ended)
    );
    assert_eq!(server(&mut crossing).1.closed, Some(false));
}

#[test]
fn a_server_that_takes_nothing_slows_the_host() {
    let (mut crossing, stream) = spliced();
    server(&mut crossing).1.room = 0;
    let mut written = 0;

    for _ in 0..1_000 {
        written += crossing
            .host
            .write(Crossing::key(), stream, &[1; 100_000])
            .unwrap();
        crossing.settle();
        crossing.pass(SECOND_NS / 1_000);
    }

    assert!(written < 20 << 20, "{written}");
    let (socket, one) = server(&mut crossing);
    one.room = 1 << 30;
    crossing.nodes[0].junction.socket_ready(socket);
    crossing.pass(SECOND_NS);
    assert_eq!(server(&mut crossing).1.received.len(), written + 3);
}

#[test]
fn what_a_server_sent_before_it_broke_arrives_before_the_reset() {
    let (mut crossing, stream) = spliced();
    let (socket, one) = server(&mut crossing);
    one.sends.extend(b"413 too large");
    one.is_broken = true;

    crossing.nodes[0].junction.socket_ready(socket);
    crossing.settle();

    assert_eq!(crossing.closed(0).len(), 2);
    assert_eq!(crossing.reset_code(stream), None);
    assert_eq!(crossing.host_reads(stream), b"413 too large");
    crossing.pass(2 * SECOND_NS);
    assert_eq!(crossing.reset_code(stream), Some(Closing::Reset.code()));
    assert_eq!(crossing.nodes[0].junction.statistics().open, 0);
}

#[test]
fn what_is_spliced_with_a_stream_that_is_gone_ends_as_that_did() {
    let mut crossing = Crossing::new(1);
    let stream = crossing.open(b"\0\0abc");
    crossing.open_legacy(3);
    crossing.host.reset(Crossing::key(), stream, 0).unwrap();
    crossing.settle();

    let order = Order::Splice {
        a: 2,
        b: 3,
        idle_ns: 10 * SECOND_NS,
        keep_bytes: 0,
        from_byte: None,
        meter: None,
    };
    crossing.order(0, order);

    assert_eq!(
        crossing.closed(0),
        [(2, Closing::Reset), (3, Closing::Reset)]
    );
    assert_eq!(server(&mut crossing).1.closed, Some(true));
}

#[test]
fn a_splice_that_rests_too_long_is_closed() {
    let (mut crossing, stream) = spliced();
    crossing.pass(9 * SECOND_NS);
    crossing.host.write(Crossing::key(), stream, b"d").unwrap();
    crossing.pass(9 * SECOND_NS);
    assert_eq!(crossing.closed(0), []);

    crossing.pass(4 * SECOND_NS);

    assert_eq!(crossing.closed(0).len(), 2);
    assert!(
        crossing
            .closed(0)
            .iter()
            .all(|(_, why)| *why == Closing::Deadline)
    );
    assert_eq!(server(&mut crossing).1.closed, Some(true));
}

#[test]
fn what_the_host_does_not_want_is_not_read_and_what_it_sends_arrives() {
    let (mut crossing, stream) = spliced();

    crossing.host.stop(Crossing::key(), stream, 0).unwrap();
    crossing.settle();
    server(&mut crossing).1.sends.extend(b"unwanted");
    crossing
        .host
        .write(Crossing::key(), stream, b"last")
        .unwrap();
    crossing.host.finish(Crossing::key(), stream).unwrap();
    crossing.settle();

    assert_eq!(server(&mut crossing).1.received, b"abclast");
    let mut closed = crossing.closed(0);
    closed.sort_unstable();
    assert_eq!(closed, [(2, Closing::Reset), (3, Closing::Ended)]);
}
