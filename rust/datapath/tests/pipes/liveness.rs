//! Who is up: heartbeats between nodes, probes of unanswered data, keepalive of idle hosts.

use ei_datapath::pipes::{PeerKind, PipeChange};

use crate::net::{MS, Net, SECOND, endpoint};

fn sent_by(net: &Net, index: usize, since: usize) -> usize {
    net.log[since..]
        .iter()
        .filter(|(_, from, ..)| *from == endpoint(index))
        .count()
}

#[test]
fn a_node_that_dies_is_noticed_within_three_missed_heartbeats() {
    let mut net = Net::pair(1, PeerKind::Node, PeerKind::Node);
    net.connect(0, 1);
    net.ends[1].is_frozen = true;

    let took_ns = net.run_while(SECOND, |net| net.is_up(0, 1));

    assert!(
        (150 * MS..=210 * MS).contains(&took_ns),
        "{} ms",
        took_ns / MS
    );
}

#[test]
fn nodes_send_20_heartbeats_a_second_and_no_more_while_data_flows() {
    let mut net = Net::pair(1, PeerKind::Node, PeerKind::Node);
    net.connect(0, 1);
    net.run(SECOND);
    let before = net.log.len();
    net.run(10 * SECOND);
    let idle = sent_by(&net, 0, before);
    assert!((195..=225).contains(&idle), "{idle}");

    let before = net.log.len();
    for _ in 0..1_000 {
        net.send(0, 1, b"data").unwrap();
        net.run(10 * MS);
    }
    let busy = sent_by(&net, 0, before) - 1_000;

    assert!(busy <= 25, "{busy}");
}

#[test]
fn an_idle_host_sends_every_15_s_and_is_answered() {
    let mut net = Net::pair(1, PeerKind::Host, PeerKind::Node);
    net.connect(0, 1);
    net.run(SECOND);
    let before = net.log.len();

    net.run(60 * SECOND);

    assert_eq!((sent_by(&net, 0, before), sent_by(&net, 1, before)), (4, 4));
    assert!(net.is_up(0, 1) && net.is_up(1, 0));
}

#[test]
fn a_host_notices_a_dead_node_when_its_data_stays_unanswered() {
    let mut net = Net::pair(1, PeerKind::Host, PeerKind::Node);
    net.connect(0, 1);
    net.ends[1].is_frozen = true;
    net.run(SECOND);
    assert!(net.is_up(0, 1));

    net.send(0, 1, b"anybody?").unwrap();
    let took_ns = net.run_while(SECOND, |net| net.is_up(0, 1));

    assert!(
        (150 * MS..=300 * MS).contains(&took_ns),
        "{} ms",
        took_ns / MS
    );
}

#[test]
fn data_that_nobody_answers_is_probed_not_taken_for_death() {
    let mut net = Net::pair(1, PeerKind::Host, PeerKind::Node);
    net.connect(0, 1);
    for _ in 0..1_000 {
        net.send(0, 1, b"one way").unwrap();
        net.run(10 * MS);
    }

    assert_eq!(
        net.ends[0].changes,
        [PipeChange::PeerUp {
            peer: net.peer(0, 1)
        }]
    );
    assert_eq!(net.ends[1].changes.len(), 1);
}

#[test]
fn a_node_notices_a_dead_host_with_data_at_once_and_without_within_a_minute() {
    let mut net = Net::pair(1, PeerKind::Host, PeerKind::Node);
    net.connect(0, 1);
    net.ends[0].is_frozen = true;
    let idle_ns = net.run_while(120 * SECOND, |net| net.is_up(1, 0));
    assert!((44 * SECOND..60 * SECOND).contains(&idle_ns));

    let mut net = Net::pair(1, PeerKind::Host, PeerKind::Node);
    net.connect(0, 1);
    net.ends[0].is_frozen = true;
    net.send(1, 0, b"for you").unwrap();
    let busy_ns = net.run_while(120 * SECOND, |net| net.is_up(1, 0));

    assert!(busy_ns <= 300 * MS, "{} ms", busy_ns / MS);
}

