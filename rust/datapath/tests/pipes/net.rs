//! Endpoints joined in memory on a virtual clock, over a link with seeded faults.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use ei_datapath::counters::{Fate, Reason};
use ei_datapath::pipes::{
    ControlMessage, Opened, PeerIndex, PeerKind, PipeChange, Pipes, PipesConfig,
};
use ei_datapath::wire::{Address, CONTROL_SERVICE, DatagramType, Header, Protection};

pub const MS: u64 = 1_000_000;
pub const SECOND: u64 = 1_000 * MS;

/// What the link does to datagrams, in both directions; probabilities in percent.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    pub delay_ns: u64,
    pub jitter_ns: u64,
    pub loss: u64,
    pub duplicate: u64,
    pub corrupt: u64,
    /// Most datagrams lost in a row; 0 is no bound.
    pub loss_burst: u64,
    /// What it carries each way; the rest waits in a queue without end. 0 is no bound.
    pub rate_bytes_per_s: u64,
    pub is_cut: bool,
}

impl Default for Link {
    fn default() -> Self {
        Self {
            delay_ns: MS,
            jitter_ns: 0,
            loss: 0,
            duplicate: 0,
            corrupt: 0,
            loss_burst: 0,
            rate_bytes_per_s: 0,
            is_cut: false,
        }
    }
}

pub struct End {
    pub pipes: Pipes,
    pub endpoint: SocketAddr,
    pub address: Address,
    pub key: [u8; 32],
    pub kind: PeerKind,
    pub is_frozen: bool,
    /// Percent of what arrives that finds its socket full.
    pub overflow: u64,
    /// Payloads received: (sender, payload).
    pub received: Vec<(PeerIndex, Vec<u8>)>,
    pub changes: Vec<PipeChange>,
    pub messages: Vec<ControlMessage>,
    pub commits: bool,
    pub drops: BTreeMap<&'static str, usize>,
    pub datagrams_in: usize,
}

pub struct Net {
    pub now_ns: u64,
    pub link: Link,
    pub ends: Vec<End>,
    pub log: Vec<(u64, SocketAddr, SocketAddr, Vec<u8>)>,
    pub polls: usize,
    flying: BTreeMap<(u64, u64), (SocketAddr, SocketAddr, Vec<u8>)>,
    /// When all that waits for the rate has left, by sender.
    idle_ns: BTreeMap<SocketAddr, u64>,
    sequence: u64,
    random: u64,
    lost_in_row: u64,
}

pub fn endpoint(index: usize) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1 + index as u8], 3535))
}

pub fn address(index: usize) -> Address {
    let mut bytes = [0xfd; 16];
    bytes[15] = index as u8;
    Address(bytes)
}

impl Net {
    pub fn new(seed: u64) -> Self {
        Self {
            now_ns: 1_000 * SECOND,
            link: Link::default(),
            ends: Vec::new(),
            log: Vec::new(),
            polls: 0,
            flying: BTreeMap::new(),
            idle_ns: BTreeMap::new(),
            sequence: 0,
            random: seed.wrapping_mul(2).wrapping_add(0x9e37_79b9_7f4a_7c15),
            lost_in_row: 0,
        }
    }

    /// Two ends that know one another; the first can dial the second.
    pub fn pair(seed: u64, first: PeerKind, second: PeerKind) -> Self {
        Self::pair_with(seed, first, second, |_| {})
    }

    pub fn pair_with(
        seed: u64,
        first: PeerKind,
        second: PeerKind,
        change: impl Fn(&mut PipesConfig),
    ) -> Self {
        let mut net = Self::new(seed);
        net.add(first, &change);
        net.add(second, &change);
        net.introduce(0, 1, true);
        net.introduce(1, 0, false);
        net
    }

    pub fn config(&self, index: usize, kind: PeerKind) -> PipesConfig {
        let mut key = [0; 32];
        key[2] = index as u8 + 1;
        key[1] = 0x55;
        let mut seed = [index as u8; 32];
        seed[1..9].copy_from_slice(&self.random.to_le_bytes());
        let mut config = PipesConfig::new(key, address(index), kind);
        config.seed = Some(seed);
        config.unix_offset_ns = 1_700_000_000 * SECOND as i64;
        config
    }

    pub fn add(&mut self, kind: PeerKind, change: &impl Fn(&mut PipesConfig)) -> usize {
        let index = self.ends.len();
        let mut config = self.config(index, kind);
        change(&mut config);
        let key = ei_datapath::handshake::public_key(&config.private_key);
        self.ends.push(End {
            pipes: Pipes::new(config),
            endpoint: endpoint(index),
            address: address(index),
            key,
            kind,
            is_frozen: false,
            overflow: 0,
            received: Vec::new(),
            changes: Vec::new(),
            messages: Vec::new(),
            commits: true,
            drops: BTreeMap::new(),
            datagrams_in: 0,
        });
        index
    }

