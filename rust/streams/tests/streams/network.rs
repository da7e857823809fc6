//! Two hosts' streams joined in memory, on a virtual clock that jumps to the next thing that happens.

use std::collections::BTreeMap;

use ei_streams::{
    Bytes, ConnectionKey, Event, LossKind, Reading, Streams, StreamsConfig, StreamsError,
    public_key,
};
use rand::rngs::ChaCha8Rng;
use rand::{Rng, SeedableRng};

/// Which of the two hosts.
pub(crate) const ALICE: usize = 0;
pub(crate) const BOB: usize = 1;

pub(crate) const MILLISECOND_NS: u64 = 1_000_000;
pub(crate) const SECOND_NS: u64 = 1_000_000_000;
pub(crate) const CONNECTION: u64 = 0x0123_4567_89ab_cdef;

/// What a link does to payloads. Probabilities are 0 to 1.
#[derive(Clone, Copy)]
pub(crate) struct Impairment {
    pub(crate) delay_ns: u64,
    pub(crate) jitter_ns: u64,
    pub(crate) loss: f64,
    pub(crate) corrupt: f64,
    pub(crate) duplicate: f64,
    /// 0 is unlimited.
    pub(crate) rate_bytes_per_s: u64,
    /// Waiting for the rate; beyond it payloads are lost.
    pub(crate) queue_bytes: u64,
    /// Everything is lost for the second of these times after the first, again and again.
    pub(crate) up_down_ns: (u64, u64),
}

impl Impairment {
    pub(crate) const NONE: Self = Self {
        delay_ns: 0,
        jitter_ns: 0,
        loss: 0.0,
        corrupt: 0.0,
        duplicate: 0.0,
        rate_bytes_per_s: 0,
        queue_bytes: 0,
        up_down_ns: (0, 0),
    };
}

pub(crate) struct Network {
    pub(crate) ends: [Streams; 2],
    pub(crate) now_ns: u64,
    pub(crate) impairment: Impairment,
    /// Events that `run` took and nobody has looked at.
    pub(crate) events: [Vec<Event>; 2],
    /// (time, sender, payload length) of everything sent.
    pub(crate) log: Vec<(u64, usize, usize)>,
    in_flight: BTreeMap<(u64, u64), (usize, u64, Vec<u8>)>,
    /// When each direction has sent all that waits for the rate.
    idle_at_ns: [u64; 2],
    sequence: u64,
    random: ChaCha8Rng,
}

pub(crate) fn identity(host: usize) -> [u8; 32] {
    [host as u8 + 1; 32]
}

pub(crate) fn address(host: usize) -> [u8; 16] {
    [host as u8 + 0xa0; 16]
}

/// How `host` names the connection to the other.
pub(crate) fn key(host: usize) -> ConnectionKey {
    key_of(host, CONNECTION)
}

pub(crate) fn key_of(host: usize, connection: u64) -> ConnectionKey {
    ConnectionKey {
        peer: address(1 - host),
        connection,
    }
}

pub(crate) fn config(host: usize) -> StreamsConfig {
    StreamsConfig {
        seed: Some([host as u8 + 7; 32]),
        ..StreamsConfig::new(identity(host))
    }
}

impl Network {
    pub(crate) fn new(impairment: Impairment) -> Self {
        Self::with(impairment, |_| {})
    }

    pub(crate) fn with(impairment: Impairment, change: impl Fn(&mut StreamsConfig)) -> Self {
        let end = |host| {
            let mut config = config(host);
            change(&mut config);
            Streams::new(config).unwrap()
        };
        Self {
            ends: [end(ALICE), end(BOB)],
            now_ns: 0,
            impairment,
            events: [Vec::new(), Vec::new()],
            log: Vec::new(),
            in_flight: BTreeMap::new(),
            idle_at_ns: [0; 2],
            sequence: 0,
            random: ChaCha8Rng::seed_from_u64(1),
        }
    }

    /// A network on which Alice has connected to Bob.
    pub(crate) fn connected(impairment: Impairment) -> Self {
        let mut network = Self::new(impairment);
        network.connect();
        network
    }

    pub(crate) fn connect(&mut self) {
        self.ends[ALICE]
            .connect(self.now_ns, key(ALICE), public_key(&identity(BOB)).unwrap())
            .unwrap();
        self.run_until("Bob asks for the key", |network| {
            network.has(BOB, &Event::KeyWanted { key: key(BOB) })
        });
        self.ends[BOB]
            .accept(self.now_ns, key(BOB), public_key(&identity(ALICE)).unwrap())
            .unwrap();
        self.run_until("both are connected", |network| {
            network.has(ALICE, &Event::Connected { key: key(ALICE) })
                && network.has(BOB, &Event::Connected { key: key(BOB) })
        });
        self.events = [Vec::new(), Vec::new()];
    }

    pub(crate) fn has(&self, host: usize, event: &Event) -> bool {
        self.events[host].contains(event)
    }

    /// Why `host` lost its connection, if it did.
    pub(crate) fn lost(&self, host: usize) -> Option<LossKind> {
        self.events[host].iter().find_map(|event| match event {
            Event::ConnectionLost { loss, .. } => Some(loss.kind),
            _ => None,
        })
    }

    /// Go on until `is_done`; panic when nothing is left to happen or 10 virtual minutes have passed.
    pub(crate) fn run_until(&mut self, what: &str, mut is_done: impl FnMut(&mut Self) -> bool) {
        let limit_ns = self.now_ns + 600 * SECOND_NS;
        let mut steps = 0u64;
        loop {
            self.collect();
            if is_done(self) {
                self.flush();
                return;
            }
            steps += 1;
            assert!(steps < 10_000_000, "no end in sight: {what}");
            assert!(self.step(), "nothing left to happen, but not yet: {what}");
            assert!(
                self.now_ns < limit_ns,
                "10 minutes are over, but not yet: {what}"
            );
        }
    }

