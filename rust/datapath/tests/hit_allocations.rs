//! A hit allocates nothing: a counting allocator watches trains go through a node.

#![allow(
    missing_docs,
    unsafe_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing
)]

mod world;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use ei_datapath::codec::{Action, Answer, Decision, Effect, Event, Hop, Stage, StageList};
use ei_datapath::forward::ServiceConfig;
use world::*;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, counting the calls of each thread.
struct Counting;

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // At the very end of a thread its counter is gone, and nothing counts any more.
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Forwards to all hosts of the metadata, metered and tallied.
struct Spreads;

impl Service for Spreads {
    fn answer<'a>(&mut self, event: &Event<'a>) -> Answer<'a> {
        let Event::PacketArrived(packet) = event else {
            return nothing();
        };
        let hop = |to| Hop {
            to,
            metadata: None,
            connection: Some(8),
            source: None,
        };
        let hops = packet.metadata.chunks(16).map(hop).collect();
        let stages = vec![
            Stage::Meter {
                object: b"m",
                rate_bytes_per_s: 1 << 40,
                burst_bytes: 1 << 40,
            },
            Stage::Tally { object: b"t" },
        ];
        let decision = Decision {
            key: key_of(packet),
            action: Action::Forward(hops),
            ttl_s: 60.0,
            tag: b"tag",
            stages: StageList {
                bytes: &[0x90],
                stages,
            },
        };
        answered(vec![Effect::Install(decision)])
    }
}

/// How packets are handed over.
#[derive(Clone, Copy, Debug)]
enum Way {
    Train,
    Singles,
    Alone,
}

/// Allocations of a node while ten trains of 64 packets go through it, each to so many hosts.
fn allocations(hops: usize, way: Way) -> u64 {
    let mut world = World::new();
    let (source, node) = (world.host(), world.node());
    let destinations: Vec<_> = (0..hops).map(|_| world.host()).collect();
    world.serve(node, ServiceConfig::new(16), Spreads);
    world.join(source, node);
    let mut packet = world.packet(node, 7, source);
    packet.metadata.clear();
    for destination in destinations {
        world.join(destination, node);
        packet.metadata.extend(world.ends[destination].address.0);
    }
    world.send(source, &packet).unwrap();
    world.settle();
    let (now_ns, from) = (world.now_ns, world.ends[source].endpoint);
    let mut counted = 0;
    for round in 0..11 {
        for _ in 0..64 {
            world.send(source, &packet).unwrap();
        }
        let (mut train, segment) = {
            let train = world.ends[source].datapath.next_train().unwrap();
            (train.bytes.to_vec(), train.segment_bytes)
        };
        assert_eq!(train.len(), 64 * segment);
        let datapath = &mut world.ends[node].datapath;

        let before = ALLOCATIONS.get();
        let datagrams = train.chunks_mut(segment);
        match way {
            Way::Train => datapath.handle_train(now_ns, from, &mut train, segment, None),
            Way::Singles => {
                datapath.handle_singles(now_ns, datagrams.map(|datagram| (from, datagram)), None);
            }
            Way::Alone => datagrams.for_each(|datagram| {
                datapath.handle(now_ns, from, datagram);
            }),
        }
        while datapath.next_train().is_some() {}
        // The first train grows the buffers to their size.
        counted += if round == 0 {
            0
        } else {
            ALLOCATIONS.get() - before
        };
    }
    let counters = world.counters(node);
    assert_eq!(
        (counters.forwarded, counters.sent),
        (11 * 64, 11 * 64 * hops as u64)
    );
    counted
}

#[test]
fn a_hit_allocates_nothing() {
    for hops in [1, 2, 15] {
        for way in [Way::Train, Way::Singles, Way::Alone] {
            assert_eq!(allocations(hops, way), 0, "{way:?} to {hops} hops");
        }
    }
}

#[test]
fn the_allocator_counts() {
    let before = ALLOCATIONS.get();

    drop(std::hint::black_box(vec![1]));

    assert!(ALLOCATIONS.get() > before);
}
