//! Pipes open: dialling, crossing, restarting, agreeing on sizes.

use ei_datapath::counters::Reason;
use ei_datapath::pipes::{HandshakeCounts, PeerKind, PipeChange, Pipes, PipesError};

use crate::net::{MS, Net, SECOND, address, endpoint};

#[test]
fn a_dialled_pipe_carries_packets_both_ways() {
    let mut net = Net::pair(1, PeerKind::Host, PeerKind::Node);

    net.dial(0, 1);
    net.run(5 * MS);
    assert!(net.is_up(0, 1) && net.is_up(1, 0));
    net.send(0, 1, b"there").unwrap();
    net.send(1, 0, b"and back").unwrap();
    net.run(5 * MS);

    assert_eq!(net.ends[1].received, [(net.peer(1, 0), b"there".to_vec())]);
    assert_eq!(
        net.ends[0].received,
        [(net.peer(0, 1), b"and back".to_vec())]
    );
    assert_eq!(
        net.ends[0].changes,
        [PipeChange::PeerUp {
            peer: net.peer(0, 1)
        }]
    );
    assert_eq!(
        net.ends[1].changes,
        [PipeChange::PeerUp {
            peer: net.peer(1, 0)
        }]
    );
    assert!(net.ends.iter().all(|end| end.drops.is_empty()));
}

#[test]
fn a_pipe_opens_within_two_round_trips() {
    let mut net = Net::pair(1, PeerKind::Host, PeerKind::Node);
    net.link.delay_ns = 10 * MS;

    net.dial(0, 1);
    let host_ns = net.run_while(SECOND, |net| !net.is_up(0, 1));
    let node_ns = net.run_while(SECOND, |net| !net.is_up(1, 0));

    assert_eq!((host_ns, node_ns), (20 * MS, 10 * MS));
    assert_eq!(net.ends[0].pipes.rtt_ns(net.peer(0, 1)), Some(20 * MS));
}

#[test]
fn both_ends_count_the_steps_of_their_handshakes() {
    let mut net = Net::pair(1, PeerKind::Host, PeerKind::Node);
    net.link.is_cut = true;
    net.dial(0, 1);
    net.run(100 * MS);
    net.link.is_cut = false;
    net.run(SECOND);
    let initiation = net.log[0].3.clone();

    net.handle(1, endpoint(0), &mut initiation.clone());
    net.handle(1, endpoint(0), &mut initiation[..40].to_vec());

    let counts = |index: usize| net.ends[index].pipes.handshakes();
    assert_eq!(
        counts(0),
        HandshakeCounts {
            initiated: 2,
            completed: 1,
            ..HandshakeCounts::default()
        }
    );
    assert_eq!(
        counts(1),
        HandshakeCounts {
            answered: 1,
            completed: 1,
            refused: 2,
            ..HandshakeCounts::default()
        }
    );
}

#[test]
fn without_a_pipe_sealing_says_unreachable() {
    let mut net = Net::pair(1, PeerKind::Host, PeerKind::Node);

    assert_eq!(net.send(0, 1, b"too early"), Err(Reason::PeerUnreachable));
}

#[test]
fn the_responder_waits_for_the_initiators_first_packet() {
    let mut net = Net::pair(1, PeerKind::Host, PeerKind::Node);
    net.dial(0, 1);
    net.run_while(SECOND, |net| net.ends[0].datagrams_in == 0);

    assert!(net.is_up(0, 1));
    assert!(!net.is_up(1, 0));
}

#[test]
fn two_ends_that_dial_at_once_end_with_one_session() {
    for seed in 0..20 {
        let mut net = Net::pair(seed, PeerKind::Node, PeerKind::Node);
        net.introduce(1, 0, true);

        net.dial(0, 1);
        net.dial(1, 0);
        net.run(100 * MS);

        assert!(net.is_up(0, 1) && net.is_up(1, 0));
        assert_eq!(net.ends[0].pipes.session_count(), 1);
        assert_eq!(net.ends[1].pipes.session_count(), 1);
        net.send(0, 1, b"a").unwrap();
        net.send(1, 0, b"b").unwrap();
        net.run(10 * MS);
        assert_eq!(
            (net.ends[0].received.len(), net.ends[1].received.len()),
            (1, 1)
        );
    }
}

