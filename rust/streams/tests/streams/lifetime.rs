//! How connections and streams end, and what is left of them.

use ei_streams::{Event, LossKind, Reading, Streams, StreamsError, public_key};

use crate::network::*;

const LAN: Impairment = Impairment {
    delay_ns: MILLISECOND_NS,
    ..Impairment::NONE
};

/// Alice opens a stream both ways and Bob has heard of it.
fn with_stream() -> (Network, u64) {
    let mut network = Network::connected(LAN);
    let stream = network.ends[ALICE]
        .open_stream(key(ALICE), true)
        .unwrap()
        .unwrap();
    network.ends[ALICE]
        .write(key(ALICE), stream, b"hello")
        .unwrap();
    network.run_until("Bob hears of the stream", |network| {
        network.has(
            BOB,
            &Event::Readable {
                key: key(BOB),
                stream,
            },
        )
    });
    (network, stream)
}

#[test]
fn a_close_is_delivered_with_code_and_reason() {
    let mut network = Network::connected(LAN);

    network.ends[ALICE]
        .close(network.now_ns, key(ALICE), 77, b"enough")
        .unwrap();
    network.run_until("Bob knows", |network| network.lost(BOB).is_some());

    let [Event::ConnectionLost { loss, .. }] = &network.events[BOB][..] else {
        panic!()
    };
    assert_eq!(loss.kind, LossKind::Closed);
    assert_eq!(loss.code, 77);
    assert_eq!(loss.text, "the peer closed with code 77: enough");
    assert!(network.events[ALICE].is_empty());
}

#[test]
fn a_closed_connection_leaves_nothing() {
    let mut network = Network::connected(LAN);

    network.ends[ALICE]
        .close(network.now_ns, key(ALICE), 0, b"")
        .unwrap();
    network.ends[BOB]
        .close(network.now_ns, key(BOB), 0, b"")
        .unwrap();
    network.run_for(10 * SECOND_NS);

    for end in &network.ends {
        assert_eq!(end.statistics().connections, 0);
        assert_eq!(end.statistics().reserved_bytes, 0);
        assert_eq!(end.next_deadline_ns(), None);
    }
    network.connect();
}

#[test]
fn a_reset_is_delivered_with_its_code_and_drops_what_was_unread() {
    let (mut network, stream) = with_stream();

    network.ends[ALICE].reset(key(ALICE), stream, 5).unwrap();
    network.run_until("Bob knows", |network| {
        network.has(
            BOB,
            &Event::StreamReset {
                key: key(BOB),
                stream,
                code: 5,
            },
        )
    });

    assert_eq!(
        network.read(BOB, stream).1,
        Err(StreamsError::ClosedStream(stream))
    );
}

#[test]
fn a_read_finds_a_reset_before_its_event_is_taken() {
    let mut network = Network::connected(LAN);
    let stream = network.ends[ALICE]
        .open_stream(key(ALICE), false)
        .unwrap()
        .unwrap();
    network.ends[ALICE].write(key(ALICE), stream, b"x").unwrap();
    network.ends[ALICE].reset(key(ALICE), stream, 6).unwrap();
    let mut buffer = Vec::new();
    while let Some(transmit) = network.ends[ALICE].next_transmit(network.now_ns, &mut buffer) {
        network.ends[BOB].handle_many(
            network.now_ns,
            key(BOB),
            buffer.chunks(transmit.payload_bytes),
        );
    }

    let (bytes, reading) = network.read(BOB, stream);

    assert_eq!(
        (bytes.as_slice(), reading),
        (&b""[..], Ok(Reading::Reset { code: 6 }))
    );
}

#[test]
fn a_stop_reaches_the_writer_with_its_code() {
    let (mut network, stream) = with_stream();

    network.ends[BOB].stop(key(BOB), stream, 8).unwrap();
    network.run_until("Alice knows", |network| {
        network.has(
            ALICE,
            &Event::StreamStopped {
                key: key(ALICE),
                stream,
                code: 8,
            },
        )
    });

    assert_eq!(
        network.ends[ALICE].write(key(ALICE), stream, b"more"),
        Err(StreamsError::ClosedStream(stream))
    );
}

#[test]
fn a_stream_that_its_peer_gave_up_makes_room_for_another() {
    let mut network = Network::with(LAN, |config| config.max_streams = 8);
    network.connect();

    for _ in 0..20 {
        let stream = network.ends[ALICE].open_stream(key(ALICE), true);
        let stream = stream.unwrap().expect("there is room");
        let _taken = network.ends[ALICE].write(key(ALICE), stream, b"hello");
        network.run_for(10 * MILLISECOND_NS);
        network.ends[BOB].reset(key(BOB), stream, 8).unwrap();
        network.ends[BOB].stop(key(BOB), stream, 8).unwrap();
        network.run_for(10 * MILLISECOND_NS);
    }
}

#[test]
fn a_finish_is_confirmed_when_the_peer_has_everything() {
    let (mut network, stream) = with_stream();

    network.ends[ALICE].finish(key(ALICE), stream).unwrap();
    network.run_until("Alice knows", |network| {
        network.has(
            ALICE,
            &Event::StreamFinished {
                key: key(ALICE),
                stream,
            },
        )
    });

    assert_eq!(
        network.read(BOB, stream),
        (b"hello".to_vec(), Ok(Reading::Finished))
    );
    assert_eq!(
        network.read(BOB, stream).1,
        Err(StreamsError::ClosedStream(stream))
    );
}

