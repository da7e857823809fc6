//! Buffers that are used up: what is kept goes first, then the oldest of who holds most.

use ei_streams::junction::{Junction, JunctionConfig, Legacy, News, Order, Target};
use ei_streams::{ConnectionKey, Event, Streams, StreamsConfig, public_key};

use crate::crossing::*;

const NOW_NS: u64 = 1_000_000_000;
const BUFFER_BYTES: u64 = 2 << 20;

/// A service whose openers need not be known, and the pipe by which they all come.
const ANONYMOUS: u32 = 33;
const PIPE: [u8; 16] = [0xb0; 16];
/// Connections from this on are of hosts that another node hides.
const FIRST_HIDDEN: u64 = 1_000;

/// Hosts that this node knows, each with one connection, and some that it does not.
struct Hosts {
    junction: Junction,
    servers: Servers,
    hosts: Streams,
    events: Vec<Event>,
    news: Vec<News>,
}

fn host(number: u64) -> [u8; 16] {
    [0xc0_u8.wrapping_add(number as u8); 16]
}

/// How a host names its connection.
fn name(number: u64) -> ConnectionKey {
    ConnectionKey {
        peer: address(0),
        connection: number,
    }
}

impl Hosts {
    fn new(hosts: u64) -> Self {
        Self::with(hosts, BUFFER_BYTES)
    }

    fn with(hosts: u64, buffer_bytes: u64) -> Self {
        let mut junction = Junction::new(JunctionConfig {
            identity_key: [5; 32],
            seed: Some([1; 32]),
            address: address(0),
            max_streams: 10_000,
            max_streams_per_peer: 5_000,
            buffer_bytes,
        })
        .unwrap();
        junction.add_service(SERVICE, false);
        junction.add_service(ANONYMOUS, true);
        let config = StreamsConfig {
            seed: Some([2; 32]),
            max_connections_per_peer: 1_000,
            ..StreamsConfig::new([77; 32])
        };
        let mut all = Self {
            junction,
            servers: Servers::default(),
            hosts: Streams::new(config).unwrap(),
            events: Vec::new(),
            news: Vec::new(),
        };
        for number in 0..hosts {
            all.connect(number);
        }
        all
    }

    fn connect(&mut self, number: u64) {
        let node_key = public_key(&[5; 32]).unwrap();
        self.hosts.connect(NOW_NS, name(number), node_key).unwrap();
        self.settle();
    }

    /// Connections that were ended, in order.
    fn lost(&self) -> Vec<u64> {
        let lost = self.events.iter().filter_map(|event| match event {
            Event::ConnectionLost { key, .. } => Some(key.connection),
            _ => None,
        });
        lost.collect()
    }

    fn settle(&mut self) {
        let mut buffer = Vec::new();
        let mut has_moved = true;
        while has_moved {
            has_moved = false;
            self.events
                .extend(std::iter::from_fn(|| self.hosts.next_event()));
            while let Some(transmit) = self.hosts.next_transmit(NOW_NS, &mut buffer) {
                has_moved = true;
                let number = transmit.key.connection;
                let mut peer = host(number);
                let (service, pipe) = match number < FIRST_HIDDEN {
                    true => (SERVICE, peer),
                    false => (ANONYMOUS, PIPE),
                };
                peer[8..].copy_from_slice(&number.to_le_bytes());
                let key = ConnectionKey {
                    peer,
                    ..transmit.key
                };
                let payloads = buffer.chunks(transmit.payload_bytes);
                self.junction.handle(NOW_NS, service, pipe, key, payloads);
            }
            for socket in self.servers.new.drain(..) {
                self.junction.socket_opened(NOW_NS, socket);
            }
            self.junction.run(NOW_NS, &mut self.servers);
            while let Some(peer) = self.junction.next_key_wanted() {
                has_moved = true;
                let key = public_key(&[77; 32]).unwrap();
                self.junction
                    .peer_key(NOW_NS, &mut self.servers, peer, Some(key));
            }
            while let Some(one) =
                self.junction
                    .next_news(NOW_NS, &mut self.servers, SERVICE, 1 << 16)
            {
                has_moved = true;
                self.news.push(one);
            }
            while let Some(departure) = self.junction.next_transmit(NOW_NS, &mut buffer) {
                has_moved = true;
                let payloads = buffer.chunks(departure.payload_bytes);
                self.hosts
                    .handle_many(NOW_NS, name(departure.connection), payloads);
            }
        }
    }

    /// Open a stream; whether it was let in, and did not take the place of one of the same host.
    fn open(&mut self, number: u64) -> bool {
        let before = self.refusals(number);
        let Ok(Some(stream)) = self.hosts.open_stream(name(number), true) else {
            return false;
        };
        self.hosts.write(name(number), stream, &[0, 0]).unwrap();
        self.settle();
        self.refusals(number) == before
    }

    /// Streams of a host that the node did not take, or gave up.
    fn refusals(&self, number: u64) -> usize {
        let refused = |event: &&Event| matches!(event, Event::StreamStopped { key, .. } if *key == name(number));
        self.events.iter().filter(refused).count()
    }

    fn order(&mut self, order: Order<'_>) {
        self.junction
            .order(NOW_NS, &mut self.servers, SERVICE, order);
        self.settle();
    }

