//! The program that the kernel runs at a device: it picks the datagrams for the node's endpoints.

use std::net::{Ipv6Addr, SocketAddr};

/// Longest frame that fits: a chunk without the room that the kernel keeps before it.
pub(crate) const MAX_FRAME_BYTES: usize = CHUNK_BYTES - XDP_PACKET_HEADROOM;

/// Of shared memory, for a frame each.
pub(crate) const CHUNK_BYTES: usize = 2_048;

/// `XDP_PACKET_HEADROOM`.
pub(crate) const XDP_PACKET_HEADROOM: usize = 256;

/// One instruction, as the kernel reads it (`struct bpf_insn`).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Instruction {
    code: u8,
    /// Destination in the low half, source in the high one.
    registers: u8,
    /// Of an access; or how many instructions a jump skips.
    offset: i16,
    constant: i32,
}

const LOAD_BYTE: u8 = 0x71;
const LOAD_HALF: u8 = 0x69;
const LOAD_WORD: u8 = 0x61;
const LOAD_DOUBLE: u8 = 0x79;
const LOAD_CONSTANT_64: u8 = 0x18;
const MOVE: u8 = 0xbf;
const MOVE_CONSTANT: u8 = 0xb7;
const ADD_CONSTANT: u8 = 0x07;
const AND_CONSTANT: u8 = 0x57;
const JUMP: u8 = 0x05;
const JUMP_GREATER: u8 = 0x2d;
const JUMP_LESS_EQUAL: u8 = 0xbd;
const JUMP_EQUAL: u8 = 0x1d;
const JUMP_NOT_EQUAL: u8 = 0x5d;
const JUMP_EQUAL_CONSTANT: u8 = 0x15;
const JUMP_NOT_EQUAL_CONSTANT: u8 = 0x55;
const JUMP_EQUAL_CONSTANT_32: u8 = 0x16;
const JUMP_NOT_EQUAL_CONSTANT_32: u8 = 0x56;
const CALL: u8 = 0x85;
const EXIT: u8 = 0x95;

/// `BPF_PSEUDO_MAP_FD`: the constant is the descriptor of a map.
const PSEUDO_MAP: u8 = 1;
const REDIRECT_MAP: i32 = 51;
const XDP_PASS: i32 = 2;

/// Registers: what a call returns and takes, what lives through all of the program, and what does not.
const R0: u8 = 0;
const R1: u8 = 1;
const R2: u8 = 2;
const R3: u8 = 3;
const START: u8 = 6;
const END: u8 = 7;
const CONTEXT: u8 = 8;
const SCRATCH: u8 = 4;
const OTHER: u8 = 5;

/// Places in `struct xdp_md`.
const DATA: i16 = 0;
const DATA_END: i16 = 4;
const INGRESS_DEVICE: i16 = 12;
const RX_QUEUE_INDEX: i16 = 16;

/// Places in a frame.
const ETHERNET_TO: i16 = 0;
const ETHERNET_TYPE: i16 = 12;
const IP: i16 = 14;
const IPV4_FRAGMENT: i16 = IP + 6;
const IPV4_PROTOCOL: i16 = IP + 9;
const IPV4_FROM: i16 = IP + 12;
const IPV4_TO: i16 = IP + 16;
const IPV4_PORT: i16 = IP + 20 + 2;
const IPV4_UDP_END: i32 = 14 + 20 + 8;
const IPV6_PROTOCOL: i16 = IP + 6;
const IPV6_FROM: i16 = IP + 8;
const IPV6_TO: i16 = IP + 24;
const IPV6_PORT: i16 = IP + 40 + 2;
const IPV6_UDP_END: i32 = 14 + 40 + 8;

const UDP: i32 = 17;
/// Version 4, a header of five words.
const IPV4_PLAIN: i32 = 0x45;
/// More fragments follow, or this is not the first.
const IPV4_IS_FRAGMENT: u16 = 0x3fff;

/// Where a jump goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Label {
    /// The packet goes its usual way.
    Pass,
    /// It is for an endpoint.
    Take,
    /// It is IP of version 6.
    IpV6,
}

#[derive(Default)]
struct Assembler {
    instructions: Vec<Instruction>,
    jumps: Vec<(usize, Label)>,
    places: Vec<(Label, usize)>,
}

impl Assembler {
    fn put(&mut self, code: u8, to: u8, from: u8, offset: i16, constant: i32) {
        self.instructions.push(Instruction {
            code,
            registers: to | from << 4,
            offset,
            constant,
        });
    }

