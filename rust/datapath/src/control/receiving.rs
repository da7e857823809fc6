//! The receiving half of the control channel: order, assembly, acknowledgement after commit.

use std::collections::VecDeque;

use super::{ControlHeader, MAX_MESSAGE_BYTES, WINDOW_FRAGMENTS};
use crate::counters::Reason;

#[derive(Debug)]
struct Fragment {
    service: u32,
    has_more: bool,
    bytes: Vec<u8>,
}

#[derive(Debug)]
struct Complete {
    service: u32,
    bytes: Vec<u8>,
    last: u32,
}

#[derive(Debug)]
struct Uncommitted {
    last: u32,
    is_committed: bool,
}

/// What came in and is not acknowledged. Bounded by the window: at most 32 fragments beyond the
/// acknowledgement, and one message under assembly.
#[derive(Debug, Default)]
pub(super) struct Receiving {
    /// The next fragment in order.
    wanted: u32,
    /// From `wanted` on; `None` where a fragment is missing.
    early: VecDeque<Option<Fragment>>,
    assembly: Vec<u8>,
    /// The message under assembly is refused; its fragments are passed over.
    is_refusing: bool,
    complete: VecDeque<Complete>,
    uncommitted: VecDeque<Uncommitted>,
    generation: u32,
}

impl Receiving {
    /// The next fragment wanted, but not past the end of a message that is not committed.
    pub(super) fn acknowledged(&self) -> u32 {
        self.uncommitted
            .front()
            .map_or(self.wanted, |first| first.last)
    }

    pub(super) fn take_fragment(
        &mut self,
        header: &ControlHeader,
        payload: &[u8],
    ) -> Result<(), Reason> {
        let beyond = header.sequence.wrapping_sub(self.acknowledged());
        let ahead = header.sequence.wrapping_sub(self.wanted);
        if beyond >= WINDOW_FRAGMENTS {
            // Behind us is a repetition, which is acknowledged again; else the window is exceeded.
            let is_behind = beyond > u32::MAX / 2;
            return if is_behind {
                Ok(())
            } else {
                Err(Reason::BadControl)
            };
        }
        if ahead >= WINDOW_FRAGMENTS {
            return Ok(());
        }
        let place = ahead as usize;
        if self.early.len() <= place {
            self.early.resize_with(place + 1, || None);
        }
        if let Some(slot @ None) = self.early.get_mut(place) {
            *slot = Some(Fragment {
                service: header.service,
                has_more: header.has_more,
                bytes: payload.to_vec(),
            });
        }
        self.assemble()
    }

    fn assemble(&mut self) -> Result<(), Reason> {
        let mut refused = Ok(());
        while let Some(Some(_)) = self.early.front() {
            let Some(Some(fragment)) = self.early.pop_front() else {
                break;
            };
            let sequence = self.wanted;
            self.wanted = self.wanted.wrapping_add(1);
            if self.assembly.len() + fragment.bytes.len() > MAX_MESSAGE_BYTES {
                self.is_refusing = true;
                self.assembly = Vec::new();
                refused = Err(Reason::BadControl);
            }
            if !self.is_refusing {
                self.assembly.extend_from_slice(&fragment.bytes);
            }
            if fragment.has_more {
                continue;
            }
            if std::mem::take(&mut self.is_refusing) {
                continue;
            }
            self.complete.push_back(Complete {
                service: fragment.service,
                bytes: std::mem::take(&mut self.assembly),
                last: sequence,
            });
            self.uncommitted.push_back(Uncommitted {
                last: sequence,
                is_committed: false,
            });
        }
        refused
    }

    pub(super) fn take_message(&mut self) -> Option<(u32, Vec<u8>, u32, u32)> {
        let complete = self.complete.pop_front()?;
        Some((
            complete.service,
            complete.bytes,
            complete.last,
            self.generation,
        ))
    }

    pub(super) fn commit(&mut self, sequence: u32, generation: u32) {
        if generation != self.generation {
            return;
        }
        if let Some(entry) = self.uncommitted.iter_mut().find(|it| it.last == sequence) {
            entry.is_committed = true;
        }
        while self.uncommitted.front().is_some_and(|it| it.is_committed) {
            self.uncommitted.pop_front();
        }
    }

    pub(super) fn held_bytes(&self) -> usize {
        let early = self.early.iter().flatten().map(|it| it.bytes.len());
        let complete = self.complete.iter().map(|it| it.bytes.len());
        early.chain(complete).sum::<usize>() + self.assembly.len()
    }

    pub(super) fn restart(&mut self) {
        *self = Self {
            generation: self.generation.wrapping_add(1),
            ..Self::default()
        };
    }
}
