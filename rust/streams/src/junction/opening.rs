//! The first bytes of a stream: what it is for, in the service's own words.
//!
//! ```text
//!   0        2
//!   ┌────────┬─────────────────────┐
//!   │ length │ opening             │ then the bytes of the stream
//!   │ u16    │ 0 to 1,024 B        │
//!   └────────┴─────────────────────┘
//! ```
//! Little-endian.

/// Longest opening.
pub const MAX_OPENING_BYTES: usize = 1_024;

const LENGTH_BYTES: usize = 2;

/// What the bytes so far come to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// So many more are needed.
    Wants(usize),
    /// They are the length and this opening.
    Whole(Vec<u8>),
    /// It is longer than it may be.
    TooLong,
}

/// Read an opening; `bytes` are never more than were wanted.
pub(super) fn read(bytes: &[u8]) -> Opening {
    let Some((length, rest)) = bytes.split_first_chunk::<LENGTH_BYTES>() else {
        return Opening::Wants(LENGTH_BYTES - bytes.len());
    };
    let length = usize::from(u16::from_le_bytes(*length));
    match length.checked_sub(rest.len()) {
        _ if length > MAX_OPENING_BYTES => Opening::TooLong,
        Some(0) | None => Opening::Whole(rest.to_vec()),
        Some(wanted) => Opening::Wants(wanted),
    }
}

/// The bytes that begin a stream.
pub(super) fn written(opening: &[u8]) -> Vec<u8> {
    let length = u16::try_from(opening.len()).unwrap_or(u16::MAX);
    let mut bytes = length.to_le_bytes().to_vec();
    bytes.extend_from_slice(opening);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_opening_is_read_as_written_whatever_the_pieces(
            opening in vec(any::<u8>(), 0..=MAX_OPENING_BYTES)
        ) {
            let bytes = written(&opening);
            let mut so_far = 0;

            while let Opening::Wants(wanted) = read(&bytes[..so_far]) {
                prop_assert!(wanted > 0);
                so_far += wanted;
            }

            prop_assert_eq!(so_far, bytes.len());
            prop_assert_eq!(read(&bytes), Opening::Whole(opening));
        }
    }

    #[test]
    fn one_that_is_too_long_is_refused_by_its_length() {
        assert_eq!(read(&[1, 4]), Opening::TooLong);
        assert_eq!(read(&[0, 4]), Opening::Wants(1_024));
    }
}
