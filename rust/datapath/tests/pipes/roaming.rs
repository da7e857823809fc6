//! A peer that moves: the new address proves itself first.

use std::net::SocketAddr;

use ei_datapath::pipes::PeerKind;
use proptest::prelude::*;

use crate::net::{MS, Net, SECOND, endpoint};

fn moved() -> SocketAddr {
    endpoint(40)
}

/// A12, rebinding: data goes on, first to the old address, then to the new.
#[test]
fn a_host_that_moves_keeps_its_pipe() {
    let mut net = Net::pair(1, PeerKind::Host, PeerKind::Node);
    net.connect(0, 1);
    net.ends[0].endpoint = moved();

    net.send(0, 1, b"from elsewhere").unwrap();
    net.run(MS);
    let peer = net.peer(1, 0);
    assert_eq!(net.ends[1].pipes.endpoint(peer), Some(endpoint(0)));
    net.run(5 * MS);

    assert_eq!(net.ends[1].pipes.endpoint(peer), Some(moved()));
    net.send(1, 0, b"found you").unwrap();
    net.run(5 * MS);
    assert_eq!(net.ends[0].received.len(), 1);
    assert_eq!(net.ends[1].changes.len(), 1);
}

/// A8, A12: at most three times the bytes that came go to an address that has not proved itself.
#[test]
fn a8_an_address_that_does_not_answer_gets_little() {
    let mut net = Net::pair(1, PeerKind::Host, PeerKind::Node);
    net.connect(0, 1);
    let spoofed = endpoint(41);
    let (mut came, sent) = (0, net.log.len());
    for number in 0..200u32 {
        net.send(0, 1, &number.to_le_bytes()).unwrap();
        // An attacker on the way sends the packet on from another address.
        let mut datagram = net.log.pop().unwrap().3;
        came += datagram.len();
        let _ = net.handle(1, spoofed, &mut datagram);
        net.flush(1);
        net.run(7 * MS);
        let went: usize = net.log[sent..]
            .iter()
            .filter(|it| it.2 == spoofed)
            .map(|it| it.3.len())
            .sum();
        assert!(went <= 3 * came);
    }

    let peer = net.peer(1, 0);
    assert_eq!(net.ends[1].pipes.endpoint(peer), Some(endpoint(0)));
    assert!(net.is_up(1, 0));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// A8: whatever comes from where and is sent when, at most three times what came goes to an address that
    /// has proved nothing.
    #[test]
    fn a8_no_schedule_of_bytes_is_amplified_more_than_three_times(
        steps in prop::collection::vec((0u8..3, 1usize..1_200, 0u64..300), 1..80),
    ) {
        let mut net = Net::pair(1, PeerKind::Host, PeerKind::Node);
        net.connect(0, 1);
        let spoofed = endpoint(41);
        let (mut came, sent) = (0, net.log.len());
        for (what, bytes, wait_ms) in steps {
            match what {
                0 => {
                    net.send(0, 1, &vec![0; bytes]).unwrap();
                    let mut datagram = net.log.pop().unwrap().3;
                    came += datagram.len();
                    let _ = net.handle(1, spoofed, &mut datagram);
                    net.flush(1);
                }
                1 => net.send(1, 0, &vec![0; bytes]).unwrap(),
                _ => {}
            }
            net.run(wait_ms * MS);
            let went: usize = net.log[sent..].iter().filter(|it| it.2 == spoofed).map(|it| it.3.len()).sum();
            prop_assert!(went <= 3 * came, "{went} B for {came} B");
        }
    }
}

#[test]
fn an_old_packet_from_an_old_address_moves_nothing() {
    let mut net = Net::pair(1, PeerKind::Host, PeerKind::Node);
    net.connect(0, 1);
    net.send(0, 1, b"delayed").unwrap();
    let mut delayed = net.log.last().unwrap().3.clone();
    net.send(0, 1, b"newer").unwrap();
    let mut newer = net.log.last().unwrap().3.clone();
    let _ = net.handle(1, endpoint(0), &mut newer);
    net.flush(1);
    let sent = net.log.len();

    let _ = net.handle(1, endpoint(41), &mut delayed);
    net.flush(1);

    assert!(
        net.log[sent..]
            .iter()
            .all(|(_, _, to, _)| *to != endpoint(41))
    );
}

/// A12, interop `rebind-port`: every 5 s another port.
#[test]
fn a_host_whose_port_changes_again_and_again_stays_reachable() {
    let mut net = Net::pair(1, PeerKind::Host, PeerKind::Node);
    net.connect(0, 1);
    let mut expected = 0;
    for port in 0..10u16 {
        net.ends[0].endpoint.set_port(4_000 + port);
        for _ in 0..50 {
            net.send(0, 1, b"up").unwrap();
            net.run(50 * MS);
            net.send(1, 0, b"down").unwrap();
            net.run(50 * MS);
            expected += 1;
        }
    }
    net.run(SECOND);

    assert_eq!(net.ends[1].received.len(), expected);
    assert!(net.ends[0].received.len() >= expected - 10);
    assert_eq!(net.ends[1].changes.len(), 1);
}
