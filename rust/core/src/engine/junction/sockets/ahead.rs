//! Connections that are made before anybody asks for them, each for one stream.
//!
//! They are sockets like others, of numbers that no stream has. Whoever takes one gives it the number of
//! its stream. Each use makes another; what a server closes meanwhile is thrown away, and made again if
//! it lasted a while; one that waited long is made again too.

use std::collections::{HashMap, VecDeque};

use ei_streams::junction::{Closing, Legacy};
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use super::super::token;
use super::LegacySockets;
use crate::clock::monotonic_ns;

/// Numbers of streams are below, in a table that never has as many.
const FIRST_NUMBER: usize = 1 << 31;
const LAST_NUMBER: usize = u32::MAX as usize;

/// Of all targets, and targets: all are looked at whenever one is used.
const MAX_AHEAD: usize = 1_024;

/// To a target that nobody wanted for so long none is kept.
const KEPT_NS: u64 = 300 * 1_000_000_000;

/// Older ones are closed and made again: a firewall may have forgotten them, and says so to nobody.
const MAX_AGE_NS: u64 = 60 * 1_000_000_000;

/// How often old ones are looked for.
const TIDY_NS: u64 = 10 * 1_000_000_000;

/// A server that closes sooner is not asked again before the next use.
const SHORT_NS: u64 = 1_000_000_000;

/// Within this one has to be connected.
const CONNECT_NS: u64 = 10 * 1_000_000_000;

/// Of one target.
#[derive(Debug, Default)]
struct Target {
    wanted: usize,
    used_at_ns: u64,
    /// Being connected, and connected: each since when.
    coming: HashMap<usize, u64>,
    ready: VecDeque<(usize, u64)>,
}

/// Of all targets.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    targets: HashMap<Legacy, Target>,
    of_number: HashMap<usize, Legacy>,
    last_number: usize,
    tidy_at_ns: u64,
}

impl Ahead {
    /// Whether a socket is nobody's yet.
    pub(super) fn is_number(number: usize) -> bool {
        number >= FIRST_NUMBER
    }

    fn next_number(&mut self) -> usize {
        loop {
            self.last_number = match self.last_number {
                FIRST_NUMBER..LAST_NUMBER => self.last_number + 1,
                _ => FIRST_NUMBER,
            };
            if !self.of_number.contains_key(&self.last_number) {
                return self.last_number;
            }
        }
    }

    /// Forget targets that nobody wanted for long, and connections that do not come about or are old;
    /// these connections, and the targets that want others in their place.
    fn take_old(&mut self, now_ns: u64) -> (Vec<usize>, Vec<Legacy>) {
        let mut old = Vec::new();
        let mut wanting = Vec::new();
        self.targets.retain(|to, target| {
            let is_kept = now_ns < target.used_at_ns + KEPT_NS;
            let mut is_young = |number, since_ns, most_ns| {
                let is_young = is_kept && now_ns < since_ns + most_ns;
                if !is_young {
                    old.push(number);
                }
                is_young
            };
            let coming = &mut target.coming;
            coming.retain(|number, since_ns| is_young(*number, *since_ns, CONNECT_NS));
            let ready = &mut target.ready;
            let were_ready = ready.len();
            ready.retain(|(number, since_ns)| is_young(*number, *since_ns, MAX_AGE_NS));
            if is_kept && ready.len() < were_ready {
                wanting.push(to.clone());
            }
            is_kept
        });
        for number in &old {
            self.of_number.remove(number);
        }
        (old, wanting)
    }

    /// Forget a socket; its target, and whether it lasted.
    fn remove(&mut self, number: usize, now_ns: u64) -> Option<(Legacy, bool)> {
        let to = self.of_number.remove(&number)?;
        let target = self.targets.get_mut(&to)?;
        let mut since_ns = target.coming.remove(&number).map(|_| now_ns);
        target.ready.retain(|(other, at_ns)| {
            let is_other = *other != number;
            if !is_other {
                since_ns = Some(*at_ns);
            }
            is_other
        });
        let has_lasted = since_ns.is_some_and(|since_ns| now_ns >= since_ns + SHORT_NS);
        Some((to, has_lasted))
    }
}

impl LegacySockets {
    /// Give a stream a connection that is ready; false when there is none.
    pub(super) fn take_ahead(&mut self, number: usize, to: &Legacy) -> bool {
        while let Some((spare, _)) = self
            .ahead
            .targets
            .get_mut(to)
            .and_then(|target| target.ready.pop_front())
        {
            self.ahead.of_number.remove(&spare);
            let Some(mut socket) = self.sockets.remove(&spare) else {
                continue;
            };
            self.next_serial = self.next_serial.wrapping_add(1) & token::SERIAL_MASK;
            socket.serial = self.next_serial;
            let is_usable = socket.descriptor.as_ref().is_some_and(|descriptor| {
                let data = EventData::new_u64(token::socket(number, socket.serial));
                let mut byte = [0];
                let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
                // Open and silent, or a server that speaks first; rules may have changed meanwhile.
                let is_open = match recv(descriptor, byte.as_mut_slice(), flags) {
                    Ok((_, bytes)) => bytes > 0,
                    Err(errno) => errno == Errno::AGAIN,
                };
                let events = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
                is_open && epoll::modify(&self.epoll, descriptor, data, events).is_ok()
            });
            if is_usable {
                self.sockets.insert(number, socket);
                self.note_outcome(number, Ok(()));
                return true;
            }
        }
        false
    }

