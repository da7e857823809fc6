//! The three handshake datagrams, outside of what the handshake encrypts.
//!
//! ```text
//! initiation, at least 1,200 B             response                        cookie, 56 B
//!  0 type 0x11                              0 type 0x12                     0 type 0x13
//!  1 suite u8                               1 suite u8                      1 zero u8
//!  2 message length u16                     2 message length u16            2 zero u16
//!  4 sender index u32                       4 sender index u32              4 receiver index u32
//!  8 offered suites 4 B                     8 receiver index u32            8 nonce 16 B
//! 12 message                               12 message                      24 sealed cookie 16 B
//!    zeros up to 1,200 B, if shorter        . mac1 16 B                    40 tag 16 B
//! -32 mac1 16 B
//! -16 mac2 16 B (zero without a cookie)
//! ```

use super::{DatagramType, array_at, u16_at, u32_at};
use crate::counters::Reason;

/// Bytes of every keyed checksum and cookie.
pub const MAC_BYTES: usize = 16;
/// Shortest initiation, so that no answer is longer than its question (RFC 9000 section 14.1).
pub const INITIATION_BYTES: usize = 1_200;
/// Longest initiation and response that we send: every path carries it, since no end may configure less for its
/// datagrams.
pub const MAX_HANDSHAKE_BYTES: usize = 1_360;
/// Cipher suites a message can list, in order of preference; the rest is zero.
pub const SUITE_SLOTS: usize = 4;
/// A list of cipher suites.
pub type Suites = [u8; SUITE_SLOTS];

mod field {
    pub(super) const SUITE: usize = 1;
    pub(super) const MESSAGE_BYTES: usize = 2;
    pub(super) const FIRST_INDEX: usize = 4;
    pub(super) const OFFERED: usize = 8;
    pub(super) const SECOND_INDEX: usize = 8;
    pub(super) const MESSAGE: usize = 12;
    pub(super) const COOKIE_NONCE: usize = 8;
    pub(super) const COOKIE_SEALED: usize = 24;
    pub(super) const COOKIE_END: usize = 56;
}

/// View of a handshake initiation.
#[derive(Clone, Copy, Debug)]
pub struct Initiation<'a> {
    /// The cipher suite that the initiator chose.
    pub suite: u8,
    /// Receiver index that the answer shall carry.
    pub sender_index: u32,
    /// All suites that the initiator has.
    pub offered: Suites,
    /// The suite's first message.
    pub message: &'a [u8],
    /// All that `mac1` covers.
    pub before_mac1: &'a [u8],
    /// All that `mac2` covers.
    pub before_mac2: &'a [u8],
    /// Proves knowledge of the responder's public key.
    pub mac1: [u8; MAC_BYTES],
    /// Proves a fresh cookie, when not zero.
    pub mac2: [u8; MAC_BYTES],
}

impl<'a> Initiation<'a> {
    /// Check lengths only.
    ///
    /// # Errors
    /// `UnpaddedInitiation`, `Truncated`.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, Reason> {
        if datagram.len() < INITIATION_BYTES {
            return Err(Reason::UnpaddedInitiation);
        }
        let mac1_at = datagram.len() - 2 * MAC_BYTES;
        let mac2_at = datagram.len() - MAC_BYTES;
        Ok(Self {
            suite: suite_of(datagram)?,
            sender_index: u32_at(datagram, field::FIRST_INDEX).ok_or(Reason::Truncated)?,
            offered: array_at(datagram, field::OFFERED).ok_or(Reason::Truncated)?,
            message: message_of(datagram.get(..mac1_at).ok_or(Reason::Truncated)?)?,
            before_mac1: datagram.get(..mac1_at).ok_or(Reason::Truncated)?,
            before_mac2: datagram.get(..mac2_at).ok_or(Reason::Truncated)?,
            mac1: array_at(datagram, mac1_at).ok_or(Reason::Truncated)?,
            mac2: array_at(datagram, mac2_at).ok_or(Reason::Truncated)?,
        })
    }

    /// An initiation of at least 1,200 bytes with both macs left zero (see `put_macs`).
    ///
    /// # Errors
    /// `TooBig` when the message does not fit.
    pub fn emit(
        suite: u8,
        sender_index: u32,
        offered: Suites,
        message: &[u8],
    ) -> Result<Vec<u8>, Reason> {
        let mut datagram = start(DatagramType::Initiation, suite, message.len(), sender_index)?;
        datagram.extend_from_slice(&offered);
        datagram.extend_from_slice(message);
        let length = datagram.len() + 2 * MAC_BYTES;
        if length > MAX_HANDSHAKE_BYTES {
            return Err(Reason::TooBig);
        }
        datagram.resize(length.max(INITIATION_BYTES), 0);
        Ok(datagram)
    }

    /// Fill in the last 32 bytes of an emitted initiation, each mac computed by its closure.
    pub fn put_macs(
        datagram: &mut [u8],
        mac1: impl FnOnce(&[u8]) -> [u8; MAC_BYTES],
        mac2: impl FnOnce(&[u8]) -> [u8; MAC_BYTES],
    ) {
        let Some(mac1_at) = datagram.len().checked_sub(2 * MAC_BYTES) else {
            return;
        };
        let (before, macs) = datagram.split_at_mut(mac1_at);
        if let Some(place) = macs.first_chunk_mut::<MAC_BYTES>() {
            *place = mac1(before);
        }
        let (before, place) = datagram.split_at_mut(mac1_at + MAC_BYTES);
        let value = mac2(before);
        if let Some(place) = place.first_chunk_mut::<MAC_BYTES>() {
            *place = value;
        }
    }
}

