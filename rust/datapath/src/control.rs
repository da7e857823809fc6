//! The control channel of a pipe: messages of up to 64 KiB, reliable and in order.
//!
//! ```text
//! metadata of service 1:   service u32 | sequence u32 | acknowledged u32 | more u8
//! ```
//! A message travels in fragments, numbered from 0 upward; `more` is 1 on all but its last. At most 32
//! fragments are under way. `acknowledged` is the number of the next fragment that the receiver wants,
//! and passes the last fragment of a message only when its receiver has committed what it asked for.
//! Service 0 marks a signal, which has no number and is not repeated:
//!
//! ```text
//! payload of a signal:     kind u8 (0 beat, 1 probe, 2 answer, 3 close) | token u64 of 1 and 2 | padding
//! ```

mod receiving;
mod sending;

use crate::counters::Reason;
use crate::pipes::PeerIndex;
use crate::wire::{u32_at, u64_at};
use receiving::Receiving;
use sending::Sending;

/// Fragments that may be under way.
pub const WINDOW_FRAGMENTS: u32 = 32;
/// An acknowledgement waits so long for a packet that carries it, and goes alone then.
const ACKNOWLEDGE_WITHIN_NS: u64 = 1_000_000;
/// Unless so many fragments wait for it.
const ACKNOWLEDGE_AT: u32 = WINDOW_FRAGMENTS / 2;
/// Longest message.
pub const MAX_MESSAGE_BYTES: usize = 65_536;

/// The metadata of a packet of service 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlHeader {
    /// Service that the message is for; 0 marks a signal.
    pub service: u32,
    /// Number of the fragment.
    pub sequence: u32,
    /// Number of the next fragment wanted from the other side.
    pub acknowledged: u32,
    /// The message goes on in the next fragment.
    pub has_more: bool,
}

impl ControlHeader {
    /// Length on the wire.
    pub const BYTES: usize = 13;

    /// Parse exactly 13 bytes; `None` for any other length, or `more` above 1.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != Self::BYTES {
            return None;
        }
        Some(Self {
            service: u32_at(bytes, 0)?,
            sequence: u32_at(bytes, 4)?,
            acknowledged: u32_at(bytes, 8)?,
            has_more: match bytes.get(12)? {
                0 => false,
                1 => true,
                _ => return None,
            },
        })
    }

    /// The bytes on the wire.
    pub fn emit(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[0..4].copy_from_slice(&self.service.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.acknowledged.to_le_bytes());
        bytes[12] = u8::from(self.has_more);
        bytes
    }

    /// Whether the payload is a `Signal`.
    pub fn is_signal(&self) -> bool {
        self.service == 0
    }
}

/// What a pipe says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// I live; and take note of `acknowledged`.
    Beat,
    /// Answer with this token, to where this came from.
    Probe {
        /// Any value.
        token: u64,
    },
    /// The answer.
    Answer {
        /// The probe's.
        token: u64,
    },
    /// I end this pipe, and all that I had to say on it was said before.
    Close,
}

impl Signal {
    /// Parse a payload; padding may follow.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        match bytes.first()? {
            0 => Some(Self::Beat),
            1 => Some(Self::Probe {
                token: u64_at(bytes, 1)?,
            }),
            2 => Some(Self::Answer {
                token: u64_at(bytes, 1)?,
            }),
            3 => Some(Self::Close),
            _ => None,
        }
    }

    /// The bytes on the wire.
    pub fn emit(self) -> [u8; 9] {
        let (kind, token) = match self {
            Self::Beat => (0, 0),
            Self::Probe { token } => (1, token),
            Self::Answer { token } => (2, token),
            Self::Close => (3, 0),
        };
        let mut bytes = [0; 9];
        bytes[0] = kind;
        bytes[1..].copy_from_slice(&u64::to_le_bytes(token));
        bytes
    }
}

/// Names a received message until it is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlReceipt {
    /// Who sent the message.
    pub peer: PeerIndex,
    /// Number of its last fragment.
    pub sequence: u32,
    /// Counts the peer's restarts: a receipt of before one means nothing after it.
    pub generation: u32,
}

/// Both directions of one pipe's control channel. Whoever owns it carries the fragments.
#[derive(Debug, Default)]
pub struct Control {
    sending: Sending,
    receiving: Receiving,
    /// What was last said as `acknowledged`.
    said: u32,
    /// When it must be said again.
    owed_ns: Option<u64>,
}

impl Control {
    /// Queue a message, cut into fragments of at most `fragment_bytes`.
    ///
    /// # Errors
    /// `TooBig` over 64 KiB, `DialQueueFull` when 1 MiB waits.
    pub fn push(
        &mut self,
        service: u32,
        message: &[u8],
        fragment_bytes: usize,
    ) -> Result<(), Reason> {
        self.sending.push(service, message, fragment_bytes)
    }

