//! Any bytes as handshake messages, of pipes and end to end, with checksums repaired so that what lies
//! behind them is reached.

#![no_main]

mod bounded;
mod ends;

use std::sync::OnceLock;

use bounded::{STORY, within};
use ei_datapath::endtoend::EndToEnd;
use ei_datapath::handshake::cookies::MacKeys;
use ei_datapath::wire::handshake::{INITIATION_BYTES, Initiation, MAC_BYTES};
use ends::{endpoint, public_key_of};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| within(STORY, || shake(bytes)));

fn shake(bytes: &[u8]) {
    let Some((mode, bytes)) = bytes.split_first() else {
        return;
    };
    if mode & 1 == 1 {
        return end_to_end(bytes);
    }
    if mode & 4 == 4 {
        return response(bytes);
    }
    let mut bob = ends::end(2, 1);
    let mut datagram = initiation().clone();
    // A true initiation, changed where the input says so.
    for change in bytes.chunks_exact(3) {
        let place = usize::from(u16::from_le_bytes([change[0], change[1]])) % datagram.len();
        datagram[place] ^= change[2];
    }
    if mode & 2 == 2 && datagram.len() >= INITIATION_BYTES {
        let keys = MacKeys::new(&public_key_of(2));
        Initiation::put_macs(&mut datagram, |before| keys.mac1(before), |_| [0; 16]);
    }
    let asked = datagram.len();
    let _ = bob.handle_handshake(1, endpoint(1), &mut datagram);
    let answered: usize = std::iter::from_fn(|| bob.take_outgoing())
        .map(|(_, bytes)| bytes.len())
        .sum();
    assert!(answered <= asked);
    let mut raw = bytes.to_vec();
    let _ = bob.handle_handshake(2, endpoint(1), &mut raw);
}

/// Where a response says which index the responder has. It is no part of what is proved, as in
/// WireGuard: who changes it on the way loses what follows, as if he had dropped it.
const RESPONDERS_INDEX: std::ops::Range<usize> = 4..8;

/// A true response, changed where the input says so: its ciphertext, key, seal.
fn response(bytes: &[u8]) {
    let (mut alice, mut bob) = (ends::end(1, 2), ends::end(2, 1));
    let peer = alice.peers().next().expect("bob is known");
    alice.dial(0, peer);
    let mut initiation = alice.take_outgoing().expect("an initiation").1;
    let _ = bob.handle_handshake(1, endpoint(1), &mut initiation);
    let mut datagram = bob.take_outgoing().expect("a response").1;
    let truth = datagram.clone();
    for change in bytes.chunks_exact(3) {
        let place = usize::from(u16::from_le_bytes([change[0], change[1]])) % datagram.len();
        if !RESPONDERS_INDEX.contains(&place) {
            datagram[place] ^= change[2];
        }
    }
    let (before, mac1) = datagram.split_at_mut(truth.len() - MAC_BYTES);
    mac1.copy_from_slice(&MacKeys::new(&public_key_of(1)).mac1(before));
    let is_true = datagram == truth;
    let _ = alice.handle_handshake(2, endpoint(2), &mut datagram);
    assert_eq!(alice.is_up(peer), is_true);
}

fn end_to_end(bytes: &[u8]) {
    let mut bob = EndToEnd::new(ends::private_key_of(2), Some([2; 32]), 0);
    let alice = public_key_of(1);
    let _ = bob.open(0, &alice, b"here", bytes);
    let mut payload = payload().clone();
    for change in bytes.chunks_exact(3) {
        let place = usize::from(u16::from_le_bytes([change[0], change[1]])) % payload.len();
        payload[place] ^= change[2];
    }
    if let Ok(opened) = bob.open(1, &alice, b"here", &payload) {
        assert!(opened.outgoing.len() <= 1 && opened.datagram.is_none());
    }
}

/// Made once: it is the same each time, and costs more than all the rest.
fn initiation() -> &'static Vec<u8> {
    static INITIATION: OnceLock<Vec<u8>> = OnceLock::new();
    INITIATION.get_or_init(|| {
        let mut alice = ends::end(1, 2);
        let peer = alice.peers().next().expect("bob is known");
        alice.dial(0, peer);
        alice.take_outgoing().expect("an initiation").1
    })
}

fn payload() -> &'static Vec<u8> {
    static PAYLOAD: OnceLock<Vec<u8>> = OnceLock::new();
    PAYLOAD.get_or_init(|| {
        let mut alice = EndToEnd::new(ends::private_key_of(1), Some([1; 32]), 0);
        let sealed = alice.seal(0, &public_key_of(2), b"here", b"datagram");
        sealed.expect("the first may wait")[0].payload.clone()
    })
}
