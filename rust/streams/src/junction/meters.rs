//! Meters of splices: token buckets that any number of splices share. Whoever finds one empty waits, and
//! nothing is read meanwhile; those that wait have their turns one after another.

use std::collections::{HashMap, HashSet, VecDeque};

use super::Junction;
use crate::schedule::Deadlines;

/// `Meter` of `ei/sdk/stages.py`, by which a splice names its bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metering<'a> {
    /// Name of the bucket, of the service.
    pub object: &'a [u8],
    /// 1 to 2^40.
    pub rate_bytes_per_s: u64,
    /// 1 to 2^40; a bucket starts full.
    pub burst_bytes: u64,
}

/// Tokens are kept in billionths of a byte, so that a rate times nanoseconds is exact.
const PARTS_PER_BYTE: u128 = 1_000_000_000;

/// A turn is worth 10 ms of the rate, within these: smaller pieces cost more than they carry.
const LEAST_TURN_BYTES: u64 = 16 * 1024;
const MOST_TURN_BYTES: u64 = 64 * 1024;

#[derive(Debug)]
struct Bucket {
    service: u32,
    object: Box<[u8]>,
    tokens: u128,
    filled_ns: u64,
    rate_bytes_per_s: u64,
    burst_bytes: u64,
    /// Places of streams that have something to read, as far as is known, in their order.
    waiting: VecDeque<usize>,
}

impl Bucket {
    fn fill(&mut self, now_ns: u64) {
        let elapsed_ns = now_ns.saturating_sub(self.filled_ns);
        let earned = u128::from(self.rate_bytes_per_s) * u128::from(elapsed_ns);
        self.tokens = self.tokens.saturating_add(earned).min(self.most());
        self.filled_ns = self.filled_ns.max(now_ns);
    }

    fn most(&self) -> u128 {
        u128::from(self.burst_bytes) * PARTS_PER_BYTE
    }

    fn change(&mut self, now_ns: u64, metering: &Metering<'_>) {
        self.fill(now_ns);
        self.rate_bytes_per_s = metering.rate_bytes_per_s.max(1);
        self.burst_bytes = metering.burst_bytes.max(1);
        self.tokens = self.tokens.min(self.most());
    }

    /// What one splice gets at a time.
    fn turn_bytes(&self) -> u64 {
        let turn = (self.rate_bytes_per_s / 100).clamp(LEAST_TURN_BYTES, MOST_TURN_BYTES);
        turn.min(self.burst_bytes)
    }

    fn turn_parts(&self) -> u128 {
        u128::from(self.turn_bytes()) * PARTS_PER_BYTE
    }

    /// When there is enough for a turn, beyond what `turns` take first.
    fn ready_ns(&self, turns: u128) -> u64 {
        let wanted = self.turn_parts() * (turns + 1);
        let missing = wanted.saturating_sub(self.tokens);
        let wait_ns = missing.div_ceil(u128::from(self.rate_bytes_per_s));
        self.filled_ns
            .saturating_add(u64::try_from(wait_ns).unwrap_or(u64::MAX))
    }
}

/// The buckets of all services.
#[derive(Default)]
pub(super) struct Meters {
    buckets: Vec<Option<Bucket>>,
    free: Vec<usize>,
    of_name: HashMap<(u32, Box<[u8]>), usize>,
    /// When the first that waits for a bucket has its turn.
    due: Deadlines,
}

impl Meters {
    pub(super) fn len(&self) -> usize {
        self.of_name.len()
    }

    /// The bucket of that name, made if there is none; its rate and burst are as said last.
    pub(super) fn find(&mut self, now_ns: u64, service: u32, metering: &Metering<'_>) -> usize {
        let name = (service, Box::from(metering.object));
        if let Some(meter) = self.of_name.get(&name).copied() {
            if let Some(bucket) = self.get_mut(meter) {
                bucket.change(now_ns, metering);
            }
            return meter;
        }
        let burst_bytes = metering.burst_bytes.max(1);
        let bucket = Bucket {
            service,
            object: name.1.clone(),
            tokens: u128::from(burst_bytes) * PARTS_PER_BYTE,
            filled_ns: now_ns,
            rate_bytes_per_s: metering.rate_bytes_per_s.max(1),
            burst_bytes,
            waiting: VecDeque::new(),
        };
        let meter = self.free.pop().unwrap_or(self.buckets.len());
        match self.buckets.get_mut(meter) {
            Some(slot) => *slot = Some(bucket),
            None => self.buckets.push(Some(bucket)),
        }
        self.of_name.insert(name, meter);
        meter
    }

