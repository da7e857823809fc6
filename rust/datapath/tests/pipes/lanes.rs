//! Several threads on one endpoint, nothing shared.

use std::net::SocketAddr;

use ei_datapath::counters::{Fate, Reason};
use ei_datapath::pipe::KeyLimits;
use ei_datapath::pipes::{PeerKind, Pipes, PipesConfig};
use ei_datapath::wire::{CONTROL_SERVICE, DatagramType, Header, Prefix, Protection};

use crate::net::{MS, Net, SECOND, address, endpoint};

/// An endpoint of several threads: `threads[0]` is lane 0.
struct Cluster {
    threads: Vec<Pipes>,
    endpoint: SocketAddr,
    received: Vec<(usize, Vec<u8>)>,
    drops: Vec<Reason>,
}

impl Cluster {
    fn new(index: usize, lanes: u8, change: &impl Fn(&mut PipesConfig)) -> Self {
        let net = Net::new(index as u64);
        let threads = (0..lanes)
            .map(|lane| {
                let mut config = net.config(index, PeerKind::Node);
                config.lanes = lanes;
                config.lane = lane;
                change(&mut config);
                Pipes::new(config)
            })
            .collect();
        Self {
            threads,
            endpoint: endpoint(index),
            received: Vec::new(),
            drops: Vec::new(),
        }
    }

    fn know(&mut self, index: usize, key: [u8; 32]) {
        for pipes in &mut self.threads {
            let to = Some(endpoint(index));
            pipes
                .add_peer(address(index), key, PeerKind::Node, to)
                .unwrap();
        }
    }

    /// As the shell does: updates to all, reports to lane 0, datagrams by lane.
    fn carry(&mut self, now_ns: u64) -> Vec<Vec<u8>> {
        while let Some(update) = self.threads[0].take_key_update() {
            for pipes in &mut self.threads[1..] {
                pipes.apply_key_update(update.clone());
            }
        }
        for lane in 1..self.threads.len() {
            while let Some(report) = self.threads[lane].take_lane_report() {
                self.threads[0].apply_lane_report(now_ns, report);
            }
        }
        for pipes in &mut self.threads {
            pipes.poll(now_ns);
        }
        let outgoing = self
            .threads
            .iter_mut()
            .flat_map(|it| std::iter::from_fn(|| it.take_outgoing()));
        outgoing.map(|(_, bytes)| bytes).collect()
    }

    fn take(&mut self, now_ns: u64, from: SocketAddr, mut bytes: Vec<u8>) {
        if DatagramType::of(&bytes) != Ok(DatagramType::Data) {
            self.threads[0].handle_handshake(now_ns, from, &mut bytes);
            return;
        }
        let lane = usize::from(Prefix::parse(&bytes).unwrap().lane()) % self.threads.len();
        match self.threads[lane].open(now_ns, from, &mut bytes) {
            Err(reason) => self.drops.push(reason),
            Ok(opened) => {
                let header = Header::parse(&bytes[opened.header.clone()]).unwrap();
                let payload = &bytes[opened.payload.clone()];
                if header.service == CONTROL_SERVICE {
                    self.threads[lane].handle_control(now_ns, &opened, &header, payload);
                } else {
                    self.received.push((lane, payload.to_vec()));
                }
            }
        }
    }

    fn seal(&mut self, now_ns: u64, lane: usize, to: usize, payload: &[u8]) -> Vec<u8> {
        let pipes = &mut self.threads[lane];
        let peer = pipes.find(&address(to)).unwrap();
        let header = Header {
            hop_limit: 64,
            class: 0,
            service: 16,
            connection: 1,
            payload_bytes: payload.len() as u16,
            protection: Protection::Datagrams,
            source: None,
            metadata: &[],
            is_traced: false,
        };
        let mut header_bytes = [0; 20];
        header.emit(&mut header_bytes).unwrap();
        let mut out = vec![0; 512];
        let length = pipes
            .seal(now_ns, peer, &header_bytes, payload, false, &mut out)
            .unwrap();
        out.truncate(length);
        out
    }
}

fn connected(lanes: [u8; 2], change: impl Fn(&mut PipesConfig)) -> ([Cluster; 2], u64) {
    let mut ends = [
        Cluster::new(0, lanes[0], &change),
        Cluster::new(1, lanes[1], &change),
    ];
    let keys = [0, 1].map(|index| {
        let config = Net::new(0).config(index, PeerKind::Node);
        ei_datapath::handshake::public_key(&config.private_key)
    });
    ends[0].know(1, keys[1]);
    ends[1].know(0, keys[0]);
    let mut now_ns = 1_000 * SECOND;
    let peer = ends[0].threads[0].find(&address(1)).unwrap();
    ends[0].threads[0].dial(now_ns, peer);
    for _ in 0..20 {
        step(&mut ends, now_ns);
        now_ns += MS;
    }
    for end in &ends {
        assert!(
            end.threads
                .iter()
                .all(|it| it.is_up(it.peers().next().unwrap()))
        );
    }
    (ends, now_ns)
}