    /// A stream went to `to`: keep so many ready for the next.
    pub(super) fn want_ahead(&mut self, to: &Legacy, ahead: usize) {
        let now_ns = monotonic_ns();
        self.drop_old(now_ns);
        let targets = &self.ahead.targets;
        if targets.len() >= MAX_AHEAD && !targets.contains_key(to) {
            return;
        }
        let target = self.ahead.targets.entry(to.clone()).or_default();
        target.wanted = ahead;
        target.used_at_ns = now_ns;
        self.fill(to, now_ns);
    }

    /// One is connected, or cannot be: then none is tried until the next use.
    pub(super) fn note_ahead(&mut self, number: usize, outcome: Result<(), Closing>) {
        let now_ns = monotonic_ns();
        if outcome.is_err() {
            self.ahead.remove(number, now_ns);
            self.sockets.remove(&number);
            return;
        }
        let target = self.ahead.of_number.get(&number);
        if let Some(target) = target.and_then(|to| self.ahead.targets.get_mut(to)) {
            target.coming.remove(&number);
            target.ready.push_back((number, now_ns));
        }
    }

    /// Something happened at one: when it is closed, another takes its place.
    pub(super) fn look_at_ahead(&mut self, number: usize, events: EventFlags) {
        if !events.intersects(EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR) {
            return;
        }
        let now_ns = monotonic_ns();
        self.sockets.remove(&number);
        if let Some((to, true)) = self.ahead.remove(number, now_ns) {
            self.drop_old(now_ns);
            self.fill(&to, now_ns);
        }
    }

    /// No address is reached any more that was allowed before.
    pub(in crate::engine::junction) fn drop_ahead(&mut self) {
        for (number, _) in self.ahead.of_number.drain() {
            self.sockets.remove(&number);
        }
        self.ahead.targets.clear();
    }

    fn fill(&mut self, to: &Legacy, now_ns: u64) {
        while self.ahead.of_number.len() < MAX_AHEAD {
            let number = self.ahead.next_number();
            let Some(target) = self.ahead.targets.get_mut(to) else {
                return;
            };
            if target.coming.len() + target.ready.len() >= target.wanted {
                return;
            }
            target.coming.insert(number, now_ns);
            self.ahead.of_number.insert(number, to.clone());
            self.begin_to_open(number, to, now_ns + CONNECT_NS);
        }
    }

    /// When to call `tidy_ahead` next.
    pub(in crate::engine::junction) fn ahead_due_ns(&self) -> Option<u64> {
        (!self.ahead.targets.is_empty()).then_some(self.ahead.tidy_at_ns)
    }

    /// Put new ones in the place of old ones.
    pub(in crate::engine::junction) fn tidy_ahead(&mut self, now_ns: u64) {
        if self.ahead.tidy_at_ns > now_ns {
            return;
        }
        self.ahead.tidy_at_ns = now_ns + TIDY_NS;
        self.drop_old(now_ns);
    }

    fn drop_old(&mut self, now_ns: u64) {
        let (old, wanting) = self.ahead.take_old(now_ns);
        for number in old {
            self.sockets.remove(&number);
        }
        for to in wanting {
            self.fill(&to, now_ns);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_NS: u64 = 1_000_000_000;

    fn kept(number: usize, used_at_ns: u64, ready_at_ns: u64) -> Ahead {
        let to = Legacy {
            host: "example.org".to_owned(),
            port: 80,
            is_udp: false,
        };
        let target = Target {
            wanted: 1,
            used_at_ns,
            coming: HashMap::new(),
            ready: VecDeque::from([(number, ready_at_ns)]),
        };
        Ahead {
            targets: HashMap::from([(to.clone(), target)]),
            of_number: HashMap::from([(number, to)]),
            last_number: number,
            tidy_at_ns: 0,
        }
    }

    #[test]
    fn one_that_waited_long_is_dropped_and_its_target_stays() {
        let mut ahead = kept(7, 50 * SECOND_NS, 0);
        let to = ahead.of_number[&7].clone();

        assert_eq!(ahead.take_old(59 * SECOND_NS), (vec![], vec![]));
        assert_eq!(ahead.take_old(60 * SECOND_NS), (vec![7], vec![to]));

        assert_eq!((ahead.targets.len(), ahead.of_number.len()), (1, 0));
    }

    #[test]
    fn a_target_that_nobody_wanted_for_long_is_dropped_with_all_of_its_connections() {
        let mut ahead = kept(7, 0, 299 * SECOND_NS);

        assert_eq!(ahead.take_old(299 * SECOND_NS), (vec![], vec![]));
        assert_eq!(ahead.take_old(300 * SECOND_NS), (vec![7], vec![]));

        assert_eq!((ahead.targets.len(), ahead.of_number.len()), (0, 0));
    }
}
