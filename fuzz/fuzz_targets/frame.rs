//! Any bytes as a frame that a device hands over: what comes out lies in it, and was sent so.

#![no_main]

mod bounded;

use bounded::{ONE, within};
use ei_xdp::datagram;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| within(ONE, || take(bytes)));

fn take(bytes: &[u8]) {
    let mut frame = bytes.to_vec();
    let (from, payload) = datagram(&mut frame, 3);
    let length = payload.len();
    if length == 0 {
        return;
    }
    let ip_bytes = if from.is_ipv4() { 20 } else { 40 };
    let udp = &bytes[14 + ip_bytes..];
    assert_eq!(usize::from(word(&udp[4..])), 8 + length);
    assert_eq!(from.port(), word(udp));
    let addresses = match from.is_ipv4() {
        true => &bytes[14 + 12..14 + 20],
        false => &bytes[14 + 8..14 + 40],
    };
    let pseudo = sum(addresses) + 17 + 8 + length as u64;
    let is_left_to_device = u64::from(word(&udp[6..])) == folded(pseudo);
    let is_right = folded(pseudo + sum(&udp[..8 + length])) == 0xffff;
    let is_unsummed = from.is_ipv4() && word(&udp[6..]) == 0;
    assert!(is_left_to_device || is_right || is_unsummed);
}

fn word(bytes: &[u8]) -> u16 {
    u16::from_be_bytes([bytes[0], bytes[1]])
}

fn sum(bytes: &[u8]) -> u64 {
    let pairs = bytes.chunks(2);
    pairs
        .map(|pair| u64::from(word(&[pair[0], *pair.get(1).unwrap_or(&0)])))
        .sum()
}

fn folded(mut sum: u64) -> u64 {
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    sum
}