#[test]
fn two_ends_whose_dialling_crosses_slowly_dial_again() {
    for seed in 0..20 {
        let mut net = Net::pair(seed, PeerKind::Node, PeerKind::Node);
        net.introduce(1, 0, true);
        // Slower than what counts as crossing, and faster than the first retry: each answers the
        // other and gives its own opening up.
        net.link.delay_ns = 240 * MS;

        net.dial(0, 1);
        net.dial(1, 0);
        let took_ns = net.run_while(20 * SECOND, |net| !(net.is_up(0, 1) && net.is_up(1, 0)));

        assert!(took_ns < 15 * SECOND, "seed {seed}: {} ms", took_ns / MS);
    }
}

#[test]
fn a_restarted_peer_comes_back_and_both_sides_are_told() {
    let mut net = Net::pair(1, PeerKind::Node, PeerKind::Node);
    net.connect(0, 1);
    net.ends[0].changes.clear();

    let mut config = net.config(1, PeerKind::Node);
    config.seed = Some([77; 32]);
    net.ends[1].pipes = Pipes::new(config);
    net.introduce(1, 0, false);
    net.run(2 * SECOND);

    let peer = net.peer(0, 1);
    assert_eq!(
        net.ends[0].changes,
        [
            PipeChange::PeerDown { peer },
            PipeChange::PeerRestarted { peer },
            PipeChange::PeerUp { peer }
        ]
    );
    net.send(0, 1, b"again").unwrap();
    net.run(10 * MS);
    assert_eq!(net.ends[1].received.len(), 1);
}

#[test]
fn a_peer_that_restarts_and_dials_first_is_told_as_down_and_up() {
    let mut net = Net::pair(1, PeerKind::Host, PeerKind::Node);
    net.connect(0, 1);
    net.ends[1].changes.clear();

    let mut config = net.config(0, PeerKind::Host);
    config.seed = Some([77; 32]);
    net.ends[0].pipes = Pipes::new(config);
    net.introduce(0, 1, true);
    net.run(30 * MS);
    net.dial(0, 1);
    net.run(100 * MS);

    let peer = net.peer(1, 0);
    assert_eq!(
        net.ends[1].changes,
        [
            PipeChange::PeerDown { peer },
            PipeChange::PeerRestarted { peer },
            PipeChange::PeerUp { peer }
        ]
    );
}

#[test]
fn the_smaller_datagram_size_holds_for_both() {
    let mut net = Net::pair_with(1, PeerKind::Node, PeerKind::Node, |config| {
        config.max_datagram_bytes = if config.address == address(0) {
            1_400
        } else {
            1_300
        };
    });
    net.connect(0, 1);
    let room = 1_300 - Pipes::sealed_bytes(20, 0, false);

    for (from, to) in [(0, 1), (1, 0)] {
        assert_eq!(
            net.ends[from].pipes.max_datagram_bytes(net.peer(from, to)),
            1_300
        );
        assert_eq!(net.send(from, to, &vec![0; room]), Ok(()));
        assert_eq!(net.send(from, to, &vec![0; room + 1]), Err(Reason::TooBig));
    }
}

#[test]
fn a5_dialling_is_given_up_after_90_s() {
    let mut net = Net::pair(1, PeerKind::Host, PeerKind::Node);
    net.link.is_cut = true;

    net.dial(0, 1);
    net.run(89 * SECOND);
    assert!(net.ends[0].changes.is_empty());
    net.run(7 * SECOND);

    assert_eq!(
        net.ends[0].changes,
        [PipeChange::DialFailed {
            peer: net.peer(0, 1)
        }]
    );
    let sent = net.log.len();
    net.run(600 * SECOND);
    assert_eq!(net.log.len(), sent);
}

