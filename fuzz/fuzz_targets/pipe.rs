//! What a hostile link does to sealed packets: each opens at most once, and unchanged.

#![no_main]

mod bounded;

use std::collections::HashSet;

use bounded::{STORY, within};
use ei_datapath::handshake::SessionSecrets;
use ei_datapath::pipe::{KeyLimits, LaneShare, Session};
use ei_datapath::wire::{Prefix, split_sealed};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| within(STORY, || carry(bytes)));

fn carry(bytes: &[u8]) {
    let share = LaneShare {
        threads: 1,
        thread: 0,
        peer_lanes: 1,
    };
    let limits = KeyLimits::for_datagrams(1_452);
    let end = |is_initiator| {
        let secrets = SessionSecrets::of_directions([[1; 32], [2; 32]], is_initiator);
        Session::new(0, &secrets, 0x0123_4500, share)
    };
    let (mut alice, mut bob) = (end(true), end(false));
    let mut sealed: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    let mut opened = HashSet::new();
    let mut now_ns = 1;
    for step in bytes.chunks_exact(4) {
        let [what, which, place, value] = [step[0], step[1], step[2], step[3]];
        match what % 4 {
            0 => {
                // As a header begins, so that its length can be read; then the packet's own number.
                let mut header = vec![0x10; 20];
                header[18] = which;
                header.resize(20 + usize::from(which), place);
                header[4..8].copy_from_slice(&(sealed.len() as u32).to_le_bytes());
                let payload = vec![value; usize::from(place)];
                let mut out = vec![0; 1_452];
                let covered = value & 1 == 1;
                if let Ok(length) =
                    alice.seal(now_ns, &limits, &header, &payload, covered, &mut out)
                {
                    out.truncate(length);
                    sealed.push((header, out));
                }
            }
            1 if !sealed.is_empty() => {
                let number = usize::from(which) % sealed.len();
                let mut copy = sealed[number].1.clone();
                let prefix = Prefix::parse(&copy).expect("it was emitted");
                if let Ok((plain, _)) = bob.open(now_ns, &limits, &prefix, &mut copy) {
                    let header = &sealed[number].0;
                    assert_eq!(split_sealed(plain).map(|it| it.0), Ok(header.len()));
                    assert_eq!(&plain[..header.len()], header);
                    assert!(opened.insert(number), "opened twice");
                }
            }
            2 if !sealed.is_empty() => {
                let mut copy = sealed[usize::from(which) % sealed.len()].1.clone();
                // Within the prefix and the header, which are sealed in every packet.
                copy[usize::from(place) % 36] ^= value.max(1);
                if let Ok(prefix) = Prefix::parse(&copy) {
                    assert!(bob.open(now_ns, &limits, &prefix, &mut copy).is_err());
                }
            }
            _ => now_ns += u64::from(value) << (which % 40),
        }
    }
}
