//! What strangers, replays and forgeries get: nothing.

use ei_datapath::counters::{Fate, Reason};
use ei_datapath::handshake::public_key;
use ei_datapath::pipes::PeerKind;
use ei_datapath::wire::handshake::{Initiation, Response};

use crate::net::{MS, Net, SECOND, endpoint};

fn stranger() -> std::net::SocketAddr {
    endpoint(99)
}

fn is_type(bytes: &[u8], kind: u8) -> bool {
    bytes[0] == 0x10 | kind
}

/// A11.
#[test]
fn a11_a_hundred_thousand_random_datagrams_get_no_reply() {
    let mut net = Net::pair(3, PeerKind::Node, PeerKind::Node);
    net.connect(0, 1);
    net.run(5 * MS);
    let sent = net.log.len();
    let index_bits = [0u8, 0, 0, 0];
    for number in 0..100_000u64 {
        let length = match number % 4 {
            0 => net.below(64),
            1 => net.below(1_500),
            2 => 1_200 + net.below(300),
            _ => 56,
        };
        let mut bytes: Vec<u8> = (0..length).map(|_| net.below(256) as u8).collect();
        if number % 2 == 0 && bytes.len() > 16 {
            // Right version, a type of ours, and for data a receiver index that exists.
            bytes[0] = 0x11 + net.below(4) as u8;
            bytes[1] = u8::from(!is_type(&bytes, 4));
            bytes[2..4].copy_from_slice(&40u16.to_le_bytes());
            bytes[4..8].copy_from_slice(&index_bits);
        }

        let fate = net.handle(1, stranger(), &mut bytes);
        net.flush(1);

        assert!(matches!(fate, Fate::Dropped(_)));
    }

    assert!(
        net.log[sent..]
            .iter()
            .all(|(_, _, to, _)| *to != stranger())
    );
    assert!(net.is_up(1, 0));
}

/// A4: replaying a captured initiation a thousand times gives no response.
#[test]
fn a4_a_replayed_initiation_gets_no_response() {
    let mut net = Net::pair(1, PeerKind::Host, PeerKind::Node);
    net.connect(0, 1);
    let initiation = net
        .log
        .iter()
        .find(|(.., bytes)| is_type(bytes, 1))
        .unwrap()
        .3
        .clone();
    let sent = net.log.len();

    for _ in 0..1_000 {
        net.run(30 * MS);
        let fate = net.handle(1, stranger(), &mut initiation.clone());
        net.flush(1);
        assert_eq!(fate, Fate::Dropped(Reason::StaleInitiation));
    }

    assert!(
        net.log[sent..]
            .iter()
            .all(|(_, _, to, _)| *to != stranger())
    );
}

/// A9.
#[test]
fn a9_an_unpadded_initiation_gets_nothing() {
    let mut net = Net::pair(1, PeerKind::Host, PeerKind::Node);
    net.dial(0, 1);
    let mut initiation = net.log[0].3.clone();
    assert_eq!(initiation.len(), 1_359);
    initiation.drain(600..760);

    assert_eq!(
        net.handle(1, endpoint(0), &mut initiation),
        Fate::Dropped(Reason::UnpaddedInitiation)
    );
}

#[test]
fn an_initiation_from_an_unknown_key_gets_nothing() {
    let mut net = Net::pair(1, PeerKind::Host, PeerKind::Node);
    let third = net.add(PeerKind::Host, &|_| {});
    net.introduce(third, 1, true);
    let sent = net.log.len();

    net.dial(third, 1);
    net.run(SECOND / 5);

    assert_eq!(net.ends[1].drops.get("unknown_peer"), Some(&1));
    assert_eq!(net.log.len(), sent + 1);
}

#[test]
fn an_initiation_under_another_address_gets_nothing() {
    let mut net = Net::pair(1, PeerKind::Host, PeerKind::Node);
    let key = net.ends[0].key;
    let mut address = net.ends[0].address;
    net.ends[1].pipes.remove_peer(&address);
    address.0[3] ^= 1;
    net.ends[1]
        .pipes
        .add_peer(address, key, PeerKind::Host, None)
        .unwrap();

    net.dial(0, 1);
    net.run(100 * MS);

    assert_eq!(net.ends[1].drops.get("bad_handshake"), Some(&1));
    assert!(!net.is_up(0, 1));
}

