//! A peer that holds the right keys sends any packets of service 1.

#![no_main]

mod ends;

use ei_datapath::control::{ControlHeader, MAX_MESSAGE_BYTES, WINDOW_FRAGMENTS};
use ei_datapath::wire::{CONTROL_SERVICE, Header, Protection};
use ends::{connected, endpoint};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let [mut alice, mut bob] = connected();
    let peer = alice.peers().next().expect("bob is known");
    let back = bob.peers().next().expect("alice is known");
    let mut uncommitted = Vec::new();
    let mut now_ns = 1;
    for step in bytes.chunks_exact(8) {
        now_ns += u64::from(step[7]) << 20;
        let raw = step[0] & 0x80 != 0;
        let control = ControlHeader {
            service: u32::from(step[0] & 3),
            sequence: u32::from(step[1]).wrapping_sub(u32::from(step[6] & 7)),
            acknowledged: u32::from(step[2]).wrapping_sub(u32::from(step[6] >> 5)),
            has_more: step[3] & 1 == 1,
        }
        .emit();
        let metadata = if raw {
            &bytes[..bytes.len().min(20)]
        } else {
            &control[..]
        };
        let payload = vec![step[4]; usize::from(step[5]) * 5];
        let header = Header {
            hop_limit: 1,
            class: 0,
            service: CONTROL_SERVICE,
            connection: 0,
            payload_bytes: payload.len() as u16,
            protection: Protection::None,
            source: None,
            metadata,
            is_traced: false,
        };
        let mut head = [0; Header::MAX_BYTES];
        let length = header.emit(&mut head).expect("it fits");
        let mut out = vec![0; 1_452];
        let Ok(length) = alice.seal(now_ns, peer, &head[..length], &payload, true, &mut out) else {
            return;
        };
        let opened = bob
            .open(now_ns, endpoint(1), &mut out[..length])
            .expect("sealed for bob");
        let header = Header::parse(&out[opened.header.clone()]).expect("it was emitted");
        let _ = bob.handle_control(now_ns, &opened, &header, &out[opened.payload.clone()]);
        while let Some(message) = bob.take_control() {
            assert!(message.message.len() <= MAX_MESSAGE_BYTES);
            uncommitted.push(message.receipt);
        }
        assert!(uncommitted.len() <= WINDOW_FRAGMENTS as usize);
        if step[3] & 2 == 2 {
            for receipt in uncommitted.drain(..) {
                bob.commit_control(receipt);
            }
        }
        if step[3] & 4 == 4 {
            let _ = bob.send_control(now_ns, back, 48, &payload);
        }
        bob.poll(now_ns);
        let answers = std::iter::from_fn(|| bob.take_outgoing()).count();
        assert!(answers <= 2 * WINDOW_FRAGMENTS as usize + 4, "{answers}");
    }
});