    /// The next fragment that the peer wants, from the header of any packet of its.
    pub fn take_acknowledgement(&mut self, now_ns: u64, acknowledged: u32) {
        self.sending.take_acknowledgement(now_ns, acknowledged);
    }

    /// The next fragment to send (again) now; `timeout_ns` is how long an answer may take.
    pub fn next_due(&mut self, now_ns: u64, timeout_ns: u64) -> Option<(ControlHeader, Vec<u8>)> {
        let acknowledged = self.receiving.acknowledged();
        let due = self.sending.next_due(now_ns, timeout_ns, acknowledged)?;
        self.note_said();
        Some(due)
    }

    /// When a fragment must be sent (again), or an acknowledgement; `u64::MAX` when none waits.
    pub fn deadline_ns(&self, timeout_ns: u64) -> u64 {
        let owed_ns = self.owed_ns.unwrap_or(u64::MAX);
        self.sending.deadline_ns(timeout_ns).min(owed_ns)
    }

    /// Whether an acknowledgement is to go alone now.
    pub fn is_acknowledgement_due(&self, now_ns: u64) -> bool {
        self.owed_ns.is_some_and(|owed_ns| owed_ns <= now_ns)
    }

    /// Take in a fragment of the peer's.
    ///
    /// # Errors
    /// `BadControl` beyond the window, or when a message exceeds 64 KiB (it is passed over).
    pub fn take_fragment(
        &mut self,
        now_ns: u64,
        header: &ControlHeader,
        payload: &[u8],
    ) -> Result<(), Reason> {
        let is_known = self.receiving.acknowledged().wrapping_sub(header.sequence);
        if (1..=u32::MAX / 2).contains(&is_known) {
            // The acknowledgement was lost.
            self.owe(now_ns);
        }
        let taken = self.receiving.take_fragment(header, payload);
        self.owe_what_moved(now_ns);
        taken
    }

    /// A complete message: service, bytes, number of its last fragment, generation.
    pub fn take_message(&mut self) -> Option<(u32, Vec<u8>, u32, u32)> {
        self.receiving.take_message()
    }

    /// A message's receiver is done with it.
    pub fn commit(&mut self, now_ns: u64, sequence: u32, generation: u32) {
        self.receiving.commit(sequence, generation);
        self.owe_what_moved(now_ns);
    }

    /// What a packet that leaves now says as `acknowledged`.
    pub fn acknowledge(&mut self) -> u32 {
        self.note_said();
        self.said
    }

    fn owe(&mut self, now_ns: u64) {
        self.owed_ns
            .get_or_insert(now_ns.saturating_add(ACKNOWLEDGE_WITHIN_NS));
    }

    fn owe_what_moved(&mut self, now_ns: u64) {
        match self.receiving.acknowledged().wrapping_sub(self.said) {
            0 => {}
            ACKNOWLEDGE_AT.. => self.owed_ns = Some(now_ns),
            _ => self.owe(now_ns),
        }
    }

    fn note_said(&mut self) {
        self.said = self.receiving.acknowledged();
        self.owed_ns = None;
    }

    /// Bytes held for the peer: fragments that came early, and what is under assembly.
    pub fn held_bytes(&self) -> usize {
        self.receiving.held_bytes()
    }

    /// The peer was restarted: both directions begin at 0 again. Messages that were begun are lost (at
    /// most once); the others will be sent.
    pub fn restart(&mut self) {
        self.sending.restart();
        self.receiving.restart();
        self.note_said();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metadata_is_pinned() {
        let header = ControlHeader {
            service: 0x0403_0201,
            sequence: 5,
            acknowledged: 6,
            has_more: true,
        };

        assert_eq!(header.emit(), [1, 2, 3, 4, 5, 0, 0, 0, 6, 0, 0, 0, 1]);
        assert_eq!(ControlHeader::parse(&header.emit()), Some(header));
        assert_eq!(ControlHeader::parse(&[0; 12]), None);
        assert_eq!(ControlHeader::parse(&[2; 13]), None);
    }

    #[test]
    fn the_signals_are_pinned() {
        let token = 0x0807_0605_0403_0201;
        for (signal, golden) in [
            (Signal::Beat, [0; 9]),
            (Signal::Probe { token }, [1, 1, 2, 3, 4, 5, 6, 7, 8]),
            (Signal::Answer { token }, [2, 1, 2, 3, 4, 5, 6, 7, 8]),
            (Signal::Close, [3, 0, 0, 0, 0, 0, 0, 0, 0]),
        ] {
            assert_eq!(signal.emit(), golden);
            assert_eq!(Signal::parse(&golden), Some(signal));
        }
        assert_eq!(Signal::parse(&[]), None);
        assert_eq!(Signal::parse(&[1, 2, 3]), None);
        assert_eq!(Signal::parse(&[4; 9]), None);
    }
}
