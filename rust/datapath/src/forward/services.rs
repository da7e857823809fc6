//! The services that run here, as the datapath sees them: queue, worker, words.

use std::collections::{BTreeMap, VecDeque};

use super::batches::BatchStatistics;
use crate::control::ControlReceipt;
use crate::counters::{Book, ByReason, Reason};
use crate::packet::Packet;
use crate::queue::MissQueue;
use crate::trace::Traced;
use crate::wire::Protection;

/// Held packets of one service that leave a record when they are released.
const MAX_HELD_TRACES: usize = 64;

/// What happens to packets while the service has no worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Fail {
    /// They are dropped (`service_down`).
    #[default]
    Closed,
    /// They go on to the next service of the chain, if there is one. Never for guards.
    Open,
    /// The same, also while the queue is full.
    Bypass,
}

/// How a service runs; from its manifest.
#[derive(Clone, Debug)]
pub struct ServiceConfig {
    /// Its number.
    pub number: u32,
    /// Its answers depend on the first so many bytes of metadata only; `None` means all.
    pub match_metadata: Option<u8>,
    /// It reads payloads: only over COVERED pipes, unless it has streams.
    pub reads_payload: bool,
    /// Packets of protection STREAMS for it are for this node's own streams.
    pub has_streams: bool,
    /// Of these alone those with empty metadata: what has more goes on to whom it hides, or to another node.
    pub is_anonymous: bool,
    /// Packets that may wait for it.
    pub queue_packets: usize,
    /// Most hops of a decision, up to 1,024.
    pub max_hops: usize,
    /// Most objects of its stages.
    pub max_objects: usize,
    /// Its own reasons for dropping.
    pub drop_reasons: Vec<String>,
    /// Its own counters.
    pub counters: Vec<String>,
    /// While it has no worker.
    pub fail: Fail,
}

impl ServiceConfig {
    /// The defaults of a manifest.
    pub fn new(number: u32) -> Self {
        Self {
            number,
            match_metadata: None,
            reads_payload: false,
            has_streams: false,
            is_anonymous: false,
            queue_packets: 1_024,
            max_hops: 1_024,
            max_objects: 65_536,
            drop_reasons: Vec::new(),
            counters: Vec::new(),
            fail: Fail::Closed,
        }
    }
}

/// What was handed to the worker as one item of a batch.
#[derive(Clone, Debug)]
pub(super) enum Handed {
    Packet { book: Book, trace: Option<Traced> },
    Control(ControlReceipt),
    News,
}

/// A batch that the worker has not answered.
#[derive(Clone, Debug)]
pub(super) struct Outstanding {
    pub(super) sequence: u64,
    pub(super) handed_ns: u64,
    pub(super) items: Vec<Handed>,
}

/// Packets that the worker keeps until a query is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    received: u64,
    copies: u64,
}

impl Held {
    pub(super) fn add(&mut self, book: Book) {
        match book {
            Book::Received => self.received += 1,
            Book::Copy => self.copies += 1,
        }
    }

    /// How many there are.
    pub(super) fn len(self) -> u64 {
        self.received + self.copies
    }

    /// One of them is answered. Which one nobody knows; that the sums are right is enough.
    pub(super) fn take(&mut self) -> Option<Book> {
        let (count, book) = if self.received > 0 {
            (&mut self.received, Book::Received)
        } else {
            (&mut self.copies, Book::Copy)
        };
        *count = count.checked_sub(1)?;
        Some(book)
    }
}

/// One running service.
pub(super) struct RunningService {
    pub(super) config: ServiceConfig,
    pub(super) queue: MissQueue,
    pub(super) outstanding: VecDeque<Outstanding>,
    pub(super) held: Held,
    /// Those of them that are traced, the newest 64.
    pub(super) held_traces: VecDeque<Traced>,
    pub(super) sequence: u64,
    /// `Started` leads the next batch.
    pub(super) must_start: bool,
    /// Its worker died, and no new one has asked for events yet.
    pub(super) is_down: bool,
    pub(super) missed: u64,
    pub(super) batches: BatchStatistics,
    dropped: Box<ByReason>,
    words: BTreeMap<String, u16>,
    dropped_words: Vec<u64>,
    counter_places: BTreeMap<String, usize>,
    counts: Vec<u64>,
}

impl RunningService {
    pub(super) fn new(config: ServiceConfig, must_start: bool) -> Self {
        let words = (0..)
            .zip(&config.drop_reasons)
            .map(|(at, word)| (word.clone(), at))
            .collect();
        let places = config.counters.iter().enumerate();
        let counter_places = places.map(|(at, name)| (name.clone(), at)).collect();
        Self {
            queue: MissQueue::new(config.queue_packets),
            outstanding: VecDeque::new(),
            held: Held::default(),
            held_traces: VecDeque::new(),
            sequence: 0,
            must_start,
            is_down: false,
            missed: 0,
            batches: BatchStatistics::default(),
            dropped: Box::new([0; Reason::ALL.len()]),
            words,
            dropped_words: vec![0; config.drop_reasons.len()],
            counter_places,
            counts: vec![0; config.counters.len()],
            config,
        }
    }

