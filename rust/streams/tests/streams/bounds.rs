//! Everything is bounded: what a slow reader, a busy peer or garbage can take.

use ei_streams::{ConnectionKey, Event, LossKind, Reading, StreamsError, public_key};
use proptest::prelude::*;

use crate::network::*;

const LAN: Impairment = Impairment {
    delay_ns: MILLISECOND_NS,
    ..Impairment::NONE
};

#[test]
fn a_reader_that_does_not_read_holds_the_writer() {
    let mut network = Network::with(LAN, |config| {
        config.receive_window_bytes = 1 << 20;
        config.send_window_bytes = 1 << 20;
    });
    network.connect();
    let stream = network.ends[ALICE]
        .open_stream(key(ALICE), false)
        .unwrap()
        .unwrap();
    let bytes = noise(1, 10 << 20);

    let mut written = network.ends[ALICE]
        .write(key(ALICE), stream, &bytes)
        .unwrap();
    network.run_for(10 * SECOND_NS);
    written += network.ends[ALICE]
        .write(key(ALICE), stream, &bytes[written..])
        .unwrap();
    network.run_for(10 * SECOND_NS);

    // One stream may fill half the receive window.
    assert_eq!(written, 1 << 19);
    network.events[ALICE].clear();
    let (read, _) = network.read(BOB, stream);
    assert!(read == bytes[..written]);
    network.run_until("Alice may write again", |network| {
        network.has(
            ALICE,
            &Event::Writable {
                key: key(ALICE),
                stream,
            },
        )
    });
    assert!(
        network.ends[ALICE]
            .write(key(ALICE), stream, &bytes[written..])
            .unwrap()
            > 0
    );
}

#[test]
fn a_stuck_stream_does_not_hold_the_others() {
    let mut network = Network::connected(LAN);
    let stuck = network.ends[ALICE]
        .open_stream(key(ALICE), false)
        .unwrap()
        .unwrap();
    network.ends[ALICE]
        .write(key(ALICE), stuck, &noise(1, 20 << 20))
        .unwrap();
    network.run_for(SECOND_NS);
    let bytes = noise(2, 10 << 20);

    let received = network.transfer(ALICE, &bytes);

    assert!(received == bytes);
}

#[test]
fn the_number_of_streams_is_bounded_and_comes_back() {
    let mut network = Network::with(LAN, |config| config.max_streams = 10);
    network.connect();
    let open = |network: &mut Network| {
        let stream = network.ends[ALICE].open_stream(key(ALICE), false).unwrap();
        if let Some(stream) = stream {
            network.ends[ALICE].write(key(ALICE), stream, b"x").unwrap();
            network.ends[ALICE].finish(key(ALICE), stream).unwrap();
        }
        stream
    };

    let streams: Vec<u64> = std::iter::from_fn(|| open(&mut network)).collect();
    network.run_for(SECOND_NS);

    assert_eq!(streams.len(), 10);
    assert_eq!(open(&mut network), None);
    for stream in streams {
        assert_eq!(
            network.read(BOB, stream),
            (b"x".to_vec(), Ok(Reading::Finished))
        );
    }
    network.run_until("streams are available", |network| {
        let available = Event::StreamsAvailable {
            key: key(ALICE),
            is_bidirectional: false,
        };
        network.has(ALICE, &available)
    });
    assert!(open(&mut network).is_some());
}

#[test]
fn many_streams_at_a_time_all_arrive() {
    const STREAMS: u64 = 200;
    let mut network = Network::connected(Impairment { loss: 0.01, ..LAN });
    let mut expected = std::collections::BTreeMap::new();
    for seed in 0..STREAMS {
        let stream = network.ends[ALICE]
            .open_stream(key(ALICE), seed % 2 == 0)
            .unwrap()
            .unwrap();
        let bytes = noise(seed, 10_000 + seed as usize);
        assert_eq!(
            network.ends[ALICE].write(key(ALICE), stream, &bytes),
            Ok(bytes.len())
        );
        network.ends[ALICE].finish(key(ALICE), stream).unwrap();
        expected.insert(stream, (bytes, Vec::new()));
    }

    let mut finished = 0;
    network.run_until("all have arrived", |network| {
        for event in std::mem::take(&mut network.events[BOB]) {
            let Event::Readable { stream, .. } = event else {
                continue;
            };
            let (bytes, reading) = network.read(BOB, stream);
            expected.get_mut(&stream).unwrap().1.extend(bytes);
            finished += u64::from(reading == Ok(Reading::Finished));
        }
        finished == STREAMS
    });

    assert!(expected.values().all(|(sent, received)| sent == received));
}

