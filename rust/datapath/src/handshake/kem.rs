//! ML-KEM-768 (FIPS 203), by `libcrux`: pure, with its randomness as an argument.

use libcrux_ml_kem::mlkem768;

/// What a key pair is made of: `d` and `z` of FIPS 203.
pub(super) const SEED_BYTES: usize = 64;
/// An encapsulation key.
pub(super) const PUBLIC_BYTES: usize = 1_184;
/// What encapsulating gives beside the secret.
pub(super) const CIPHERTEXT_BYTES: usize = 1_088;
/// What both ends then share.
pub(super) const SECRET_BYTES: usize = 32;

/// The public half of the key pair of `seed`.
pub fn encapsulation_key(seed: &[u8; SEED_BYTES]) -> [u8; PUBLIC_BYTES] {
    *mlkem768::generate_key_pair(*seed).pk()
}

/// A secret for the owner of `key`, and what tells it to him; `None` when that is no key.
pub fn encapsulate(
    key: &[u8; PUBLIC_BYTES],
    drawn: [u8; SECRET_BYTES],
) -> Option<([u8; CIPHERTEXT_BYTES], [u8; SECRET_BYTES])> {
    let key = mlkem768::MlKem768PublicKey::from(*key);
    if !mlkem768::validate_public_key(&key) {
        return None;
    }
    let (ciphertext, secret) = mlkem768::encapsulate(&key, drawn);
    Some((*ciphertext.as_slice(), secret))
}

/// The secret that `ciphertext` tells; another one, which nobody knows, when it was not made for this key.
pub(super) fn decapsulate(
    seed: &[u8; SEED_BYTES],
    ciphertext: &[u8; CIPHERTEXT_BYTES],
) -> [u8; SECRET_BYTES] {
    let pair = mlkem768::generate_key_pair(*seed);
    let ciphertext = mlkem768::MlKem768Ciphertext::from(*ciphertext);
    mlkem768::decapsulate(pair.private_key(), &ciphertext)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first 100 of the accumulated vectors of C2SP/CCTV (`ML-KEM`), which those of NIST are part of: key
    /// pairs, ciphertexts, secrets, and secrets of ciphertexts that nobody made.
    #[test]
    fn the_accumulated_vectors_pass() {
        const ROUND_BYTES: usize = SEED_BYTES + SECRET_BYTES + CIPHERTEXT_BYTES;
        let mut drawn = vec![0; 100 * ROUND_BYTES];
        libcrux_sha3::shake128_ema(&mut drawn, &[]);
        let mut all = Vec::new();
        for round in drawn.chunks_exact(ROUND_BYTES) {
            let seed = round.first_chunk().unwrap();
            let (key, random) = (encapsulation_key(seed), round[64..96].try_into().unwrap());
            let (ciphertext, secret) = encapsulate(&key, random).unwrap();
            assert_eq!(decapsulate(seed, &ciphertext), secret);
            all.extend_from_slice(&key);
            all.extend_from_slice(&ciphertext);
            all.extend_from_slice(&secret);
            all.extend_from_slice(&decapsulate(seed, round.last_chunk().unwrap()));
        }

        let digest: [u8; 32] = libcrux_sha3::shake128(&all);

        let hexadecimal: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hexadecimal,
            "1114b1b6699ed191734fa339376afa7e285c9e6acf6ff0177d346696ce564415"
        );
    }

    /// FIPS 203, section 7.2: a coefficient of 4,095 is none.
    #[test]
    fn what_is_no_key_is_refused() {
        let mut key = encapsulation_key(&[1; SEED_BYTES]);
        assert!(encapsulate(&key, [2; SECRET_BYTES]).is_some());

        key[..3].fill(0xff);

        assert_eq!(encapsulate(&key, [2; SECRET_BYTES]), None);
    }

    #[test]
    fn a_changed_ciphertext_tells_another_secret() {
        let seed = [1; SEED_BYTES];
        let (mut ciphertext, secret) =
            encapsulate(&encapsulation_key(&seed), [2; SECRET_BYTES]).unwrap();

        ciphertext[700] ^= 1;

        assert_ne!(decapsulate(&seed, &ciphertext), secret);
    }
}