    /// Become another version of the service: what waits stays, and what was counted under words of both.
    pub(super) fn renew(&mut self, config: ServiceConfig, must_start: bool) {
        let mut next = Self::new(config, must_start);
        for (word, at) in &self.words {
            let place = next.words.get(word).map(|place| usize::from(*place));
            let kept = place.and_then(|place| next.dropped_words.get_mut(place));
            if let (Some(kept), Some(count)) = (kept, self.dropped_words.get(usize::from(*at))) {
                *kept = *count;
            }
        }
        for (name, at) in &self.counter_places {
            next.count(name, self.counts.get(*at).copied().unwrap_or_default());
        }
        self.queue.set_limit(next.config.queue_packets);
        self.must_start = must_start;
        self.words = next.words;
        self.dropped_words = next.dropped_words;
        self.counter_places = next.counter_places;
        self.counts = next.counts;
        self.config = next.config;
    }

    /// Whether the packet is one of the streams that end here: the service itself is asked nothing then.
    pub(super) fn is_streams(&self, packet: &Packet<'_>) -> bool {
        self.config.has_streams
            && packet.header.protection == Protection::Streams
            && packet.header.service == self.config.number
            && packet.egress.is_none()
            && (packet.header.metadata.is_empty() || !self.config.is_anonymous)
    }

    /// Whether the worker should be given a batch.
    pub(super) fn has_events(&self) -> bool {
        self.must_start || !self.queue.is_empty()
    }

    /// The worker keeps a packet until a query is answered.
    pub(super) fn hold(&mut self, book: Book, trace: Option<Traced>) {
        self.held.add(book);
        self.held_traces.extend(trace);
        if self.held_traces.len() > MAX_HELD_TRACES {
            self.held_traces.pop_front();
        }
    }

    /// Place of one of the manifest's drop reasons.
    pub(super) fn word(&self, word: &str) -> Option<u16> {
        self.words.get(word).copied()
    }

    pub(super) fn count_word(&mut self, word: u16) {
        if let Some(count) = self.dropped_words.get_mut(usize::from(word)) {
            *count += 1;
        }
    }

    pub(super) fn count_drop(&mut self, reason: Reason) {
        if let Some(count) = self.dropped.get_mut(reason as usize) {
            *count += 1;
        }
    }

    /// Add to one of the manifest's counters; false when it declares no such one.
    pub(super) fn count(&mut self, name: &str, amount: u64) -> bool {
        let place = self.counter_places.get(name);
        match place.and_then(|place| self.counts.get_mut(*place)) {
            Some(count) => {
                *count = count.saturating_add(amount);
                true
            }
            None => false,
        }
    }

    /// Drops by word, the datapath's and the service's own; only those that happened.
    pub(super) fn dropped(&self) -> BTreeMap<String, u64> {
        let own = self
            .config
            .drop_reasons
            .iter()
            .cloned()
            .zip(self.dropped_words.iter().copied());
        let datapath = Reason::ALL.iter().zip(self.dropped.iter());
        let mut dropped: BTreeMap<String, u64> = datapath
            .map(|(reason, count)| (reason.word().to_owned(), *count))
            .collect();
        for (word, count) in own {
            *dropped.entry(word).or_default() += count;
        }
        dropped.retain(|_, count| *count > 0);
        dropped
    }

    /// The manifest's counters.
    pub(super) fn counts(&self) -> BTreeMap<String, u64> {
        self.config
            .counters
            .iter()
            .cloned()
            .zip(self.counts.iter().copied())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_declared_words_count() {
        let config = ServiceConfig {
            drop_reasons: vec!["no_members".to_owned()],
            counters: vec!["joins".to_owned()],
            ..ServiceConfig::new(48)
        };
        let mut service = RunningService::new(config, true);

        assert!(service.count("joins", 3));
        assert!(!service.count("leaves", 1));
        assert_eq!(service.word("no_members"), Some(0));
        assert_eq!(service.word("other"), None);
        service.count_word(0);
        service.count_drop(Reason::WorkerLost);

        assert_eq!(service.counts(), BTreeMap::from([("joins".to_owned(), 3)]));
        let expected = [("no_members".to_owned(), 1), ("worker_lost".to_owned(), 1)];
        assert_eq!(service.dropped(), BTreeMap::from(expected));
    }

    #[test]
    fn another_version_counts_on_under_the_words_of_both() {
        let mut service = RunningService::new(
            ServiceConfig {
                drop_reasons: vec!["gone".to_owned(), "no_members".to_owned()],
                counters: vec!["joins".to_owned()],
                ..ServiceConfig::new(48)
            },
            false,
        );
        service.count("joins", 3);
        service.count_word(1);

        service.renew(
            ServiceConfig {
                drop_reasons: vec!["no_members".to_owned(), "new".to_owned()],
                counters: vec!["leaves".to_owned(), "joins".to_owned()],
                ..ServiceConfig::new(48)
            },
            true,
        );

        let counts = BTreeMap::from([("joins".to_owned(), 3), ("leaves".to_owned(), 0)]);
        assert_eq!(service.counts(), counts);
        let expected = BTreeMap::from([("no_members".to_owned(), 1)]);
        assert_eq!(service.dropped(), expected);
        assert_eq!((service.word("gone"), service.word("new")), (None, Some(1)));
        assert!(service.must_start);
    }

    #[test]
    fn no_more_are_released_than_were_held() {
        let mut held = Held::default();
        held.add(Book::Copy);
        held.add(Book::Received);

        assert_eq!(held.take(), Some(Book::Received));
        assert_eq!(held.take(), Some(Book::Copy));
        assert_eq!(held.take(), None);
    }
}
