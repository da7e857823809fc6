//! What goes over the network, byte by byte: the outer datagram and the L3.5 header.
//!
//! Each layout is drawn once, beside the code that parses it (`prefix`, `header`), and described for
//! people in `docs/reference/wire.md`. All numbers are little-endian. Parsing takes any bytes and
//! answers with a value that cannot be illegal, or with the `Reason` to count.

pub mod handshake;
mod header;
mod prefix;

pub use header::{Header, Protection, split_sealed};
pub use prefix::{DatagramType, Prefix};

/// The version in the high four bits of every datagram and of every L3.5 header.
pub const WIRE_VERSION: u8 = 1;

/// Default UDP port of nodes and hosts.
pub const DEFAULT_PORT: u16 = 3535;

/// Bytes of an AES-GCM authentication tag.
pub const TAG_BYTES: usize = 16;

/// The service number of a pipe's own control channel.
pub const CONTROL_SERVICE: u32 = 1;

/// Name of a host or node on the service layer, written as IPv6 under `fd35::/16`.
///
/// `fd35` | domain number u32 big-endian | 80 bits of SHA-256 over domain and identity key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Address(pub [u8; 16]);

impl std::fmt::Display for Address {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::net::Ipv6Addr::from(self.0).fmt(formatter)
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, formatter)
    }
}

/// `bytes[offset..offset + N]` as an array, or `None` past the end.
pub(crate) fn array_at<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    let end = offset.checked_add(N)?;
    bytes.get(offset..end)?.try_into().ok()
}

/// Little-endian u16 at `offset`.
pub(crate) fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    array_at(bytes, offset).map(u16::from_le_bytes)
}

/// Little-endian u32 at `offset`.
pub(crate) fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    array_at(bytes, offset).map(u32::from_le_bytes)
}

/// Little-endian u64 at `offset`.
pub(crate) fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    array_at(bytes, offset).map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_written_as_ipv6() {
        let mut bytes = [0; 16];
        bytes[0] = 0xfd;
        bytes[1] = 0x35;
        bytes[15] = 7;

        assert_eq!(Address(bytes).to_string(), "fd35::7");
    }
}
