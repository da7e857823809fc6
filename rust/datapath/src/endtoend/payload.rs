//! The payload of a packet with protection 1 (datagrams), byte by byte.
//!
//! ```text
//! datagram       0 key id u32, not 0 │ 4 counter u64 │ 12 ciphertext │ tag 16 B
//! initiation     0 zero u32 │ 4 type 1 │ 5 suite u8 │ 6 zero u16 │ 8 sender key id u32 │ 12 offered suites 4 B │ 16 message
//! response       0 zero u32 │ 4 type 2 │ 5 suite u8 │ 6 zero u16 │ 8 sender key id u32 │ 12 receiver key id u32 │ 16 message
//! cookie         0 zero u32 │ 4 type 3 │ 5 zero u8  │ 6 zero u16 │ 8 receiver key id u32 │ 12 cookie 16 B
//! half           0 zero u32 │ 4 type 4 │ 5 half u8  │ 6 zero u16 │ 8 sender key id u32 │ 12 half of an initiation
//! ```
//! The associated data of a datagram's seal are its first 12 bytes and what the caller gives. A
//! datagram of 28 bytes with counter 0 is a confirmation: it carries nothing, and its associated data
//! are the 12 bytes alone. A real empty datagram therefore never has counter 0.

use crate::counters::Reason;
use crate::wire::handshake::{MAC_BYTES, Suites};
use crate::wire::{TAG_BYTES, array_at, u16_at, u32_at, u64_at};

/// Bytes in front of the ciphertext.
pub(super) const PREFIX_BYTES: usize = 12;
/// What sealing adds to a datagram.
pub const OVERHEAD_BYTES: usize = PREFIX_BYTES + TAG_BYTES;

const HANDSHAKE_KEY_ID: u32 = 0;
const INITIATION: u8 = 1;
const RESPONSE: u8 = 2;
const COOKIE: u8 = 3;
const HALF: u8 = 4;
const HALF_AT: usize = 12;

/// One payload, by what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload<'a> {
    /// A sealed datagram.
    Datagram {
        /// Names the receiver's session.
        key_id: u32,
        /// The nonce.
        counter: u64,
    },
    /// First handshake message.
    Initiation {
        /// Chosen by the initiator.
        suite: u8,
        /// The initiator's key id of the session to be.
        sender_id: u32,
        /// All suites of the initiator.
        offered: Suites,
        /// The suite's first message.
        message: &'a [u8],
    },
    /// Second handshake message.
    Response {
        /// As in the initiation.
        suite: u8,
        /// The responder's key id.
        sender_id: u32,
        /// The initiator's key id.
        receiver_id: u32,
        /// The suite's second message.
        message: &'a [u8],
    },
    /// The initiation's timestamp is stale: repeat it with this.
    Cookie {
        /// The initiator's key id.
        receiver_id: u32,
        /// To be sent encrypted in the next initiation.
        cookie: [u8; MAC_BYTES],
    },
    /// Half of an initiation, for ways that do not carry it whole.
    Half {
        /// Which: 0 or 1.
        half: u8,
        /// The initiator's key id, the same in both.
        sender_id: u32,
        /// Bytes of the initiation.
        bytes: &'a [u8],
    },
}

impl<'a> Payload<'a> {
    /// Parse any bytes.
    ///
    /// # Errors
    /// `Truncated`, `UnknownType`, `UnknownFlags` (bytes that must be zero are not).
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Reason> {
        let key_id = u32_at(bytes, 0).ok_or(Reason::Truncated)?;
        if key_id != HANDSHAKE_KEY_ID {
            if bytes.len() < OVERHEAD_BYTES {
                return Err(Reason::Truncated);
            }
            let counter = u64_at(bytes, 4).ok_or(Reason::Truncated)?;
            return Ok(Self::Datagram { key_id, counter });
        }
        let [kind, suite] = array_at(bytes, 4).ok_or(Reason::Truncated)?;
        let reserved = u16_at(bytes, 6).ok_or(Reason::Truncated)?;
        let first_id = u32_at(bytes, 8).ok_or(Reason::Truncated)?;
        if reserved != 0 {
            return Err(Reason::UnknownFlags);
        }
        match kind {
            INITIATION => Ok(Self::Initiation {
                suite,
                sender_id: first_id,
                offered: array_at(bytes, 12).ok_or(Reason::Truncated)?,
                message: bytes.get(16..).ok_or(Reason::Truncated)?,
            }),
            RESPONSE => Ok(Self::Response {
                suite,
                sender_id: first_id,
                receiver_id: u32_at(bytes, 12).ok_or(Reason::Truncated)?,
                message: bytes.get(16..).ok_or(Reason::Truncated)?,
            }),
            COOKIE if suite != 0 => Err(Reason::UnknownFlags),
            HALF if suite > 1 => Err(Reason::UnknownFlags),
            HALF => Ok(Self::Half {
                half: suite,
                sender_id: first_id,
                bytes: bytes.get(HALF_AT..).ok_or(Reason::Truncated)?,
            }),
            COOKIE => Ok(Self::Cookie {
                receiver_id: first_id,
                cookie: array_at(bytes, 12).ok_or(Reason::Truncated)?,
            }),
            _ => Err(Reason::UnknownType),
        }
    }

