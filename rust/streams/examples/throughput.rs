//! How fast one thread moves bytes from one endpoint to another in memory: both ends' QUIC, nothing else.
//!
//! `cargo run --release -p ei-streams --example throughput [megabytes] [payload bytes] [runs]`
#![allow(clippy::unwrap_used)]

use std::time::Instant;

use ei_streams::{ConnectionKey, Event, Reading, Streams, StreamsConfig, public_key};

/// As large as the pieces in which services and applications hand bytes over.
const PIECE_BYTES: usize = 64 * 1024;

fn main() {
    let argument = |at: usize, default: u64| {
        std::env::args()
            .nth(at)
            .map_or(default, |text| text.parse().unwrap())
    };
    let megabytes = argument(1, 500);
    let payload_bytes = argument(2, 1_232);
    let mut rates: Vec<f64> = Vec::new();
    for _ in 0..argument(3, 5) {
        let outcome = transfer(megabytes * 1_000_000, payload_bytes as u16);
        println!("{outcome}");
        rates.push(outcome.megabytes_per_s);
    }
    rates.sort_by(f64::total_cmp);
    println!("median {:.0} MB/s", rates.get(rates.len() / 2).unwrap());
}

struct Outcome {
    megabytes_per_s: f64,
    nanoseconds_per_payload: f64,
    payloads: u64,
    acknowledgement_payloads: u64,
    lost: u64,
    window_bytes: u64,
    rtt_ns: u64,
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:.0} MB/s, {:.0} ns per payload ({} there, {} back, {} lost, window {} B, round trip {} us)",
            self.megabytes_per_s,
            self.nanoseconds_per_payload,
            self.payloads,
            self.acknowledgement_payloads,
            self.lost,
            self.window_bytes,
            self.rtt_ns / 1_000,
        )
    }
}

/// One host, and how it names the connection.
struct End {
    streams: Streams,
    key: ConnectionKey,
}

fn transfer(total_bytes: u64, max_payload_bytes: u16) -> Outcome {
    let end = |private: u8, peer: u8| End {
        streams: Streams::new(StreamsConfig {
            max_payload_bytes,
            ..StreamsConfig::new([private; 32])
        })
        .unwrap(),
        key: ConnectionKey {
            peer: [peer; 16],
            connection: 1,
        },
    };
    let (mut sender, mut receiver) = (end(1, 2), end(2, 1));
    let clock = Instant::now();
    let now_ns = || clock.elapsed().as_nanos() as u64;
    let mut buffer = Vec::new();

    sender
        .streams
        .connect(now_ns(), sender.key, public_key(&[2; 32]).unwrap())
        .unwrap();
    let mut is_connected = false;
    while !is_connected {
        exchange(&mut sender, &mut receiver, now_ns(), &mut buffer);
        exchange(&mut receiver, &mut sender, now_ns(), &mut buffer);
        while let Some(event) = receiver.streams.next_event() {
            if let Event::KeyWanted { key } = event {
                receiver
                    .streams
                    .accept(now_ns(), key, public_key(&[1; 32]).unwrap())
                    .unwrap();
            }
            is_connected |= matches!(event, Event::Connected { .. });
        }
    }
    let stream = sender
        .streams
        .open_stream(sender.key, false)
        .unwrap()
        .unwrap();

    let piece = vec![7; PIECE_BYTES];
    let (mut written, mut read) = (0, 0);
    let mut is_finished = false;
    let mut pieces = Vec::new();
    let start_ns = now_ns();
    loop {
        while written < total_bytes {
            let rest = piece
                .get(..(total_bytes - written).min(PIECE_BYTES as u64) as usize)
                .unwrap();
            let accepted = sender.streams.write(sender.key, stream, rest).unwrap();
            written += accepted as u64;
            if accepted < rest.len() {
                break;
            }
        }
        if written == total_bytes && !is_finished {
            sender.streams.finish(sender.key, stream).unwrap();
            is_finished = true;
        }
        exchange(&mut sender, &mut receiver, now_ns(), &mut buffer);
        let reading = receiver
            .streams
            .read(receiver.key, stream, usize::MAX, &mut pieces);
        read += pieces
            .drain(..)
            .map(|piece| piece.len() as u64)
            .sum::<u64>();
        if reading == Ok(Reading::Finished) {
            break;
        }
        exchange(&mut receiver, &mut sender, now_ns(), &mut buffer);
        while receiver.streams.next_event().is_some() {}
        while sender.streams.next_event().is_some() {}
    }
    let elapsed_ns = now_ns() - start_ns;
    assert_eq!(read, total_bytes);

    let there = sender.streams.connection_statistics(sender.key).unwrap();
    let back = receiver
        .streams
        .connection_statistics(receiver.key)
        .unwrap();
    Outcome {
        megabytes_per_s: total_bytes as f64 / 1e6 / (elapsed_ns as f64 / 1e9),
        nanoseconds_per_payload: elapsed_ns as f64 / there.payloads_sent as f64,
        payloads: there.payloads_sent,
        acknowledgement_payloads: back.payloads_sent,
        lost: there.payloads_lost,
        window_bytes: there.congestion_window_bytes,
        rtt_ns: there.rtt_ns,
    }
}

/// Carry everything that `from` wants to send now.
fn exchange(from: &mut End, to: &mut End, now_ns: u64, buffer: &mut Vec<u8>) {
    from.streams.poll(now_ns);
    while let Some(transmit) = from.streams.next_transmit(now_ns, buffer) {
        to.streams
            .handle_many(now_ns, to.key, buffer.chunks(transmit.payload_bytes));
    }
}