/// View of a handshake response.
#[derive(Clone, Copy, Debug)]
pub struct Response<'a> {
    /// The cipher suite, as in the initiation.
    pub suite: u8,
    /// The responder's receiver index.
    pub sender_index: u32,
    /// The initiator's receiver index.
    pub receiver_index: u32,
    /// The suite's second message.
    pub message: &'a [u8],
    /// All that `mac1` covers.
    pub before_mac1: &'a [u8],
    /// Proves knowledge of the initiator's public key.
    pub mac1: [u8; MAC_BYTES],
}

impl<'a> Response<'a> {
    /// Check lengths only.
    ///
    /// # Errors
    /// `Truncated`.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, Reason> {
        let mac1_at = datagram
            .len()
            .checked_sub(MAC_BYTES)
            .ok_or(Reason::Truncated)?;
        let before_mac1 = datagram.get(..mac1_at).ok_or(Reason::Truncated)?;
        Ok(Self {
            suite: suite_of(datagram)?,
            sender_index: u32_at(before_mac1, field::FIRST_INDEX).ok_or(Reason::Truncated)?,
            receiver_index: u32_at(before_mac1, field::SECOND_INDEX).ok_or(Reason::Truncated)?,
            message: message_of(before_mac1)?,
            before_mac1,
            mac1: array_at(datagram, mac1_at).ok_or(Reason::Truncated)?,
        })
    }

    /// A response; `mac1` is computed over all before it.
    ///
    /// # Errors
    /// `TooBig` when the message does not fit.
    pub fn emit(
        suite: u8,
        sender_index: u32,
        receiver_index: u32,
        message: &[u8],
        mac1: impl FnOnce(&[u8]) -> [u8; MAC_BYTES],
    ) -> Result<Vec<u8>, Reason> {
        let mut datagram = start(DatagramType::Response, suite, message.len(), sender_index)?;
        datagram.extend_from_slice(&receiver_index.to_le_bytes());
        datagram.extend_from_slice(message);
        if datagram.len() + MAC_BYTES > MAX_HANDSHAKE_BYTES {
            return Err(Reason::TooBig);
        }
        let mac = mac1(&datagram);
        datagram.extend_from_slice(&mac);
        Ok(datagram)
    }
}

/// View of a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CookieReply {
    /// The sender index of the initiation that this answers.
    pub receiver_index: u32,
    /// Makes the key of the seal.
    pub nonce: [u8; MAC_BYTES],
    /// The cookie and its tag.
    pub sealed: [u8; 2 * MAC_BYTES],
}

impl CookieReply {
    /// Length on the wire.
    pub const BYTES: usize = field::COOKIE_END;

    /// Parse a datagram of exactly 56 bytes.
    ///
    /// # Errors
    /// `Truncated` (any other length), `UnknownFlags` (bytes 1 to 3 are not zero).
    pub fn parse(datagram: &[u8]) -> Result<Self, Reason> {
        if datagram.len() != Self::BYTES {
            return Err(Reason::Truncated);
        }
        if array_at::<3>(datagram, field::SUITE) != Some([0; 3]) {
            return Err(Reason::UnknownFlags);
        }
        Ok(Self {
            receiver_index: u32_at(datagram, field::FIRST_INDEX).ok_or(Reason::Truncated)?,
            nonce: array_at(datagram, field::COOKIE_NONCE).ok_or(Reason::Truncated)?,
            sealed: array_at(datagram, field::COOKIE_SEALED).ok_or(Reason::Truncated)?,
        })
    }

    /// The bytes on the wire.
    pub fn emit(&self) -> Vec<u8> {
        let mut datagram = vec![DatagramType::Cookie.first_byte(), 0, 0, 0];
        datagram.extend_from_slice(&self.receiver_index.to_le_bytes());
        datagram.extend_from_slice(&self.nonce);
        datagram.extend_from_slice(&self.sealed);
        datagram
    }
}

fn start(
    kind: DatagramType,
    suite: u8,
    message_bytes: usize,
    sender_index: u32,
) -> Result<Vec<u8>, Reason> {
    let message_bytes = u16::try_from(message_bytes).map_err(|_| Reason::TooBig)?;
    let mut datagram = Vec::with_capacity(match kind {
        DatagramType::Initiation => MAX_HANDSHAKE_BYTES,
        _ => field::MESSAGE + usize::from(message_bytes) + MAC_BYTES,
    });
    datagram.extend_from_slice(&[kind.first_byte(), suite]);
    datagram.extend_from_slice(&message_bytes.to_le_bytes());
    datagram.extend_from_slice(&sender_index.to_le_bytes());
    Ok(datagram)
}

