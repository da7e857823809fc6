//! The L3.5 header: what a packet asks of the service layer. 20 to 291 bytes.
//!
//! ```text
//!   0          1           2            4             8               16
//!   ┌──────────┬───────────┬────────────┬─────────────┬────────────────┐
//!   │ version  │ hop limit │ class      │ service     │ connection     │
//!   │ + flags  │ u8        │ u16        │ u32         │ u64            │
//!   ├──────────┴─────┬─────┴────────┬───┴────────┬────┴────────────────┘
//!   │ payload length │ metadata len │ protection │ [source 16 B] | metadata 0 to 255 B
//!   │ u16            │ u8           │ u8         │ if ORIGIN
//!   └────────────────┴──────────────┴────────────┘
//!   16               18             19           20
//! ```
//! Flags, in the low four bits of byte 0: ORIGIN 1, TRACED 2.

use super::{Address, WIRE_VERSION, array_at, u16_at, u32_at, u64_at};
use crate::counters::Reason;

mod field {
    use std::ops::Range;

    pub(super) const VERSION_AND_FLAGS: usize = 0;
    pub(super) const HOP_LIMIT: usize = 1;
    pub(super) const CLASS: Range<usize> = 2..4;
    pub(super) const SERVICE: Range<usize> = 4..8;
    pub(super) const CONNECTION: Range<usize> = 8..16;
    pub(super) const PAYLOAD_BYTES: Range<usize> = 16..18;
    pub(super) const METADATA_BYTES: usize = 18;
    pub(super) const PROTECTION: usize = 19;
    pub(super) const FIXED_END: usize = 20;
}

const FLAG_ORIGIN: u8 = 0x01;
const FLAG_TRACED: u8 = 0x02;
const SOURCE_BYTES: usize = 16;

/// How the payload is sealed from host to host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum Protection {
    /// Not at all: only over COVERED pipes, and only where a service reads it.
    #[default]
    None = 0,
    /// Noise IK between two hosts, one datagram at a time.
    Datagrams = 1,
    /// TLS in QUIC.
    Streams = 2,
    /// A group's sender keys.
    Groups = 3,
    /// Not at all, and the payload is a zstd frame that the node before made for this one: only over
    /// COVERED pipes, never to a host.
    Packed = 4,
}

impl Protection {
    /// From its byte; `None` for a value this version does not know.
    pub const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::None),
            1 => Some(Self::Datagrams),
            2 => Some(Self::Streams),
            3 => Some(Self::Groups),
            4 => Some(Self::Packed),
            _ => None,
        }
    }

    /// Whether nothing but the pipe's own seal protects the payload.
    pub const fn is_none(self) -> bool {
        matches!(self, Self::None | Self::Packed)
    }
}

/// One parsed L3.5 header. `metadata` borrows from the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// Nodes that may still forward the packet, 0 to 255.
    pub hop_limit: u8,
    /// Class of service; 0 is best effort.
    pub class: u16,
    /// Number of the service that the source named.
    pub service: u32,
    /// Chosen by the source, unique for its (source, service).
    pub connection: u64,
    /// Bytes of payload; what follows them is padding.
    pub payload_bytes: u16,
    /// End-to-end seal of the payload.
    pub protection: Protection,
    /// The host (or hiding node) that the packet speaks for; absent on a host's own first pipe.
    pub source: Option<Address>,
    /// The service's own bytes, at most 255.
    pub metadata: &'a [u8],
    /// Each node on the way keeps a record of what it did.
    pub is_traced: bool,
}

impl<'a> Header<'a> {
    /// Shortest header: no source, no metadata.
    pub const MIN_BYTES: usize = field::FIXED_END;
    /// Longest header: source and 255 bytes of metadata.
    pub const MAX_BYTES: usize = field::FIXED_END + SOURCE_BYTES + 255;

