//! The control channel of a pipe: in order, acknowledged after commit, at most once.

use ei_datapath::counters::Reason;
use ei_datapath::pipes::{PeerKind, Pipes};

use crate::net::{MS, Net, SECOND};

fn messages(net: &Net, index: usize) -> Vec<Vec<u8>> {
    net.ends[index]
        .messages
        .iter()
        .map(|it| it.message.clone())
        .collect()
}

fn numbered(count: u32, bytes: usize) -> Vec<Vec<u8>> {
    (0..count)
        .map(|number| {
            number
                .to_le_bytes()
                .iter()
                .copied()
                .cycle()
                .take(bytes)
                .collect()
        })
        .collect()
}

#[test]
fn messages_of_any_size_arrive_in_order() {
    let mut net = Net::pair(1, PeerKind::Node, PeerKind::Node);
    net.connect(0, 1);
    let sent: Vec<Vec<u8>> = [0, 1, 1_300, 1_400, 8_000, 65_536, 10, 0]
        .iter()
        .enumerate()
        .map(|(number, bytes)| vec![number as u8; *bytes])
        .collect();

    for message in &sent {
        net.send_control(0, 1, message).unwrap();
    }
    net.run(SECOND);

    assert_eq!(messages(&net, 1), sent);
    assert!(net.ends[1].messages.iter().all(|it| it.service == 48));
}

/// A pipe that was in use and measured: for most of a second nothing is due by itself.
fn quiet() -> Net {
    let mut net = Net::pair(1, PeerKind::Host, PeerKind::Node);
    net.connect(0, 1);
    for _ in 0..20 {
        net.send(0, 1, b"there").unwrap();
        net.send(1, 0, b"and back").unwrap();
        net.run(10 * MS);
    }
    net.run(100 * MS);
    net.log.clear();
    net
}

#[test]
fn an_answer_at_once_carries_the_acknowledgement() {
    let mut net = quiet();

    net.send_control(0, 1, b"find").unwrap();
    net.run_while(SECOND, |net| net.ends[1].messages.is_empty());
    net.send_control(1, 0, b"found").unwrap();
    net.run(100 * MS);

    let sent: Vec<_> = net.log.iter().map(|(_, from, ..)| *from).collect();
    let (asking, answering) = (net.ends[0].endpoint, net.ends[1].endpoint);
    assert_eq!(sent, [asking, answering, asking], "the last for the answer");
}

#[test]
fn a_message_that_is_not_answered_is_acknowledged_within_a_millisecond_and_once() {
    let mut net = quiet();
    let began_ns = net.now_ns;

    net.send_control(0, 1, b"so it is").unwrap();
    net.run(100 * MS);

    let sent: Vec<_> = net.log.iter().map(|(at_ns, ..)| at_ns - began_ns).collect();
    assert_eq!(sent, [0, 2 * MS]);
}

#[test]
fn long_messages_keep_the_window_open() {
    let mut net = quiet();
    let sent = numbered(10, 65_536);
    for message in &sent {
        net.send_control(0, 1, message).unwrap();
    }

    let took_ns = net.run_while(SECOND, |net| net.ends[1].messages.len() < 10);

    assert_eq!(messages(&net, 1), sent);
    // 32 fragments of 1.3 KiB in each round trip of 2 ms.
    assert!(took_ns <= 40 * MS, "{} ms", took_ns / MS);
}

#[test]
fn a_message_over_64_kib_is_refused() {
    let mut net = Net::pair(1, PeerKind::Node, PeerKind::Node);
    net.connect(0, 1);

    assert_eq!(
        net.send_control(0, 1, &vec![0; 65_537]),
        Err(Reason::TooBig)
    );
}

#[test]
fn b9_what_waits_is_bounded() {
    let mut net = Net::pair(1, PeerKind::Node, PeerKind::Node);
    let refused = (0..1_000).find_map(|_| net.send_control(0, 1, &[0; 10_000]).err());

    assert_eq!(refused, Some(Reason::DialQueueFull));
}

#[test]
fn b9_empty_messages_are_bounded_too() {
    let mut net = Net::pair(1, PeerKind::Node, PeerKind::Node);

    let sent = (0..100_000).take_while(|_| net.send_control(0, 1, b"").is_ok());

    assert_eq!(sent.count(), (1 << 20) / 64);
    net.connect(0, 1);
    net.run(60 * SECOND);
    assert_eq!(net.ends[1].messages.len(), (1 << 20) / 64);
    net.send_control(0, 1, b"there is room again").unwrap();
}