#[test]
fn what_arrived_before_the_end_can_be_read_after_it() {
    let (mut network, stream) = with_stream();
    network.ends[ALICE].finish(key(ALICE), stream).unwrap();
    network.run_until("Alice knows", |network| {
        network.has(
            ALICE,
            &Event::StreamFinished {
                key: key(ALICE),
                stream,
            },
        )
    });

    network.ends[ALICE]
        .close(network.now_ns, key(ALICE), 0, b"")
        .unwrap();
    network.run_for(10 * SECOND_NS);

    assert_eq!(
        network.read(BOB, stream),
        (b"hello".to_vec(), Ok(Reading::Finished))
    );
    network.run_for(30 * SECOND_NS);
    assert_eq!(network.ends[BOB].statistics().connections, 0);
    assert_eq!(
        network.read(BOB, stream).1,
        Err(StreamsError::NotConnected(key(BOB)))
    );
}

#[test]
fn a_dead_peer_is_noticed_after_the_idle_time() {
    let mut network = Network::connected(LAN);
    network.impairment.loss = 1.0;
    let start_ns = network.now_ns;

    network.run_until("both know", |network| {
        network.lost(ALICE).is_some() && network.lost(BOB).is_some()
    });

    assert_eq!(network.lost(ALICE), Some(LossKind::TimedOut));
    let waited_ns = network.now_ns - start_ns;
    assert!(
        (29 * SECOND_NS..32 * SECOND_NS).contains(&waited_ns),
        "{waited_ns}"
    );
}

#[test]
fn a_keepalive_holds_an_idle_connection() {
    let mut network = Network::with(LAN, |config| config.keepalive_ns = 10 * SECOND_NS);
    network.connect();

    network.run_for(300 * SECOND_NS);

    assert!(
        network.events.iter().all(Vec::is_empty),
        "{:?}",
        network.events
    );
}

#[test]
fn a_handshake_without_answer_ends_in_time() {
    let mut network = Network::new(Impairment { loss: 1.0, ..LAN });
    network.ends[ALICE]
        .connect(0, key(ALICE), public_key(&identity(BOB)).unwrap())
        .unwrap();

    network.run_until("Alice gives up", |network| network.lost(ALICE).is_some());

    assert_eq!(network.lost(ALICE), Some(LossKind::HandshakeTimeout));
    assert_eq!(network.now_ns, 10 * SECOND_NS);
}

#[test]
fn a_restarted_host_tells_its_peer_that_it_forgot() {
    let (mut network, stream) = with_stream();
    let restarted = ei_streams::StreamsConfig {
        seed: Some([99; 32]),
        ..config(BOB)
    };
    network.ends[BOB] = Streams::new(restarted).unwrap();

    network.ends[ALICE]
        .write(key(ALICE), stream, &[1; 1_000])
        .unwrap();
    let start_ns = network.now_ns;
    network.run_until("Alice knows", |network| network.lost(ALICE).is_some());

    assert_eq!(network.lost(ALICE), Some(LossKind::Reset));
    assert!(network.now_ns - start_ns < 10 * MILLISECOND_NS);
}

#[test]
fn a_changed_path_is_measured_afresh_and_used_at_once() {
    let slow = Impairment {
        delay_ns: 100 * MILLISECOND_NS,
        ..Impairment::NONE
    };
    let mut network = Network::connected(slow);
    network.transfer(ALICE, &noise(1, 100_000));
    network.run_for(SECOND_NS);
    network.impairment = LAN;

    network.ends[ALICE].path_changed(network.now_ns, address(BOB));
    network.run_for(SECOND_NS);

    let statistics = network.ends[ALICE]
        .connection_statistics(key(ALICE))
        .unwrap();
    assert!(statistics.rtt_ns < 30 * MILLISECOND_NS, "{statistics:?}");
}

#[test]
fn who_is_asked_answers_and_the_path_stays_as_it_was_measured() {
    let mut network = Network::connected(LAN);
    network.transfer(ALICE, &noise(1, 1_000_000));
    network.run_for(SECOND_NS);
    let statistics = |network: &Network| {
        let counted = network.ends[ALICE].connection_statistics(key(ALICE));
        counted.unwrap()
    };
    let before = statistics(&network);

    network.ends[ALICE].ask(network.now_ns, address(BOB));
    network.run_for(SECOND_NS);

    let after = statistics(&network);
    assert!(after.payloads_received > before.payloads_received);
    assert!(after.payloads_sent < before.payloads_sent + 4, "{after:?}");
    assert_eq!(
        after.congestion_window_bytes,
        before.congestion_window_bytes
    );
}

#[test]
fn calls_on_what_does_not_exist_are_refused() {
    let (mut network, stream) = with_stream();
    let unknown = key_of(ALICE, 1);
    let alice = &mut network.ends[ALICE];

    assert_eq!(
        alice.open_stream(unknown, true),
        Err(StreamsError::NotConnected(unknown))
    );
    assert_eq!(
        alice.write(key(ALICE), stream + 4, b"x"),
        Err(StreamsError::ClosedStream(stream + 4))
    );
    let (own_one_way, foreign_one_way) = (2, 3);
    assert_eq!(
        alice.write(key(ALICE), foreign_one_way, b"x"),
        Err(StreamsError::WrongDirection(foreign_one_way))
    );
    assert_eq!(
        alice.read(key(ALICE), own_one_way, 1, &mut Vec::new()),
        Err(StreamsError::WrongDirection(own_one_way))
    );
    assert_eq!(
        alice.reset(key(ALICE), stream, 1 << 62),
        Err(StreamsError::TooLarge(1 << 62))
    );
    assert_eq!(
        alice.finish(key(ALICE), u64::MAX),
        Err(StreamsError::TooLarge(u64::MAX))
    );
    assert_eq!(
        alice.connect(0, key(ALICE), [0; 32]),
        Err(StreamsError::AlreadyConnected(key(ALICE)))
    );
    assert_eq!(alice.close(0, unknown, 0, b""), Ok(()));
}