    /// Parse exactly the header's bytes (see `split_sealed` for where they end).
    ///
    /// # Errors
    /// `BadHeader` (length or protection), `UnknownVersion`, `UnknownFlags`.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Reason> {
        let fixed: [u8; field::FIXED_END] = array_at(bytes, 0).ok_or(Reason::BadHeader)?;
        let flags = flags_of(fixed[field::VERSION_AND_FLAGS])?;
        let has_origin = flags & FLAG_ORIGIN != 0;
        let source = if has_origin {
            Some(Address(
                array_at(bytes, field::FIXED_END).ok_or(Reason::BadHeader)?,
            ))
        } else {
            None
        };
        let metadata_start = field::FIXED_END + if has_origin { SOURCE_BYTES } else { 0 };
        let metadata = bytes.get(metadata_start..).ok_or(Reason::BadHeader)?;
        if metadata.len() != usize::from(fixed[field::METADATA_BYTES]) {
            return Err(Reason::BadHeader);
        }
        Ok(Self {
            hop_limit: fixed[field::HOP_LIMIT],
            class: u16_at(&fixed, field::CLASS.start).ok_or(Reason::BadHeader)?,
            service: u32_at(&fixed, field::SERVICE.start).ok_or(Reason::BadHeader)?,
            connection: u64_at(&fixed, field::CONNECTION.start).ok_or(Reason::BadHeader)?,
            payload_bytes: u16_at(&fixed, field::PAYLOAD_BYTES.start).ok_or(Reason::BadHeader)?,
            protection: Protection::from_byte(fixed[field::PROTECTION]).ok_or(Reason::BadHeader)?,
            source,
            metadata,
            is_traced: flags & FLAG_TRACED != 0,
        })
    }

    /// Length on the wire: 20 to 291 bytes, when `metadata` is at most 255.
    pub fn emitted_bytes(&self) -> usize {
        field::FIXED_END
            + if self.source.is_some() {
                SOURCE_BYTES
            } else {
                0
            }
            + self.metadata.len()
    }

    /// Write the header to the front of `out`; returns its length.
    ///
    /// # Errors
    /// `BadHeader` when the metadata exceeds 255 bytes, `TooBig` when `out` is too short.
    pub fn emit(&self, out: &mut [u8]) -> Result<usize, Reason> {
        let metadata_bytes = u8::try_from(self.metadata.len()).map_err(|_| Reason::BadHeader)?;
        let mut flags = if self.source.is_some() {
            FLAG_ORIGIN
        } else {
            0
        };
        if self.is_traced {
            flags |= FLAG_TRACED;
        }
        let mut fixed = [0; field::FIXED_END];
        fixed[field::VERSION_AND_FLAGS] = (WIRE_VERSION << 4) | flags;
        fixed[field::HOP_LIMIT] = self.hop_limit;
        fixed[field::CLASS].copy_from_slice(&self.class.to_le_bytes());
        fixed[field::SERVICE].copy_from_slice(&self.service.to_le_bytes());
        fixed[field::CONNECTION].copy_from_slice(&self.connection.to_le_bytes());
        fixed[field::PAYLOAD_BYTES].copy_from_slice(&self.payload_bytes.to_le_bytes());
        fixed[field::METADATA_BYTES] = metadata_bytes;
        fixed[field::PROTECTION] = self.protection as u8;

        let total = self.emitted_bytes();
        let out = out.get_mut(..total).ok_or(Reason::TooBig)?;
        let (head, rest) = out.split_at_mut(field::FIXED_END);
        head.copy_from_slice(&fixed);
        let rest = match &self.source {
            Some(source) => {
                let (place, rest) = rest.split_at_mut(SOURCE_BYTES);
                place.copy_from_slice(&source.0);
                rest
            }
            None => rest,
        };
        rest.copy_from_slice(self.metadata);
        Ok(total)
    }
}

/// Where a header that starts `bytes` ends, and how long the payload is that it announces.
///
/// # Errors
/// `BadHeader` when `bytes` end before the header does, `UnknownVersion`, `UnknownFlags`.
pub fn split_sealed(bytes: &[u8]) -> Result<(usize, usize), Reason> {
    let fixed: [u8; field::FIXED_END] = array_at(bytes, 0).ok_or(Reason::BadHeader)?;
    let flags = flags_of(fixed[field::VERSION_AND_FLAGS])?;
    let header_bytes = field::FIXED_END
        + if flags & FLAG_ORIGIN != 0 {
            SOURCE_BYTES
        } else {
            0
        }
        + usize::from(fixed[field::METADATA_BYTES]);
    if header_bytes > bytes.len() {
        return Err(Reason::BadHeader);
    }
    let payload_bytes = u16_at(&fixed, field::PAYLOAD_BYTES.start).ok_or(Reason::BadHeader)?;
    Ok((header_bytes, usize::from(payload_bytes)))
}

