//! Pipes that one end closes: the other is told, and nothing of them comes back.

use ei_datapath::counters::Fate;
use ei_datapath::pipes::{KeyLimits, PeerKind};

use crate::net::{MS, Net, SECOND, endpoint};

/// The datagrams with which an end closes its pipe, before they are on the link.
fn close(net: &mut Net, end: usize, other: usize) -> Vec<Vec<u8>> {
    let (now_ns, peer) = (net.now_ns, net.peer(end, other));
    let pipes = &mut net.ends[end].pipes;
    pipes.close_peer(now_ns, peer);
    let said = std::iter::from_fn(|| pipes.take_outgoing());
    said.map(|(_, datagram)| datagram).collect()
}

#[test]
fn a_closed_pipe_is_down_at_once_at_both_ends_until_somebody_dials() {
    let mut net = Net::pair(1, PeerKind::Host, PeerKind::Node);
    net.connect(0, 1);
    net.send(0, 1, b"said before").unwrap();

    let (now_ns, peer) = (net.now_ns, net.peer(0, 1));
    net.ends[0].pipes.close_peer(now_ns, peer);
    net.flush(0);
    let took_ns = net.run_while(SECOND, |net| net.is_up(1, 0));

    assert!(took_ns < 5 * MS, "{} ms", took_ns / MS);
    assert!(!net.is_up(0, 1));
    net.run(5 * SECOND);
    assert!(!net.is_up(0, 1) && !net.is_up(1, 0));
    net.connect(0, 1);
}

#[test]
fn who_wants_a_pipe_that_the_other_end_closed_dials_at_once() {
    let mut net = Net::pair(1, PeerKind::Host, PeerKind::Node);
    net.connect(0, 1);

    let (now_ns, peer) = (net.now_ns, net.peer(1, 0));
    net.ends[1].pipes.close_peer(now_ns, peer);
    net.flush(1);
    net.run_while(SECOND, |net| net.is_up(0, 1));
    net.run(100 * MS);

    assert!(net.is_up(0, 1) && net.is_up(1, 0));
}

#[test]
fn what_comes_after_the_close_of_its_pipe_is_opened_but_revives_nothing() {
    let mut net = Net::pair(1, PeerKind::Node, PeerKind::Node);
    net.connect(0, 1);
    let late = net.sealed(0, 1, b"late");
    let (now_ns, peer) = (net.now_ns, net.peer(0, 1));
    net.ends[0].pipes.close_peer(now_ns, peer);
    net.flush(0);
    net.run_while(SECOND, |net| net.is_up(1, 0));

    let mut late = late;
    let fate = net.handle(1, endpoint(0), &mut late);

    assert_eq!(fate, Fate::Delivered);
    assert!(!net.is_up(1, 0));
}

#[test]
fn a_close_that_comes_late_does_not_end_the_pipe_opened_after_it() {
    let mut net = Net::pair(1, PeerKind::Host, PeerKind::Node);
    net.connect(0, 1);
    let late = close(&mut net, 0, 1);
    net.connect(0, 1);

    for mut datagram in late {
        let fate = net.handle(1, endpoint(0), &mut datagram);
        assert_eq!(fate, Fate::Consumed);
    }

    assert!(net.is_up(1, 0));
    net.run(5 * SECOND);
    assert_eq!(net.ends[1].changes.len(), 1);
}

/// With several threads a new key is known to all before it is used.
#[test]
fn a_close_ends_the_key_that_was_to_be_used_next_as_well() {
    let mut net = Net::pair_with(1, PeerKind::Node, PeerKind::Node, |config| {
        config.lanes = 2;
        config.limits = Some(KeyLimits {
            rekey_ns: 2 * SECOND,
            ..KeyLimits::for_datagrams(1_452)
        });
    });
    net.connect(0, 1);
    net.run_while(5 * SECOND, |net| net.ends[1].pipes.session_count() < 2);
    net.run(5 * MS);
    assert!(net.is_up(0, 1));

    let (now_ns, peer) = (net.now_ns, net.peer(0, 1));
    net.ends[0].pipes.close_peer(now_ns, peer);
    net.flush(0);
    net.run(5 * SECOND);

    assert!(!net.is_up(0, 1) && !net.is_up(1, 0));
    let changes = |index: usize| net.ends[index].changes.len();
    assert_eq!((changes(0), changes(1)), (2, 2), "up, and down");
}