    /// Let `a` know `b`.
    pub fn introduce(&mut self, a: usize, b: usize, with_endpoint: bool) -> PeerIndex {
        let (address, key, kind) = (self.ends[b].address, self.ends[b].key, self.ends[b].kind);
        let endpoint = with_endpoint.then_some(self.ends[b].endpoint);
        self.ends[a]
            .pipes
            .add_peer(address, key, kind, endpoint)
            .unwrap()
    }

    pub fn peer(&self, a: usize, b: usize) -> PeerIndex {
        self.ends[a].pipes.find(&self.ends[b].address).unwrap()
    }

    pub fn is_up(&self, a: usize, b: usize) -> bool {
        self.ends[a].pipes.is_up(self.peer(a, b))
    }

    pub fn dial(&mut self, a: usize, b: usize) {
        let peer = self.peer(a, b);
        self.ends[a].pipes.dial(self.now_ns, peer);
        self.flush(a);
    }

    pub fn connect(&mut self, a: usize, b: usize) {
        self.dial(a, b);
        self.run(SECOND);
        assert!(self.is_up(a, b) && self.is_up(b, a));
    }

    pub fn send(&mut self, a: usize, b: usize, payload: &[u8]) -> Result<(), Reason> {
        let out = self.try_seal(a, b, payload)?;
        let to = self.ends[a].pipes.endpoint(self.peer(a, b)).unwrap();
        let from = self.ends[a].endpoint;
        self.carry(from, to, out);
        self.flush(a);
        Ok(())
    }

    pub fn sealed(&mut self, a: usize, b: usize, payload: &[u8]) -> Vec<u8> {
        self.try_seal(a, b, payload).unwrap()
    }

    fn try_seal(&mut self, a: usize, b: usize, payload: &[u8]) -> Result<Vec<u8>, Reason> {
        let peer = self.peer(a, b);
        let header = Header {
            hop_limit: 64,
            class: 0,
            service: 16,
            connection: 7,
            payload_bytes: payload.len() as u16,
            protection: Protection::Datagrams,
            source: None,
            metadata: &[],
            is_traced: false,
        };
        let mut header_bytes = [0; 20];
        header.emit(&mut header_bytes).unwrap();
        let mut out = vec![0; 2_048];
        let end = &mut self.ends[a];
        let length = end
            .pipes
            .seal(self.now_ns, peer, &header_bytes, payload, false, &mut out)?;
        out.truncate(length);
        Ok(out)
    }

    pub fn send_control(&mut self, a: usize, b: usize, message: &[u8]) -> Result<(), Reason> {
        let peer = self.peer(a, b);
        let sent = self.ends[a]
            .pipes
            .send_control(self.now_ns, peer, 48, message);
        self.flush(a);
        sent
    }

    /// Let time pass, delivering datagrams and polling at deadlines.
    pub fn run(&mut self, for_ns: u64) {
        self.run_while(for_ns, |_| true);
    }

    /// As `run`, until `is_waiting` is false; returns the time that passed.
    pub fn run_while(&mut self, for_ns: u64, is_waiting: impl Fn(&Self) -> bool) -> u64 {
        let began_ns = self.now_ns;
        let end_ns = began_ns + for_ns;
        while is_waiting(self) {
            let arrival = self.flying.keys().next().map(|(at_ns, _)| *at_ns);
            let deadline = self
                .ends
                .iter()
                .filter(|end| !end.is_frozen)
                .filter_map(|end| end.pipes.next_deadline_ns())
                .min();
            let next_ns = arrival
                .unwrap_or(u64::MAX)
                .min(deadline.unwrap_or(u64::MAX));
            if next_ns > end_ns {
                self.now_ns = end_ns;
                break;
            }
            self.now_ns = self.now_ns.max(next_ns);
            if arrival.is_some_and(|at_ns| at_ns <= self.now_ns) {
                let (_, (from, to, bytes)) = self.flying.pop_first().unwrap();
                self.arrive(from, to, bytes);
            }
            for index in 0..self.ends.len() {
                let end = &mut self.ends[index];
                if !end.is_frozen
                    && end
                        .pipes
                        .next_deadline_ns()
                        .is_some_and(|at| at <= self.now_ns)
                {
                    end.pipes.poll(self.now_ns);
                    self.polls += 1;
                    self.flush(index);
                }
            }
        }
        self.now_ns - began_ns
    }