#[test]
fn a_node_that_was_frozen_is_up_again_at_its_first_packet() {
    let mut net = Net::pair(1, PeerKind::Node, PeerKind::Node);
    net.connect(0, 1);
    net.ends[1].is_frozen = true;
    net.run(10 * SECOND);
    assert!(!net.is_up(0, 1));

    net.ends[1].is_frozen = false;
    let took_ns = net.run_while(10 * SECOND, |net| !net.is_up(0, 1));

    assert!(took_ns <= 600 * MS, "{} ms", took_ns / MS);
}

#[test]
fn a_cut_that_heals_brings_nodes_back_within_a_second() {
    let mut net = Net::pair(1, PeerKind::Node, PeerKind::Node);
    net.connect(0, 1);
    net.link.is_cut = true;
    net.run(20 * SECOND);

    net.link.is_cut = false;
    let took_ns = net.run_while(10 * SECOND, |net| !net.is_up(0, 1) || !net.is_up(1, 0));

    assert!(took_ns <= SECOND, "{} ms", took_ns / MS);
}

/// The answers that a frozen node gives when it wakes measure how long it slept, not the path.
#[test]
fn a_peer_that_was_slow_to_answer_once_is_noticed_as_quickly_the_next_time() {
    for (first, second) in [
        (PeerKind::Node, PeerKind::Node),
        (PeerKind::Host, PeerKind::Node),
    ] {
        let mut net = Net::pair(1, first, second);
        net.connect(0, 1);
        net.link.delay_ns = 3 * SECOND;
        for _ in 0..200 {
            let _ = net.send(0, 1, b"anybody?");
            net.run(10 * MS);
        }
        net.link.delay_ns = MS;
        net.run(20 * SECOND);
        assert!(net.is_up(0, 1) && net.is_up(1, 0));

        net.ends[1].is_frozen = true;
        net.send(0, 1, b"anybody?").unwrap();
        let took_ns = net.run_while(5 * SECOND, |net| net.is_up(0, 1));

        assert!(
            took_ns <= 300 * MS,
            "{first:?} and {second:?}: {} ms",
            took_ns / MS
        );
    }
}

/// Two programs that start on a busy machine take long to answer one another, and soon do not any more.
#[test]
fn a_slow_handshake_makes_nobody_wait_for_a_peer_that_dies_later() {
    for (sender, receiver) in [(0, 1), (1, 0)] {
        let mut net = Net::pair(1, PeerKind::Host, PeerKind::Node);
        net.link.delay_ns = 200 * MS;
        net.connect(0, 1);
        net.run(5 * SECOND);
        net.link.delay_ns = MS;
        for _ in 0..200 {
            net.send(0, 1, b"data").unwrap();
            net.send(1, 0, b"data").unwrap();
            net.run(10 * MS);
        }

        net.ends[receiver].is_frozen = true;
        net.send(sender, receiver, b"anybody?").unwrap();
        let took_ns = net.run_while(5 * SECOND, |net| net.is_up(sender, receiver));

        assert!(took_ns <= 300 * MS, "from {sender}: {} ms", took_ns / MS);
    }
}

#[test]
fn control_messages_that_nobody_acknowledges_tell_of_a_death_as_data_does() {
    for (sender, receiver) in [(0, 1), (1, 0)] {
        let mut net = Net::pair(1, PeerKind::Host, PeerKind::Node);
        net.connect(0, 1);
        net.ends[receiver].is_frozen = true;

        net.send_control(sender, receiver, b"anybody?").unwrap();
        let took_ns = net.run_while(SECOND, |net| net.is_up(sender, receiver));

        assert!(took_ns <= 300 * MS, "from {sender}: {} ms", took_ns / MS);
    }
}

