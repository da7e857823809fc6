//! Hybrid public key encryption in base mode (RFC 9180), of one message and of secrets that both ends have:
//! DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM.
//!
//! A sender draws a key for each message; what is shared with the recipient's makes key, nonce and the secret
//! that others are exported from.

use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hmac;

use crate::aead::KEY_BYTES;
use crate::handshake::{public_key, shared_secret};

/// Of what a key is made from, and longest exported secret.
pub const SECRET_BYTES: usize = 32;

const AEAD_KEY_BYTES: usize = 16;
const AEAD_NONCE_BYTES: usize = 12;
const VERSION: &[u8] = b"HPKE-v1";
const KEM: &[u8] = b"KEM\x00\x20";
const SUITE: &[u8] = b"HPKE\x00\x20\x00\x01\x00\x01";
/// Mode base.
const BASE: &[u8] = b"\0";

type Key = [u8; KEY_BYTES];
type Secret = [u8; SECRET_BYTES];

/// What sender and recipient share of one message, which is the only one.
pub struct Context {
    key: [u8; AEAD_KEY_BYTES],
    nonce: [u8; AEAD_NONCE_BYTES],
    exporter_secret: Secret,
}

/// The encapsulated key, and what seals a message to the owner of a key; `None` where that is no key that
/// anybody could have. `seed` is the private key of this message, drawn for it.
#[must_use]
pub fn seal_to(recipient: &Key, info: &[u8], seed: &Key) -> Option<(Key, Context)> {
    let encapsulated = public_key(seed);
    let context = context(seed, recipient, &encapsulated, recipient, info)?;
    Some((encapsulated, context))
}

/// What opens the message that came with an encapsulated key; `None` where that is none that anybody could have.
/// `public` is the recipient's, of `private`.
#[must_use]
pub fn open_from(encapsulated: &Key, private: &Key, public: &Key, info: &[u8]) -> Option<Context> {
    context(private, encapsulated, encapsulated, public, info)
}

/// The private and the public key that follow from a secret (7.1.3).
#[must_use]
pub fn derive(seed: &Secret) -> (Key, Key) {
    let pseudorandom = extract(KEM, &[], b"dkp_prk", seed);
    let private = expand(KEM, &pseudorandom, b"sk", &[]);
    (private, public_key(&private))
}

impl Context {
    /// The message, sealed, its tag behind it; `None` where it is longer than AES-GCM takes.
    #[must_use]
    pub fn seal(&self, plaintext: &[u8], additional: &[u8]) -> Option<Vec<u8>> {
        let mut sealed = Vec::with_capacity(plaintext.len() + AES_128_GCM.tag_len());
        sealed.extend_from_slice(plaintext);
        self.aead()?
            .seal_in_place_append_tag(self.nonce(), Aad::from(additional), &mut sealed)
            .ok()?;
        Some(sealed)
    }

    /// The message; `None` where it is another's, or was changed.
    #[must_use]
    pub fn open(&self, sealed: &[u8], additional: &[u8]) -> Option<Vec<u8>> {
        let mut opened = sealed.to_vec();
        let length = self
            .aead()?
            .open_in_place(self.nonce(), Aad::from(additional), &mut opened)
            .ok()?
            .len();
        opened.truncate(length);
        Some(opened)
    }

    /// A secret that both ends have, of up to 32 bytes.
    #[must_use]
    pub fn export<const LENGTH: usize>(&self, purpose: &[u8]) -> [u8; LENGTH] {
        expand(SUITE, &self.exporter_secret, b"sec", &[purpose])
    }

    fn aead(&self) -> Option<LessSafeKey> {
        UnboundKey::new(&AES_128_GCM, &self.key)
            .ok()
            .map(LessSafeKey::new)
    }

    fn nonce(&self) -> Nonce {
        Nonce::assume_unique_for_key(self.nonce)
    }
}

