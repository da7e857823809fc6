//! The shaper's thread: what came in, what is due, sleep.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{Timespec, epoll};

use super::relay::Due;
use super::{Relays, lock};
use crate::clock::monotonic_ns;
use crate::io::Receiver;

/// Token of the descriptor that ends the sleep.
pub(super) const WAKE: u64 = u64::MAX;

/// Sockets looked at in one round.
const EVENTS: usize = 64;

/// Trains taken from one socket before the next one has its turn.
const TRAINS: usize = 16;

/// Longest sleep, so that a shaper whose owner is gone ends.
const IDLE_NS: u64 = 500_000_000;

/// All that the thread holds.
pub(super) struct Run {
    pub(super) relays: Relays,
    pub(super) epoll: Arc<OwnedFd>,
    pub(super) is_stopped: Arc<AtomicBool>,
}

/// A copy in flight, ordered by when it is due and then by when it was offered.
struct InFlight {
    sequence: u64,
    relay: usize,
    due: Due,
}

impl InFlight {
    fn order(&self) -> (u64, u64) {
        (self.due.at_ns, self.sequence)
    }
}

impl PartialEq for InFlight {
    fn eq(&self, other: &Self) -> bool {
        self.order() == other.order()
    }
}

impl Eq for InFlight {}

impl PartialOrd for InFlight {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for InFlight {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.order().cmp(&other.order())
    }
}

impl Run {
    /// Relay until stopped.
    pub(super) fn run(self) {
        wake_on_time();
        let mut receiver = Receiver::new(TRAINS);
        let mut events = Vec::with_capacity(EVENTS);
        let mut in_flight: BinaryHeap<Reverse<InFlight>> = BinaryHeap::new();
        let mut sequence = 0;
        while !self.is_stopped.load(Ordering::Acquire) {
            let sleep_ns = match in_flight.peek() {
                Some(Reverse(next)) => next.due.at_ns.saturating_sub(monotonic_ns()),
                None => IDLE_NS,
            };
            self.wait(sleep_ns.min(IDLE_NS), &mut events);
            let mut relays = lock(&self.relays);
            for event in events.drain(..) {
                let token = event.data.u64();
                let index = (token / 2) as usize;
                let Some(relay) = relays.get_mut(index) else {
                    continue;
                };
                let now_ns = monotonic_ns();
                // An error of the socket is about a datagram sent before; the next look finds what came.
                let _seen = relay.receive(now_ns, (token % 2) as usize, &mut receiver, |due| {
                    sequence += 1;
                    in_flight.push(Reverse(InFlight {
                        sequence,
                        relay: index,
                        due,
                    }));
                });
            }
            let now_ns = monotonic_ns();
            while in_flight
                .peek()
                .is_some_and(|Reverse(next)| next.due.at_ns <= now_ns)
            {
                let Some(Reverse(next)) = in_flight.pop() else {
                    break;
                };
                if let Some(relay) = relays.get_mut(next.relay) {
                    relay.send(next.due.leaves_from, &next.due.bytes);
                }
            }
        }
    }

    fn wait(&self, sleep_ns: u64, events: &mut Vec<epoll::Event>) {
        events.clear();
        let timeout = Timespec {
            tv_sec: (sleep_ns / 1_000_000_000) as i64,
            tv_nsec: (sleep_ns % 1_000_000_000) as _,
        };
        // A signal ends the sleep early, which the loop survives.
        let _interrupted = epoll::wait(
            &self.epoll,
            rustix::buffer::spare_capacity(events),
            Some(&timeout),
        );
    }
}

/// Let sleeps end when they should, not up to 50 microseconds later (the kernel's default slack).
fn wake_on_time() {
    // SAFETY: PR_SET_TIMERSLACK takes one integer and concerns the calling thread alone.
    let _is_set = unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1_u64) };
}