    /// Have a stream of a host spliced with a server that sends, and has the last of that kept.
    fn splice(&mut self, number: u64, server: u64, keep_bytes: usize) {
        assert!(self.open(number));
        let opened = self.news.iter().rev().find_map(|news| match news {
            News::Opened { stream, .. } if stream.is_multiple_of(2) => Some(*stream),
            _ => None,
        });
        let to = Target::Legacy(Legacy {
            host: "example.org".to_owned(),
            port: 80,
            is_udp: false,
        });
        self.order(Order::Open {
            stream: server,
            to,
            deadline_ns: NOW_NS,
            ahead: 0,
        });
        self.order(Order::Splice {
            a: opened.unwrap(),
            b: server,
            idle_ns: 1_000 * SECOND_NS,
            keep_bytes,
            from_byte: None,
            meter: None,
        });
    }

    /// Let the newest server send.
    fn send(&mut self, bytes: usize) {
        let (socket, server) = self.servers.all.iter_mut().next_back().unwrap();
        server.sends.extend(vec![1; bytes]);
        self.junction.socket_ready(*socket);
        self.settle();
    }
}

/// Streams of one host until one is refused.
fn fill(hosts: &mut Hosts, number: u64) -> usize {
    (0..1_000).take_while(|_| hosts.open(number)).count()
}

#[test]
fn b7_of_streams_the_oldest_of_who_holds_most_makes_room_for_the_newest() {
    let mut hosts = Hosts::new(3);
    let taken = fill(&mut hosts, 0);
    assert!((50..1_000).contains(&taken), "{taken}");
    assert_eq!(hosts.refusals(0), 1, "who holds most makes none for itself");

    for _ in 0..5 {
        assert!(hosts.open(1));
        assert!(hosts.open(2));
    }

    assert_eq!(hosts.refusals(1) + hosts.refusals(2), 0);
    assert_eq!(hosts.refusals(0), 1 + 10);
    let counted = hosts.junction.statistics();
    assert_eq!(counted.crowded_out, 10);
    assert!(counted.buffered_bytes <= BUFFER_BYTES, "{counted:?}");
    let first = hosts.news.iter().find_map(|news| match news {
        News::Closed { stream, .. } => Some(*stream),
        _ => None,
    });
    assert_eq!(first, Some(2), "the oldest");
}

#[test]
fn b7_many_small_ones_by_one_pipe_are_together_the_heaviest() {
    let mut hosts = Hosts::with(3, 16 << 20);
    let mut next = FIRST_HIDDEN;
    while hosts.junction.statistics().pipe_full == 0 {
        hosts.connect(next);
        next += 1;
    }
    let refused = hosts.lost();
    assert!(
        next > FIRST_HIDDEN + 5 && refused == [next - 1],
        "{refused:?}"
    );

    for number in 3..100 {
        if hosts.junction.statistics().crowded_out < 3 {
            hosts.connect(number);
        }
    }

    let gone = hosts.lost().split_off(1);
    assert_eq!(gone, [FIRST_HIDDEN, FIRST_HIDDEN + 1, FIRST_HIDDEN + 2]);
}

#[test]
fn b7_what_is_kept_of_splices_goes_before_anybody_s_stream() {
    let mut hosts = Hosts::new(3);
    // Kept bytes come to no more than half of the streams' half, each part an eighth of what is left.
    for number in 0..24 {
        hosts.splice(0, 2 * number + 1, 64 << 10);
        hosts.send(64 << 10);
    }
    let reserved = hosts.junction.statistics().buffered_bytes;
    fill(&mut hosts, 1);
    let counted = hosts.junction.statistics();

    assert!(counted.forgotten_bytes > 0, "{reserved} {counted:?}");
    assert_eq!(counted.crowded_out, 0, "{counted:?}");
    assert_eq!(hosts.refusals(0), 0);
}

#[test]
fn b7_while_memory_is_tight_no_stream_is_let_in_and_those_there_go_on() {
    let mut hosts = Hosts::new(2);
    hosts.splice(0, 1, 4 << 10);
    hosts.send(1_000);

    assert_eq!(hosts.junction.set_tight(true), 4 << 10);
    assert!(!hosts.open(1));
    hosts.send(1_000);
    hosts.junction.set_tight(false);

    assert!(hosts.open(1));
    assert_eq!(hosts.refusals(0), 0);
    assert_eq!(hosts.junction.statistics().refused, 1);
    let mut pieces = Vec::new();
    hosts.hosts.read(name(0), 0, 1 << 20, &mut pieces).unwrap();
    assert_eq!(pieces.concat(), [1; 2_000]);
}

#[test]
fn b7_who_makes_room_leaves_the_server_that_it_was_spliced_with() {
    let mut hosts = Hosts::new(3);
    hosts.splice(0, 1, 4 << 10);
    let _streams = fill(&mut hosts, 0);

    assert!(hosts.open(1));

    let closed: Vec<u64> = hosts
        .news
        .iter()
        .filter_map(|news| match news {
            News::Closed { stream, .. } => Some(*stream),
            _ => None,
        })
        .collect();
    assert!(closed.contains(&2) && closed.contains(&1), "{closed:?}");
    // What it had sent gets a second to go out.
    hosts
        .junction
        .run(NOW_NS + 2 * SECOND_NS, &mut hosts.servers);
    assert!(hosts.servers.all.values().all(|one| one.closed.is_some()));
}