    /// Bytes that a splice may move in its turn; 0 when it has to wait.
    fn allowance(&mut self, now_ns: u64, meter: usize) -> usize {
        let Some(bucket) = self.get_mut(meter) else {
            return 0;
        };
        bucket.fill(now_ns);
        match bucket.tokens >= bucket.turn_parts() {
            true => bucket.turn_bytes() as usize,
            false => 0,
        }
    }

    /// So many bytes moved.
    pub(super) fn spend(&mut self, meter: usize, bytes: usize) {
        if let Some(bucket) = self.get_mut(meter) {
            let spent = bytes as u128 * PARTS_PER_BYTE;
            bucket.tokens = bucket.tokens.saturating_sub(spent);
        }
    }

    /// A stream waits for its turn.
    fn wait(&mut self, meter: usize, place: usize) {
        let Some(bucket) = self.get_mut(meter) else {
            return;
        };
        bucket.waiting.push_back(place);
        let is_first = bucket.waiting.len() == 1;
        let ready_ns = bucket.ready_ns(0);
        if is_first {
            self.due.set(meter, Some(ready_ns));
        }
    }

    /// It waits no more.
    fn leave(&mut self, meter: usize, place: usize) {
        if let Some(bucket) = self.get_mut(meter) {
            bucket.waiting.retain(|waiting| *waiting != place);
        }
    }

    /// Streams whose turn it is: as many as there is enough for.
    fn take_ready(&mut self, now_ns: u64) -> Vec<usize> {
        let mut ready = Vec::new();
        while let Some(meter) = self.due.take_due(now_ns) {
            let Some(bucket) = self.get_mut(meter) else {
                continue;
            };
            bucket.fill(now_ns);
            let mut turns = 0;
            while bucket.tokens >= bucket.turn_parts() * (turns + 1)
                && let Some(place) = bucket.waiting.pop_front()
            {
                ready.push(place);
                turns += 1;
            }
            let next_ns = bucket.ready_ns(turns);
            let is_waited_for = !bucket.waiting.is_empty();
            self.due.set(meter, is_waited_for.then_some(next_ns));
        }
        ready
    }

    pub(super) fn earliest_ns(&self) -> Option<u64> {
        self.due.earliest_ns()
    }

    /// Forget buckets that no splice names and that are full, so that forgetting them gives nobody more; or
    /// all that no splice names.
    pub(super) fn tidy(&mut self, now_ns: u64, used: &HashSet<usize>, also_not_full: bool) {
        for meter in 0..self.buckets.len() {
            if used.contains(&meter) {
                continue;
            }
            let Some(bucket) = self.get_mut(meter) else {
                continue;
            };
            bucket.fill(now_ns);
            if bucket.tokens < bucket.most() && !also_not_full {
                continue;
            }
            let name = (bucket.service, std::mem::take(&mut bucket.object));
            self.of_name.remove(&name);
            self.due.set(meter, None);
            if let Some(slot) = self.buckets.get_mut(meter) {
                *slot = None;
                self.free.push(meter);
            }
        }
    }

    fn get_mut(&mut self, meter: usize) -> Option<&mut Bucket> {
        self.buckets.get_mut(meter).and_then(Option::as_mut)
    }
}

impl Junction {
    /// The bucket of a splice. There are at most twice as many as streams: what no splice names makes room.
    pub(super) fn meter_of(&mut self, service: u32, metering: &Metering<'_>) -> usize {
        if self.meters.len() >= 2 * self.config.max_streams {
            self.tidy_meters(true);
        }
        self.meters.find(self.now_ns, service, metering)
    }