/// A19: who listens learns from no datagram who talks, and from lengths only of what kind each is.
#[test]
fn a19_no_datagram_says_who_talks_and_all_handshakes_have_one_length() {
    let mut lengths = std::collections::BTreeSet::new();
    for seed in 1..20 {
        let mut net = Net::pair(seed, PeerKind::Host, PeerKind::Node);
        net.connect(0, 1);
        net.send(0, 1, b"hello").unwrap();
        net.run(SECOND);

        let secrets = net
            .ends
            .iter()
            .flat_map(|end| [end.key.to_vec(), end.address.0.to_vec()]);
        for secret in secrets {
            for (.., bytes) in &net.log {
                assert!(
                    !bytes
                        .windows(8)
                        .any(|part| secret.windows(8).any(|of| of == part))
                );
            }
        }
        let handshakes = net.log.iter().filter(|(.., bytes)| bytes[0] & 0x0f < 4);
        lengths.extend(handshakes.map(|(.., bytes)| (bytes[0], bytes.len())));
    }
    assert_eq!(lengths.len(), 2, "{lengths:?}");
}

/// A16: each bit in front of the Noise message counts; none can be changed on the way unnoticed.
#[test]
fn a16_a_changed_version_suite_or_suite_list_opens_no_pipe() {
    let mut net = Net::pair(1, PeerKind::Host, PeerKind::Node);
    net.dial(0, 1);
    let initiation = net.log[0].3.clone();
    for index in 0..12 {
        for bit in 0..8 {
            let mut changed = initiation.clone();
            changed[index] ^= 1 << bit;
            let fate = net.handle(1, endpoint(0), &mut changed);
            assert!(
                matches!(fate, Fate::Dropped(_)),
                "byte {index}, bit {bit}: {fate:?}"
            );
        }
    }
}

/// A16: as above, by an attacker who repairs the checksum, which needs no secret.
#[test]
fn a16_a_stripped_suite_list_opens_no_pipe_even_with_a_right_checksum() {
    let mut net = Net::pair(1, PeerKind::Host, PeerKind::Node);
    net.dial(0, 1);
    let mut changed = net.log[0].3.clone();
    changed[9] = 0x2a;
    let keys = ei_datapath::handshake::cookies::MacKeys::new(&net.ends[1].key);
    Initiation::put_macs(&mut changed, |before| keys.mac1(before), |_| [0; 16]);

    assert_eq!(
        net.handle(1, endpoint(0), &mut changed),
        Fate::Dropped(Reason::BadHandshake)
    );
}

/// A16: nobody can make two ends do without ML-KEM, whatever he rewrites.
#[test]
fn a16_who_is_offered_x25519_alone_opens_no_pipe() {
    let mut net = Net::pair(1, PeerKind::Host, PeerKind::Node);
    net.dial(0, 1);
    let keys = ei_datapath::handshake::cookies::MacKeys::new(&net.ends[1].key);
    for (suite, offered, expected) in [
        (1, [1, 0, 0, 0], Reason::UnknownSuite),
        (1, [2, 0, 0, 0], Reason::UnknownSuite),
        (2, [1, 0, 0, 0], Reason::BadHandshake),
        (2, [2, 1, 0, 0], Reason::BadHandshake),
    ] {
        let mut changed = net.log[0].3.clone();
        changed[1] = suite;
        changed[8..12].copy_from_slice(&offered);
        Initiation::put_macs(&mut changed, |before| keys.mac1(before), |_| [0; 16]);

        let fate = net.handle(1, endpoint(0), &mut changed);
        net.flush(1);

        assert_eq!(fate, Fate::Dropped(expected), "{suite}, {offered:?}");
    }
    assert_eq!(net.log.len(), 1);
}

#[test]
fn a_forged_response_does_not_stop_the_true_one() {
    let mut net = Net::pair(1, PeerKind::Host, PeerKind::Node);
    net.dial(0, 1);
    net.run_while(SECOND, |net| net.log.len() < 2);
    let response = net.log[1].3.clone();
    assert!(is_type(&response, 2));
    let view = Response::parse(&response).unwrap();
    let mut message = view.message.to_vec();
    message[1_091] ^= 1;
    let keys = ei_datapath::handshake::cookies::MacKeys::new(&net.ends[0].key);
    let mut forged = Response::emit(
        view.suite,
        view.sender_index,
        view.receiver_index,
        &message,
        |before| keys.mac1(before),
    )
    .unwrap();

    let fate = net.handle(0, endpoint(1), &mut forged);
    net.run(5 * MS);

    assert_eq!(fate, Fate::Dropped(Reason::BadHandshake));
    assert!(net.is_up(0, 1));
}