fn step(ends: &mut [Cluster; 2], now_ns: u64) {
    for from in 0..2 {
        let endpoint = ends[from].endpoint;
        for bytes in ends[from].carry(now_ns) {
            ends[1 - from].take(now_ns, endpoint, bytes);
        }
    }
}

#[test]
fn every_lane_of_every_shape_reaches_one_thread_of_the_other_end() {
    for lanes in [[1, 1], [2, 2], [1, 4], [4, 1], [3, 2], [16, 16], [16, 5]] {
        let (mut ends, now_ns) = connected(lanes, |_| {});
        for from in 0..2 {
            for lane in 0..usize::from(lanes[from]) {
                let bytes = ends[from].seal(now_ns, lane, 1 - from, &[lane as u8]);
                let endpoint = ends[from].endpoint;
                ends[1 - from].take(now_ns, endpoint, bytes.clone());
                ends[1 - from].take(now_ns, endpoint, bytes);
            }
            let expected: Vec<_> = (0..usize::from(lanes[from]))
                .map(|lane| (lane % usize::from(lanes[1 - from]), vec![lane as u8]))
                .collect();
            assert_eq!(ends[1 - from].received, expected, "{lanes:?}");
            let replays = ends[1 - from]
                .drops
                .iter()
                .filter(|it| **it == Reason::Replayed);
            assert_eq!(replays.count(), usize::from(lanes[from]));
        }
    }
}

#[test]
fn a_lane_that_is_not_this_threads_is_refused() {
    let (mut ends, now_ns) = connected([2, 2], |_| {});
    let mut bytes = ends[0].seal(now_ns, 1, 1, b"x");
    let from = ends[0].endpoint;

    let opened = ends[1].threads[0].open(now_ns, from, &mut bytes);

    assert_eq!(opened, Err(Reason::UnknownPipe));
}

#[test]
fn keys_change_on_all_lanes_without_loss() {
    let (mut ends, mut now_ns) = connected([3, 2], |config| {
        config.limits = Some(KeyLimits {
            rekey_packets: 200,
            reject_packets: 400,
            ..KeyLimits::for_datagrams(1_452)
        });
    });
    let mut sent = 0;
    for number in 0..3_000u32 {
        let lane = 1 + number as usize % 2;
        let bytes = ends[0].seal(now_ns, lane, 1, &number.to_le_bytes());
        let endpoint = ends[0].endpoint;
        ends[1].take(now_ns, endpoint, bytes);
        sent += 1;
        step(&mut ends, now_ns);
        now_ns += MS;
    }

    assert_eq!(ends[1].received.len(), sent);
    assert!(ends[1].drops.is_empty(), "{:?}", ends[1].drops);
}

/// The other threads give no places out, so they have none to give again.
#[test]
fn every_thread_has_as_many_sessions_as_lane_0_however_often_keys_change() {
    let (mut ends, mut now_ns) = connected([3, 2], |config| {
        config.limits = Some(KeyLimits {
            rekey_ns: SECOND,
            reject_ns: 20 * SECOND,
            ..KeyLimits::for_datagrams(1_452)
        });
    });
    for _ in 0..60_000 {
        step(&mut ends, now_ns);
        now_ns += MS;
    }

    for end in &ends {
        let counts = end.threads.iter().map(Pipes::session_count);
        assert!(counts.clone().all(|count| count <= 3), "{counts:?}");
        assert!(counts.clone().all(|count| count >= 1), "{counts:?}");
    }
}

#[test]
fn all_threads_are_told_when_the_peer_goes_down() {
    let (mut ends, mut now_ns) = connected([3, 1], |_| {});
    for _ in 0..300 {
        let _ = ends[0].carry(now_ns);
        now_ns += MS;
    }

    for pipes in &ends[0].threads {
        assert!(!pipes.is_up(pipes.peers().next().unwrap()));
    }
}

#[test]
fn a_handshake_is_for_lane_0_alone() {
    let (ends, now_ns) = connected([1, 2], |_| {});
    let [mut alice, mut bob] = ends;
    let peer = alice.threads[0].find(&address(1)).unwrap();
    alice.threads[0].remove_peer(&address(1));
    let key =
        ei_datapath::handshake::public_key(&Net::new(0).config(1, PeerKind::Node).private_key);
    alice.know(1, key);
    let peer_again = alice.threads[0].find(&address(1)).unwrap();
    assert_ne!(peer, peer_again);
    alice.threads[0].dial(now_ns, peer_again);
    let (_, mut initiation) = alice.threads[0].take_outgoing().unwrap();

    let fate = bob.threads[1].handle_handshake(now_ns, alice.endpoint, &mut initiation);

    assert_eq!(fate, Fate::Dropped(Reason::UnknownPipe));
    assert!(bob.threads[1].take_outgoing().is_none());
}
