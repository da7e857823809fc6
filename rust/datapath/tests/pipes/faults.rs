//! Bad links: loss, corruption, duplication, long delays, blackholes.

use ei_datapath::pipes::PeerKind;

use crate::net::{Link, MS, Net, SECOND};

fn connects(seed: u64, link: Link, within_ns: u64) -> u64 {
    let mut net = Net::pair(seed, PeerKind::Host, PeerKind::Node);
    net.link = link;
    net.dial(0, 1);
    let took_ns = net.run_while(within_ns, |net| !net.is_up(0, 1) || !net.is_up(1, 0));
    assert!(net.is_up(0, 1) && net.is_up(1, 0), "seed {seed}");
    took_ns
}

/// A13: 50 of 50 handshakes with 30 % loss each way, in bursts of at most 3.
#[test]
fn a13_fifty_handshakes_of_fifty_end_over_a_link_that_loses_30_percent() {
    let link = Link {
        delay_ns: 15 * MS,
        loss: 30,
        loss_burst: 3,
        ..Link::default()
    };

    let mut took_ns: Vec<_> = (0..50)
        .map(|seed| connects(seed, link, 20 * SECOND))
        .collect();
    took_ns.sort_unstable();

    assert!(took_ns[25] < SECOND, "median {} ms", took_ns[25] / MS);
}

/// A14: 30 % corruption each way.
#[test]
fn a14_fifty_handshakes_of_fifty_end_over_a_link_that_corrupts_30_percent() {
    let link = Link {
        delay_ns: 15 * MS,
        corrupt: 30,
        ..Link::default()
    };

    for seed in 0..50 {
        connects(seed, link, 20 * SECOND);
    }
}

/// A15: 750 ms each way.
#[test]
fn a15_a_pipe_opens_and_stays_up_over_750_ms_of_delay() {
    for (first, second) in [
        (PeerKind::Host, PeerKind::Node),
        (PeerKind::Node, PeerKind::Node),
    ] {
        let mut net = Net::pair(1, first, second);
        net.link.delay_ns = 750 * MS;
        net.dial(0, 1);
        net.run(10 * SECOND);
        assert!(net.is_up(0, 1) && net.is_up(1, 0));

        for _ in 0..20 {
            net.send(0, 1, b"far").unwrap();
            net.run(SECOND);
        }
        net.run(2 * SECOND);

        assert_eq!(net.ends[1].received.len(), 20);
        assert!(
            net.ends.iter().all(|end| end.changes.len() == 1),
            "{:?}",
            net.ends[0].changes
        );
    }
}

/// A15: a blackhole that is on for 5 s and off for 2 s.
#[test]
fn a15_a_pipe_survives_a_link_that_comes_and_goes() {
    let mut net = Net::pair(1, PeerKind::Node, PeerKind::Node);
    net.connect(0, 1);
    for _ in 0..20 {
        net.link.is_cut = true;
        net.run(5 * SECOND);
        assert!(!net.is_up(0, 1) && !net.is_up(1, 0));
        net.link.is_cut = false;
        net.run(2 * SECOND);
        assert!(net.is_up(0, 1) && net.is_up(1, 0));
    }
    net.ends[1].received.clear();
    net.send(0, 1, b"still there").unwrap();
    net.run(10 * MS);
    assert_eq!(net.ends[1].received.len(), 1);
}

#[test]
fn a_duplicating_link_delivers_each_packet_once() {
    let mut net = Net::pair(1, PeerKind::Host, PeerKind::Node);
    net.connect(0, 1);
    net.link.duplicate = 100;
    for number in 0..500u32 {
        net.send(0, 1, &number.to_le_bytes()).unwrap();
        net.run(MS);
    }
    net.run(SECOND / 10);

    assert_eq!(net.ends[1].received.len(), 500);
    assert!(net.ends[1].drops["replayed"] >= 500);
}

#[test]
fn a_link_that_loses_10_percent_between_nodes_stays_up_for_minutes() {
    let mut net = Net::pair(5, PeerKind::Node, PeerKind::Node);
    net.connect(0, 1);
    net.link.loss = 10;

    net.run(300 * SECOND);

    let downs: usize = net.ends.iter().map(|end| end.changes.len() - 1).sum();
    assert!(downs <= 4, "{downs} changes in 5 minutes");
}
