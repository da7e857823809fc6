//! What this node did with packets that ask for it (header flag TRACED).

use std::collections::VecDeque;

use crate::counters::Reason;
use crate::packet::Packet;
use crate::wire::Address;

/// Records kept until they are taken; older ones go first.
const MAX_RECORDS: usize = 4_096;

/// How a packet's fate was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// By a decision in the cache.
    Cached,
    /// By a service, which was asked.
    Decided,
    /// Not yet: it waits for a service.
    Queued,
    /// It was dropped before a service or a decision had said what becomes of it.
    Dropped,
}

impl How {
    /// The word of `ei trace`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Cached => "cached",
            Self::Decided => "decided",
            Self::Queued => "queued",
            Self::Dropped => "dropped",
        }
    }
}

/// The packet that records are about: those of one packet agree in all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traced {
    /// Whom the packet speaks for.
    pub source: Address,
    /// Number that the source named.
    pub service: u32,
    /// Within (source, service).
    pub connection: u64,
    /// When it came here.
    pub arrived_ns: u64,
    /// By whose pipe.
    pub ingress: Address,
}

impl Traced {
    /// `packet`, if it asks for records.
    pub fn of(packet: &Packet<'_>) -> Option<Self> {
        packet.header.is_traced.then_some(Self {
            source: packet.source,
            service: packet.header.service,
            connection: packet.header.connection,
            arrived_ns: packet.arrived_ns,
            ingress: packet.ingress,
        })
    }
}

/// One step of one packet at this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceRecord {
    /// Whose step.
    pub packet: Traced,
    /// When it was done.
    pub now_ns: u64,
    /// How the fate was found.
    pub how: How,
    /// The fate or reason, or `forwarded to` and the first next hop.
    pub verdict: String,
    /// Numbers of the services that ran or whose decisions were used, or that could not be asked.
    pub services: Vec<u32>,
}

impl TraceRecord {
    /// The datapath itself dropped the packet; `services` are those that could not be asked.
    pub fn dropped(packet: Traced, now_ns: u64, reason: Reason, services: Vec<u32>) -> Self {
        Self {
            packet,
            now_ns,
            how: How::Dropped,
            verdict: reason.word().to_owned(),
            services,
        }
    }

    /// From the packet's arrival to this record, as far as the clock given to the datapath tells.
    pub fn spent_ns(&self) -> u64 {
        self.now_ns.saturating_sub(self.packet.arrived_ns)
    }
}

/// The newest records.
#[derive(Clone, Debug, Default)]
pub struct Traces {
    records: VecDeque<TraceRecord>,
    made: u64,
    /// How many of them were made before the last `stamp`.
    stamped: u64,
}

impl Traces {
    /// How many there ever were.
    pub fn made(&self) -> u64 {
        self.made
    }

    /// Keep a record.
    pub fn push(&mut self, record: TraceRecord) {
        self.insert(self.made, record);
    }

    /// Keep a record before those that were made since `made` was `place`: the steps that it led to.
    pub fn insert(&mut self, place: u64, record: TraceRecord) {
        if self.records.len() == MAX_RECORDS {
            self.records.pop_front();
        }
        let later = (self.made - place) as usize;
        let place = self.records.len().saturating_sub(later);
        self.records.insert(place, record);
        self.made += 1;
    }

    /// Whether records were made since the last `stamp`.
    #[inline]
    pub fn has_fresh(&self) -> bool {
        self.made > self.stamped
    }

    /// The steps recorded since the last call were done by `now_ns`.
    pub fn stamp(&mut self, now_ns: u64) {
        let fresh = (self.made - self.stamped) as usize;
        for record in self.records.iter_mut().rev().take(fresh) {
            record.now_ns = record.now_ns.max(now_ns);
        }
        self.stamped = self.made;
    }

    /// The oldest record.
    pub fn take(&mut self) -> Option<TraceRecord> {
        self.records.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(now_ns: u64) -> TraceRecord {
        let packet = Traced {
            source: Address::default(),
            service: 16,
            connection: 1,
            arrived_ns: 1,
            ingress: Address::default(),
        };
        TraceRecord {
            packet,
            now_ns,
            how: How::Cached,
            verdict: "missed".to_owned(),
            services: vec![16],
        }
    }

    fn times(traces: &Traces) -> Vec<u64> {
        traces.records.iter().map(|record| record.now_ns).collect()
    }

    #[test]
    fn the_newest_records_are_kept() {
        let mut traces = Traces::default();
        for now_ns in 0..MAX_RECORDS as u64 + 2 {
            traces.push(record(now_ns));
        }

        assert_eq!(traces.take().map(|record| record.now_ns), Some(2));
        assert_eq!(traces.records.len(), MAX_RECORDS - 1);
    }

    #[test]
    fn a_step_comes_before_those_that_it_led_to() {
        let mut traces = Traces::default();
        traces.push(record(1));
        let place = traces.made();
        traces.push(record(3));

        traces.insert(place, record(2));

        assert_eq!(times(&traces), [1, 2, 3]);
    }

    #[test]
    fn a_stamp_says_when_the_steps_since_the_last_one_were_done() {
        let mut traces = Traces::default();
        traces.push(record(5));
        traces.stamp(6);
        traces.push(record(7));
        assert!(traces.has_fresh());

        traces.stamp(9);

        assert_eq!(times(&traces), [6, 9]);
        assert_eq!(traces.take().map(|record| record.spent_ns()), Some(5));
        assert!(!traces.has_fresh());
    }
}
