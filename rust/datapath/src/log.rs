//! The event log of a simulated run: every received datagram with its fate, for the run's digest.
//!
//! ```text
//! now_ns u64 | length u32 | fate u8 | header length u16 | plaintext header
//! ```
//! Little-endian. `length` is the datagram's; fates are 0 forwarded, 1 delivered, 2 consumed, 3 missed,
//! 4 and up dropped for the reason of that number. Ciphertext is never in it, so that a run with other
//! keys has the same digest.

use crate::counters::Fate;

/// Taken at least this often, or the rest is only counted.
const MAX_LOG_BYTES: usize = 64 << 20;

/// Records since the last `take`.
#[derive(Clone, Debug, Default)]
pub struct EventLog {
    bytes: Vec<u8>,
    lost: u64,
}

impl EventLog {
    /// Record one datagram; `header` is empty when none was opened.
    pub fn push(&mut self, now_ns: u64, datagram_bytes: usize, fate: Fate, header: &[u8]) {
        if self.bytes.len() + header.len() > MAX_LOG_BYTES {
            self.lost += 1;
            return;
        }
        self.bytes.extend_from_slice(&now_ns.to_le_bytes());
        self.bytes
            .extend_from_slice(&(datagram_bytes as u32).to_le_bytes());
        self.bytes.push(match fate {
            Fate::Forwarded => 0,
            Fate::Delivered => 1,
            Fate::Consumed => 2,
            Fate::Missed => 3,
            Fate::Dropped(reason) => 4 + reason as u8,
        });
        self.bytes
            .extend_from_slice(&(header.len() as u16).to_le_bytes());
        self.bytes.extend_from_slice(header);
    }

    /// All records since the last call.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    /// Records that did not fit: the digest of such a run means nothing.
    pub fn lost(&self) -> u64 {
        self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counters::Reason;

    #[test]
    fn the_layout_is_pinned() {
        let mut log = EventLog::default();

        log.push(0x0102, 300, Fate::Missed, &[0x10, 64]);
        log.push(1, 2, Fate::Dropped(Reason::Truncated), &[]);

        assert_eq!(
            log.take(),
            [
                2, 1, 0, 0, 0, 0, 0, 0, 0x2c, 1, 0, 0, 3, 2, 0, 0x10, 64, // missed
                1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, // dropped
            ]
        );
        assert!(log.take().is_empty());
    }
}