    fn load(&mut self, code: u8, to: u8, from: u8, place: i16) {
        self.put(code, to, from, place, 0);
    }

    fn load_constant(&mut self, to: u8, pseudo: u8, constant: u64) {
        self.put(LOAD_CONSTANT_64, to, pseudo, 0, constant as i32);
        self.put(0, 0, 0, 0, (constant >> 32) as i32);
    }

    /// Jump if `of` compares with a constant so.
    fn jump_if(&mut self, code: u8, of: u8, constant: i32, label: Label) {
        self.jumps.push((self.instructions.len(), label));
        self.put(code, of, 0, 0, constant);
    }

    /// Let the packet pass if its place `bytes` compares so with its end.
    fn pass_if(&mut self, bytes: i32, compares: u8) {
        self.put(MOVE, SCRATCH, START, 0, 0);
        self.put(ADD_CONSTANT, SCRATCH, 0, 0, bytes);
        self.jumps.push((self.instructions.len(), Label::Pass));
        self.put(compares, SCRATCH, END, 0, 0);
    }

    /// Load 16 bytes of the packet and skip `skipped` instructions unless they are those of `address`; the
    /// last comparison is the caller's, of `SCRATCH` with `OTHER`.
    fn compare_v6(&mut self, place: i16, address: Ipv6Addr, skipped: i16) {
        let [first, second] = halves(address);
        self.load(LOAD_DOUBLE, SCRATCH, START, place);
        self.load_constant(OTHER, 0, first);
        self.put(JUMP_NOT_EQUAL, SCRATCH, OTHER, skipped + 3, 0);
        self.load(LOAD_DOUBLE, SCRATCH, START, place + 8);
        self.load_constant(OTHER, 0, second);
    }

    fn jump(&mut self, label: Label) {
        self.jump_if(JUMP, 0, 0, label);
    }

    fn here(&mut self, label: Label) {
        self.places.push((label, self.instructions.len()));
    }

    /// The instructions; none where a jump would be too long, as with thousands of addresses.
    fn assemble(mut self) -> Option<Vec<Instruction>> {
        for (at, label) in self.jumps {
            let (_, place) = self.places.iter().find(|(known, _)| *known == label)?;
            self.instructions.get_mut(at)?.offset = i16::try_from(place - at - 1).ok()?;
        }
        Some(self.instructions)
    }
}

/// Where the program runs.
pub(crate) struct Place {
    /// The index of the device.
    pub(crate) device: u32,
    /// Its Ethernet address.
    pub(crate) ethernet: [u8; 6],
    /// A descriptor of the map from its queues to sockets.
    pub(crate) map: u32,
}

