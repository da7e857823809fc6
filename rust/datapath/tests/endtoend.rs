//! End-to-end sessions: two hosts joined in memory on a virtual clock.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::VecDeque;

use ei_datapath::counters::Reason;
use ei_datapath::endtoend::payload::Payload;
use ei_datapath::endtoend::{EndToEnd, MAX_PEERS, MAX_WAITING, Outgoing};
use ei_datapath::handshake::public_key;
use ei_datapath::pipe::KeyLimits;

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;
const START: u64 = 10_000 * SECOND;
const HERE: &[u8] = b"service 16, alice to bob";

struct Host {
    sessions: EndToEnd,
    key: [u8; 32],
    received: Vec<Vec<u8>>,
    refused: Vec<Reason>,
}

impl Host {
    fn new(index: u8) -> Self {
        let private_key = [index * 8; 32];
        Self {
            sessions: EndToEnd::new(private_key, Some([index; 32]), 0),
            key: public_key(&private_key),
            received: Vec::new(),
            refused: Vec::new(),
        }
    }
}

/// Two hosts; `hosts[0]` is alice. Payloads arrive at once and in order, when `run` is called.
struct Pair {
    hosts: [Host; 2],
    now_ns: u64,
    flying: VecDeque<(usize, Outgoing)>,
    /// Payloads that went over, and those that `drops` took.
    carried: Vec<(usize, Vec<u8>)>,
    drops: fn(&[u8]) -> bool,
}

impl Pair {
    fn new() -> Self {
        Self {
            hosts: [Host::new(1), Host::new(2)],
            now_ns: START,
            flying: VecDeque::new(),
            carried: Vec::new(),
            drops: |_| false,
        }
    }

    fn seal(&mut self, from: usize, datagram: &[u8]) -> Result<(), Reason> {
        let peer_key = self.hosts[1 - from].key;
        let sessions = &mut self.hosts[from].sessions;
        let outgoing = sessions.seal(self.now_ns, &peer_key, HERE, datagram)?;
        self.flying
            .extend(outgoing.into_iter().map(|it| (from, it)));
        Ok(())
    }

    fn run(&mut self) {
        while let Some((from, outgoing)) = self.flying.pop_front() {
            self.carried.push((from, outgoing.payload.clone()));
            if (self.drops)(&outgoing.payload) {
                continue;
            }
            let to = 1 - from;
            let from_key = self.hosts[from].key;
            let host = &mut self.hosts[to];
            match host
                .sessions
                .open(self.now_ns, &from_key, HERE, &outgoing.payload)
            {
                Ok(opened) => {
                    host.received.extend(opened.datagram);
                    self.flying
                        .extend(opened.outgoing.into_iter().map(|it| (to, it)));
                }
                Err(reason) => host.refused.push(reason),
            }
        }
    }

    fn pass(&mut self, for_ns: u64) {
        let end_ns = self.now_ns + for_ns;
        loop {
            let deadlines = self
                .hosts
                .iter()
                .filter_map(|it| it.sessions.next_deadline_ns());
            match deadlines.min() {
                Some(deadline_ns) if deadline_ns <= end_ns => {
                    self.now_ns = self.now_ns.max(deadline_ns);
                }
                _ => break,
            }
            for from in 0..2 {
                self.hosts[from].sessions.poll(self.now_ns);
                while let Some((_, outgoing)) = self.hosts[from].sessions.take_outgoing() {
                    self.flying.push_back((from, outgoing));
                }
            }
            self.run();
        }
        self.now_ns = end_ns;
    }

    /// Payloads that went over, two halves as one.
    fn tries(&self) -> usize {
        let is_second =
            |payload: &[u8]| matches!(Payload::parse(payload), Ok(Payload::Half { half: 1, .. }));
        let payloads = self.carried.iter();
        payloads.filter(|(_, payload)| !is_second(payload)).count()
    }

    fn connect(&mut self) {
        self.seal(0, b"hello").unwrap();
        self.run();
        assert_eq!(self.hosts[1].received.pop().unwrap(), b"hello");
        self.carried.clear();
    }
}

