//! The 16 bytes in front of every data datagram, and the type byte in front of all of them.
//!
//! ```text
//!  0      1       2               4                8                               16
//!  ┌──────┬───────┬───────────────┬────────────────┬────────────────────────────────┐
//!  │ type │ flags │ sealed length │ receiver index │ counter                        │
//!  │ u8   │ u8    │ u16           │ u32            │ u64                            │
//!  └──────┴───────┴───────────────┴────────────────┴────────────────────────────────┘
//!  sealed: L3.5 header [, payload if COVERED], tag 16 B      then [payload unless COVERED]
//! ```
//! `sealed length` counts from byte 16 to the end of the tag. These 16 bytes are the associated data
//! of the seal. The low four bits of the receiver index are the sender's lane.

use super::{TAG_BYTES, WIRE_VERSION, array_at, u16_at, u32_at, u64_at};
use crate::counters::Reason;

mod field {
    use std::ops::Range;

    pub(super) const TYPE: usize = 0;
    pub(super) const FLAGS: usize = 1;
    pub(super) const SEALED_BYTES: Range<usize> = 2..4;
    pub(super) const RECEIVER_INDEX: Range<usize> = 4..8;
    pub(super) const COUNTER: Range<usize> = 8..16;
    pub(super) const END: usize = COUNTER.end;
}

const FLAG_COVERED: u8 = 0x01;

/// What the first byte says a datagram is: version in the high four bits, type in the low four.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum DatagramType {
    /// First handshake message, padded to 1,200 B.
    Initiation = 1,
    /// Second handshake message.
    Response = 2,
    /// The answer of a busy responder: prove your address first.
    Cookie = 3,
    /// A sealed packet.
    Data = 4,
}

impl DatagramType {
    /// The type of a datagram.
    ///
    /// # Errors
    /// `Truncated` when empty, `UnknownVersion`, `UnknownType`.
    pub fn of(datagram: &[u8]) -> Result<Self, Reason> {
        let first = *datagram.get(field::TYPE).ok_or(Reason::Truncated)?;
        if first >> 4 != WIRE_VERSION {
            return Err(Reason::UnknownVersion);
        }
        match first & 0x0f {
            1 => Ok(Self::Initiation),
            2 => Ok(Self::Response),
            3 => Ok(Self::Cookie),
            4 => Ok(Self::Data),
            _ => Err(Reason::UnknownType),
        }
    }

    /// The first byte of such a datagram.
    pub const fn first_byte(self) -> u8 {
        (WIRE_VERSION << 4) | self as u8
    }
}

/// The parsed prefix of a data datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// The payload is inside the seal too.
    pub is_covered: bool,
    /// Bytes of the sealed part, tag included: 16 to 65,535.
    pub sealed_bytes: u16,
    /// Chosen by the receiver at the handshake; its low four bits are the sender's lane.
    pub receiver_index: u32,
    /// Never repeats under one key; the nonce of the seal.
    pub counter: u64,
}

impl Prefix {
    /// Length on the wire.
    pub const BYTES: usize = field::END;

    /// Parse and check against the datagram's length.
    ///
    /// # Errors
    /// `Truncated`, `UnknownVersion`, `UnknownType` (not data), `UnknownFlags`, `TrailingBytes` (COVERED,
    /// yet something follows the seal).
    pub fn parse(datagram: &[u8]) -> Result<Self, Reason> {
        if DatagramType::of(datagram)? != DatagramType::Data {
            return Err(Reason::UnknownType);
        }
        let bytes: [u8; Self::BYTES] = array_at(datagram, 0).ok_or(Reason::Truncated)?;
        let flags = bytes[field::FLAGS];
        if flags & !FLAG_COVERED != 0 {
            return Err(Reason::UnknownFlags);
        }
        let prefix = Self {
            is_covered: flags & FLAG_COVERED != 0,
            sealed_bytes: u16_at(&bytes, field::SEALED_BYTES.start).ok_or(Reason::Truncated)?,
            receiver_index: u32_at(&bytes, field::RECEIVER_INDEX.start).ok_or(Reason::Truncated)?,
            counter: u64_at(&bytes, field::COUNTER.start).ok_or(Reason::Truncated)?,
        };
        let sealed_end = Self::BYTES + usize::from(prefix.sealed_bytes);
        if usize::from(prefix.sealed_bytes) < TAG_BYTES || sealed_end > datagram.len() {
            return Err(Reason::Truncated);
        }
        if prefix.is_covered && sealed_end != datagram.len() {
            return Err(Reason::TrailingBytes);
        }
        Ok(prefix)
    }

    /// The bytes on the wire.
    pub fn emit(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[field::TYPE] = DatagramType::Data.first_byte();
        bytes[field::FLAGS] = if self.is_covered { FLAG_COVERED } else { 0 };
        bytes[field::SEALED_BYTES].copy_from_slice(&self.sealed_bytes.to_le_bytes());
        bytes[field::RECEIVER_INDEX].copy_from_slice(&self.receiver_index.to_le_bytes());
        bytes[field::COUNTER].copy_from_slice(&self.counter.to_le_bytes());
        bytes
    }

    /// The sender's lane, 0 to 15.
    pub fn lane(&self) -> u8 {
        (self.receiver_index & 0x0f) as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOLDEN: [u8; 36] = [
        0x14, 0x00, 20, 0, 0x23, 0x01, 0xcd, 0xab, 8, 7, 6, 5, 4, 3, 2, 1, // prefix
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // sealed
    ];

    fn golden() -> Prefix {
        Prefix {
            is_covered: false,
            sealed_bytes: 20,
            receiver_index: 0xabcd_0123,
            counter: 0x0102_0304_0506_0708,
        }
    }

    #[test]
    fn the_layout_is_pinned() {
        assert_eq!(golden().emit(), GOLDEN[..16]);
        assert_eq!(Prefix::parse(&GOLDEN), Ok(golden()));
        assert_eq!(golden().lane(), 3);
    }

    #[test]
    fn what_version_1_does_not_know_is_refused_by_name() {
        let refusal = |index: usize, value: u8| {
            let mut bytes = GOLDEN;
            bytes[index] = value;
            Prefix::parse(&bytes)
        };

        assert_eq!(refusal(0, 0x24), Err(Reason::UnknownVersion));
        assert_eq!(refusal(0, 0x1a), Err(Reason::UnknownType));
        assert_eq!(refusal(0, 0x11), Err(Reason::UnknownType));
        assert_eq!(refusal(1, 0x02), Err(Reason::UnknownFlags));
        assert_eq!(refusal(1, 0x80), Err(Reason::UnknownFlags));
        assert_eq!(refusal(2, 15), Err(Reason::Truncated));
        assert_eq!(refusal(2, 21), Err(Reason::Truncated));
        assert_eq!(Prefix::parse(&GOLDEN[..15]), Err(Reason::Truncated));
        assert_eq!(Prefix::parse(&[]), Err(Reason::Truncated));
    }

    #[test]
    fn nothing_may_follow_a_covered_seal() {
        let mut bytes = GOLDEN.to_vec();
        bytes[1] = FLAG_COVERED;
        assert!(Prefix::parse(&bytes).is_ok_and(|prefix| prefix.is_covered));

        bytes.push(0);

        assert_eq!(Prefix::parse(&bytes), Err(Reason::TrailingBytes));
    }
}