fn suite_of(datagram: &[u8]) -> Result<u8, Reason> {
    datagram.get(field::SUITE).copied().ok_or(Reason::Truncated)
}

fn message_of(before_mac1: &[u8]) -> Result<&[u8], Reason> {
    let message_bytes = u16_at(before_mac1, field::MESSAGE_BYTES).ok_or(Reason::Truncated)?;
    let end = field::MESSAGE + usize::from(message_bytes);
    before_mac1
        .get(field::MESSAGE..end)
        .ok_or(Reason::Truncated)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_layout_of_an_initiation_is_pinned() {
        let mut datagram = Initiation::emit(1, 0x0403_0201, [1, 0xfa, 0, 0], b"noise").unwrap();
        Initiation::put_macs(&mut datagram, |_| [0xaa; 16], |_| [0xbb; 16]);

        assert_eq!(datagram.len(), 1_200);
        assert_eq!(
            datagram[..20],
            [
                0x11, 1, 5, 0, 1, 2, 3, 4, 1, 0xfa, 0, 0, b'n', b'o', b'i', b's', b'e', 0, 0, 0
            ]
        );
        assert_eq!(datagram[1_168..1_184], [0xaa; 16]);
        assert_eq!(datagram[1_184..], [0xbb; 16]);
        let view = Initiation::parse(&datagram).unwrap();
        assert_eq!((view.suite, view.sender_index), (1, 0x0403_0201));
        assert_eq!(
            (view.offered, view.message),
            ([1, 0xfa, 0, 0], &b"noise"[..])
        );
        assert_eq!((view.mac1, view.mac2), ([0xaa; 16], [0xbb; 16]));
        assert_eq!(
            (view.before_mac1.len(), view.before_mac2.len()),
            (1_168, 1_184)
        );
    }

    #[test]
    fn an_unpadded_initiation_is_refused() {
        let datagram = Initiation::emit(1, 1, [1, 0, 0, 0], b"noise").unwrap();

        assert_eq!(
            Initiation::parse(&datagram[..1_199]).unwrap_err(),
            Reason::UnpaddedInitiation
        );
    }

    #[test]
    fn what_no_path_need_carry_is_not_sent() {
        let longest = [0; MAX_HANDSHAKE_BYTES - 12 - 2 * MAC_BYTES];
        let too_long = [0; MAX_HANDSHAKE_BYTES - 12 - MAC_BYTES + 1];

        let initiation = Initiation::emit(2, 1, [2, 0, 0, 0], &longest).unwrap();

        assert_eq!(initiation.len(), MAX_HANDSHAKE_BYTES);
        assert_eq!(
            Initiation::emit(2, 1, [2, 0, 0, 0], &too_long),
            Err(Reason::TooBig)
        );
        assert_eq!(
            Response::emit(2, 1, 1, &too_long, |_| [0; 16]),
            Err(Reason::TooBig)
        );
    }

    #[test]
    fn the_layout_of_a_response_is_pinned() {
        let datagram = Response::emit(1, 0x0403_0201, 0x0807_0605, b"no", |_| [0xcc; 16]).unwrap();

        let mut golden = vec![0x12, 1, 2, 0, 1, 2, 3, 4, 5, 6, 7, 8, b'n', b'o'];
        golden.extend_from_slice(&[0xcc; 16]);
        assert_eq!(datagram, golden);
        let view = Response::parse(&datagram).unwrap();
        assert_eq!(
            (view.sender_index, view.receiver_index),
            (0x0403_0201, 0x0807_0605)
        );
        assert_eq!(
            (view.suite, view.message, view.mac1),
            (1, &b"no"[..], [0xcc; 16])
        );
    }

    #[test]
    fn the_layout_of_a_cookie_is_pinned() {
        let reply = CookieReply {
            receiver_index: 0x0403_0201,
            nonce: [5; 16],
            sealed: [6; 32],
        };

        let datagram = reply.emit();

        assert_eq!(datagram.len(), CookieReply::BYTES);
        assert_eq!(datagram[..9], [0x13, 0, 0, 0, 1, 2, 3, 4, 5]);
        assert_eq!(CookieReply::parse(&datagram), Ok(reply));
        assert_eq!(CookieReply::parse(&datagram[..55]), Err(Reason::Truncated));
    }

    proptest! {
        #[test]
        fn any_bytes_parse_or_are_refused(
            bytes in proptest::collection::vec(any::<u8>(), 0..1_400),
        ) {
            let _ = Initiation::parse(&bytes);
            let _ = Response::parse(&bytes);
            let _ = CookieReply::parse(&bytes);
        }
    }
}
