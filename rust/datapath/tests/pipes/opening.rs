//! Pipes open, carry packets, and stay silent to strangers.

use ei_datapath::pipes::{PeerKind, PipeChange};

use crate::net::{MS, Net, SECOND};

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
fn control_messages_arrive_in_order() {
    let mut net = Net::pair(1, PeerKind::Node, PeerKind::Node);
    net.connect(0, 1);

    for number in 0..10u8 {
        net.send_control(0, 1, &vec![number; 8_000]).unwrap();
    }
    net.run(SECOND);

    let messages: Vec<_> = net.ends[1]
        .messages
        .iter()
        .map(|it| it.message.clone())
        .collect();
    assert_eq!(
        messages,
        (0..10u8)
            .map(|number| vec![number; 8_000])
            .collect::<Vec<_>>()
    );
}