    /// The bytes of a handshake message; of a datagram only those in front of the ciphertext.
    pub fn emit(&self) -> Vec<u8> {
        match *self {
            Self::Datagram { key_id, counter } => prefix(key_id, counter).to_vec(),
            Self::Initiation {
                suite,
                sender_id,
                offered,
                message,
            } => handshake(INITIATION, suite, sender_id, &[&offered, message]),
            Self::Response {
                suite,
                sender_id,
                receiver_id,
                message,
            } => handshake(
                RESPONSE,
                suite,
                sender_id,
                &[&receiver_id.to_le_bytes(), message],
            ),
            Self::Cookie {
                receiver_id,
                cookie,
            } => handshake(COOKIE, 0, receiver_id, &[&cookie]),
            Self::Half {
                half,
                sender_id,
                bytes,
            } => handshake(HALF, half, sender_id, &[bytes]),
        }
    }
}

/// What stands in front of a datagram's ciphertext.
pub(super) fn prefix(key_id: u32, counter: u64) -> [u8; PREFIX_BYTES] {
    let mut bytes = [0; PREFIX_BYTES];
    bytes[..4].copy_from_slice(&key_id.to_le_bytes());
    bytes[4..].copy_from_slice(&counter.to_le_bytes());
    bytes
}

/// Both halves of an initiation.
pub(super) fn halves(sender_id: u32, initiation: &[u8]) -> [Vec<u8>; 2] {
    let (first, second) = initiation.split_at(initiation.len() / 2);
    [(0, first), (1, second)].map(|(half, bytes)| {
        Payload::Half {
            half,
            sender_id,
            bytes,
        }
        .emit()
    })
}

fn handshake(kind: u8, suite: u8, first_id: u32, rest: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HALF_AT + rest.iter().map(|part| part.len()).sum::<usize>());
    bytes.extend_from_slice(&HANDSHAKE_KEY_ID.to_le_bytes());
    bytes.extend_from_slice(&[kind, suite, 0, 0]);
    bytes.extend_from_slice(&first_id.to_le_bytes());
    rest.iter().for_each(|part| bytes.extend_from_slice(part));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_layouts_are_pinned() {
        let golden: [(Payload<'_>, &[u8]); 4] = [
            (
                Payload::Initiation {
                    suite: 1,
                    sender_id: 0x0403_0201,
                    offered: [1, 0xfa, 0, 0],
                    message: b"noise",
                },
                &[
                    0, 0, 0, 0, 1, 1, 0, 0, 1, 2, 3, 4, 1, 0xfa, 0, 0, b'n', b'o', b'i', b's', b'e',
                ],
            ),
            (
                Payload::Response {
                    suite: 1,
                    sender_id: 0x0403_0201,
                    receiver_id: 0x0807_0605,
                    message: b"no",
                },
                &[0, 0, 0, 0, 2, 1, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, b'n', b'o'],
            ),
            (
                Payload::Cookie {
                    receiver_id: 0x0403_0201,
                    cookie: [7; 16],
                },
                &[
                    0, 0, 0, 0, 3, 0, 0, 0, 1, 2, 3, 4, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
                    7, 7,
                ],
            ),
            (
                Payload::Half {
                    half: 1,
                    sender_id: 0x0403_0201,
                    bytes: b"ha",
                },
                &[0, 0, 0, 0, 4, 1, 0, 0, 1, 2, 3, 4, b'h', b'a'],
            ),
        ];
        for (payload, bytes) in golden {
            assert_eq!(payload.emit(), bytes);
            assert_eq!(Payload::parse(bytes), Ok(payload));
        }
        assert_eq!(
            prefix(0x0403_0201, 0x0c0b_0a09_0807_0605),
            [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
        );
    }

    #[test]
    fn both_halves_together_are_the_initiation() {
        let initiation: Vec<u8> = (0..99).collect();

        let joined: Vec<u8> = halves(7, &initiation)
            .iter()
            .flat_map(|payload| match Payload::parse(payload) {
                Ok(Payload::Half { bytes, .. }) => bytes.to_vec(),
                other => panic!("{other:?}"),
            })
            .collect();

        assert_eq!(joined, initiation);
    }

    #[test]
    fn what_is_not_known_is_refused_by_name() {
        assert_eq!(Payload::parse(&[]), Err(Reason::Truncated));
        assert_eq!(Payload::parse(&[1; 27]), Err(Reason::Truncated));
        assert_eq!(Payload::parse(&[0; 28]), Err(Reason::UnknownType));
        let mut cookie = Payload::Cookie {
            receiver_id: 1,
            cookie: [7; 16],
        }
        .emit();
        cookie[6] = 1;
        assert_eq!(Payload::parse(&cookie), Err(Reason::UnknownFlags));
        cookie[6] = 0;
        cookie[5] = 1;
        assert_eq!(Payload::parse(&cookie), Err(Reason::UnknownFlags));
    }

    proptest! {
        #[test]
        fn any_bytes_parse_or_are_refused(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..100), is_handshake: bool,
        ) {
            if is_handshake {
                bytes.iter_mut().take(4).for_each(|byte| *byte = 0);
            }
            let _ = Payload::parse(&bytes);
        }
    }
}