fn context(
    private: &Key,
    public: &Key,
    encapsulated: &Key,
    recipient: &Key,
    info: &[u8],
) -> Option<Context> {
    let shared = shared_secret(private, public);
    if shared == [0; KEY_BYTES] {
        return None; // a key of small order
    }
    let pseudorandom = extract(KEM, &[], b"eae_prk", &shared);
    let secret: Secret = expand(
        KEM,
        &pseudorandom,
        b"shared_secret",
        &[encapsulated, recipient],
    );
    let of_no_key = extract(SUITE, &[], b"psk_id_hash", &[]);
    let of_info = extract(SUITE, &[], b"info_hash", info);
    let schedule: [&[u8]; 3] = [BASE, &of_no_key, &of_info];
    let of_all = extract(SUITE, &secret, b"secret", &[]);
    Some(Context {
        key: expand(SUITE, &of_all, b"key", &schedule),
        nonce: expand(SUITE, &of_all, b"base_nonce", &schedule),
        exporter_secret: expand(SUITE, &of_all, b"exp", &schedule),
    })
}

/// LabeledExtract (section 4).
fn extract(suite: &[u8], salt: &[u8], label: &[u8], secret: &[u8]) -> Secret {
    mac(salt, &[VERSION, suite, label, secret])
}

/// LabeledExpand (section 4), of at most one block: 32 bytes.
fn expand<const LENGTH: usize>(
    suite: &[u8],
    pseudorandom: &Secret,
    label: &[u8],
    info: &[&[u8]],
) -> [u8; LENGTH] {
    const { assert!(LENGTH <= SECRET_BYTES) };
    let length = (LENGTH as u16).to_be_bytes();
    let parts = [&[&length, VERSION, suite, label], info, &[b"\x01"]].concat();
    let block = mac(pseudorandom, &parts);
    std::array::from_fn(|at| block.get(at).copied().unwrap_or_default())
}

fn mac(key: &[u8], parts: &[&[u8]]) -> Secret {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    for part in parts {
        context.update(part);
    }
    let tag = context.sign();
    std::array::from_fn(|at| tag.as_ref().get(at).copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9180 has no vector of this suite in its text, A.1 has: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256,
    /// AES-128-GCM, mode base.
    #[test]
    fn the_vector_of_the_rfc_passes() {
        let info = bytes("4f6465206f6e2061204772656369616e2055726e");
        let (private, public) = derive(&key(
            "6db9df30aa07dd42ee5e8181afdb977e538f5e1fec8a06223f33f7013e525037",
        ));
        let (seed, _) = derive(&key(
            "7268600d403fce431561aef583ee1613527cff655c1343f29812e66706df3234",
        ));
        let additional = bytes("436f756e742d30");
        let plaintext = bytes("4265617574792069732074727574682c20747275746820626561757479");

        let (encapsulated, sending) = seal_to(&public, &info, &seed).unwrap();
        let sealed = sending.seal(&plaintext, &additional).unwrap();
        let receiving = open_from(&encapsulated, &private, &public, &info).unwrap();

        assert_eq!(
            encapsulated,
            key("37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431")
        );
        assert_eq!(
            sealed,
            bytes(
                "f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a"
            )
        );
        assert_eq!(receiving.open(&sealed, &additional).unwrap(), plaintext);
        assert_eq!(
            receiving.export::<32>(b""),
            key("3853fe2b4035195a573ffc53856e77058e15d9ea064de3e59f4961d0095250ee")
        );
    }

    #[test]
    fn what_is_for_another_or_was_changed_does_not_open() {
        let (private, public) = derive(&[1; SECRET_BYTES]);
        let (encapsulated, sending) = seal_to(&public, b"for this", &[2; KEY_BYTES]).unwrap();
        let sealed = sending.seal(b"word", b"beside").unwrap();
        let open = |encapsulated: &Key, info: &[u8], additional: &[u8]| {
            open_from(encapsulated, &private, &public, info)?.open(&sealed, additional)
        };

        assert_eq!(
            open(&encapsulated, b"for this", b"beside").unwrap(),
            b"word"
        );
        assert_eq!(open(&encapsulated, b"for that", b"beside"), None);
        assert_eq!(open(&encapsulated, b"for this", b""), None);
        assert_eq!(open(&public, b"for this", b"beside"), None);
        assert_eq!(open(&[0; KEY_BYTES], b"for this", b"beside"), None);
        assert_eq!(sending.open(b"short", b"beside"), None);
        assert!(seal_to(&[0; KEY_BYTES], b"", &[2; KEY_BYTES]).is_none());
    }

    fn key(hex: &str) -> Key {
        bytes(hex).try_into().unwrap()
    }

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect()
    }
}