    /// What a stream may give to the other of its splice now, if that is metered; else it waits, and `None`.
    pub(super) fn metered(&mut self, meter: usize, place: usize) -> Option<usize> {
        let allowance = self.meters.allowance(self.now_ns, meter);
        if allowance > 0 {
            return Some(allowance);
        }
        if let Some(entry) = self.table.get_mut(place)
            && entry.metered_out.replace(meter).is_none()
        {
            self.meters.wait(meter, place);
        }
        None
    }

    /// A stream waits no more: its splice is another one, or it is gone.
    pub(super) fn leave_meter(&mut self, place: usize) {
        let entry = self.table.get_mut(place);
        if let Some(meter) = entry.and_then(|entry| entry.metered_out.take()) {
            self.meters.leave(meter, place);
        }
    }

    /// See to streams that have waited for their turn.
    pub(super) fn wake_metered(&mut self) {
        for place in self.meters.take_ready(self.now_ns) {
            if let Some(entry) = self.table.get_mut(place) {
                entry.metered_out = None;
                self.to_work.add(place);
            }
        }
    }

    pub(super) fn tidy_meters(&mut self, also_not_full: bool) {
        let places = self.table.places();
        let used: HashSet<usize> = places
            .filter_map(|(_, entry)| entry.splice.and_then(|splice| splice.meter))
            .collect();
        self.meters.tidy(self.now_ns, &used, also_not_full);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_NS: u64 = 1_000_000_000;

    fn metering(rate_bytes_per_s: u64, burst_bytes: u64) -> Metering<'static> {
        Metering {
            object: b"one",
            rate_bytes_per_s,
            burst_bytes,
        }
    }

    #[test]
    fn who_waits_has_its_turn_when_there_is_enough_for_one_in_order() {
        let mut meters = Meters::default();
        let meter = meters.find(0, 68, &metering(16_384, 16_384));
        assert_eq!(meters.allowance(0, meter), 16_384);
        meters.spend(meter, 16_384);

        assert_eq!(meters.allowance(0, meter), 0);
        for place in [7, 8] {
            meters.wait(meter, place);
        }

        assert_eq!(meters.earliest_ns(), Some(SECOND_NS));
        assert_eq!(meters.take_ready(SECOND_NS - 1), []);
        assert_eq!(meters.take_ready(SECOND_NS), [7]);
        assert_eq!(meters.earliest_ns(), Some(2 * SECOND_NS));
        assert_eq!(
            meters.take_ready(2 * SECOND_NS),
            [8],
            "7 had nothing to read"
        );
        assert_eq!(meters.earliest_ns(), None);
    }

    #[test]
    fn who_leaves_costs_nobody_a_turn() {
        let mut meters = Meters::default();
        let meter = meters.find(0, 68, &metering(16_384, 16_384));
        meters.spend(meter, 16_384);
        for place in [7, 8] {
            meters.wait(meter, place);
        }

        meters.leave(meter, 7);

        assert_eq!(meters.take_ready(SECOND_NS), [8]);
        assert_eq!(meters.earliest_ns(), None);
    }

    #[test]
    fn a_burst_smaller_than_a_turn_is_a_turn() {
        let mut meters = Meters::default();
        let meter = meters.find(0, 68, &metering(1 << 40, 10));

        assert_eq!(meters.allowance(0, meter), 10);
    }

    #[test]
    fn what_is_said_last_holds() {
        let mut meters = Meters::default();
        let meter = meters.find(0, 68, &metering(100, 1_000));

        assert_eq!(meters.find(0, 68, &metering(100, 10)), meter);

        assert_eq!(meters.allowance(0, meter), 10);
        assert_ne!(meters.find(0, 69, &metering(100, 10)), meter);
    }

    #[test]
    fn what_nobody_names_is_forgotten_once_it_is_full() {
        let mut meters = Meters::default();
        let meter = meters.find(0, 68, &metering(100, 100));
        meters.spend(meter, 100);

        meters.tidy(SECOND_NS - 1, &HashSet::new(), false);
        assert_eq!(meters.len(), 1);
        meters.tidy(SECOND_NS, &HashSet::from([meter]), true);
        assert_eq!(meters.len(), 1);
        meters.tidy(SECOND_NS, &HashSet::new(), false);
        assert_eq!(meters.len(), 0);
    }
}