#[test]
fn messages_survive_a_link_that_loses_duplicates_and_reorders() {
    for seed in 0..5 {
        let mut net = Net::pair(seed, PeerKind::Node, PeerKind::Host);
        net.connect(0, 1);
        net.link.loss = 20;
        net.link.duplicate = 20;
        net.link.jitter_ns = 20 * MS;
        let sent = numbered(200, 3_000);
        for message in &sent {
            net.send_control(0, 1, message).unwrap();
            net.send_control(1, 0, message).unwrap();
        }

        net.run(120 * SECOND);

        assert!(
            messages(&net, 1) == sent,
            "seed {seed}: {}",
            net.ends[1].messages.len()
        );
        assert!(
            messages(&net, 0) == sent,
            "seed {seed}: {}",
            net.ends[0].messages.len()
        );
    }
}

#[test]
fn messages_wait_for_the_pipe_and_survive_changes_of_keys() {
    let mut net = Net::pair(1, PeerKind::Node, PeerKind::Node);
    net.send_control(0, 1, b"early").unwrap();
    net.connect(0, 1);
    for number in 0..30u8 {
        net.send_control(0, 1, &[number]).unwrap();
        net.run(20 * SECOND);
    }

    let mut expected = vec![b"early".to_vec()];
    expected.extend((0..30u8).map(|number| vec![number]));
    assert_eq!(messages(&net, 1), expected);
}

/// Only the receiver's commit lets the window move, and nothing is delivered twice meanwhile.
#[test]
fn nothing_is_acknowledged_before_it_is_committed() {
    let mut net = Net::pair(1, PeerKind::Node, PeerKind::Node);
    net.connect(0, 1);
    net.ends[1].commits = false;
    let sent = numbered(40, 10);
    for message in &sent {
        net.send_control(0, 1, message).unwrap();
    }
    net.run(10 * SECOND);
    assert_eq!(messages(&net, 1), sent[..32]);

    let receipts: Vec<_> = net.ends[1].messages.iter().map(|it| it.receipt).collect();
    // In another order than they came: the acknowledgement waits for the first.
    for receipt in receipts.into_iter().rev() {
        net.ends[1].pipes.commit_control(receipt);
    }
    net.flush(1);
    net.run(SECOND);

    assert_eq!(messages(&net, 1), sent);
}

#[test]
fn after_a_restart_of_the_receiver_begun_messages_are_not_sent_again_and_later_ones_are() {
    let mut net = Net::pair(1, PeerKind::Node, PeerKind::Node);
    net.connect(0, 1);
    net.ends[1].commits = false;
    for message in numbered(34, 10) {
        net.send_control(0, 1, &message).unwrap();
    }
    net.run(SECOND);
    assert_eq!(net.ends[1].messages.len(), 32);

    let mut config = net.config(1, PeerKind::Node);
    config.seed = Some([77; 32]);
    net.ends[1].pipes = Pipes::new(config);
    net.ends[1].messages.clear();
    net.introduce(1, 0, false);
    net.run(5 * SECOND);

    assert_eq!(messages(&net, 1), numbered(34, 10)[32..]);
}

#[test]
fn after_a_restart_of_the_sender_its_messages_begin_anew() {
    let mut net = Net::pair(1, PeerKind::Node, PeerKind::Node);
    net.introduce(1, 0, true);
    net.connect(0, 1);
    net.send_control(0, 1, b"before").unwrap();
    net.run(SECOND);

    let mut config = net.config(0, PeerKind::Node);
    config.seed = Some([77; 32]);
    net.ends[0].pipes = Pipes::new(config);
    net.introduce(0, 1, true);
    net.connect(0, 1);
    net.send_control(0, 1, b"after").unwrap();
    net.run(SECOND);

    assert_eq!(messages(&net, 1), [b"before".to_vec(), b"after".to_vec()]);
}

#[test]
fn a_receipt_of_before_a_restart_means_nothing() {
    let mut net = Net::pair(1, PeerKind::Node, PeerKind::Node);
    net.connect(0, 1);
    net.ends[1].commits = false;
    net.send_control(0, 1, b"before").unwrap();
    net.run(10 * MS);
    let stale = net.ends[1].messages[0].receipt;
    let mut config = net.config(0, PeerKind::Node);
    config.seed = Some([77; 32]);
    net.ends[0].pipes = Pipes::new(config);
    net.introduce(0, 1, true);
    net.connect(0, 1);
    net.send_control(0, 1, b"after").unwrap();
    net.run(10 * MS);

    net.ends[1].pipes.commit_control(stale);
    for message in numbered(40, 10) {
        net.send_control(0, 1, &message).unwrap();
    }
    net.run(SECOND);

    assert_eq!(net.ends[1].messages.len(), 1 + 32);
}
