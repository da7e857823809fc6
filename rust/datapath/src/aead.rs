//! AES-256-GCM with a kept key schedule, in place, without allocation (on the `ring` crate).
//!
//! Why ring: `docs/decisions/` has the table of what was measured.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use crate::counters::Reason;
use crate::wire::TAG_BYTES;

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;

/// One key, ready for use: 544 bytes of key schedule and tables.
///
/// The nonce is four zero bytes and the counter, little-endian as on the wire; whoever seals must
/// never repeat a counter.
pub struct PacketKey(LessSafeKey);

impl PacketKey {
    /// Expand `key`: 0.2 µs.
    pub fn new(key: &[u8; KEY_BYTES]) -> Self {
        let Ok(key) = UnboundKey::new(&AES_256_GCM, key) else {
            unreachable!("AES-256-GCM takes any {KEY_BYTES} bytes as a key");
        };
        Self(LessSafeKey::new(key))
    }

    /// Encrypt `plain` in place and return its tag.
    ///
    /// # Errors
    /// `TooBig` past the 2^36 bytes that GCM allows.
    #[inline]
    pub fn seal(
        &self,
        counter: u64,
        associated: &[u8],
        plain: &mut [u8],
    ) -> Result<[u8; TAG_BYTES], Reason> {
        let tag = self
            .0
            .seal_in_place_separate_tag(nonce(counter), Aad::from(associated), plain)
            .map_err(|_| Reason::TooBig)?;
        tag.as_ref().try_into().map_err(|_| Reason::TooBig)
    }

    /// Verify `sealed` (ciphertext and tag) and decrypt it in place. On error its content is lost.
    ///
    /// # Errors
    /// `BadSeal`.
    #[inline]
    pub fn open<'a>(
        &self,
        counter: u64,
        associated: &[u8],
        sealed: &'a mut [u8],
    ) -> Result<&'a mut [u8], Reason> {
        self.0
            .open_in_place(nonce(counter), Aad::from(associated), sealed)
            .map_err(|_| Reason::BadSeal)
    }
}

impl std::fmt::Debug for PacketKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("PacketKey")
    }
}

#[inline]
fn nonce(counter: u64) -> Nonce {
    let mut bytes = [0; 12];
    bytes[4..].copy_from_slice(&counter.to_le_bytes());
    Nonce::assume_unique_for_key(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_opens_and_nothing_else_does() {
        let key = PacketKey::new(&[7; KEY_BYTES]);
        let mut packet = *b"a header of a packet............";
        let (plain, place) = packet.split_at_mut(16);
        place.copy_from_slice(&key.seal(5, b"prefix", plain).unwrap());

        let open = |counter, associated: &[u8], flipped: usize| {
            let mut copy = packet;
            copy[flipped % 32] ^= (flipped / 32) as u8;
            key.open(counter, associated, &mut copy)
                .map(|plain| plain.to_vec())
        };

        assert_eq!(open(5, b"prefix", 0), Ok(b"a header of a pa".to_vec()));
        assert_eq!(open(6, b"prefix", 0), Err(Reason::BadSeal));
        assert_eq!(open(5, b"prefiy", 0), Err(Reason::BadSeal));
        for index in 32..64 {
            assert_eq!(open(5, b"prefix", index), Err(Reason::BadSeal));
        }
    }
}