/// The program: hand what is for one of `endpoints`, each an address of the device, to the socket that the map
/// has for the queue that it came by. All else passes, what no stack takes among it: what is from ourselves or
/// for another Ethernet address. `None` for more endpoints than a program has room for.
pub(crate) fn program(place: &Place, endpoints: &[SocketAddr]) -> Option<Vec<Instruction>> {
    let mut code = Assembler::default();
    code.put(MOVE, CONTEXT, R1, 0, 0);
    // A device that is one of several below it lets those run its program, and their queues are not ours.
    code.load(LOAD_WORD, SCRATCH, CONTEXT, INGRESS_DEVICE);
    let device = place.device as i32;
    code.jump_if(JUMP_NOT_EQUAL_CONSTANT_32, SCRATCH, device, Label::Pass);
    code.load(LOAD_WORD, START, CONTEXT, DATA);
    code.load(LOAD_WORD, END, CONTEXT, DATA_END);
    // A frame that does not fit would be dropped.
    code.pass_if(MAX_FRAME_BYTES as i32 + 1, JUMP_LESS_EQUAL);
    code.pass_if(IPV4_UDP_END, JUMP_GREATER);

    let [a, b, c, d, e, f] = place.ethernet;
    code.load(LOAD_WORD, SCRATCH, START, ETHERNET_TO);
    let first = i32::from_ne_bytes([a, b, c, d]);
    code.jump_if(JUMP_NOT_EQUAL_CONSTANT_32, SCRATCH, first, Label::Pass);
    code.load(LOAD_HALF, SCRATCH, START, ETHERNET_TO + 4);
    let second = i32::from(u16::from_ne_bytes([e, f]));
    code.jump_if(JUMP_NOT_EQUAL_CONSTANT, SCRATCH, second, Label::Pass);
    code.load(LOAD_HALF, SCRATCH, START, ETHERNET_TYPE);
    code.jump_if(JUMP_EQUAL_CONSTANT, SCRATCH, be(0x86dd), Label::IpV6);
    code.jump_if(JUMP_NOT_EQUAL_CONSTANT, SCRATCH, be(0x0800), Label::Pass);
    code.load(LOAD_BYTE, SCRATCH, START, IP);
    code.jump_if(JUMP_NOT_EQUAL_CONSTANT, SCRATCH, IPV4_PLAIN, Label::Pass);
    code.load(LOAD_BYTE, SCRATCH, START, IPV4_PROTOCOL);
    code.jump_if(JUMP_NOT_EQUAL_CONSTANT, SCRATCH, UDP, Label::Pass);
    code.load(LOAD_HALF, SCRATCH, START, IPV4_FRAGMENT);
    code.put(AND_CONSTANT, SCRATCH, 0, 0, be(IPV4_IS_FRAGMENT));
    code.jump_if(JUMP_NOT_EQUAL_CONSTANT, SCRATCH, 0, Label::Pass);
    for endpoint in endpoints {
        if let SocketAddr::V4(endpoint) = endpoint {
            let address = i32::from_ne_bytes(endpoint.ip().octets());
            code.load(LOAD_WORD, SCRATCH, START, IPV4_FROM);
            code.jump_if(JUMP_EQUAL_CONSTANT_32, SCRATCH, address, Label::Pass);
            code.load(LOAD_WORD, SCRATCH, START, IPV4_TO);
            code.put(JUMP_NOT_EQUAL_CONSTANT_32, SCRATCH, 0, 2, address);
            code.load(LOAD_HALF, SCRATCH, START, IPV4_PORT);
            code.jump_if(
                JUMP_EQUAL_CONSTANT,
                SCRATCH,
                be(endpoint.port()),
                Label::Take,
            );
        }
    }
    code.jump(Label::Pass);

    code.here(Label::IpV6);
    code.pass_if(IPV6_UDP_END, JUMP_GREATER);
    code.load(LOAD_BYTE, SCRATCH, START, IPV6_PROTOCOL);
    code.jump_if(JUMP_NOT_EQUAL_CONSTANT, SCRATCH, UDP, Label::Pass);
    for endpoint in endpoints {
        if let SocketAddr::V6(endpoint) = endpoint {
            code.compare_v6(IPV6_FROM, *endpoint.ip(), 1);
            code.jumps.push((code.instructions.len(), Label::Pass));
            code.put(JUMP_EQUAL, SCRATCH, OTHER, 0, 0);
            code.compare_v6(IPV6_TO, *endpoint.ip(), 3);
            code.put(JUMP_NOT_EQUAL, SCRATCH, OTHER, 2, 0);
            code.load(LOAD_HALF, SCRATCH, START, IPV6_PORT);
            code.jump_if(
                JUMP_EQUAL_CONSTANT,
                SCRATCH,
                be(endpoint.port()),
                Label::Take,
            );
        }
    }
    code.here(Label::Pass);
    code.put(MOVE_CONSTANT, R0, 0, 0, XDP_PASS);
    code.put(EXIT, 0, 0, 0, 0);

    code.here(Label::Take);
    code.load_constant(R1, PSEUDO_MAP, u64::from(place.map));
    code.load(LOAD_WORD, R2, CONTEXT, RX_QUEUE_INDEX);
    // What it returns where the map has no socket for that queue.
    code.put(MOVE_CONSTANT, R3, 0, 0, XDP_PASS);
    code.put(CALL, 0, 0, 0, REDIRECT_MAP);
    code.put(EXIT, 0, 0, 0, 0);
    code.assemble()
}

/// An address as two loads of eight bytes give it.
fn halves(address: Ipv6Addr) -> [u64; 2] {
    let whole = u128::from_ne_bytes(address.octets());
    let (low, high) = (whole as u64, (whole >> 64) as u64);
    match cfg!(target_endian = "little") {
        true => [low, high],
        false => [high, low],
    }
}

