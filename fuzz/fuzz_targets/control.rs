//! A peer that holds the right keys sends any fragments and acknowledgements; then two honest ends talk
//! over a link that loses, repeats and reorders as the input says.

#![no_main]

mod bounded;

use bounded::{STORY, within};
use ei_datapath::control::{Control, ControlHeader, MAX_MESSAGE_BYTES, WINDOW_FRAGMENTS};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    within(STORY, || hostile(bytes));
    within(STORY, || honest(bytes));
});

fn hostile(bytes: &[u8]) {
    let mut victim = Control::default();
    let mut uncommitted = Vec::new();
    let mut now_ns = 0;
    for step in bytes.chunks_exact(8) {
        now_ns += u64::from(step[7]) << 20;
        let header = ControlHeader {
            service: 1 + u32::from(step[0] & 3),
            sequence: u32::from(step[1]).wrapping_sub(u32::from(step[6] & 7)),
            acknowledged: u32::from(step[2]).wrapping_sub(u32::from(step[6] >> 5)),
            has_more: step[3] & 1 == 1,
        };
        victim.take_acknowledgement(now_ns, header.acknowledged);
        let _ = victim.take_fragment(now_ns, &header, &vec![step[4]; usize::from(step[5]) * 250]);
        let limit = MAX_MESSAGE_BYTES + WINDOW_FRAGMENTS as usize * 255 * 250;
        assert!(victim.held_bytes() <= limit);
        while let Some((_, message, last, generation)) = victim.take_message() {
            assert!(message.len() <= MAX_MESSAGE_BYTES);
            uncommitted.push((last, generation));
        }
        assert!(uncommitted.len() <= WINDOW_FRAGMENTS as usize);
        if step[3] & 2 == 2 {
            for (last, generation) in uncommitted.drain(..) {
                victim.commit(now_ns, last, generation);
            }
        }
        if step[3] & 4 == 4 {
            let _ = victim.push(48, &[7; 40], 16);
        }
        if step[3] & 0xf8 == 0xf8 {
            victim.restart();
            uncommitted.clear();
        }
        let sent = std::iter::from_fn(|| victim.next_due(now_ns, 1)).count();
        assert!(sent <= WINDOW_FRAGMENTS as usize);
    }
}

fn honest(bytes: &[u8]) {
    let (mut alice, mut bob) = (Control::default(), Control::default());
    let (mut pushed, mut received) = (0u32, 0u32);
    let mut flying: Vec<(ControlHeader, Vec<u8>)> = Vec::new();
    let mut now_ns = 0;
    let mut deliver = |alice: &mut Control, bob: &mut Control, now_ns, packet: &(_, Vec<u8>)| {
        bob.take_fragment(now_ns, &packet.0, &packet.1)
            .expect("alice keeps to the window");
        while let Some((service, message, last, generation)) = bob.take_message() {
            assert_eq!((service, &message[..4]), (48, &received.to_le_bytes()[..]));
            received += 1;
            bob.commit(now_ns, last, generation);
        }
        alice.take_acknowledgement(now_ns, bob.acknowledge());
    };
    for step in bytes.chunks_exact(2) {
        now_ns += 1 << (step[0] >> 3);
        match step[0] % 4 {
            0 => {
                let mut message = pushed.to_le_bytes().to_vec();
                message.resize(4 + usize::from(step[1]), 0);
                if alice.push(48, &message, 16).is_ok() {
                    pushed += 1;
                }
            }
            1 => flying.extend(std::iter::from_fn(|| alice.next_due(now_ns, 1))),
            2 if !flying.is_empty() => {
                let packet = flying[usize::from(step[1]) % flying.len()].clone();
                deliver(&mut alice, &mut bob, now_ns, &packet);
            }
            _ => drop(flying.pop()),
        }
    }
    for _ in 0..10_000 {
        now_ns += 1 << 32;
        let Some(packet) = alice.next_due(now_ns, 1) else {
            break;
        };
        deliver(&mut alice, &mut bob, now_ns, &packet);
    }
    assert_eq!(received, pushed);
}