fn flags_of(first: u8) -> Result<u8, Reason> {
    if first >> 4 != WIRE_VERSION {
        return Err(Reason::UnknownVersion);
    }
    let flags = first & 0x0f;
    if flags & !(FLAG_ORIGIN | FLAG_TRACED) != 0 {
        return Err(Reason::UnknownFlags);
    }
    Ok(flags)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GOLDEN: [u8; 39] = [
        0x13, 64, 0x02, 0x01, 16, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1, 0, 2, 3, 1, // fixed
        0xfd, 0x35, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, // source
        0xaa, 0xbb, 0xcc, // metadata
    ];

    fn golden() -> Header<'static> {
        Header {
            hop_limit: 64,
            class: 0x0102,
            service: 16,
            connection: 0x0102_0304_0506_0708,
            payload_bytes: 512,
            protection: Protection::Datagrams,
            source: Some(Address([
                0xfd, 0x35, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9,
            ])),
            metadata: &[0xaa, 0xbb, 0xcc],
            is_traced: true,
        }
    }

    #[test]
    fn the_layout_is_pinned() {
        let mut out = [0; 64];

        let written = golden().emit(&mut out);

        assert_eq!(written, Ok(GOLDEN.len()));
        assert_eq!(out[..GOLDEN.len()], GOLDEN);
        assert_eq!(Header::parse(&GOLDEN), Ok(golden()));
        assert_eq!(split_sealed(&GOLDEN), Ok((39, 512)));
    }

    #[test]
    fn what_version_1_does_not_know_is_refused_by_name() {
        let refusal = |index: usize, value: u8| {
            let mut bytes = GOLDEN;
            bytes[index] = value;
            Header::parse(&bytes).unwrap_err()
        };

        assert_eq!(refusal(0, 0x23), Reason::UnknownVersion);
        assert_eq!(refusal(0, 0x17), Reason::UnknownFlags);
        assert_eq!(refusal(0, 0x1b), Reason::UnknownFlags);
        assert_eq!(refusal(19, 5), Reason::BadHeader);
        assert_eq!(refusal(18, 2), Reason::BadHeader);
        assert_eq!(refusal(18, 4), Reason::BadHeader);
    }

    #[test]
    fn metadata_over_255_bytes_is_refused() {
        let long = [0; 256];
        let header = Header {
            metadata: &long,
            ..golden()
        };

        assert_eq!(header.emit(&mut [0; 512]), Err(Reason::BadHeader));
    }

    #[test]
    fn a_short_buffer_is_refused() {
        assert_eq!(golden().emit(&mut [0; 38]), Err(Reason::TooBig));
    }

    proptest! {
        #[test]
        fn emit_then_parse_is_identity(
            hop_limit: u8, class: u16, service: u32, connection: u64, payload_bytes: u16,
            protection in 0u8..5, source: Option<[u8; 16]>, is_traced: bool,
            metadata in proptest::collection::vec(any::<u8>(), 0..=255),
        ) {
            let header = Header {
                hop_limit, class, service, connection, payload_bytes,
                protection: Protection::from_byte(protection).unwrap(),
                source: source.map(Address), metadata: &metadata, is_traced,
            };
            let mut out = [0; Header::MAX_BYTES];

            let written = header.emit(&mut out).unwrap();

            prop_assert_eq!(Header::parse(&out[..written]).unwrap(), header);
            let lengths = split_sealed(&out[..written]).unwrap();
            prop_assert_eq!(lengths, (written, usize::from(payload_bytes)));
        }

        #[test]
        fn parse_takes_any_bytes_and_accepts_one_encoding_only(
            bytes in proptest::collection::vec(any::<u8>(), 0..400),
        ) {
            if let Ok(header) = Header::parse(&bytes) {
                let mut out = [0; Header::MAX_BYTES];
                let written = header.emit(&mut out).unwrap();
                prop_assert_eq!(&out[..written], &bytes[..]);
            }
        }
    }
}
