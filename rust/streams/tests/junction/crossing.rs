//! A host, nodes, and sockets in memory, on a virtual clock that jumps to the next thing that happens.

use std::collections::{BTreeMap, VecDeque};

use ei_streams::junction::{
    Closing, Got, Junction, JunctionConfig, Legacy, News, Order, Sockets, Target,
};
use ei_streams::{ConnectionKey, Event, Streams, StreamsConfig, public_key};

pub(crate) const SECOND_NS: u64 = 1_000_000_000;
pub(crate) const SERVICE: u32 = 32;
pub(crate) const HOST: [u8; 16] = [1; 16];
const CONNECTION: u64 = 7;

pub(crate) fn address(node: usize) -> [u8; 16] {
    [node as u8 + 0xa0; 16]
}

fn identity(address: [u8; 16]) -> [u8; 32] {
    [address[0]; 32]
}

/// A socket whose server is the test.
#[derive(Default)]
pub(crate) struct Server {
    pub(crate) received: Vec<u8>,
    pub(crate) sends: VecDeque<u8>,
    /// Bytes that it takes.
    pub(crate) room: usize,
    pub(crate) has_ended: bool,
    pub(crate) is_broken: bool,
    pub(crate) saw_end: bool,
    /// Closed by the node; whether abruptly.
    pub(crate) closed: Option<bool>,
}

/// Sockets by number; each is open at once.
#[derive(Default)]
pub(crate) struct Servers {
    pub(crate) all: BTreeMap<usize, Server>,
    pub(crate) new: Vec<usize>,
}

impl Sockets for Servers {
    fn open(&mut self, socket: usize, _: &Legacy, _: usize, _: u64) {
        let server = Server {
            room: 1 << 20,
            ..Server::default()
        };
        self.all.insert(socket, server);
        self.new.push(socket);
    }

    fn read(&mut self, socket: usize, limit: usize, out: &mut Vec<u8>) -> Result<Got, Closing> {
        let server = self.all.get_mut(&socket).ok_or(Closing::Lost)?;
        let bytes = server.sends.len().min(limit);
        if server.is_broken && bytes == 0 {
            return Err(Closing::Reset);
        }
        out.extend(server.sends.drain(..bytes));
        let is_end = server.has_ended && server.sends.is_empty();
        Ok(Got { bytes, is_end })
    }

    fn write(&mut self, socket: usize, bytes: &[u8]) -> Result<usize, Closing> {
        let server = self.all.get_mut(&socket).ok_or(Closing::Lost)?;
        let taken = bytes.len().min(server.room);
        server.room -= taken;
        server.received.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn splice(&mut self, _: usize, _: usize, _: usize) -> Option<Result<Got, Closing>> {
        None
    }

    fn finish(&mut self, socket: usize) {
        self.all.get_mut(&socket).unwrap().saw_end = true;
    }

    fn close(&mut self, socket: usize, is_abrupt: bool) {
        self.all.get_mut(&socket).unwrap().closed = Some(is_abrupt);
    }
}

pub(crate) struct Node {
    pub(crate) junction: Junction,
    pub(crate) servers: Servers,
    pub(crate) news: Vec<News>,
    /// Whether the service hears of windows.
    pub(crate) is_listening: bool,
}

/// A host at node 0, which has node 1 as its peer.
pub(crate) struct Crossing {
    pub(crate) now_ns: u64,
    pub(crate) host: Streams,
    pub(crate) host_events: Vec<Event>,
    pub(crate) nodes: Vec<Node>,
}

impl Crossing {
    pub(crate) fn new(nodes: usize) -> Self {
        let nodes = (0..nodes).map(|number| {
            let mut junction = Junction::new(JunctionConfig {
                identity_key: identity(address(number)),
                seed: Some([number as u8; 32]),
                address: address(number),
                max_streams: 4_000,
                max_streams_per_peer: 2_000,
                buffer_bytes: 256 << 20,
            })
            .unwrap();
            junction.add_service(SERVICE, false);
            Node {
                junction,
                servers: Servers::default(),
                news: Vec::new(),
                is_listening: true,
            }
        });
        let mut host = Streams::new(StreamsConfig {
            seed: Some([99; 32]),
            ..StreamsConfig::new(identity(HOST))
        })
        .unwrap();
        let node_key = public_key(&identity(address(0))).unwrap();
        host.connect(SECOND_NS, Self::key(), node_key).unwrap();
        Self {
            now_ns: SECOND_NS,
            host,
            host_events: Vec::new(),
            nodes: nodes.collect(),
        }
    }

    /// How the host names its connection.
    pub(crate) fn key() -> ConnectionKey {
        ConnectionKey {
            peer: address(0),
            connection: CONNECTION,
        }
    }

    /// A stream of the host's, with its first bytes.
    pub(crate) fn open(&mut self, bytes: &[u8]) -> u64 {
        self.settle();
        let stream = self.host.open_stream(Self::key(), true).unwrap().unwrap();
        assert_eq!(self.host.write(Self::key(), stream, bytes), Ok(bytes.len()));
        self.settle();
        stream
    }

