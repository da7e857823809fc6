//! The sending half of the control channel: fragments, window, repetition.

use std::collections::VecDeque;

use super::{ControlHeader, MAX_MESSAGE_BYTES, WINDOW_FRAGMENTS};
use crate::counters::Reason;

/// Bytes that may wait to be sent and acknowledged.
const MAX_QUEUE_BYTES: usize = 1 << 20;
/// What a fragment counts for beside its bytes: about what it takes, or empty ones would have no bound.
const FRAGMENT_COST: usize = 64;
/// A fragment is repeated after this at the earliest: its receiver may commit before it acknowledges.
const MIN_REPEAT_NS: u64 = 200_000_000;
/// And after this at the latest.
const MAX_REPEAT_NS: u64 = 2_000_000_000;

#[derive(Debug)]
struct Fragment {
    service: u32,
    has_more: bool,
    bytes: Vec<u8>,
    /// When it was last sent; `None` before the first time.
    sent_ns: Option<u64>,
}

/// Fragments in order; the first has the number `first`.
#[derive(Debug, Default)]
pub(super) struct Sending {
    fragments: VecDeque<Fragment>,
    first: u32,
    queued_bytes: usize,
    /// Repetitions since the acknowledgement last moved.
    repeats: u32,
}

impl Sending {
    pub(super) fn push(
        &mut self,
        service: u32,
        message: &[u8],
        fragment_bytes: usize,
    ) -> Result<(), Reason> {
        if message.len() > MAX_MESSAGE_BYTES {
            return Err(Reason::TooBig);
        }
        let fragment_bytes = fragment_bytes.max(1);
        let last = message.len().saturating_sub(1) / fragment_bytes;
        let cost = message.len() + (last + 1) * FRAGMENT_COST;
        if self.queued_bytes + cost > MAX_QUEUE_BYTES {
            return Err(Reason::DialQueueFull);
        }
        for index in 0..=last {
            let start = index * fragment_bytes;
            let end = (start + fragment_bytes).min(message.len());
            self.fragments.push_back(Fragment {
                service,
                has_more: index < last,
                bytes: message.get(start..end).unwrap_or_default().to_vec(),
                sent_ns: None,
            });
        }
        self.queued_bytes += cost;
        Ok(())
    }

    /// `acknowledged` is the next fragment that the peer wants; all before it are done.
    pub(super) fn take_acknowledgement(&mut self, now_ns: u64, acknowledged: u32) {
        let done = acknowledged.wrapping_sub(self.first);
        let sent = self
            .fragments
            .iter()
            .take_while(|it| it.sent_ns.is_some())
            .count();
        // Older than what is known, or of fragments never sent: says nothing.
        if done == 0 || done as usize > sent {
            return;
        }
        self.drop_first(done as usize);
        self.first = acknowledged;
        self.repeats = 0;
        // The rest gets a new time to be answered in.
        for fragment in self.fragments.iter_mut().take(sent - done as usize) {
            fragment.sent_ns = Some(now_ns);
        }
    }

    pub(super) fn next_due(
        &mut self,
        now_ns: u64,
        timeout_ns: u64,
        acknowledged: u32,
    ) -> Option<(ControlHeader, Vec<u8>)> {
        let repeat_ns = self.repeat_ns(timeout_ns);
        let window = WINDOW_FRAGMENTS as usize;
        let (offset, fragment) =
            self.fragments
                .iter_mut()
                .take(window)
                .enumerate()
                .find(|(_, fragment)| {
                    fragment
                        .sent_ns
                        .is_none_or(|sent_ns| now_ns >= sent_ns.saturating_add(repeat_ns))
                })?;
        if fragment.sent_ns.replace(now_ns).is_some() && offset == 0 {
            self.repeats += 1;
        }
        let header = ControlHeader {
            service: fragment.service,
            sequence: self.first.wrapping_add(offset as u32),
            acknowledged,
            has_more: fragment.has_more,
        };
        Some((header, fragment.bytes.clone()))
    }

    pub(super) fn deadline_ns(&self, timeout_ns: u64) -> u64 {
        let repeat_ns = self.repeat_ns(timeout_ns);
        self.fragments
            .iter()
            .take(WINDOW_FRAGMENTS as usize)
            .map(|fragment| {
                fragment
                    .sent_ns
                    .map_or(0, |sent_ns| sent_ns.saturating_add(repeat_ns))
            })
            .min()
            .unwrap_or(u64::MAX)
    }

    fn repeat_ns(&self, timeout_ns: u64) -> u64 {
        let base_ns = MIN_REPEAT_NS.max(timeout_ns.saturating_mul(2));
        (base_ns << self.repeats.min(4)).min(MAX_REPEAT_NS.max(base_ns))
    }

    pub(super) fn restart(&mut self) {
        // A message whose first fragment was sent may have been committed: it is not sent twice.
        let sent = self
            .fragments
            .iter()
            .take_while(|it| it.sent_ns.is_some())
            .count();
        let mut lost = sent;
        if sent > 0 && self.fragments.get(sent - 1).is_some_and(|it| it.has_more) {
            let rest = self
                .fragments
                .iter()
                .skip(sent)
                .take_while(|it| it.has_more)
                .count();
            lost = (sent + rest + 1).min(self.fragments.len());
        }
        self.drop_first(lost);
        self.first = 0;
        self.repeats = 0;
    }

    fn drop_first(&mut self, count: usize) {
        for fragment in self.fragments.drain(..count) {
            self.queued_bytes -= fragment.bytes.len() + FRAGMENT_COST;
        }
    }
}
