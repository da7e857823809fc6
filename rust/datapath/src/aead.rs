//! AES-256-GCM with a kept key schedule, in place, without allocation (crate `ei-aead`).

use ei_aead::{Key, Nonce};

use crate::counters::Reason;
use crate::wire::TAG_BYTES;

/// Bytes of a key.
pub const KEY_BYTES: usize = ei_aead::KEY_BYTES;

/// One key, ready for use: six cache lines.
///
/// The nonce is four zero bytes and the counter, little-endian as on the wire; whoever seals must
/// never repeat a counter.
#[derive(Debug)]
pub struct PacketKey(Key);

impl PacketKey {
    /// Expand `key`: 0.1 µs.
    pub fn new(key: &[u8; KEY_BYTES]) -> Self {
        Self(Key::new(key))
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
        let nonce = Nonce::from_counter(counter);
        self.0
            .seal(nonce, associated, plain)
            .map_err(|_| Reason::TooBig)
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
        let nonce = Nonce::from_counter(counter);
        self.0
            .open(nonce, associated, sealed)
            .map_err(|_| Reason::BadSeal)
    }
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
