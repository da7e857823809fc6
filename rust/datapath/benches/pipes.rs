//! Nanoseconds per packet of `Pipes::seal` and `Pipes::open`, and of a responder's handshake.
//!
//! `cargo bench -p ei-datapath --bench pipes`. Each row is taken over 5,000 batches of 64 packets (or over
//! single handshakes): the fastest batch, which is what the code costs where nothing disturbs it, and
//! the median.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing
)]

use std::hint::black_box;
use std::net::SocketAddr;
use std::time::Instant;

use ei_datapath::pipes::{PeerIndex, PeerKind, Pipes, PipesConfig};
use ei_datapath::wire::{Address, DatagramType, Header, Protection};

const BATCHES: usize = 5_000;
const BATCH: usize = 64;

fn main() {
    println!("{:<34}{:>9}{:>9}  ns", "", "fastest", "median");
    for (payload_bytes, is_covered) in [
        (512, false),
        (1_400, false),
        (48, true),
        (512, true),
        (1_400, true),
    ] {
        hot_path(payload_bytes, is_covered);
    }
    handshake();
}

fn hot_path(payload_bytes: usize, is_covered: bool) {
    let (mut alice, mut bob) = connected();
    let header = header(payload_bytes as u16);
    let payload = vec![0x5a; payload_bytes];
    let bytes = Pipes::sealed_bytes(header.len(), payload_bytes, is_covered);
    let mut train = vec![0; bytes * BATCH];
    let (mut seal_ns, mut open_ns) = (Vec::new(), Vec::new());
    for _ in 0..BATCHES {
        let began = Instant::now();
        for out in train.chunks_exact_mut(bytes) {
            let peer = PeerIndex(0);
            alice
                .seal(1, peer, &header, &payload, is_covered, out)
                .expect("the pipe is up");
        }
        seal_ns.push(began.elapsed().as_nanos() as f64 / BATCH as f64);
        let began = Instant::now();
        for datagram in train.chunks_exact_mut(bytes) {
            black_box(
                bob.open(1, endpoint(1), datagram)
                    .expect("it was sealed for bob"),
            );
        }
        open_ns.push(began.elapsed().as_nanos() as f64 / BATCH as f64);
    }
    let what = if is_covered { "covered" } else { "uncovered" };
    report(
        &format!("seal {} + {payload_bytes} B {what}", header.len()),
        seal_ns,
    );
    report(
        &format!("open {} + {payload_bytes} B {what}", header.len()),
        open_ns,
    );
}

fn handshake() {
    const HANDSHAKES: u64 = 1_000;
    let mut responder_ns = Vec::new();
    let mut x25519_ns = Vec::new();
    let (mut alice, mut bob) = pair();
    for number in 1..=HANDSHAKES {
        // A second apart, so that no rate limit applies.
        let now_ns = number * 1_000_000_000;
        alice.remove_peer(&address(2));
        let peer = alice
            .add_peer(address(2), key_of(2), PeerKind::Node, Some(endpoint(2)))
            .expect("bob is new");
        alice.dial(now_ns, peer);
        let (_, mut initiation) = alice.take_outgoing().expect("an initiation");
        let began = Instant::now();
        let fate = bob.handle_handshake(now_ns, endpoint(1), &mut initiation);
        responder_ns.push(began.elapsed().as_nanos() as f64);
        assert!(bob.take_outgoing().is_some(), "{fate:?}");

        let point = curve25519_dalek::montgomery::MontgomeryPoint(key_of(2));
        let began = Instant::now();
        black_box(point.mul_clamped(black_box([7; 32])));
        x25519_ns.push(began.elapsed().as_nanos() as f64);
    }
    report("handshake, responder", responder_ns);
    report("one X25519", x25519_ns);
}

fn report(what: &str, mut figures: Vec<f64>) {
    figures.sort_by(f64::total_cmp);
    println!(
        "{what:<34}{:>9.1}{:>9.1}",
        figures[0],
        figures[figures.len() / 2]
    );
}

/// 20 B fixed, a source and 16 B of metadata: what `delivery` sends between nodes.
fn header(payload_bytes: u16) -> Vec<u8> {
    let header = Header {
        hop_limit: 64,
        class: 0,
        service: 16,
        connection: 7,
        payload_bytes,
        protection: Protection::Datagrams,
        source: Some(address(1)),
        metadata: &[3; 16],
        is_traced: false,
    };
    let mut bytes = vec![0; header.emitted_bytes()];
    header.emit(&mut bytes).expect("it fits");
    bytes
}

fn address(index: u8) -> Address {
    Address([index; 16])
}

fn endpoint(index: u8) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, index], 3535))
}

fn key_of(index: u8) -> [u8; 32] {
    ei_datapath::handshake::public_key(&[index * 8; 32])
}

fn end(index: u8, other: u8) -> Pipes {
    let mut config = PipesConfig::new([index * 8; 32], address(index), PeerKind::Node);
    config.max_datagram_bytes = 1_500;
    let mut pipes = Pipes::new(config);
    pipes
        .add_peer(
            address(other),
            key_of(other),
            PeerKind::Node,
            Some(endpoint(other)),
        )
        .expect("the other is new");
    pipes
}

fn pair() -> (Pipes, Pipes) {
    (end(1, 2), end(2, 1))
}

fn connected() -> (Pipes, Pipes) {
    let (mut alice, mut bob) = pair();
    alice.dial(0, PeerIndex(0));
    let (_, mut initiation) = alice.take_outgoing().expect("an initiation");
    bob.handle_handshake(0, endpoint(1), &mut initiation);
    let (_, mut response) = bob.take_outgoing().expect("a response");
    alice.handle_handshake(0, endpoint(2), &mut response);
    let (_, mut probe) = alice.take_outgoing().expect("a probe");
    assert_eq!(DatagramType::of(&probe), Ok(DatagramType::Data));
    bob.open(0, endpoint(1), &mut probe)
        .expect("the probe opens");
    assert!(alice.is_up(PeerIndex(0)) && bob.is_up(PeerIndex(0)));
    (alice, bob)
}
