//! Keys change in time, and no packet is lost over it.

use ei_datapath::counters::Reason;
use ei_datapath::pipe::KeyLimits;
use ei_datapath::pipes::{PeerKind, PipesConfig};

use crate::net::{MS, Net, SECOND};

fn scaled(config: &mut PipesConfig) {
    config.limits = Some(KeyLimits {
        rekey_packets: 1 << 9,
        reject_packets: 1 << 10,
        forged_packets: 100,
        ..KeyLimits::for_datagrams(1_452)
    });
}

fn handshakes(net: &Net) -> usize {
    net.log
        .iter()
        .filter(|(.., bytes)| bytes[0] == 0x12)
        .count()
}

fn exchange(net: &mut Net, packets: u32, gap_ns: u64) {
    for number in 0..packets {
        net.send(0, 1, &number.to_le_bytes()).unwrap();
        net.send(1, 0, &number.to_le_bytes()).unwrap();
        net.run(gap_ns);
    }
    net.run(SECOND / 10);
    for end in &net.ends {
        let received: Vec<_> = end
            .received
            .iter()
            .map(|(_, payload)| payload.clone())
            .collect();
        let expected: Vec<_> = (0..packets).map(|it| it.to_le_bytes().to_vec()).collect();
        assert!(received == expected, "{} of {packets}", received.len());
        assert!(end.drops.is_empty(), "{:?}", end.drops);
        assert_eq!(end.changes.len(), 1);
    }
}

/// A5: over an order-preserving link no packet is lost when keys change after 120 s.
#[test]
fn a5_a_key_is_changed_every_120_s_without_loss() {
    for (first, second) in [
        (PeerKind::Host, PeerKind::Node),
        (PeerKind::Node, PeerKind::Node),
    ] {
        let mut net = Net::pair(1, first, second);
        net.link.delay_ns = 20 * MS;
        net.connect(0, 1);

        exchange(&mut net, 20_000, 31 * MS);

        assert_eq!(handshakes(&net), 1 + 620 / 120);
    }
}

/// A7: the limits of AES-GCM.
#[test]
fn a7_the_packet_limits_are_those_of_the_design() {
    let short = KeyLimits::for_datagrams(2_048);
    let long = KeyLimits::for_datagrams(2_049);

    assert_eq!(
        (short.rekey_packets, short.reject_packets),
        (1 << 27, 1 << 28)
    );
    assert_eq!(
        (long.rekey_packets, long.reject_packets),
        (1 << 22, 1 << 23)
    );
    assert_eq!(short.forged_packets, 1 << 52);
    assert_eq!(
        (short.rekey_ns, short.reject_ns),
        (120 * SECOND, 180 * SECOND)
    );
}

/// A7, scaled down: the new key comes before the limit.
#[test]
fn a7_a_key_is_changed_before_its_packet_limit_without_loss() {
    let mut net = Net::pair_with(1, PeerKind::Host, PeerKind::Node, scaled);
    net.connect(0, 1);

    exchange(&mut net, 10_000, MS / 4);

    assert!(handshakes(&net) >= 10_000 / 512, "{}", handshakes(&net));
}

/// A7: with no way to a new key the old one is refused at its limit.
#[test]
fn a7_past_its_packet_limit_a_key_seals_nothing() {
    let mut net = Net::pair_with(1, PeerKind::Host, PeerKind::Node, scaled);
    net.connect(0, 1);
    let mut last = Ok(());

    for _ in 0..1_100 {
        last = net.send(0, 1, b"x");
    }

    assert_eq!(last, Err(Reason::KeyExpired));
}

/// A7: the budget of forgeries.
#[test]
fn a7_a_session_ends_after_too_many_forgeries() {
    let mut net = Net::pair_with(1, PeerKind::Host, PeerKind::Node, scaled);
    net.connect(0, 1);
    net.send(0, 1, b"x").unwrap();
    let datagram = net.log.last().unwrap().3.clone();
    for number in 0..100 {
        let mut forged = datagram.clone();
        forged[20 + number % 10] ^= 1;
        let _ = net.handle(1, crate::net::endpoint(0), &mut forged);
    }

    let fate = net.handle(1, crate::net::endpoint(0), &mut datagram.clone());

    assert_eq!(
        fate,
        ei_datapath::counters::Fate::Dropped(Reason::KeyExpired)
    );
}

/// A5: past 180 s nothing is sealed or opened, and the pipe is down.
#[test]
fn a5_past_180_s_a_key_is_refused() {
    let mut net = Net::pair(1, PeerKind::Node, PeerKind::Node);
    net.connect(0, 1);
    net.ends[1].is_frozen = true;
    net.send(0, 1, b"late").unwrap();
    let late = net.log.last().unwrap().3.clone();
    let now_ns = net.now_ns;

    net.now_ns = now_ns + 180 * SECOND;
    let fate = net.handle(1, crate::net::endpoint(0), &mut late.clone());

    assert_eq!(
        fate,
        ei_datapath::counters::Fate::Dropped(Reason::KeyExpired)
    );
}

#[test]
fn keys_are_forgotten_after_their_time() {
    let mut net = Net::pair(1, PeerKind::Host, PeerKind::Node);
    net.connect(0, 1);
    net.ends[0].is_frozen = true;

    net.run(200 * SECOND);

    assert_eq!(net.ends[1].pipes.session_count(), 0);
    assert!(!net.is_up(1, 0));
}

#[test]
fn a_reordering_link_loses_nothing_over_a_change_of_keys() {
    let mut net = Net::pair_with(7, PeerKind::Host, PeerKind::Node, scaled);
    net.link.jitter_ns = 15 * MS;
    net.connect(0, 1);
    for number in 0..5_000u32 {
        net.send(0, 1, &number.to_le_bytes()).unwrap();
        net.run(MS);
    }
    net.run(SECOND);

    assert_eq!(net.ends[1].received.len(), 5_000);
}