#[test]
fn connections_with_one_peer_are_bounded_and_their_windows_shrink() {
    let mut network = Network::with(LAN, |config| {
        config.max_connections_per_peer = 20;
        config.buffer_bytes = 64 << 20;
    });
    let connect = |network: &mut Network, connection| {
        network.ends[ALICE].connect(0, key_of(ALICE, connection), [1; 32])
    };

    for connection in 0..20 {
        assert_eq!(connect(&mut network, connection), Ok(()));
    }

    let refused = connect(&mut network, 20);
    assert!(matches!(
        refused,
        Err(StreamsError::TooManyConnections {
            connections: 20,
            ..
        })
    ));
    assert!(network.ends[ALICE].statistics().reserved_bytes <= 64 << 20);
}

/// Alice asks for a connection to a peer that does not answer.
fn reach(network: &mut Network, peer: u8, connection: u64) -> Result<(), StreamsError> {
    let key = ConnectionKey {
        peer: [peer; 16],
        connection,
    };
    network.ends[ALICE].connect(network.now_ns, key, [1; 32])
}

/// Whom Alice had no memory for any more, in order.
fn crowded_out(network: &mut Network) -> Vec<ConnectionKey> {
    std::iter::from_fn(|| network.ends[ALICE].next_event())
        .filter_map(|event| match event {
            Event::ConnectionLost { key, loss } if loss.kind == LossKind::CrowdedOut => Some(key),
            _ => None,
        })
        .collect()
}

#[test]
fn b7_when_memory_is_used_up_the_oldest_of_who_holds_most_makes_room_for_the_newest() {
    const BUFFER_BYTES: u64 = 4 << 20;
    const GREEDY: u8 = 1;
    let mut network = Network::with(LAN, |config| config.buffer_bytes = BUFFER_BYTES);
    let taken = (0..64)
        .take_while(|number| reach(&mut network, GREEDY, *number).is_ok())
        .count() as u64;
    assert!((10..64).contains(&taken), "{taken}");
    assert_eq!(crowded_out(&mut network), []);

    for peer in 2..8 {
        assert_eq!(reach(&mut network, peer, 0), Ok(()));
    }

    let gone = crowded_out(&mut network);
    let numbers: Vec<u64> = gone.iter().map(|key| key.connection).collect();
    assert!(!gone.is_empty() && gone.iter().all(|key| key.peer == [GREEDY; 16]));
    assert_eq!(numbers, (0..gone.len() as u64).collect::<Vec<_>>());
    let counted = network.ends[ALICE].statistics();
    assert_eq!(counted.crowded_out, gone.len() as u64);
    assert!(counted.reserved_bytes <= BUFFER_BYTES, "{counted:?}");
}

#[test]
fn b7_who_has_proved_nothing_makes_room_before_who_holds_most() {
    let mut network = Network::with(LAN, |config| config.buffer_bytes = 4 << 20);
    let alices_key = public_key(&identity(ALICE)).unwrap();
    let bobs_key = public_key(&identity(BOB)).unwrap();
    network.ends[ALICE]
        .connect(0, key(ALICE), bobs_key)
        .unwrap();
    network.run_until("Bob asks for the key", |network| {
        network.has(BOB, &Event::KeyWanted { key: key(BOB) })
    });
    network.ends[BOB]
        .accept(network.now_ns, key(BOB), alices_key)
        .unwrap();
    let now_ns = network.now_ns;
    let mut reach = |peer: u8, connection| {
        let peer = [peer; 16];
        network.ends[BOB].connect(now_ns, ConnectionKey { peer, connection }, [1; 32])
    };
    let taken = (0..64)
        .take_while(|number| reach(1, *number).is_ok())
        .count();
    assert!((10..64).contains(&taken), "{taken}");

    reach(2, 0).unwrap();

    let lost =
        std::iter::from_fn(|| network.ends[BOB].next_event()).find_map(|event| match event {
            Event::ConnectionLost { key, loss } => Some((key, loss.kind)),
            _ => None,
        });
    assert_eq!(lost, Some((key(BOB), LossKind::CrowdedOut)));
}

#[test]
fn b7_who_holds_most_makes_no_room_for_itself() {
    let mut network = Network::with(LAN, |config| config.buffer_bytes = 4 << 20);
    let first = (0..64).find_map(|number| reach(&mut network, 1, number).err());

    assert!(matches!(
        first,
        Some(StreamsError::TooManyConnections { .. })
    ));
    assert_eq!(crowded_out(&mut network), []);
}

