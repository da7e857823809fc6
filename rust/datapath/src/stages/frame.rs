//! What a zstd frame says of itself, before anything of it is decompressed (RFC 8878, 3.1.1.1).
//!
//! ```text
//!   magic 28 b5 2f fd | descriptor u8 | [window u8] | [dictionary 1, 2, 4 B] | [content size 1, 2, 4, 8 B] | blocks
//! ```
//! The descriptor's bits: 7-6 length of the content size, 5 single segment (then there is no window byte: the
//! window is the content), 3 reserved, 2 checksum, 1-0 length of the dictionary's number.

const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const SINGLE_SEGMENT: u8 = 0x20;
const RESERVED: u8 = 0x08;

/// The front of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameHeader {
    /// Bytes that it decompresses to.
    pub(super) content_bytes: u64,
    /// Memory that decompressing it would take.
    pub(super) window_bytes: u64,
    /// Number of its dictionary; 0 where it has none.
    pub(super) dictionary: u32,
}

impl FrameHeader {
    /// `None` unless `frame` starts like one frame whose content size is known.
    pub(super) fn parse(frame: &[u8]) -> Option<Self> {
        let rest = frame.strip_prefix(&MAGIC)?;
        let (descriptor, rest) = rest.split_first()?;
        let is_single = descriptor & SINGLE_SEGMENT != 0;
        if descriptor & RESERVED != 0 {
            return None;
        }
        let (window, rest) = if is_single {
            (None, rest)
        } else {
            let (window, rest) = rest.split_first()?;
            (Some(window_of(*window)), rest)
        };
        let (dictionary, rest) = little_endian(
            rest,
            match descriptor & 3 {
                3 => 4,
                length => usize::from(length),
            },
        )?;
        let content_bytes = match (descriptor >> 6, is_single) {
            (0, true) => little_endian(rest, 1)?.0,
            (0, false) => return None,
            (1, _) => little_endian(rest, 2)?.0 + 256,
            (2, _) => little_endian(rest, 4)?.0,
            (_, _) => little_endian(rest, 8)?.0,
        };
        Some(Self {
            content_bytes,
            window_bytes: window.unwrap_or(content_bytes),
            dictionary: dictionary as u32,
        })
    }
}

fn window_of(byte: u8) -> u64 {
    let base = 1u64 << (10 + (byte >> 3));
    base + base / 8 * u64::from(byte & 7)
}

fn little_endian(bytes: &[u8], length: usize) -> Option<(u64, &[u8])> {
    let (field, rest) = bytes.split_at_checked(length)?;
    let value = field
        .iter()
        .rev()
        .fold(0, |value, byte| value << 8 | u64::from(*byte));
    Some((value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_frame_says_its_size_window_and_dictionary() {
        // `zstd -D` of a payload of 142 bytes.
        let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x23, 0x01, 0x80, 0x00, 0x00, 142];

        let header = FrameHeader::parse(&frame);

        let expected = FrameHeader {
            content_bytes: 142,
            window_bytes: 142,
            dictionary: 0x8001,
        };
        assert_eq!(header, Some(expected));
    }

    #[test]
    fn a_window_may_be_larger_than_what_it_holds() {
        // Window descriptor 0x89: exponent 17, mantissa 1; a content size of 2 bytes, from 256.
        let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x40, 0x89, 0x01, 0x00];

        let header = FrameHeader::parse(&frame);

        let expected = FrameHeader {
            content_bytes: 257,
            window_bytes: (1 << 27) + (1 << 24),
            dictionary: 0,
        };
        assert_eq!(header, Some(expected));
    }

    #[test]
    fn a_frame_of_unknown_size_is_none() {
        assert_eq!(
            FrameHeader::parse(&[0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58, 1]),
            None
        );
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..32)) {
            let mut frame = MAGIC.to_vec();
            frame.extend(bytes);
            let _ = FrameHeader::parse(&frame);
        }
    }
}
