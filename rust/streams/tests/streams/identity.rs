//! Nobody connects under another's identity, and strangers cost little.

use ei_streams::{ConnectionKey, Event, LossKind, StreamsError, public_key};

use crate::network::*;

const LAN: Impairment = Impairment {
    delay_ns: MILLISECOND_NS,
    ..Impairment::NONE
};

fn loss(network: &Network, host: usize) -> Option<(LossKind, String)> {
    network.events[host].iter().find_map(|event| match event {
        Event::ConnectionLost { loss, .. } => Some((loss.kind, loss.text.clone())),
        _ => None,
    })
}

/// Alice connects expecting `bob`, Bob accepts expecting `alice`; returns when both know.
fn meet(bob: [u8; 32], alice: [u8; 32]) -> Network {
    let mut network = Network::new(LAN);
    network.ends[ALICE].connect(0, key(ALICE), bob).unwrap();
    network.run_until("Bob asks for the key", |network| {
        network.has(BOB, &Event::KeyWanted { key: key(BOB) })
    });
    network.ends[BOB]
        .accept(network.now_ns, key(BOB), alice)
        .unwrap();
    network.run_until("both know", |network| {
        loss(network, ALICE).is_some() && loss(network, BOB).is_some()
    });
    network
}

fn key_text(key: [u8; 32]) -> String {
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn whoever_connects_refuses_a_wrong_key() {
    let alice = public_key(&identity(ALICE)).unwrap();
    let bob = public_key(&identity(BOB)).unwrap();
    let expected = public_key(&[9; 32]).unwrap();

    let network = meet(expected, alice);

    let (kind, text) = loss(&network, ALICE).unwrap();
    assert_eq!(kind, LossKind::WrongIdentity);
    assert_eq!(
        text,
        format!(
            "the peer has identity key {}, expected {}",
            key_text(bob),
            key_text(expected)
        )
    );
    assert_eq!(loss(&network, BOB).unwrap().0, LossKind::IdentityRefused);
    assert!(!network.has(ALICE, &Event::Connected { key: key(ALICE) }));
    assert!(!network.has(BOB, &Event::Connected { key: key(BOB) }));
}

#[test]
fn whoever_accepts_refuses_a_wrong_key() {
    let bob = public_key(&identity(BOB)).unwrap();

    let network = meet(bob, public_key(&[9; 32]).unwrap());

    assert_eq!(loss(&network, BOB).unwrap().0, LossKind::WrongIdentity);
    assert_eq!(loss(&network, ALICE).unwrap().0, LossKind::IdentityRefused);
    assert!(!network.has(BOB, &Event::Connected { key: key(BOB) }));
}

#[test]
fn nothing_is_accepted_before_the_key_is_known() {
    let mut network = Network::new(LAN);
    network.ends[ALICE]
        .connect(0, key(ALICE), public_key(&identity(BOB)).unwrap())
        .unwrap();

    network.run_for(SECOND_NS);

    assert_eq!(network.events[BOB], [Event::KeyWanted { key: key(BOB) }]);
    assert!(network.events[ALICE].is_empty());
    assert_eq!(network.ends[BOB].statistics().connections, 0);
    assert_eq!(network.ends[BOB].statistics().payloads_sent, 0);
}

#[test]
fn a_key_that_comes_late_is_in_time_while_the_peer_tries() {
    let mut network = Network::new(LAN);
    network.ends[ALICE]
        .connect(0, key(ALICE), public_key(&identity(BOB)).unwrap())
        .unwrap();
    network.run_for(4 * SECOND_NS);

    network.ends[BOB]
        .accept(
            network.now_ns,
            key(BOB),
            public_key(&identity(ALICE)).unwrap(),
        )
        .unwrap();

    network.run_until("both are connected", |network| {
        network.has(ALICE, &Event::Connected { key: key(ALICE) })
            && network.has(BOB, &Event::Connected { key: key(BOB) })
    });
}

#[test]
fn a_stranger_whose_key_is_not_found_is_told_no() {
    let mut network = Network::new(LAN);
    network.ends[ALICE]
        .connect(0, key(ALICE), public_key(&identity(BOB)).unwrap())
        .unwrap();

    network.run_until("Alice is refused", |network| loss(network, ALICE).is_some());

    assert_eq!(loss(&network, ALICE).unwrap().0, LossKind::Refused);
    assert!(
        (5 * SECOND_NS..6 * SECOND_NS).contains(&network.now_ns),
        "{}",
        network.now_ns
    );
    assert_eq!(
        network.ends[BOB].accept(network.now_ns, key(BOB), [1; 32]),
        Err(StreamsError::NotWaiting(key(BOB)))
    );
}

#[test]
fn a_refusal_reaches_the_peer_at_once() {
    let mut network = Network::new(LAN);
    network.ends[ALICE]
        .connect(0, key(ALICE), public_key(&identity(BOB)).unwrap())
        .unwrap();
    network.run_until("Bob asks for the key", |network| {
        network.has(BOB, &Event::KeyWanted { key: key(BOB) })
    });

    network.ends[BOB].refuse(network.now_ns, key(BOB)).unwrap();

    network.run_until("Alice is refused", |network| loss(network, ALICE).is_some());
    assert_eq!(loss(&network, ALICE).unwrap().0, LossKind::Refused);
    assert!(network.now_ns < 10 * MILLISECOND_NS);
}

#[test]
fn one_stranger_cannot_take_the_places_of_all() {
    let mut network = Network::with(LAN, |config| {
        config.max_incoming = 8;
        config.max_incoming_per_peer = 3;
    });
    for connection in 0..20 {
        let key = key_of(ALICE, connection);
        network.ends[ALICE]
            .connect(0, key, public_key(&identity(BOB)).unwrap())
            .unwrap();
    }

    network.run_for(100 * MILLISECOND_NS);

    assert_eq!(network.ends[BOB].statistics().waiting, 3);
    assert_eq!(network.events[BOB].len(), 3);
    assert!(network.ends[BOB].statistics().incoming_dropped >= 17);
}

#[test]
fn a_full_house_is_refused_and_said_so() {
    let mut network = Network::with(LAN, |config| config.max_connections = 1);
    network.connect();
    let second = key_of(BOB, 2);
    let bob = public_key(&identity(BOB)).unwrap();

    let refused = network.ends[ALICE].connect(network.now_ns, key_of(ALICE, 2), bob);

    assert!(matches!(
        refused,
        Err(StreamsError::TooManyConnections { connections: 1, .. })
    ));
    assert_eq!(
        network.ends[BOB].accept(network.now_ns, second, bob),
        Err(StreamsError::NotWaiting(second))
    );
}

#[test]
fn payloads_under_another_source_do_not_touch_a_connection() {
    let mut network = Network::connected(LAN);
    let stream = network.ends[ALICE]
        .open_stream(key(ALICE), false)
        .unwrap()
        .unwrap();
    network.ends[ALICE]
        .write(key(ALICE), stream, b"for Bob from Alice")
        .unwrap();
    let mut buffer = Vec::new();
    assert!(
        network.ends[ALICE]
            .next_transmit(network.now_ns, &mut buffer)
            .is_some()
    );
    let thief = ConnectionKey {
        peer: [0xee; 16],
        connection: CONNECTION,
    };
    let before = network.ends[BOB].connection_statistics(key(BOB)).unwrap();

    network.ends[BOB].handle(network.now_ns, thief, &buffer);
    network.ends[BOB].handle(network.now_ns, key_of(BOB, 5), &buffer);

    let after = network.ends[BOB].connection_statistics(key(BOB)).unwrap();
    assert_eq!(before, after);
    assert_eq!(network.ends[BOB].next_event(), None);
    assert_eq!(
        network.ends[BOB].next_transmit(network.now_ns, &mut buffer),
        None
    );
}

#[test]
fn unknown_payloads_do_not_bounce_between_two_hosts() {
    let mut network = Network::new(LAN);
    for seed in 0..20 {
        // As a payload of a connection that is gone: a short header, 1,200 bytes.
        let mut payload = noise(seed, 1_200);
        payload[0] = 0x40 | (payload[0] & 0x3f);
        network.put(BOB, CONNECTION, &payload);
    }

    network.run_for(5 * SECOND_NS);

    // One answer within 20 ms (RFC 9000 10.3.3), shorter than what it answers, and one to that at most.
    assert!(network.log.len() <= 3, "{:?}", network.log);
    assert!(network.log.iter().all(|(_, _, bytes)| *bytes < 1_200));
}