    pub(crate) fn order(&mut self, node: usize, order: Order<'_>) {
        let Node {
            junction, servers, ..
        } = &mut self.nodes[node];
        junction.order(self.now_ns, servers, SERVICE, order);
        self.settle();
    }

    pub(crate) fn open_legacy(&mut self, stream: u64) {
        let to = Target::Legacy(Legacy {
            host: "example.org".to_owned(),
            port: 80,
            is_udp: false,
        });
        let deadline_ns = 10 * SECOND_NS;
        self.order(
            0,
            Order::Open {
                stream,
                to,
                deadline_ns,
                ahead: 0,
            },
        );
    }

    /// All bytes that the host can read.
    pub(crate) fn host_reads(&mut self, stream: u64) -> Vec<u8> {
        let mut pieces = Vec::new();
        let _ = self.host.read(Self::key(), stream, 1 << 30, &mut pieces);
        self.settle();
        pieces.concat()
    }

    pub(crate) fn closed(&self, node: usize) -> Vec<(u64, Closing)> {
        let closed = self.nodes[node].news.iter().filter_map(|news| match news {
            News::Closed { stream, why, .. } => Some((*stream, *why)),
            _ => None,
        });
        closed.collect()
    }

    /// The code by which the host's stream was reset.
    pub(crate) fn reset_code(&self, stream: u64) -> Option<u64> {
        self.host_events.iter().find_map(|event| match event {
            Event::StreamReset {
                stream: of, code, ..
            } if *of == stream => Some(*code),
            _ => None,
        })
    }

    /// Let time pass.
    pub(crate) fn pass(&mut self, nanoseconds: u64) {
        let until_ns = self.now_ns + nanoseconds;
        while self.now_ns < until_ns {
            let junctions = self.nodes.iter().map(|node| &node.junction);
            let deadlines = junctions.filter_map(Junction::next_deadline_ns);
            let next_ns = deadlines.chain(self.host.next_deadline_ns()).min();
            let next_ns = next_ns.unwrap_or(until_ns).max(self.now_ns + 1);
            self.now_ns = next_ns.min(until_ns);
            self.settle();
        }
    }

    /// Until nothing moves any more.
    pub(crate) fn settle(&mut self) {
        while self.step() {}
    }

    fn step(&mut self) -> bool {
        let now_ns = self.now_ns;
        let mut has_moved = false;
        let mut buffer = Vec::new();
        self.host.poll(now_ns);
        self.host_events
            .extend(std::iter::from_fn(|| self.host.next_event()));
        while let Some(transmit) = self.host.next_transmit(now_ns, &mut buffer) {
            has_moved = true;
            let key = ConnectionKey {
                peer: HOST,
                connection: transmit.key.connection,
            };
            let payloads = buffer.chunks(transmit.payload_bytes);
            self.nodes[0]
                .junction
                .handle(now_ns, SERVICE, HOST, key, payloads);
        }
        for number in 0..self.nodes.len() {
            has_moved |= self.step_node(number);
        }
        has_moved
    }

    fn step_node(&mut self, number: usize) -> bool {
        let now_ns = self.now_ns;
        let mut has_moved = false;
        let Node {
            junction,
            servers,
            news,
            is_listening,
        } = &mut self.nodes[number];
        for socket in servers.new.drain(..) {
            junction.socket_opened(now_ns, socket);
        }
        junction.run(now_ns, servers);
        while let Some(peer) = junction.next_key_wanted() {
            let key = public_key(&identity(peer)).unwrap();
            junction.peer_key(now_ns, servers, peer, Some(key));
            has_moved = true;
        }
        while let Some(one) = junction.next_news(now_ns, servers, SERVICE, 1 << 16) {
            if let News::Writable { stream, window } = one
                && *is_listening
            {
                junction.window_heard(SERVICE, stream, window);
            }
            news.push(one);
            has_moved = true;
        }
        let mut sent = Vec::new();
        let mut buffer = Vec::new();
        while let Some(departure) = junction.next_transmit(now_ns, &mut buffer) {
            sent.push((departure, buffer.clone()));
        }
        for (departure, bytes) in sent {
            has_moved = true;
            let key = ConnectionKey {
                peer: address(number),
                connection: departure.connection,
            };
            let payloads = bytes.chunks(departure.payload_bytes);
            match self
                .nodes
                .iter_mut()
                .position(|_| departure.pipe != HOST)
                .map(|_| usize::from(departure.pipe[0] - 0xa0))
            {
                Some(other) => {
                    let junction = &mut self.nodes[other].junction;
                    junction.handle(now_ns, SERVICE, address(number), key, payloads);
                }
                None => self.host.handle_many(now_ns, key, payloads),
            }
        }
        has_moved
    }
}