/// A5: quick tries first, since packets wait at most 1 s for a pipe; then 5 s and up to 334 ms.
#[test]
fn a5_initiations_are_spaced_by_the_schedule() {
    let mut net = Net::pair(1, PeerKind::Host, PeerKind::Node);
    net.link.is_cut = true;
    net.dial(0, 1);
    net.run(60 * SECOND);

    let sent_ns: Vec<u64> = net.log.iter().map(|(at_ns, ..)| *at_ns).collect();
    let gaps_ns: Vec<u64> = sent_ns.windows(2).map(|pair| pair[1] - pair[0]).collect();

    assert_eq!(gaps_ns[..4], [312_500_000, 500 * MS, SECOND, 2 * SECOND]);
    assert!(gaps_ns.len() >= 14);
    for gap_ns in &gaps_ns[4..] {
        assert!((5 * SECOND..5_334 * MS).contains(gap_ns), "{gap_ns}");
    }
}

#[test]
fn a_dialled_node_is_dialled_again_until_it_is_there() {
    let mut net = Net::pair(1, PeerKind::Node, PeerKind::Node);
    net.link.is_cut = true;
    net.dial(0, 1);
    net.run(200 * SECOND);

    net.link.is_cut = false;
    net.run(6 * SECOND);

    assert!(net.is_up(0, 1) && net.is_up(1, 0));
}

#[test]
fn b9_peers_are_bounded_and_one_key_has_one_address() {
    let mut net = Net::pair_with(1, PeerKind::Node, PeerKind::Node, |config| {
        config.max_peers = 2;
    });
    let pipes = &mut net.ends[0].pipes;
    let held = pipes.find(&address(1)).unwrap();
    let key = net.ends[1].key;
    let pipes = &mut net.ends[0].pipes;

    assert_eq!(
        pipes.add_peer(address(9), key, PeerKind::Node, None),
        Err(PipesError::KeyInUse { by: address(1) })
    );
    assert!(
        pipes
            .add_peer(address(2), [2; 32], PeerKind::Node, None)
            .is_ok()
    );
    assert_eq!(
        pipes.add_peer(address(3), [3; 32], PeerKind::Node, None),
        Err(PipesError::TooManyPeers { limit: 2 })
    );
    assert_eq!(
        pipes.add_peer(address(1), key, PeerKind::Host, Some(endpoint(1))),
        Ok(held)
    );
    assert_eq!(pipes.standing(held), (PeerKind::Host, true));
    pipes.remove_peer(&address(2));
    assert!(
        pipes
            .add_peer(address(3), [3; 32], PeerKind::Node, None)
            .is_ok()
    );
    assert_eq!(pipes.peers().count(), 2);
}

#[test]
fn a_removed_peer_is_silent_and_gone() {
    let mut net = Net::pair(1, PeerKind::Node, PeerKind::Node);
    net.connect(0, 1);
    let peer = net.peer(0, 1);
    let to_one = address(1);

    net.ends[0].pipes.remove_peer(&to_one);
    net.flush(0);
    let sent = net.log.len();
    net.run(300 * MS);

    assert_eq!(
        net.ends[0].changes.last(),
        Some(&PipeChange::PeerDown { peer })
    );
    assert_eq!(net.ends[0].pipes.session_count(), 0);
    assert!(
        net.log[sent..]
            .iter()
            .all(|(_, from, ..)| *from != endpoint(0))
    );
    assert!(!net.is_up(1, 0));
}

#[test]
fn another_key_for_an_address_ends_its_pipe() {
    let mut net = Net::pair(1, PeerKind::Node, PeerKind::Node);
    net.connect(0, 1);

    let peer = net.ends[0]
        .pipes
        .add_peer(address(1), [9; 32], PeerKind::Node, None)
        .unwrap();

    assert!(!net.ends[0].pipes.is_up(peer));
    assert_eq!(net.ends[0].pipes.session_count(), 0);
}

#[test]
fn a_peer_that_left_the_known_endpoint_is_dialled_where_it_was_last() {
    let mut net = Net::pair(1, PeerKind::Node, PeerKind::Node);
    net.connect(0, 1);
    net.ends[1].endpoint = endpoint(40);
    net.run(SECOND);
    net.link.is_cut = true;
    net.run(200 * SECOND);
    assert_eq!(net.ends[0].pipes.session_count(), 1);

    net.link.is_cut = false;
    net.run(11 * SECOND);

    assert!(net.is_up(0, 1) && net.is_up(1, 0));
}
