//! AES-256-GCM for datagrams: a key schedule of 384 bytes, in place, without allocation, quick on the 48 to
//! 128 bytes that a hop opens and seals of every packet.
//!
//! ```
//! let key = ei_aead::Key::new(&[7; 32]);
//! let mut packet = *b"a headerand the place of its tag";
//! let nonce = ei_aead::Nonce::from_counter(1);
//!
//! let (plain, tag) = packet.split_at_mut(8);
//! tag[..16].copy_from_slice(&key.seal(nonce, b"prefix", plain)?);
//!
//! assert_eq!(key.open(nonce, b"prefix", &mut packet[..24])?, b"a header");
//! # Ok::<(), ei_aead::Refused>(())
//! ```
//! Two variants, chosen when a key is made, by what the processor can do: `wide` computes four blocks
//! with each instruction (AVX-512 with VAES and VPCLMULQDQ: Intel since 2019, AMD since Zen 4), `ring` runs
//! everywhere. They give the same bytes; the tests hold one against the other. Why code of our own, and what
//! bounds the risk: `docs/decisions/`, 219.
//!
//! The same instructions make `TableHash`, a keyed hash for tables.
//!
//! Nothing branches or indexes by a secret. Whoever seals must never repeat a nonce under one key.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)
)]

#[cfg(target_arch = "x86_64")]
mod field;
#[cfg_attr(not(target_arch = "x86_64"), path = "no_table_hash.rs")]
mod table_hash;
#[cfg(target_arch = "x86_64")]
mod wide;

pub use table_hash::TableHash;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, UnboundKey};

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;
/// Bytes of a tag.
pub const TAG_BYTES: usize = 16;
/// Bytes of a nonce.
pub const NONCE_BYTES: usize = 12;
/// Most bytes of one message: GCM counts its blocks in 32 bits, of which two are the tag's (NIST SP 800-38D).
pub const MAX_BYTES: u64 = ((1 << 32) - 2) * 16;

/// The seal does not fit, or the message is longer than `MAX_BYTES`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

impl std::fmt::Display for Refused {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the seal does not fit, or the message is longer than 2^36 - 32 bytes")
    }
}

impl std::error::Error for Refused {}

/// The 12 bytes that must differ for all messages under one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nonce {
    /// As a little-endian number. Never put together in memory: what is written in parts and read as a whole
    /// makes the processor wait.
    number: u128,
}

impl Nonce {
    /// These bytes.
    #[inline]
    pub const fn from_bytes(bytes: [u8; NONCE_BYTES]) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = bytes;
        Self {
            number: u128::from_le_bytes([a, b, c, d, e, f, g, h, i, j, k, l, 0, 0, 0, 0]),
        }
    }

    /// Four zero bytes and the counter, little-endian.
    #[inline]
    pub const fn from_counter(counter: u64) -> Self {
        Self {
            number: (counter as u128) << 32,
        }
    }

    fn of_ring(self) -> ring::aead::Nonce {
        let [bytes @ .., _, _, _, _] = self.number.to_le_bytes();
        ring::aead::Nonce::assume_unique_for_key(bytes)
    }
}

/// One key, ready for use. Its schedule is inline, six cache lines, and is overwritten when dropped.
#[repr(align(64))]
pub struct Key(Variant);

// The small variant is for the processors that lack the other; a key of those is a pointer to another.
#[allow(clippy::large_enum_variant)]
enum Variant {
    #[cfg(target_arch = "x86_64")]
    Wide(wide::Schedule),
    /// Elsewhere than in the key, which would else be larger by half.
    Portable(Box<LessSafeKey>),
}

impl Key {
    /// Expand `key` for the best variant that this processor can run.
    pub fn new(key: &[u8; KEY_BYTES]) -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(schedule) = wide::Schedule::new(key) {
            return Self(Variant::Wide(schedule));
        }
        Self::portable(key)
    }

    /// Expand `key` for the variant that runs on any processor.
    pub fn portable(key: &[u8; KEY_BYTES]) -> Self {
        let Ok(key) = UnboundKey::new(&AES_256_GCM, key) else {
            unreachable!("AES-256-GCM takes any {KEY_BYTES} bytes as a key");
        };
        Self(Variant::Portable(Box::new(LessSafeKey::new(key))))
    }

    /// Whether it is the variant that runs on any processor.
    pub fn is_portable(&self) -> bool {
        matches!(self.0, Variant::Portable(_))
    }

    /// Encrypt `plain` in place and return its tag.
    ///
    /// # Errors
    /// Past `MAX_BYTES`; nothing is changed then.
    #[inline]
    pub fn seal(
        &self,
        nonce: Nonce,
        associated: &[u8],
        plain: &mut [u8],
    ) -> Result<[u8; TAG_BYTES], Refused> {
        match &self.0 {
            #[cfg(target_arch = "x86_64")]
            Variant::Wide(schedule) => {
                if plain.len() as u64 > MAX_BYTES {
                    return Err(Refused);
                }
                Ok(schedule.seal(nonce.number, associated, plain))
            }
            Variant::Portable(key) => {
                let tag = key
                    .seal_in_place_separate_tag(nonce.of_ring(), Aad::from(associated), plain)
                    .map_err(|_| Refused)?;
                tag.as_ref().try_into().map_err(|_| Refused)
            }
        }
    }

    /// Verify `sealed` (ciphertext and tag) and decrypt it in place; returns the plaintext. On error its
    /// content is lost: zeros, or as it was.
    ///
    /// # Errors
    /// Whatever was not sealed with this key, nonce and associated data.
    #[inline]
    pub fn open<'a>(
        &self,
        nonce: Nonce,
        associated: &[u8],
        sealed: &'a mut [u8],
    ) -> Result<&'a mut [u8], Refused> {
        match &self.0 {
            #[cfg(target_arch = "x86_64")]
            Variant::Wide(schedule) => {
                let (data, tag) = sealed.split_last_chunk_mut().ok_or(Refused)?;
                if data.len() as u64 > MAX_BYTES
                    || !schedule.open(nonce.number, associated, data, tag)
                {
                    return Err(Refused);
                }
                Ok(data)
            }
            Variant::Portable(key) => key
                .open_in_place(nonce.of_ring(), Aad::from(associated), sealed)
                .map_err(|_| Refused),
        }
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Key")
    }
}
