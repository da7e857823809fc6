//! A run is repeated by its seed.

use ei_streams::StreamsConfig;

use crate::network::*;

const ROUGH: Impairment = Impairment {
    delay_ns: 5 * MILLISECOND_NS,
    jitter_ns: 2 * MILLISECOND_NS,
    loss: 0.01,
    corrupt: 0.005,
    ..Impairment::NONE
};

/// When which end sent how much, over a handshake, transfers both ways and a close.
fn log(change: impl Fn(&mut StreamsConfig)) -> Vec<(u64, usize, usize)> {
    let mut network = Network::with(ROUGH, change);
    network.connect();
    network.transfer(ALICE, &noise(1, 300_000));
    network.transfer(BOB, &noise(2, 300_000));
    network.ends[ALICE]
        .close(network.now_ns, key(ALICE), 0, b"")
        .unwrap();
    network.run_for(60 * SECOND_NS);
    network.log
}

#[test]
fn the_same_seed_sends_the_same_lengths_at_the_same_times() {
    let (one, other) = (log(|_| {}), log(|_| {}));

    assert!(one.len() > 500);
    assert!(one == other);
}

#[test]
fn another_seed_does_not() {
    let other = log(|config| config.seed = Some([42; 32]));

    assert!(log(|_| {}) != other);
}

#[test]
fn without_a_seed_two_handshakes_differ() {
    let first_payload = || {
        let mut network = Network::with(ROUGH, |config| config.seed = None);
        network.ends[ALICE].connect(0, key(ALICE), [1; 32]).unwrap();
        let mut buffer = Vec::new();
        assert!(network.ends[ALICE].next_transmit(0, &mut buffer).is_some());
        buffer
    };

    assert_ne!(first_payload(), first_payload());
}

#[test]
fn a_seed_repeats_the_very_bytes() {
    let first_payload = || {
        let mut network = Network::new(ROUGH);
        network.ends[ALICE].connect(0, key(ALICE), [1; 32]).unwrap();
        let mut buffer = Vec::new();
        assert!(network.ends[ALICE].next_transmit(0, &mut buffer).is_some());
        buffer
    };

    assert_eq!(first_payload(), first_payload());
}
