//! What this node did with packets that ask for it (header flag TRACED).

use std::collections::VecDeque;

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
}

impl How {
    /// The word of `ei trace`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Cached => "cached",
            Self::Decided => "decided",
            Self::Queued => "queued",
        }
    }
}

/// One step of one packet at this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceRecord {
    /// When it was taken.
    pub now_ns: u64,
    /// Whom the packet speaks for.
    pub source: Address,
    /// Number that the source named.
    pub service: u32,
    /// Within (source, service).
    pub connection: u64,
    /// How the fate was found.
    pub how: How,
    /// The fate or reason, or `forwarded to` and the first next hop.
    pub verdict: String,
    /// From arrival to this record, as far as the clock given to the datapath tells.
    pub spent_ns: u64,
    /// Numbers of the services that ran or whose decisions were used.
    pub services: Vec<u32>,
}

/// The newest records.
#[derive(Clone, Debug, Default)]
pub struct Traces {
    records: VecDeque<TraceRecord>,
}

impl Traces {
    /// Keep a record.
    pub fn push(&mut self, record: TraceRecord) {
        if self.records.len() == MAX_RECORDS {
            self.records.pop_front();
        }
        self.records.push_back(record);
    }

    /// The oldest record.
    pub fn take(&mut self) -> Option<TraceRecord> {
        self.records.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_records_are_kept() {
        let mut traces = Traces::default();
        for now_ns in 0..MAX_RECORDS as u64 + 2 {
            traces.push(TraceRecord {
                now_ns,
                source: Address::default(),
                service: 16,
                connection: 1,
                how: How::Cached,
                verdict: "missed".to_owned(),
                spent_ns: 0,
                services: vec![16],
            });
        }

        assert_eq!(traces.take().map(|record| record.now_ns), Some(2));
        assert_eq!(traces.records.len(), MAX_RECORDS - 1);
    }
}
