//! Nanoseconds to seal and to open, by length, of both variants: the key's schedule kept, 16 bytes of
//! associated data, in place.
//!
//! `cargo bench -p ei-aead`. Each figure is the fastest of 101 runs of 5,000 messages, the variants taking
//! turns: what the code costs where nothing disturbs it. Messages lie 64 in a row, as in a train, so that none
//! waits for what was just written.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]

use std::hint::black_box;
use std::time::Instant;

use ei_aead::{Key, Nonce, TAG_BYTES};

const RUNS: usize = 101;
const ROUNDS: usize = 40;
const MESSAGES: usize = 64;
const ASSOCIATED: [u8; 16] = [3; 16];

fn main() {
    let keys = [Key::new(&[7; 32]), Key::portable(&[7; 32])];
    println!("ns, seal / open");
    println!("| bytes | here | ring |");
    for bytes in [
        16, 48, 52, 64, 68, 80, 96, 100, 112, 128, 256, 512, 576, 1_400, 1_472, 9_000,
    ] {
        let mut best = [[f64::INFINITY; 2]; 2];
        for _ in 0..RUNS {
            for (key, best) in keys.iter().zip(&mut best) {
                let [seal_ns, open_ns] = run(key, bytes);
                best[0] = best[0].min(seal_ns);
                best[1] = best[1].min(open_ns);
            }
        }
        let [here, ring] = best.map(|[seal, open]| format!("{seal:.1} / {open:.1}"));
        println!("| {bytes} | {here} | {ring} |");
    }
    let mut best = [f64::INFINITY; 2];
    for _ in 0..RUNS {
        best[0] = best[0].min(time(|number| {
            drop(black_box(Key::new(&[number as u8; 32])))
        }));
        best[1] = best[1].min(time(|number| {
            drop(black_box(Key::portable(&[number as u8; 32])))
        }));
    }
    println!("| a new key | {:.1} | {:.1} |", best[0], best[1]);
    println!("bytes of a key: {}", size_of::<Key>());
}

fn run(key: &Key, bytes: usize) -> [f64; 2] {
    let length = bytes + TAG_BYTES;
    let mut train = vec![1; length * MESSAGES];
    let (mut seal_ns, mut open_ns) = (0.0, 0.0);
    let rounds = ROUNDS * 64 / bytes.max(64) + 1;
    for round in 0..rounds {
        let mut messages = train.chunks_exact_mut(length);
        seal_ns += time(|number| {
            let nonce = Nonce::from_counter((round * MESSAGES) as u64 + number);
            let (plain, place) = messages.next().unwrap().split_at_mut(bytes);
            place.copy_from_slice(&key.seal(nonce, &ASSOCIATED, plain).unwrap());
        });
        let mut messages = train.chunks_exact_mut(length);
        open_ns += time(|number| {
            let nonce = Nonce::from_counter((round * MESSAGES) as u64 + number);
            black_box(key.open(nonce, &ASSOCIATED, messages.next().unwrap())).unwrap();
        });
    }
    [seal_ns / rounds as f64, open_ns / rounds as f64]
}

fn time(mut operation: impl FnMut(u64)) -> f64 {
    let began = Instant::now();
    for number in 0..MESSAGES as u64 {
        operation(number);
    }
    began.elapsed().as_nanos() as f64 / MESSAGES as f64
}