#[test]
fn a_pipe_in_use_is_measured_once_a_second() {
    let mut net = Net::pair(1, PeerKind::Host, PeerKind::Node);
    net.connect(0, 1);
    net.run(SECOND);
    let before = net.log.len();
    for _ in 0..1_000 {
        net.send(0, 1, b"data").unwrap();
        net.send(1, 0, b"data").unwrap();
        net.run(10 * MS);
    }

    let beside = net.log.len() - before - 2_000;

    // Each end asks, and the other answers.
    assert!((36..=44).contains(&beside), "{beside}");
}

/// What waits in a queue behind a flood is late, not dead, also where only an idle path was measured.
#[test]
fn a_flood_that_fills_the_queues_is_not_taken_for_death() {
    for (sender, receiver) in [(0, 1), (1, 0)] {
        for kinds in [
            (PeerKind::Host, PeerKind::Node),
            (PeerKind::Node, PeerKind::Node),
        ] {
            let mut net = Net::pair(1, kinds.0, kinds.1);
            net.connect(0, 1);
            net.run(60 * SECOND);
            net.link.rate_bytes_per_s = 1_250_000;
            let mut waits_bytes = 0;

            // 10 Mbit/s, before which 256 KiB wait: a queue of 210 ms, all of it at once.
            for _ in 0..2_000 {
                while waits_bytes < 256 * 1_024 {
                    net.send(sender, receiver, &[0; 1_200]).unwrap();
                    waits_bytes += 1_280;
                }
                net.run(MS);
                waits_bytes -= 1_250;
            }

            assert_eq!(net.ends[sender].changes.len(), 1, "{kinds:?} {sender}");
            assert_eq!(net.ends[receiver].changes.len(), 1, "{kinds:?} {sender}");
        }
    }
}

#[test]
fn a_node_that_dies_in_a_flood_is_noticed_within_half_a_second() {
    let mut net = Net::pair(1, PeerKind::Host, PeerKind::Node);
    net.connect(0, 1);
    net.link.rate_bytes_per_s = 1_250_000;
    for _ in 0..2_000 {
        net.send(0, 1, &[0; 1_150]).unwrap();
        net.run(MS);
    }
    net.ends[1].is_frozen = true;

    let began_ns = net.now_ns;
    while net.send(0, 1, &[0; 1_150]).is_ok() {
        net.run(MS);
    }

    let took_ns = net.now_ns - began_ns;
    assert!(took_ns <= 500 * MS, "{} ms", took_ns / MS);
}

/// Whatever state a pipe is in, its timer does not fire again and again for the same thing.
#[test]
fn no_state_keeps_the_timer_busy() {
    let dead_host = || {
        let mut net = Net::pair(1, PeerKind::Host, PeerKind::Node);
        net.connect(0, 1);
        net.ends[0].is_frozen = true;
        net
    };
    let dead_node = || {
        let mut net = Net::pair(1, PeerKind::Host, PeerKind::Node);
        net.connect(0, 1);
        net.ends[1].is_frozen = true;
        net
    };
    let cut_nodes = || {
        let mut net = Net::pair(1, PeerKind::Node, PeerKind::Node);
        net.connect(0, 1);
        net.link.is_cut = true;
        net
    };
    let idle = || {
        let mut net = Net::pair(1, PeerKind::Host, PeerKind::Node);
        net.connect(0, 1);
        net
    };
    for (name, mut net) in [
        ("dead host", dead_host()),
        ("dead node", dead_node()),
        ("cut nodes", cut_nodes()),
        ("idle", idle()),
    ] {
        for message in [&b"waiting"[..], b"for ever"] {
            net.send_control(0, 1, message).unwrap();
            net.send_control(1, 0, message).unwrap();
        }
        let _ = net.send(1, 0, b"data");
        net.run(SECOND);
        for second in 0..400 {
            let before = net.polls;
            net.run(SECOND);
            let polls = net.polls - before;
            assert!(polls <= 100, "{name}: {polls} polls in second {second}");
        }
    }
}
