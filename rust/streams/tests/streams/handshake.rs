//! Handshakes succeed over bad paths. The figures are those of the QUIC interop runner.

use ei_streams::{Event, public_key};

use crate::network::*;

/// How many of 50 handshakes, one after another, succeed.
fn handshakes(path: Impairment) -> usize {
    let mut network = Network::new(path);
    let (alice, bob) = (
        public_key(&identity(ALICE)).unwrap(),
        public_key(&identity(BOB)).unwrap(),
    );
    let mut successes = 0;
    for connection in 0..50 {
        let (there, back) = (key_of(ALICE, connection), key_of(BOB, connection));
        network.ends[ALICE]
            .connect(network.now_ns, there, bob)
            .unwrap();
        network.run_until("the handshake ends", |network| {
            for event in std::mem::take(&mut network.events[BOB]) {
                match event {
                    Event::KeyWanted { key } => {
                        network.ends[BOB]
                            .accept(network.now_ns, key, alice)
                            .unwrap();
                    }
                    event => network.events[BOB].push(event),
                }
            }
            let is_up = network.has(ALICE, &Event::Connected { key: there })
                && network.has(BOB, &Event::Connected { key: back });
            successes += usize::from(is_up);
            is_up || network.lost(ALICE).is_some()
        });
        network.ends[ALICE]
            .close(network.now_ns, there, 0, b"")
            .unwrap();
        network.ends[BOB]
            .close(network.now_ns, back, 0, b"")
            .unwrap();
        network.events = [Vec::new(), Vec::new()];
    }
    successes
}

#[test]
fn handshakes_survive_loss_of_30_percent_each_way() {
    let path = Impairment {
        delay_ns: 15 * MILLISECOND_NS,
        loss: 0.3,
        ..Impairment::NONE
    };

    assert_eq!(handshakes(path), 50);
}

#[test]
fn handshakes_survive_corruption_of_30_percent_each_way() {
    let path = Impairment {
        delay_ns: 15 * MILLISECOND_NS,
        corrupt: 0.3,
        ..Impairment::NONE
    };

    assert_eq!(handshakes(path), 50);
}

#[test]
fn handshakes_survive_a_long_path() {
    let path = Impairment {
        delay_ns: 750 * MILLISECOND_NS,
        ..Impairment::NONE
    };

    assert_eq!(handshakes(path), 50);
}