    pub(crate) fn run_for(&mut self, duration_ns: u64) {
        let end_ns = self.now_ns + duration_ns;
        self.collect();
        while self.next_ns().is_some_and(|at_ns| at_ns <= end_ns) {
            assert!(self.step());
            self.collect();
        }
        self.now_ns = end_ns;
    }

    fn collect(&mut self) {
        for host in [ALICE, BOB] {
            while let Some(event) = self.ends[host].next_event() {
                self.events[host].push(event);
            }
        }
        self.flush();
    }

    /// Put on the link what the two want to send.
    pub(crate) fn flush(&mut self) {
        let mut buffer = Vec::new();
        for host in [ALICE, BOB] {
            while let Some(transmit) = self.ends[host].next_transmit(self.now_ns, &mut buffer) {
                assert_eq!(transmit.bytes, buffer.len());
                for payload in buffer.chunks(transmit.payload_bytes) {
                    self.log.push((self.now_ns, host, payload.len()));
                    self.put(1 - host, transmit.key.connection, payload);
                }
            }
        }
    }

    pub(crate) fn put(&mut self, to: usize, connection: u64, payload: &[u8]) {
        let copies = 1 + usize::from(self.chance(self.impairment.duplicate));
        for _ in 0..copies {
            if self.chance(self.impairment.loss) || self.is_down() {
                continue;
            }
            let mut payload = payload.to_vec();
            if self.chance(self.impairment.corrupt) {
                let at = self.random.next_u32() as usize % payload.len();
                payload[at] ^= 1 << (self.random.next_u32() % 8);
            }
            let jitter_ns = match self.impairment.jitter_ns {
                0 => 0,
                most => self.random.next_u64() % most,
            };
            let Some(sent_ns) = self.wait_for_rate(to, payload.len() as u64) else {
                continue;
            };
            let at_ns = sent_ns + self.impairment.delay_ns + jitter_ns;
            self.sequence += 1;
            self.in_flight
                .insert((at_ns, self.sequence), (to, connection, payload));
        }
    }

    fn is_down(&self) -> bool {
        let (up_ns, down_ns) = self.impairment.up_down_ns;
        down_ns > 0 && self.now_ns % (up_ns + down_ns) >= up_ns
    }

    /// When the last bit has left; `None` when the queue is full.
    fn wait_for_rate(&mut self, to: usize, bytes: u64) -> Option<u64> {
        let rate = self.impairment.rate_bytes_per_s;
        if rate == 0 {
            return Some(self.now_ns);
        }
        let start_ns = self.idle_at_ns[to].max(self.now_ns);
        if (start_ns - self.now_ns) * rate / SECOND_NS > self.impairment.queue_bytes {
            return None;
        }
        self.idle_at_ns[to] = start_ns + bytes * SECOND_NS / rate;
        Some(self.idle_at_ns[to])
    }

    fn chance(&mut self, probability: f64) -> bool {
        probability > 0.0 && f64::from(self.random.next_u32()) < probability * f64::from(u32::MAX)
    }

    fn next_ns(&self) -> Option<u64> {
        let arrival = self.in_flight.keys().next().map(|(at_ns, _)| *at_ns);
        let deadlines = self.ends.iter().filter_map(Streams::next_deadline_ns);
        arrival
            .into_iter()
            .chain(deadlines)
            .min()
            .map(|at_ns| at_ns.max(self.now_ns))
    }

    /// Advance to the next thing that happens, and let it.
    fn step(&mut self) -> bool {
        let Some(next_ns) = self.next_ns() else {
            return false;
        };
        self.now_ns = next_ns;
        while let Some(entry) = self.in_flight.first_entry() {
            if entry.key().0 > self.now_ns {
                break;
            }
            let (to, connection, payload) = entry.remove();
            self.ends[to].handle(self.now_ns, key_of(to, connection), &payload);
        }
        for end in &mut self.ends {
            end.poll(self.now_ns);
        }
        true
    }

    // -- streams ----------------------------------------------------------------------------------

    /// Read everything that is there: (bytes, how it ended).
    pub(crate) fn read(
        &mut self,
        host: usize,
        stream: u64,
    ) -> (Vec<u8>, Result<Reading, StreamsError>) {
        let mut pieces: Vec<Bytes> = Vec::new();
        let reading = self.ends[host].read(key(host), stream, usize::MAX, &mut pieces);
        (pieces.concat(), reading)
    }

    /// Send `bytes` from `from` to the other over a new one-way stream, and return what arrived.
    pub(crate) fn transfer(&mut self, from: usize, bytes: &[u8]) -> Vec<u8> {
        let to = 1 - from;
        let stream = self.ends[from]
            .open_stream(key(from), false)
            .unwrap()
            .unwrap();
        let mut written = 0;
        let mut is_finished = false;
        let mut received = Vec::new();
        self.run_until("the transfer is done", |network| {
            if !is_finished {
                written += network.ends[from]
                    .write(key(from), stream, &bytes[written..])
                    .unwrap();
                if written == bytes.len() {
                    network.ends[from].finish(key(from), stream).unwrap();
                    is_finished = true;
                }
            }
            let (piece, reading) = network.read(to, stream);
            received.extend_from_slice(&piece);
            match reading {
                Ok(Reading::Finished) => true,
                // Not opened yet.
                Ok(Reading::Open) | Err(StreamsError::ClosedStream(_)) => false,
                other => panic!("unexpected {other:?}"),
            }
        });
        received
    }
}

/// Bytes without a pattern, the same for the same seed.
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    ChaCha8Rng::seed_from_u64(seed).fill_bytes(&mut bytes);
    bytes
}