#[test]
fn the_first_datagrams_wait_for_the_handshake_and_arrive_in_order() {
    let mut pair = Pair::new();
    for number in 0..5u8 {
        pair.seal(0, &[number]).unwrap();
    }

    pair.run();

    assert_eq!(
        pair.hosts[1].received,
        (0..5u8).map(|number| vec![number]).collect::<Vec<_>>()
    );
    assert_eq!(pair.carried.len(), 2 + 5);
    assert!(pair.hosts.iter().all(|host| host.refused.is_empty()));
}

#[test]
fn both_directions_share_one_handshake() {
    let mut pair = Pair::new();
    pair.connect();

    pair.seal(1, b"back").unwrap();
    pair.run();

    assert_eq!(pair.hosts[0].received, [b"back"]);
    assert_eq!(pair.carried.len(), 1);
}

#[test]
fn a_payload_is_28_bytes_longer_than_its_datagram() {
    let mut pair = Pair::new();
    pair.connect();

    pair.seal(0, &[7; 100]).unwrap();
    pair.run();

    assert_eq!(pair.carried[0].1.len(), 128);
    assert!(!pair.carried[0].1.windows(8).any(|window| window == [7; 8]));
}

#[test]
fn a_datagram_may_be_empty_even_the_first() {
    let mut pair = Pair::new();
    pair.seal(0, b"").unwrap();
    pair.run();
    pair.seal(1, b"").unwrap();
    pair.seal(0, b"").unwrap();
    pair.run();

    assert_eq!(pair.hosts[1].received, [b"", b""]);
    assert_eq!(pair.hosts[0].received, [b""]);
}

#[test]
fn what_nodes_may_not_change_cannot_be_changed() {
    let mut pair = Pair::new();
    pair.connect();
    pair.seal(0, b"secret").unwrap();
    let (_, outgoing) = pair.flying.pop_front().unwrap();
    let alice = pair.hosts[0].key;
    let bob = &mut pair.hosts[1].sessions;

    let elsewhere = bob.open(
        pair.now_ns,
        &alice,
        b"another connection",
        &outgoing.payload,
    );
    assert_eq!(elsewhere, Err(Reason::BadEndToEnd));
    for index in 4..outgoing.payload.len() {
        let mut changed = outgoing.payload.clone();
        changed[index] ^= 1;
        assert!(bob.open(pair.now_ns, &alice, HERE, &changed).is_err());
    }
    assert!(
        bob.open(pair.now_ns, &alice, HERE, &outgoing.payload)
            .is_ok()
    );
}

#[test]
fn a_replayed_datagram_is_refused() {
    let mut pair = Pair::new();
    pair.connect();
    pair.seal(0, b"once").unwrap();
    let outgoing = pair.flying[0].clone();
    pair.flying.push_back(outgoing);

    pair.run();

    assert_eq!(pair.hosts[1].received, [b"once"]);
    assert_eq!(pair.hosts[1].refused, [Reason::Replayed]);
}

#[test]
fn a_replayed_initiation_is_not_answered() {
    let mut pair = Pair::new();
    pair.seal(0, b"hello").unwrap();
    let initiation = pair.flying[0].1.payload.clone();
    pair.run();
    let alice = pair.hosts[0].key;

    for step in 0..100 {
        let opened = pair.hosts[1]
            .sessions
            .open(START + step * SECOND, &alice, HERE, &initiation);
        assert_eq!(opened, Err(Reason::StaleInitiation));
    }
}

#[test]
fn who_speaks_for_another_host_is_refused() {
    let mut pair = Pair::new();
    pair.seal(0, b"hello").unwrap();
    let initiation = pair.flying[0].1.payload.clone();
    let carol = Host::new(3);

    let opened = pair.hosts[1]
        .sessions
        .open(START, &carol.key, HERE, &initiation);

    assert_eq!(opened, Err(Reason::BadEndToEnd));
}

#[test]
fn lost_handshake_messages_are_repeated() {
    let mut pair = Pair::new();
    pair.seal(0, b"patience").unwrap();
    pair.flying.clear();
    pair.drops = |payload| matches!(Payload::parse(payload), Ok(Payload::Response { .. }));
    pair.pass(700 * MS);
    assert!(pair.hosts[1].received.is_empty());

    pair.drops = |_| false;
    pair.pass(299 * MS);

    assert_eq!(pair.hosts[1].received, [b"patience"]);
}

