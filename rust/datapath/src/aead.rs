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
        self.seal_under(nonce(counter), associated, plain)
    }

    #[inline]
    fn seal_under(
        &self,
        nonce: Nonce,
        associated: &[u8],
        plain: &mut [u8],
    ) -> Result<[u8; TAG_BYTES], Reason> {
        let tag = self
            .0
            .seal_in_place_separate_tag(nonce, Aad::from(associated), plain)
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
        self.open_under(nonce(counter), associated, sealed)
    }

    #[inline]
    fn open_under<'a>(
        &self,
        nonce: Nonce,
        associated: &[u8],
        sealed: &'a mut [u8],
    ) -> Result<&'a mut [u8], Reason> {
        self.0
            .open_in_place(nonce, Aad::from(associated), sealed)
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
    // Shifted in a register: what is written in parts and then read as a whole makes the processor wait.
    let shifted = (u128::from(counter) << 32).to_le_bytes();
    let [bytes @ .., _, _, _, _] = shifted;
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

    fn bytes(value: &serde_json::Value) -> Vec<u8> {
        let text = value.as_str().unwrap();
        (0..text.len())
            .step_by(2)
            .map(|start| u8::from_str_radix(&text[start..start + 2], 16).unwrap())
            .collect()
    }

    #[test]
    fn the_wycheproof_vectors_of_aes_256_gcm_pass() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../tests/vectors/wycheproof_aes_gcm_test.json"
        );
        let text = std::fs::read_to_string(path).unwrap();
        let vectors: serde_json::Value = serde_json::from_str(&text).unwrap();
        let mut count = 0;
        for group in vectors["testGroups"].as_array().unwrap() {
            if group["keySize"] != 256 || group["ivSize"] != 96 || group["tagSize"] != 128 {
                continue;
            }
            for test in group["tests"].as_array().unwrap() {
                let key = PacketKey::new(&bytes(&test["key"]).try_into().unwrap());
                let nonce = || {
                    let bytes: [u8; 12] = bytes(&test["iv"]).try_into().unwrap();
                    Nonce::assume_unique_for_key(bytes)
                };
                let (associated, plain) = (bytes(&test["aad"]), bytes(&test["msg"]));
                let mut sealed = [bytes(&test["ct"]), bytes(&test["tag"])].concat();
                let is_valid = test["result"] == "valid";

                let mut buffer = plain.clone();
                let tag = key.seal_under(nonce(), &associated, &mut buffer).unwrap();
                buffer.extend_from_slice(&tag);
                assert_eq!(buffer == sealed, is_valid, "{}", test["tcId"]);
                let opened = key.open_under(nonce(), &associated, &mut sealed);
                assert_eq!(
                    opened.is_ok_and(|it| it == plain),
                    is_valid,
                    "{}",
                    test["tcId"]
                );
                count += 1;
            }
        }
        assert!(count > 50, "{count}");
    }
}
