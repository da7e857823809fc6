//! Datagrams in a stream of bytes, as streams to UDP ports carry them.
//!
//! ```text
//!   0        2
//!   ┌────────┬─────────────────────┐
//!   │ length │ datagram            │ and so on
//!   │ u16    │ 0 to 9,000 B        │
//!   └────────┴─────────────────────┘
//! ```
//! Little-endian. Longer ones are left out: a stream keeps the beginning of one, so that a bound is due.

/// Longest datagram; paths of jumbo frames carry it.
pub const MAX_DATAGRAM_BYTES: usize = 9_000;

/// Append a datagram; one that is too long is left out.
pub fn frame(datagram: &[u8], out: &mut Vec<u8>) {
    if datagram.len() <= MAX_DATAGRAM_BYTES
        && let Ok(length) = u16::try_from(datagram.len())
    {
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(datagram);
    }
}

/// Datagrams from bytes that come in any pieces.
#[derive(Debug, Default)]
pub struct Unframing {
    /// The beginning of a frame.
    begun: Vec<u8>,
    /// Bytes that are still to come of one that is too long.
    skipped_bytes: usize,
}

impl Unframing {
    /// Take the next bytes; `datagram` is called for each datagram that is whole.
    pub fn feed(&mut self, bytes: &[u8], mut datagram: impl FnMut(&[u8])) {
        self.begun.extend_from_slice(bytes);
        let mut rest = self.begun.as_slice();
        loop {
            let skipped = self.skipped_bytes.min(rest.len());
            self.skipped_bytes -= skipped;
            rest = rest.get(skipped..).unwrap_or(&[]);
            let Some((length, after)) = rest.split_first_chunk::<2>() else {
                break;
            };
            let length = usize::from(u16::from_le_bytes(*length));
            if length > MAX_DATAGRAM_BYTES {
                self.skipped_bytes = length;
                rest = after;
                continue;
            }
            let Some((whole, after)) = after.split_at_checked(length) else {
                break;
            };
            datagram(whole);
            rest = after;
        }
        let done = self.begun.len() - rest.len();
        self.begun.drain(..done);
        self.begun.shrink_to(2 * MAX_DATAGRAM_BYTES);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn datagrams_come_out_as_they_went_in_whatever_the_pieces(
            datagrams in vec(vec(any::<u8>(), 0..300), 0..10),
            piece_bytes in 1usize..700,
        ) {
            let mut bytes = Vec::new();
            datagrams.iter().for_each(|datagram| frame(datagram, &mut bytes));
            let (mut unframing, mut found) = (Unframing::default(), Vec::new());

            for piece in bytes.chunks(piece_bytes) {
                unframing.feed(piece, |datagram| found.push(datagram.to_vec()));
            }

            prop_assert_eq!(found, datagrams);
            prop_assert!(unframing.begun.is_empty());
        }
    }

    #[test]
    fn one_that_is_too_long_is_left_out_and_not_kept() {
        let mut bytes = u16::MAX.to_le_bytes().to_vec();
        bytes.extend_from_slice(&[7; 65_535]);
        frame(b"next", &mut bytes);
        let (mut unframing, mut found) = (Unframing::default(), Vec::new());

        for piece in bytes.chunks(1_000) {
            unframing.feed(piece, |datagram| found.push(datagram.to_vec()));
            assert!(unframing.begun.len() <= 1_000);
        }

        assert_eq!(found, [b"next"]);
    }
}