#[test]
fn where_the_way_does_not_carry_an_initiation_whole_its_halves_do() {
    for is_reversed in [false, true] {
        let mut pair = Pair::new();
        pair.drops = |payload| payload.len() > 1_204;
        pair.seal(0, b"narrow").unwrap();
        pair.pass(249 * MS);
        assert!(pair.hosts[1].received.is_empty());

        pair.now_ns = START + 250 * MS;
        pair.hosts[0].sessions.poll(pair.now_ns);
        while let Some((_, outgoing)) = pair.hosts[0].sessions.take_outgoing() {
            pair.flying.push_back((0, outgoing));
        }
        if is_reversed {
            pair.flying.make_contiguous().reverse();
        }
        pair.run();

        assert_eq!(pair.hosts[1].received, [b"narrow"]);
    }
}

#[test]
fn halves_of_two_initiations_are_not_joined() {
    let mut pair = Pair::new();
    pair.seal(0, b"hello").unwrap();
    let alice = pair.hosts[0].key;
    let half = |half, sender_id| {
        Payload::Half {
            half,
            sender_id,
            bytes: b"bytes",
        }
        .emit()
    };

    for payload in [half(0, 1), half(1, 2), half(1, 2), half(0, 3)] {
        let opened = pair.hosts[1].sessions.open(START, &alice, HERE, &payload);
        assert_eq!(opened.unwrap().outgoing, []);
    }
    let opened = pair.hosts[1]
        .sessions
        .open(START, &alice, HERE, &half(1, 3));
    assert!(opened.is_err());
}

/// Whoever has proved nothing is forgotten before whoever has.
#[test]
fn b9_beyond_4096_hosts_the_one_idle_for_longest_is_forgotten() {
    let mut pair = Pair::new();
    pair.seal(0, b"hello").unwrap();
    pair.run();
    let bob = &mut pair.hosts[1].sessions;

    for number in 0..10_000u32 {
        let mut stranger = [7; 32];
        stranger[..4].copy_from_slice(&number.to_le_bytes());
        let opened = bob.open(START, &stranger, HERE, &[9; 60]);
        assert_eq!(opened, Err(Reason::BadEndToEnd));
    }

    assert_eq!(bob.statistics().peers, MAX_PEERS);
    pair.seal(0, b"still there").unwrap();
    pair.run();
    assert_eq!(pair.hosts[1].received.len(), 2);
}

#[test]
fn b9_a_half_is_no_longer_than_an_initiation() {
    let mut pair = Pair::new();
    let alice = pair.hosts[0].key;
    let half = |length| {
        Payload::Half {
            half: 0,
            sender_id: 1,
            bytes: &vec![0; length],
        }
        .emit()
    };
    let bob = &mut pair.hosts[1].sessions;

    assert_eq!(
        bob.open(START, &alice, HERE, &half(1_361)),
        Err(Reason::TooBig)
    );
    assert!(bob.open(START, &alice, HERE, &half(1_360)).is_ok());
}

#[test]
fn b9_at_most_64_datagrams_wait_at_most_a_second() {
    let mut pair = Pair::new();
    for _ in 0..MAX_WAITING {
        pair.seal(0, b"waits").unwrap();
    }
    assert_eq!(pair.seal(0, b"too many"), Err(Reason::DialQueueFull));

    pair.drops = |_| true;
    pair.pass(SECOND);

    let statistics = pair.hosts[0].sessions.statistics();
    assert_eq!((statistics.waiting, statistics.expired), (0, 64));
    pair.drops = |_| false;
    pair.pass(10 * SECOND);
    assert!(pair.hosts[1].received.is_empty());
}

#[test]
fn an_unanswered_handshake_is_given_up() {
    let mut pair = Pair::new();
    pair.drops = |_| true;
    pair.seal(0, b"nobody").unwrap();
    pair.pass(60 * SECOND);
    assert!(pair.tries() <= 6);

    let before = pair.carried.len();
    pair.pass(600 * SECOND);

    assert_eq!(pair.carried.len(), before);
}

#[test]
fn a_simultaneous_opening_ends_with_one_session() {
    let mut pair = Pair::new();
    pair.seal(0, b"from alice").unwrap();
    pair.seal(1, b"from bob").unwrap();

    pair.run();

    assert_eq!(pair.hosts[1].received, [b"from alice"]);
    assert_eq!(pair.hosts[0].received, [b"from bob"]);
    let handshakes = pair
        .hosts
        .each_ref()
        .map(|host| host.sessions.statistics().handshakes);
    assert_eq!(handshakes, [1, 1]);
}

