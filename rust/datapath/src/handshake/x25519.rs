//! X25519 (RFC 7748): proven assembler of s2n-bignum by `graviola` where the CPU can run it, else
//! `curve25519-dalek`, which takes twice as long.

use crate::aead::KEY_BYTES;

/// X25519 public key of a private key.
pub fn public_key(private_key: &[u8; KEY_BYTES]) -> [u8; KEY_BYTES] {
    if fast::is_possible() {
        fast::public_key(private_key)
    } else {
        anywhere::public_key(private_key)
    }
}

/// One X25519: the secret that the owners of both keys share; zeros for a key of small order.
pub fn shared_secret(
    private_key: &[u8; KEY_BYTES],
    public_key: &[u8; KEY_BYTES],
) -> [u8; KEY_BYTES] {
    if fast::is_possible() {
        fast::shared_secret(private_key, public_key)
    } else {
        anywhere::shared_secret(private_key, public_key)
    }
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod fast {
    use graviola::key_agreement::x25519::{PublicKey, StaticPrivateKey};

    use super::KEY_BYTES;

    pub(super) fn is_possible() -> bool {
        graviola::util::is_cpu_supported()
    }

    pub(super) fn public_key(private_key: &[u8; KEY_BYTES]) -> [u8; KEY_BYTES] {
        StaticPrivateKey::from_array(private_key)
            .public_key()
            .as_bytes()
    }

    pub(super) fn shared_secret(
        private_key: &[u8; KEY_BYTES],
        public_key: &[u8; KEY_BYTES],
    ) -> [u8; KEY_BYTES] {
        StaticPrivateKey::from_array(private_key)
            .diffie_hellman(&PublicKey::from_array(public_key))
            // It refuses the zeros that a key of small order gives.
            .map_or([0; KEY_BYTES], |secret| secret.as_bytes())
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod fast {
    pub(super) use super::anywhere::{public_key, shared_secret};

    pub(super) fn is_possible() -> bool {
        false
    }
}

mod anywhere {
    use curve25519_dalek::montgomery::MontgomeryPoint;

    use super::KEY_BYTES;

    pub(super) fn public_key(private_key: &[u8; KEY_BYTES]) -> [u8; KEY_BYTES] {
        MontgomeryPoint::mul_base_clamped(*private_key).to_bytes()
    }

    pub(super) fn shared_secret(
        private_key: &[u8; KEY_BYTES],
        public_key: &[u8; KEY_BYTES],
    ) -> [u8; KEY_BYTES] {
        MontgomeryPoint(*public_key)
            .mul_clamped(*private_key)
            .to_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handshake::vectors::{bytes, vectors};

    #[test]
    fn the_wycheproof_vectors_pass_on_this_cpu_and_on_any() {
        let vectors = vectors("wycheproof_x25519_test.json");
        let mut count = 0;
        for group in vectors["testGroups"].as_array().unwrap() {
            for test in group["tests"].as_array().unwrap() {
                let of = |part: &str| bytes(&test[part]).try_into().unwrap();
                let (private, public, shared) = (of("private"), of("public"), of("shared"));

                assert_eq!(shared_secret(&private, &public), shared, "{}", test["tcId"]);
                assert_eq!(anywhere::shared_secret(&private, &public), shared);
                assert_eq!(public_key(&private), anywhere::public_key(&private));
                count += 1;
            }
        }
        assert_eq!(count, vectors["numberOfTests"].as_u64().unwrap());
    }
}