/// Two bytes of a packet as a load of both gives them.
fn be(value: u16) -> i32 {
    i32::from(value.to_be())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PACKET: u64 = 1 << 32;
    const PLACE: Place = Place {
        device: 9,
        ethernet: [2, 3, 4, 5, 6, 250],
        map: 77,
    };
    const QUEUE: u32 = 5;

    #[derive(Debug, PartialEq, Eq)]
    enum Verdict {
        Passed,
        Taken,
    }

    fn run(frame: &[u8]) -> Verdict {
        run_at(PLACE.device, frame)
    }

    fn run_at(device: u32, frame: &[u8]) -> Verdict {
        interpret(&program(&PLACE, &endpoints()).unwrap(), device, frame)
    }

    /// What the kernel would do, for the instructions that are used. Panics where its verifier would refuse a
    /// load: of what no comparison with the packet's end has shown to be there.
    fn interpret(code: &[Instruction], device: u32, frame: &[u8]) -> Verdict {
        let mut shown = 0;
        let mut registers = [0_u64; 10];
        let mut at = 0;
        for _ in 0..1_000 {
            let Instruction {
                code: kind,
                registers: both,
                offset,
                constant,
            } = code[at];
            let (to, from) = (usize::from(both & 15), usize::from(both >> 4));
            let wide = i64::from(constant) as u64;
            let mut skip = |is: bool| {
                if is {
                    at = (at as i64 + i64::from(offset)) as usize
                }
            };
            let load = |bytes: usize| {
                let start = (registers[from] - PACKET) as usize + offset as usize;
                assert!(start + bytes <= shown, "{start} is not known to be there");
                let mut value = [0; 8];
                value[..bytes].copy_from_slice(&frame[start..start + bytes]);
                u64::from_le_bytes(value)
            };
            match kind {
                LOAD_WORD if from == usize::from(CONTEXT) => {
                    registers[to] = match offset {
                        DATA => PACKET,
                        DATA_END => PACKET + frame.len() as u64,
                        INGRESS_DEVICE => u64::from(device),
                        RX_QUEUE_INDEX => u64::from(QUEUE),
                        _ => panic!("no such field: {offset}"),
                    };
                }
                LOAD_BYTE => registers[to] = load(1),
                LOAD_HALF => registers[to] = load(2),
                LOAD_WORD => registers[to] = load(4),
                LOAD_DOUBLE => registers[to] = load(8),
                LOAD_CONSTANT_64 => {
                    let high = code[at + 1].constant as u32;
                    registers[to] = u64::from(constant as u32) | u64::from(high) << 32;
                    at += 1;
                }
                MOVE => registers[to] = registers[from],
                MOVE_CONSTANT => registers[to] = wide,
                ADD_CONSTANT => registers[to] += wide,
                AND_CONSTANT => registers[to] &= wide,
                JUMP => skip(true),
                JUMP_GREATER => {
                    let is_beyond = registers[to] > registers[from];
                    skip(is_beyond);
                    if !is_beyond {
                        shown = shown.max((registers[to] - PACKET) as usize);
                    }
                }
                JUMP_LESS_EQUAL => skip(registers[to] <= registers[from]),
                JUMP_EQUAL => skip(registers[to] == registers[from]),
                JUMP_NOT_EQUAL => skip(registers[to] != registers[from]),
                JUMP_EQUAL_CONSTANT => skip(registers[to] == wide),
                JUMP_NOT_EQUAL_CONSTANT => skip(registers[to] != wide),
                JUMP_EQUAL_CONSTANT_32 => skip(registers[to] as u32 == constant as u32),
                JUMP_NOT_EQUAL_CONSTANT_32 => skip(registers[to] as u32 != constant as u32),
                CALL => {
                    assert_eq!(constant, REDIRECT_MAP);
                    assert_eq!(registers[1..4], [u64::from(PLACE.map), u64::from(QUEUE), 2]);
                    return Verdict::Taken;
                }
                EXIT => {
                    assert_eq!(registers[0], 2);
                    return Verdict::Passed;
                }
                _ => panic!("no such instruction: {kind:#x}"),
            }
            at += 1;
        }
        panic!("it does not end")
    }

    fn endpoints() -> Vec<SocketAddr> {
        [
            "192.0.2.9:3535",
            "198.51.100.200:65535",
            "[2001:db8::9]:3535",
            "[fe80::ff:1]:443",
        ]
        .map(|endpoint| endpoint.parse().unwrap())
        .to_vec()
    }

    fn frame_to(endpoint: SocketAddr, payload_bytes: usize) -> Vec<u8> {
        let (kind, ip) = match endpoint {
            SocketAddr::V4(v4) => {
                let mut ip = [0; 20];
                ip[0] = 0x45;
                ip[6] = 0x40;
                ip[9] = 17;
                ip[16..].copy_from_slice(&v4.ip().octets());
                ([8, 0], ip.to_vec())
            }
            SocketAddr::V6(v6) => {
                let mut ip = [0; 40];
                ip[0] = 0x60;
                ip[6] = 17;
                ip[24..].copy_from_slice(&v6.ip().octets());
                ([0x86, 0xdd], ip.to_vec())
            }
        };
        let udp = [&[0, 7], &endpoint.port().to_be_bytes()[..], &[0; 4]].concat();
        [
            &PLACE.ethernet[..],
            &[2; 6],
            &kind,
            &ip,
            &udp,
            &vec![0; payload_bytes],
        ]
        .concat()
    }

    #[test]
    fn what_is_for_an_endpoint_is_taken() {
        for endpoint in endpoints() {
            assert_eq!(run(&frame_to(endpoint, 400)), Verdict::Taken);
            assert_eq!(run(&frame_to(endpoint, 0)), Verdict::Taken);
        }
    }

    #[test]
    fn what_is_for_others_passes() {
        for other in [
            "192.0.2.9:3536",
            "192.0.2.8:3535",
            "[2001:db8::9]:443",
            "[2001:db8::a]:3535",
        ] {
            let frame = frame_to(other.parse().unwrap(), 400);
            assert_eq!(run(&frame), Verdict::Passed);
        }
        for endpoint in endpoints() {
            for place in 0..6 {
                let mut frame = frame_to(endpoint, 400);
                frame[place] ^= 1;
                assert_eq!(run(&frame), Verdict::Passed);
            }
        }
    }

    #[test]
    fn what_is_from_the_node_itself_passes() {
        for endpoint in endpoints() {
            let mut frame = frame_to(endpoint, 400);
            match endpoint {
                SocketAddr::V4(v4) => frame[26..30].copy_from_slice(&v4.ip().octets()),
                SocketAddr::V6(v6) => frame[22..38].copy_from_slice(&v6.ip().octets()),
            }
            assert_eq!(run(&frame), Verdict::Passed);
        }
    }

    #[test]
    fn what_came_by_a_device_below_passes() {
        for endpoint in endpoints() {
            let frame = frame_to(endpoint, 400);
            assert_eq!(run_at(PLACE.device + 1, &frame), Verdict::Passed);
        }
    }

    #[test]
    fn what_it_does_not_know_passes() {
        let [v4, _, v6, _] = endpoints()[..] else {
            panic!()
        };
        // VLAN; options; first fragment, later fragment; TCP.
        for (place, byte) in [(12, 0x81), (14, 0x46), (20, 0x20), (21, 1), (23, 6)] {
            let mut frame = frame_to(v4, 100);
            frame[place] = byte;
            assert_eq!(run(&frame), Verdict::Passed);
        }
        // A fragment, which is a header of its own; TCP.
        for protocol in [44, 6] {
            let mut frame = frame_to(v6, 100);
            frame[20] = protocol;
            assert_eq!(run(&frame), Verdict::Passed);
        }
    }

    #[test]
    fn what_fits_is_taken_and_what_is_longer_passes() {
        let endpoint = endpoints()[0];
        let most = MAX_FRAME_BYTES - frame_to(endpoint, 0).len();
        assert_eq!(run(&frame_to(endpoint, most)), Verdict::Taken);
        assert_eq!(run(&frame_to(endpoint, most + 1)), Verdict::Passed);
    }

    #[test]
    fn hundreds_of_addresses_have_room_and_thousands_do_not() {
        let many = |count: u32| -> Vec<SocketAddr> {
            (0..count)
                .map(|number| (Ipv6Addr::from(u128::from(number)), 35).into())
                .collect()
        };
        assert!(program(&PLACE, &many(1_000)).is_some());
        assert!(program(&PLACE, &many(10_000)).is_none());
    }

    proptest! {
        #[test]
        fn no_cut_or_changed_frame_is_read_beyond_its_end(
            which in 0..4_usize,
            cut in 0..120_usize,
            place: prop::sample::Index,
            byte: u8,
        ) {
            let mut frame = frame_to(endpoints()[which], 60);
            frame.truncate(cut);
            if !frame.is_empty() {
                let place = place.index(frame.len());
                frame[place] = byte;
            }
            let _verdict = run(&frame);
        }
    }
}