#[test]
fn keys_change_and_no_datagram_is_lost() {
    let mut pair = Pair::new();
    let limits = KeyLimits {
        rekey_packets: 64,
        reject_packets: 128,
        ..KeyLimits::for_datagrams(1_452)
    };
    for host in &mut pair.hosts {
        host.sessions.set_limits(limits);
    }
    for number in 0..1_000u32 {
        pair.seal(0, &number.to_le_bytes()).unwrap();
        pair.now_ns += 25 * MS;
        pair.run();
    }

    let expected: Vec<_> = (0..1_000u32)
        .map(|number| number.to_le_bytes().to_vec())
        .collect();
    assert_eq!(pair.hosts[1].received, expected);
    assert!(pair.hosts[0].sessions.statistics().handshakes > 10);
}

#[test]
fn a_key_is_not_used_past_its_time() {
    let mut pair = Pair::new();
    pair.connect();
    pair.seal(0, b"late").unwrap();
    let (_, late) = pair.flying.pop_front().unwrap();
    let alice = pair.hosts[0].key;

    pair.now_ns += 180 * SECOND;
    let opened = pair.hosts[1]
        .sessions
        .open(pair.now_ns, &alice, HERE, &late.payload);
    pair.seal(0, b"fresh").unwrap();
    pair.run();

    assert_eq!(opened, Err(Reason::KeyExpired));
    assert_eq!(pair.hosts[1].received, [b"fresh"]);
    assert_eq!(pair.carried.len(), 3);
}

#[test]
fn a_clock_set_back_locks_nobody_out() {
    let mut pair = Pair::new();
    pair.connect();
    let an_hour_back = -3_600 * SECOND as i64;
    pair.hosts[0].sessions = EndToEnd::new([8; 32], Some([9; 32]), an_hour_back);
    pair.now_ns += SECOND;

    pair.seal(0, b"after restart").unwrap();
    pair.run();

    assert_eq!(pair.hosts[1].received, [b"after restart"]);
    assert_eq!(pair.carried.len(), 5);
}

#[test]
fn a_restarted_receiver_asks_for_new_keys_at_once() {
    let mut pair = Pair::new();
    pair.connect();
    pair.hosts[1].sessions = EndToEnd::new([16; 32], Some([9; 32]), 0);

    pair.seal(0, b"lost").unwrap();
    pair.pass(10 * MS);
    pair.seal(0, b"found").unwrap();
    pair.run();

    assert_eq!(pair.hosts[1].received, [b"found"]);
    assert_eq!(pair.carried.len(), 1 + 3 + 1);
}

#[test]
fn datagrams_under_unknown_keys_cause_one_handshake_a_second_at_most() {
    let mut pair = Pair::new();
    pair.connect();
    let alice = pair.hosts[0].key;
    pair.hosts[1].sessions = EndToEnd::new([16; 32], Some([9; 32]), 0);
    pair.drops = |_| true;

    for _ in 0..1_000 {
        let opened = pair.hosts[1]
            .sessions
            .open(pair.now_ns, &alice, HERE, &[7; 40]);
        assert_eq!(opened, Err(Reason::BadEndToEnd));
        pair.pass(10 * MS);
    }

    assert!(pair.tries() <= 10, "{}", pair.tries());
}

#[test]
fn noise_as_payload_gets_no_answer() {
    let mut pair = Pair::new();
    pair.connect();
    let alice = pair.hosts[0].key;
    let mut random = 1u64;
    for number in 0..20_000 {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let mut payload: Vec<u8> = (0..(random >> 40) % 200)
            .map(|index| (random >> (index % 57)) as u8)
            .collect();
        if number % 2 == 0 {
            payload.iter_mut().take(4).for_each(|byte| *byte = 0);
        }
        if number % 4 == 0 && payload.len() > 8 {
            payload[4] = 1 + (random >> 20) as u8 % 3;
            payload[5] = 1;
            payload[6..8].fill(0);
        }

        let opened = pair.hosts[1]
            .sessions
            .open(pair.now_ns, &alice, HERE, &payload);

        assert!(opened.is_err() || opened.is_ok_and(|it| it.outgoing.is_empty()));
    }
}
