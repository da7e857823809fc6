//! What a hostile link does to sealed packets: each opens at most once, and unchanged.

#![no_main]

mod ends;

use std::collections::HashSet;

use ei_datapath::wire::{Header, Protection};
use ends::{connected, endpoint};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let [mut alice, mut bob] = connected();
    let peer = alice.peers().next().expect("bob is known");
    let mut sealed: Vec<Vec<u8>> = Vec::new();
    let mut opened = HashSet::new();
    let mut now_ns = 1;
    for step in bytes.chunks_exact(4) {
        let [what, which, place, value] = [step[0], step[1], step[2], step[3]];
        match what % 4 {
            0 => {
                let payload = [(sealed.len() as u32).to_le_bytes().as_slice(), step].concat();
                let header = Header {
                    hop_limit: value,
                    class: 0,
                    service: 16,
                    connection: u64::from(place),
                    payload_bytes: payload.len() as u16,
                    protection: Protection::Datagrams,
                    source: None,
                    metadata: &bytes[..usize::from(which).min(bytes.len())],
                    is_traced: false,
                };
                let mut head = [0; Header::MAX_BYTES];
                let length = header.emit(&mut head).expect("it fits");
                let mut out = vec![0; 1_452];
                let covered = value & 1 == 1;
                let sealing =
                    alice.seal(now_ns, peer, &head[..length], &payload, covered, &mut out);
                if let Ok(length) = sealing {
                    out.truncate(length);
                    sealed.push(out);
                }
            }
            1 if !sealed.is_empty() => {
                let number = usize::from(which) % sealed.len();
                let mut copy = sealed[number].clone();
                if let Ok(packet) = bob.open(now_ns, endpoint(1 + place % 3), &mut copy) {
                    let payload = &copy[packet.payload];
                    assert_eq!(payload[..4], (number as u32).to_le_bytes());
                    assert!(opened.insert(number), "opened twice");
                }
            }
            2 if !sealed.is_empty() => {
                let mut copy = sealed[usize::from(which) % sealed.len()].clone();
                // Within the prefix and the header, which are sealed in every packet.
                let index = usize::from(place) % 36;
                copy[index] ^= value.max(1);
                assert!(bob.open(now_ns, endpoint(1), &mut copy).is_err());
            }
            _ => {
                now_ns += u64::from(value) << (which % 40);
                alice.poll(now_ns);
                bob.poll(now_ns);
                while alice.take_outgoing().is_some() || bob.take_outgoing().is_some() {}
            }
        }
    }
});