/// A10: two nodes and an echo server, bounced at each other, fall silent.
#[test]
fn a10_nothing_loops() {
    let mut net = Net::pair(1, PeerKind::Node, PeerKind::Node);
    net.introduce(1, 0, true);
    net.dial(0, 1);
    net.run(20 * MS);
    let captured: Vec<_> = net.log.iter().map(|(.., bytes)| bytes.clone()).collect();
    net.ends[0].pipes.remove_peer(&crate::net::address(1));
    net.ends[1].pipes.remove_peer(&crate::net::address(0));
    net.run(5 * MS);
    let before = net.log.len();

    for bytes in captured {
        for (from, to) in [(0, 1), (1, 0), (0, 0), (1, 1)] {
            net.deliver_at(net.now_ns, endpoint(from), endpoint(to), bytes.clone());
            net.run(5 * MS);
        }
    }
    net.run(5 * SECOND);

    assert_eq!(net.log.len(), before);
}

/// A10: who sends all back that it is sent, and was made to seem the sender of a datagram, keeps nobody busy:
/// the datagram, one answer at most, and its echo.
#[test]
fn a10_an_echo_exchanges_three_datagrams_at_most_with_anybody() {
    let mut net = Net::pair(1, PeerKind::Node, PeerKind::Node);
    net.introduce(1, 0, true);
    net.connect(0, 1);
    net.run(200 * MS);
    let captured = net.log.iter();
    let mut seeds: Vec<_> = captured
        .map(|(_, _, to, bytes)| (usize::from(*to == endpoint(1)), Some(bytes.clone())))
        .collect();
    seeds.extend([(0, None), (1, None), (0, None), (1, None)]);
    let echo = endpoint(9);
    let mut answered = 0;

    for (to, seed) in seeds {
        // What never arrived is the newest of its lane, as far as its receiver knows.
        let seed = seed.unwrap_or_else(|| net.sealed(1 - to, to, b"never arrived"));
        let mut exchanged = 0;
        let mut from_echo = vec![seed];
        // Five seconds in all the rounds; between two of them whatever is due by itself happens.
        for _ in 0..10 {
            for bytes in from_echo.drain(..) {
                exchanged += 1;
                net.deliver_at(net.now_ns, echo, endpoint(to), bytes);
            }
            let before = net.log.len();
            net.run(500 * MS);
            let sent = &net.log[before..];
            let to_echo = sent.iter().filter(|(_, _, to, _)| *to == echo);
            from_echo.extend(to_echo.map(|(.., bytes)| bytes.clone()));
            exchanged += from_echo.len();
        }
        assert!(exchanged <= 3, "{exchanged} for one");
        answered += usize::from(exchanged > 1);
    }

    assert!(answered > 0, "no seed was answered at all");
    assert!(net.is_up(0, 1) && net.is_up(1, 0));
}

#[test]
fn every_bit_of_a_data_datagram_is_authenticated() {
    let mut net = Net::pair(1, PeerKind::Host, PeerKind::Node);
    net.connect(0, 1);
    net.send(0, 1, &[]).unwrap();
    let datagram = net.log.last().unwrap().3.clone();

    for index in 0..datagram.len() {
        for bit in 0..8 {
            let mut changed = datagram.clone();
            changed[index] ^= 1 << bit;
            let fate = net.handle(1, endpoint(0), &mut changed);
            assert!(matches!(fate, Fate::Dropped(_)), "byte {index}, bit {bit}");
        }
    }
    assert_eq!(
        net.handle(1, endpoint(0), &mut datagram.clone()),
        Fate::Delivered
    );
    assert_eq!(
        net.handle(1, endpoint(0), &mut datagram.clone()),
        Fate::Dropped(Reason::Replayed)
    );
}

#[test]
fn reserved_values_are_refused_and_counted() {
    let mut net = Net::pair(1, PeerKind::Host, PeerKind::Node);
    net.connect(0, 1);
    net.send(0, 1, b"x").unwrap();
    let datagram = net.log.last().unwrap().3.clone();
    let fate_of = |net: &mut Net, index: usize, value: u8| {
        let mut changed = datagram.clone();
        changed[index] = value;
        net.handle(1, endpoint(0), &mut changed)
    };

    for version in [0x04, 0x24, 0xf4] {
        assert_eq!(
            fate_of(&mut net, 0, version),
            Fate::Dropped(Reason::UnknownVersion)
        );
    }
    for kind in [0x10, 0x15, 0x1a, 0x1f] {
        assert_eq!(
            fate_of(&mut net, 0, kind),
            Fate::Dropped(Reason::UnknownType)
        );
    }
    for flags in [0x02, 0x0a, 0x80] {
        assert_eq!(
            fate_of(&mut net, 1, flags),
            Fate::Dropped(Reason::UnknownFlags)
        );
    }
    assert_eq!(public_key(&[0; 32]), public_key(&[0; 32]));
}
