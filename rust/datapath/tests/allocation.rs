//! The hot path allocates nothing, and an idle pipe costs little.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::SocketAddr;

use ei_datapath::codec::EffectBatch;
use ei_datapath::control::{ControlHeader, Signal};
use ei_datapath::endtoend::payload::Payload;
use ei_datapath::handshake::public_key;
use ei_datapath::pipes::{PeerIndex, PeerKind, Pipes, PipesConfig};
use ei_datapath::wire::handshake::{CookieReply, Initiation, Response};
use ei_datapath::wire::{Address, DatagramType, Header, Prefix, Protection, split_sealed};

thread_local! {
    static IS_COUNTING: Cell<bool> = const { Cell::new(false) };
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    static BYTES: Cell<isize> = const { Cell::new(0) };
    static MOST_BYTES: Cell<isize> = const { Cell::new(0) };
}

struct Counting;

fn count(bytes: isize) {
    if IS_COUNTING.get() {
        BYTES.set(BYTES.get() + bytes);
        MOST_BYTES.set(MOST_BYTES.get().max(BYTES.get()));
        if bytes > 0 {
            ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        }
    }
}

// SAFETY: every call goes to the system's allocator unchanged; counting touches only constant-initialised
// thread locals, which do not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Number of allocations, and bytes that stay allocated, of `work` on this thread.
fn counted(work: impl FnOnce()) -> (usize, isize) {
    ALLOCATIONS.set(0);
    BYTES.set(0);
    MOST_BYTES.set(0);
    IS_COUNTING.set(true);
    work();
    IS_COUNTING.set(false);
    (ALLOCATIONS.get(), BYTES.get())
}

fn endpoint(index: u16) -> SocketAddr {
    let [high, low] = index.to_be_bytes();
    SocketAddr::from(([127, 1, high, low], 3535))
}

fn address(index: u16) -> Address {
    let mut bytes = [0xfd; 16];
    bytes[14..].copy_from_slice(&index.to_be_bytes());
    Address(bytes)
}

fn private_key(index: u16) -> [u8; 32] {
    let mut key = [0x55; 32];
    key[10..12].copy_from_slice(&index.to_be_bytes());
    key
}

fn end(index: u16, kind: PeerKind) -> Pipes {
    Pipes::new(PipesConfig::new(private_key(index), address(index), kind))
}

fn know(pipes: &mut Pipes, index: u16, kind: PeerKind) -> PeerIndex {
    let key = public_key(&private_key(index));
    pipes
        .add_peer(address(index), key, kind, Some(endpoint(index)))
        .unwrap()
}

/// Open a pipe from `index` to node 0, whose own work `around_node` wraps.
fn connect(
    node: &mut Pipes,
    index: u16,
    now_ns: u64,
    mut around_node: impl FnMut(&mut dyn FnMut()),
) -> Pipes {
    let mut host = end(index, PeerKind::Host);
    let peer = know(&mut host, 0, PeerKind::Node);
    host.dial(now_ns, peer);
    let (_, mut initiation) = host.take_outgoing().unwrap();
    let mut response = None;
    around_node(&mut || {
        know(node, index, PeerKind::Host);
        node.handle_handshake(now_ns, endpoint(index), &mut initiation);
        response = node.take_outgoing();
    });
    host.handle_handshake(now_ns, endpoint(0), &mut response.take().unwrap().1);
    let (_, mut probe) = host.take_outgoing().unwrap();
    around_node(&mut || {
        node.open(now_ns, endpoint(index), &mut probe).unwrap();
        while node.take_change().is_some() {}
    });
    host
}