#[test]
fn b7_what_made_room_is_forgotten_within_seconds() {
    let mut network = Network::with(LAN, |config| config.buffer_bytes = 4 << 20);
    let taken = (0..64)
        .take_while(|number| reach(&mut network, 1, *number).is_ok())
        .count();
    reach(&mut network, 2, 0).unwrap();
    assert_eq!(crowded_out(&mut network).len(), 1);

    network.run_for(5 * SECOND_NS);

    assert_eq!(network.ends[ALICE].statistics().connections, taken);
}

#[test]
fn events_that_nobody_takes_do_not_pile_up() {
    let mut network = Network::connected(LAN);
    let stream = network.ends[ALICE]
        .open_stream(key(ALICE), false)
        .unwrap()
        .unwrap();
    let mut buffer = Vec::new();

    for _ in 0..1_000 {
        network.ends[ALICE].write(key(ALICE), stream, b"x").unwrap();
        while let Some(transmit) = network.ends[ALICE].next_transmit(network.now_ns, &mut buffer) {
            let payloads = buffer.chunks(transmit.payload_bytes);
            network.ends[BOB].handle_many(network.now_ns, key(BOB), payloads);
        }
        while let Some(transmit) = network.ends[BOB].next_transmit(network.now_ns, &mut buffer) {
            let payloads = buffer.chunks(transmit.payload_bytes);
            network.ends[ALICE].handle_many(network.now_ns, key(ALICE), payloads);
        }
    }

    let events: Vec<Event> = std::iter::from_fn(|| network.ends[BOB].next_event()).collect();
    let key = key(BOB);
    assert_eq!(
        events,
        [
            Event::StreamOpened {
                key,
                stream,
                is_bidirectional: false
            },
            Event::Readable { key, stream }
        ]
    );
}

/// Payloads as a stranger may make them: nothing like QUIC, or like QUIC for the first bytes.
fn garbage() -> impl Strategy<Value = Vec<u8>> {
    let noise = prop::collection::vec(any::<u8>(), 0..1_500);
    let long_header = (any::<u8>(), prop::collection::vec(any::<u8>(), 0..1_500))
        .prop_map(|(first, rest)| [&[first | 0xc0, 0, 0, 0, 1, 8][..], &rest].concat());
    prop_oneof![noise, long_header]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn garbage_never_panics_and_never_ends_a_connection(
        payloads in prop::collection::vec((garbage(), any::<bool>()), 1..40)
    ) {
        let mut network = Network::connected(LAN);
        for (payload, is_known) in payloads {
            let connection = if is_known { CONNECTION } else { 5 };
            network.ends[BOB].handle(network.now_ns, key_of(BOB, connection), &payload);
            network.run_for(MILLISECOND_NS);
        }

        prop_assert_eq!(network.transfer(ALICE, b"still there"), b"still there");
    }

    #[test]
    fn damaged_payloads_never_panic(
        damage in prop::collection::vec((any::<u16>(), any::<u8>(), 0usize..20), 1..60)
    ) {
        // During a handshake and a transfer, each payload is changed, cut, or left, as `damage` says.
        let mut network = Network::new(LAN);
        let bob = ei_streams::public_key(&identity(BOB)).unwrap();
        let alice = ei_streams::public_key(&identity(ALICE)).unwrap();
        network.ends[ALICE].connect(0, key(ALICE), bob).unwrap();
        let mut buffer = Vec::new();
        let mut damage = damage.into_iter().cycle();
        for round in 0..100 {
            for from in [ALICE, BOB] {
                while let Some(transmit) = network.ends[from].next_transmit(network.now_ns, &mut buffer) {
                    for payload in buffer.chunks(transmit.payload_bytes) {
                        let mut payload = payload.to_vec();
                        match damage.next() {
                            Some((at, mask, 0)) => {
                                let at = usize::from(at) % payload.len();
                                payload[at] ^= mask;
                            }
                            Some((at, _, 1)) => payload.truncate(usize::from(at)),
                            _ => {}
                        }
                        let to = 1 - from;
                        network.ends[to].handle(network.now_ns, key(to), &payload);
                    }
                }
            }
            while let Some(event) = network.ends[BOB].next_event() {
                if let Event::KeyWanted { key } = event {
                    network.ends[BOB].accept(network.now_ns, key, alice).unwrap();
                }
            }
            while let Some(event) = network.ends[ALICE].next_event() {
                if let Event::Connected { key } = event {
                    let stream = network.ends[ALICE].open_stream(key, false).unwrap().unwrap();
                    network.ends[ALICE].write(key, stream, &[7; 20_000]).unwrap();
                }
            }
            network.now_ns += if round % 3 == 0 { SECOND_NS / 2 } else { MILLISECOND_NS };
            for end in &mut network.ends {
                end.poll(network.now_ns);
            }
        }
    }
}
