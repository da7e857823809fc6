//! Incoming connections that wait until the caller has found the key of their host. Bounded in number, per
//! peer and in time.

use std::collections::{BTreeMap, HashMap, VecDeque};

use quinn_proto::Incoming;

use crate::ConnectionKey;

/// The waiting ones, oldest first.
pub(crate) struct Waiting {
    max: usize,
    max_per_peer: usize,
    of_key: BTreeMap<ConnectionKey, (u64, Incoming)>,
    of_peer: HashMap<[u8; 16], usize>,
    order: VecDeque<(u64, ConnectionKey)>,
}

impl Waiting {
    pub(crate) fn new(max: usize, max_per_peer: usize) -> Self {
        Self {
            max,
            max_per_peer,
            of_key: BTreeMap::new(),
            of_peer: HashMap::new(),
            order: VecDeque::new(),
        }
    }

    /// Let one wait until `deadline_ns`, which must not be before that of any earlier one.
    ///
    /// Gives it back when there is no room, or one of the same key waits.
    // An `Incoming` is large, but it is the caller's duty to ignore it properly: no box helps.
    #[allow(clippy::result_large_err)]
    pub(crate) fn add(
        &mut self,
        key: ConnectionKey,
        deadline_ns: u64,
        incoming: Incoming,
    ) -> Result<(), Incoming> {
        let of_peer = self.of_peer.get(&key.peer).copied().unwrap_or(0);
        let is_full = self.of_key.len() >= self.max || of_peer >= self.max_per_peer;
        if is_full || self.has(&key) {
            return Err(incoming);
        }
        self.of_key.insert(key, (deadline_ns, incoming));
        self.of_peer.insert(key.peer, of_peer + 1);
        self.order.push_back((deadline_ns, key));
        Ok(())
    }

    /// Whether one of this key waits.
    pub(crate) fn has(&self, key: &ConnectionKey) -> bool {
        self.of_key.contains_key(key)
    }

    pub(crate) fn take(&mut self, key: &ConnectionKey) -> Option<Incoming> {
        let (_, incoming) = self.of_key.remove(key)?;
        if let Some(count) = self.of_peer.get_mut(&key.peer) {
            *count -= 1;
            if *count == 0 {
                self.of_peer.remove(&key.peer);
            }
        }
        self.skip_taken();
        Some(incoming)
    }

    /// Take one whose time is over.
    pub(crate) fn take_due(&mut self, now_ns: u64) -> Option<(ConnectionKey, Incoming)> {
        let (deadline_ns, key) = *self.order.front()?;
        if deadline_ns > now_ns {
            return None;
        }
        self.take(&key).map(|incoming| (key, incoming))
    }

    pub(crate) fn earliest_ns(&self) -> Option<u64> {
        self.order.front().map(|(deadline_ns, _)| *deadline_ns)
    }

    pub(crate) fn contains(&self, key: &ConnectionKey) -> bool {
        self.of_key.contains_key(key)
    }

    pub(crate) fn len(&self) -> usize {
        self.of_key.len()
    }

    /// Keep the front of the order one that still waits, and the order as short as what waits needs.
    fn skip_taken(&mut self) {
        let is_live = |of_key: &BTreeMap<ConnectionKey, (u64, Incoming)>,
                       entry: &(u64, ConnectionKey)| {
            of_key
                .get(&entry.1)
                .is_some_and(|(deadline_ns, _)| *deadline_ns == entry.0)
        };
        while self
            .order
            .front()
            .is_some_and(|entry| !is_live(&self.of_key, entry))
        {
            self.order.pop_front();
        }
        if self.order.len() > 2 * self.max {
            let of_key = &self.of_key;
            self.order.retain(|entry| is_live(of_key, entry));
        }
    }
}