#[test]
fn sealing_and_opening_allocate_nothing() {
    let mut node = end(0, PeerKind::Node);
    let mut host = connect(&mut node, 1, 0, |work| work());
    let (to_node, to_host) = (PeerIndex(0), PeerIndex(0));
    let header = Header {
        hop_limit: 64,
        class: 0,
        service: 16,
        connection: 1,
        payload_bytes: 512,
        protection: Protection::Datagrams,
        source: Some(address(1)),
        metadata: &[1; 16],
        is_traced: false,
    };
    let mut head = [0; 52];
    header.emit(&mut head).unwrap();
    let payload = [7; 512];
    let mut out = vec![0; 1_452];

    let (allocations, _) = counted(|| {
        for number in 0..20_000u64 {
            let now_ns = number * 1_000;
            let covered = number % 2 == 0;
            let length = host
                .seal(now_ns, to_node, &head, &payload, covered, &mut out)
                .unwrap();
            node.open(now_ns, endpoint(1), &mut out[..length]).unwrap();
            let length = node
                .seal(now_ns, to_host, &head, &payload, covered, &mut out)
                .unwrap();
            host.open(now_ns, endpoint(0), &mut out[..length]).unwrap();
        }
    });

    assert_eq!(allocations, 0);
}

/// `performance.md` 4: at most 2 KiB per idle pipe, windows of 2,048 included.
#[test]
fn an_idle_pipe_costs_at_most_2_kib() {
    const PIPES: u16 = 1_000;
    const RESPONSE_BYTES: isize = 1_195;
    let mut node = end(0, PeerKind::Node);
    let mut total = 0;

    for index in 1..=PIPES {
        // A second apart, so that no rate limit applies.
        connect(
            &mut node,
            index,
            u64::from(index) * 1_000_000_000 / 20,
            |work| {
                total += counted(work).1;
            },
        );
        // The response was made by the node, and is not kept by it.
        total -= RESPONSE_BYTES;
    }

    let each = total / PIPES as isize;
    println!("{each} bytes per idle pipe");
    assert!(each <= 2_048, "{each} bytes");
}

/// B1: whatever comes from the network is looked at where it lies.
#[test]
fn b1_parsers_of_datagrams_allocate_nothing() {
    let inputs: Vec<Vec<u8>> = (0..0x20)
        .flat_map(|first| [0, 1, 16, 56, 291, 1_359, 65_507].map(|length| vec![first; length]))
        .collect();

    let (allocations, _) = counted(|| {
        for input in &inputs {
            let _ = DatagramType::of(input);
            let _ = Prefix::parse(input);
            let _ = Header::parse(input);
            let _ = split_sealed(input);
            let _ = Initiation::parse(input);
            let _ = Response::parse(input);
            let _ = CookieReply::parse(input);
            let _ = Payload::parse(input);
            let _ = ControlHeader::parse(input);
            let _ = Signal::parse(input);
        }
    });

    assert_eq!(allocations, 0);
}

/// B1: what a worker sends is held apart while it is applied; the shortest effects take most.
#[test]
fn b1_a_batch_of_effects_takes_at_most_64_times_its_bytes() {
    const REVOKE: &[u8] = &[0x92, 4, 0xc4, 0];
    const EMPTY_ANSWER: &[u8] = &[0x93, 0, 0xa0, 0x90];
    let many = |count: u32, item: &[u8]| {
        let items = item.repeat(count as usize);
        [&[0xdd], &count.to_be_bytes()[..], &items].concat()
    };
    let of_one = |effects: &[u8]| [&[0x91, 0x93, 0, 0xa0], effects].concat();
    let overstated = |length: u32| [&[0xdd], &length.to_be_bytes()[..], &[0x92; 400_000]].concat();

    for (answers, is_read) in [
        (of_one(&many(262_100, REVOKE)), true),
        // Past a power of two growing takes most.
        (of_one(&many((1 << 17) + 1, REVOKE)), true),
        (many(262_100, EMPTY_ANSWER), true),
        (overstated(u32::MAX), false),
        (of_one(&overstated(100_000)), false),
        (of_one(&overstated(100_001)), false),
    ] {
        let batch = [&[0x93, 0, 0], answers.as_slice()].concat();
        let mut was_read = false;
        let (_, left) = counted(|| was_read = EffectBatch::decode(&batch).is_ok());
        let times = MOST_BYTES.get() / batch.len() as isize;
        assert!(times <= 64, "{times} times {} B", batch.len());
        assert_eq!((was_read, left), (is_read, 0));
    }
}
