//! Services whose openers need not be known: any key is good, and what comes by one pipe has a share.

use ei_streams::junction::{Junction, JunctionConfig, News, Order, Target};
use ei_streams::{ConnectionKey, Event, Streams, StreamsConfig, public_key};

use crate::crossing::*;

/// As many hosts as are wanted, each with a source of its own, behind nodes that hide them.
struct Hidden {
    junction: Junction,
    servers: Servers,
    hosts: Streams,
    events: Vec<Event>,
}

const NOW_NS: u64 = 1_000_000_000;

impl Hidden {
    fn new(buffer_bytes: u64) -> Self {
        let mut junction = Junction::new(JunctionConfig {
            identity_key: [5; 32],
            seed: Some([1; 32]),
            address: address(0),
            max_streams: 100,
            max_streams_per_peer: 2,
            buffer_bytes,
        })
        .unwrap();
        junction.add_service(SERVICE, true);
        let hosts = Streams::new(StreamsConfig {
            seed: Some([2; 32]),
            max_connections_per_peer: 1_000,
            ..StreamsConfig::new([77; 32])
        });
        Self {
            junction,
            servers: Servers::default(),
            hosts: hosts.unwrap(),
            events: Vec::new(),
        }
    }

    /// The connection of host `number`, which comes by `pipe`, once nothing moves any more.
    fn connect(&mut self, number: u64, pipe: [u8; 16]) -> ConnectionKey {
        let key = ConnectionKey {
            peer: address(0),
            connection: number,
        };
        let node_key = public_key(&[5; 32]).unwrap();
        self.hosts.connect(NOW_NS, key, node_key).unwrap();
        self.settle(pipe);
        key
    }

    fn settle(&mut self, pipe: [u8; 16]) {
        let mut buffer = Vec::new();
        let mut has_moved = true;
        while has_moved {
            has_moved = false;
            self.events
                .extend(std::iter::from_fn(|| self.hosts.next_event()));
            while let Some(transmit) = self.hosts.next_transmit(NOW_NS, &mut buffer) {
                has_moved = true;
                let mut peer = [0xb0; 16];
                peer[8..].copy_from_slice(&transmit.key.connection.to_le_bytes());
                let key = ConnectionKey {
                    peer,
                    ..transmit.key
                };
                let payloads = buffer.chunks(transmit.payload_bytes);
                self.junction.handle(NOW_NS, SERVICE, pipe, key, payloads);
            }
            self.junction.run(NOW_NS, &mut self.servers);
            assert_eq!(self.junction.next_key_wanted(), None);
            while let Some(departure) = self.junction.next_transmit(NOW_NS, &mut buffer) {
                has_moved = true;
                assert!(departure.is_anonymous);
                let key = ConnectionKey {
                    peer: address(0),
                    connection: departure.connection,
                };
                let payloads = buffer.chunks(departure.payload_bytes);
                self.hosts.handle_many(NOW_NS, key, payloads);
            }
        }
    }

    fn is_lost(&self, key: ConnectionKey) -> bool {
        let lost =
            |event: &Event| matches!(event, Event::ConnectionLost { key: of, .. } if *of == key);
        self.events.iter().any(lost)
    }

    /// Open a stream; whether it was let in.
    fn open(&mut self, key: ConnectionKey, pipe: [u8; 16]) -> bool {
        let stream = self.hosts.open_stream(key, true).unwrap().unwrap();
        self.hosts.write(key, stream, &[0, 0]).unwrap();
        self.settle(pipe);
        let refused = |event: &Event| matches!(event, Event::StreamStopped { key: of, stream: on, .. } if (*of, *on) == (key, stream));
        !self.events.iter().any(refused)
    }
}

#[test]
fn whoever_proves_any_key_is_let_in_and_known_by_its_source() {
    let mut hidden = Hidden::new(256 << 20);

    let key = hidden.connect(3, address(1));
    assert!(hidden.open(key, address(1)));

    let news = hidden
        .junction
        .next_news(NOW_NS, &mut hidden.servers, SERVICE, 1 << 16);
    let Some(News::Opened { peer, .. }) = news else {
        panic!("{news:?}");
    };
    assert_eq!(
        peer[..9],
        [0xb0, 0xb0, 0xb0, 0xb0, 0xb0, 0xb0, 0xb0, 0xb0, 3]
    );
}

#[test]
fn connections_by_one_pipe_leave_as_much_to_those_by_others() {
    let mut hidden = Hidden::new(16 << 20);
    let mut count = 0;

    while !hidden.is_lost(ConnectionKey {
        peer: address(0),
        connection: count,
    }) {
        count += 1;
        hidden.connect(count, address(1));
    }

    assert!((10..30).contains(&count), "{count}");
    assert_eq!(hidden.junction.statistics().pipe_full, 1);
    let reserved = hidden.junction.statistics().buffered_bytes;
    assert!(reserved <= 4 << 20, "{reserved}");
    let other = hidden.connect(1_000, address(2));
    assert!(!hidden.is_lost(other));
}

#[test]
fn streams_by_one_pipe_leave_as_many_to_those_by_others() {
    let mut hidden = Hidden::new(256 << 20);
    let mut count = 0;
    let mut number = 0;

    let is_full = |hidden: &mut Hidden, number: u64, count: &mut usize| {
        let key = hidden.connect(number, address(1));
        let are_let_in = [hidden.open(key, address(1)), hidden.open(key, address(1))];
        *count += are_let_in.iter().filter(|one| **one).count();
        are_let_in != [true, true]
    };
    while !is_full(&mut hidden, number, &mut count) {
        number += 1;
    }

    assert_eq!(count, 50);
    assert!(hidden.junction.statistics().pipe_full > 0);
    let other = hidden.connect(1_000, address(2));
    assert!(hidden.open(other, address(2)));
}

#[test]
fn an_anonymous_service_opens_no_streams_to_other_nodes() {
    let mut hidden = Hidden::new(256 << 20);
    let to = Target::AtNode {
        node: address(1),
        opening: Vec::new(),
    };
    let order = Order::Open {
        stream: 1,
        to,
        deadline_ns: NOW_NS,
        ahead: 0,
    };

    hidden
        .junction
        .order(NOW_NS, &mut hidden.servers, SERVICE, order);

    let news = hidden
        .junction
        .next_news(NOW_NS, &mut hidden.servers, SERVICE, 1 << 16);
    assert!(
        matches!(news, Some(News::Closed { stream: 1, why, .. }) if why.word() == "refused"),
        "{news:?}"
    );
}