    /// Put all that an end wants to send on the link, and take what it says.
    pub fn flush(&mut self, index: usize) {
        let from = self.ends[index].endpoint;
        while let Some((to, bytes)) = self.ends[index].pipes.take_outgoing() {
            self.carry(from, to, bytes);
        }
        let end = &mut self.ends[index];
        while let Some(change) = end.pipes.take_change() {
            end.changes.push(change);
        }
        while let Some(message) = end.pipes.take_control() {
            if end.commits {
                end.pipes.commit_control(message.receipt);
            }
            end.messages.push(message);
        }
        if self.ends[index].commits {
            while let Some((to, bytes)) = self.ends[index].pipes.take_outgoing() {
                self.carry(from, to, bytes);
            }
        }
    }

    pub fn carry(&mut self, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>) {
        self.log.push((self.now_ns, from, to, bytes.clone()));
        let link = self.link;
        let is_lost =
            self.percent(link.loss) && (link.loss_burst == 0 || self.lost_in_row < link.loss_burst);
        if link.is_cut || is_lost {
            self.lost_in_row += 1;
            return;
        }
        self.lost_in_row = 0;
        let left_ns = self.wait_for_rate(from, bytes.len() as u64);
        let copies = if self.percent(link.duplicate) { 2 } else { 1 };
        for _ in 0..copies {
            let mut bytes = bytes.clone();
            if self.percent(link.corrupt) {
                let place = self.below(bytes.len() as u64) as usize;
                bytes[place] ^= 1 << self.below(8);
            }
            let jitter_ns = self.below(link.jitter_ns + 1);
            self.deliver_at(left_ns + link.delay_ns + jitter_ns, from, to, bytes);
        }
    }

    /// When the last byte of a datagram leaves the queue of its sender.
    fn wait_for_rate(&mut self, from: SocketAddr, bytes: u64) -> u64 {
        if self.link.rate_bytes_per_s == 0 {
            return self.now_ns;
        }
        let idle_ns = self.idle_ns.entry(from).or_default();
        *idle_ns = (*idle_ns).max(self.now_ns) + bytes * SECOND / self.link.rate_bytes_per_s;
        *idle_ns
    }

    pub fn deliver_at(&mut self, at_ns: u64, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>) {
        self.sequence += 1;
        self.flying
            .insert((at_ns, self.sequence), (from, to, bytes));
    }

    fn arrive(&mut self, from: SocketAddr, to: SocketAddr, mut bytes: Vec<u8>) {
        let Some(index) = self.ends.iter().position(|end| end.endpoint == to) else {
            return;
        };
        if self.ends[index].is_frozen {
            return;
        }
        if self.percent(self.ends[index].overflow) {
            return;
        }
        let fate = self.handle(index, from, &mut bytes);
        let end = &mut self.ends[index];
        end.datagrams_in += 1;
        if let Fate::Dropped(reason) = fate {
            *end.drops.entry(reason.word()).or_default() += 1;
        }
        self.flush(index);
    }

    /// What a node's forwarding does with a datagram, as far as pipes are concerned.
    pub fn handle(&mut self, index: usize, from: SocketAddr, bytes: &mut [u8]) -> Fate {
        let now_ns = self.now_ns;
        let end = &mut self.ends[index];
        match DatagramType::of(bytes) {
            Err(reason) => Fate::Dropped(reason),
            Ok(DatagramType::Data) => match end.pipes.open(now_ns, from, bytes) {
                Err(reason) => Fate::Dropped(reason),
                Ok(opened) => Self::consume(end, now_ns, &opened, bytes),
            },
            Ok(_) => end.pipes.handle_handshake(now_ns, from, bytes),
        }
    }

    fn consume(end: &mut End, now_ns: u64, opened: &Opened, bytes: &[u8]) -> Fate {
        let payload = &bytes[opened.payload.clone()];
        match Header::parse(&bytes[opened.header.clone()]) {
            Err(reason) => Fate::Dropped(reason),
            Ok(header) if header.service == CONTROL_SERVICE => {
                end.pipes.handle_control(now_ns, opened, &header, payload)
            }
            Ok(_) => {
                end.received.push((opened.peer, payload.to_vec()));
                Fate::Delivered
            }
        }
    }

    fn percent(&mut self, chance: u64) -> bool {
        chance > 0 && self.below(100) < chance
    }

    /// SplitMix64.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.random;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (value ^ (value >> 31)) % bound.max(1)
    }
}
