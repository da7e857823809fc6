//! X25519MLKEM768, the key exchange of TLS 1.3 that stays closed to whoever breaks only one of both
//! (draft-ietf-tls-ecdhe-mlkem). Shares and secrets are those of ML-KEM-768 (FIPS 203), then those of X25519.

use std::fmt;

use libcrux_ml_kem::mlkem768::{
    MlKem768Ciphertext, MlKem768KeyPair, MlKem768PublicKey, decapsulate, encapsulate,
    generate_key_pair, validate_public_key,
};
use rustls::crypto::{
    ActiveKeyExchange, CompletedKeyExchange, SecureRandom, SharedSecret, SupportedKxGroup,
};
use rustls::ffdhe_groups::FfdheGroup;
use rustls::{Error, NamedGroup, PeerMisbehaved, ProtocolVersion};

/// With the X25519 of somebody else, and randomness for ML-KEM.
pub(crate) struct Hybrid {
    pub(crate) classical: &'static dyn SupportedKxGroup,
    pub(crate) random: &'static dyn SecureRandom,
}

impl Hybrid {
    fn draw<const N: usize>(&self) -> Result<[u8; N], Error> {
        let mut drawn = [0; N];
        self.random.fill(&mut drawn)?;
        Ok(drawn)
    }
}

impl fmt::Debug for Hybrid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("X25519MLKEM768")
    }
}

impl SupportedKxGroup for Hybrid {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let classical = self.classical.start()?;
        let pair = generate_key_pair(self.draw()?);
        let share = [&pair.pk()[..], classical.pub_key()].concat();
        Ok(Box::new(Exchange {
            classical,
            pair,
            share,
        }))
    }

    fn start_and_complete(&self, client_share: &[u8]) -> Result<CompletedKeyExchange, Error> {
        let (key, classical_share) = client_share.split_first_chunk().ok_or(invalid())?;
        let key = MlKem768PublicKey::from(*key);
        if !validate_public_key(&key) {
            return Err(invalid());
        }
        let classical = self.classical.start_and_complete(classical_share)?;
        let (ciphertext, secret) = encapsulate(&key, self.draw()?);
        Ok(CompletedKeyExchange {
            group: self.name(),
            pub_key: [&ciphertext.as_slice()[..], &classical.pub_key].concat(),
            secret: joined(&secret, &classical.secret),
        })
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519MLKEM768
    }

    fn usable_for_version(&self, version: ProtocolVersion) -> bool {
        version == ProtocolVersion::TLSv1_3
    }
}

/// A client's, until the server's share is here.
struct Exchange {
    classical: Box<dyn ActiveKeyExchange>,
    pair: MlKem768KeyPair,
    share: Vec<u8>,
}

impl ActiveKeyExchange for Exchange {
    fn complete(self: Box<Self>, server_share: &[u8]) -> Result<SharedSecret, Error> {
        let (ciphertext, classical_share) = server_share.split_first_chunk().ok_or(invalid())?;
        let classical = self.classical.complete(classical_share)?;
        let ciphertext = MlKem768Ciphertext::from(*ciphertext);
        let secret = decapsulate(self.pair.private_key(), &ciphertext);
        Ok(joined(&secret, &classical))
    }

    fn pub_key(&self) -> &[u8] {
        &self.share
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519MLKEM768
    }
}

fn joined(secret: &[u8], classical: &SharedSecret) -> SharedSecret {
    SharedSecret::from([secret, classical.secret_bytes()].concat())
}

fn invalid() -> Error {
    PeerMisbehaved::InvalidKeyShare.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    static GROUP: Hybrid = Hybrid {
        classical: rustls::crypto::ring::kx_group::X25519,
        random: &Zeros,
    };

    struct Zeros;

    impl fmt::Debug for Zeros {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Zeros")
        }
    }

    impl SecureRandom for Zeros {
        fn fill(&self, out: &mut [u8]) -> Result<(), rustls::crypto::GetRandomFailed> {
            out.fill(0);
            Ok(())
        }
    }

    #[test]
    fn both_ends_get_one_secret_of_64_bytes_by_shares_of_the_lengths_of_the_draft() {
        let client = GROUP.start().unwrap();
        assert_eq!(client.pub_key().len(), 1_184 + 32);

        let server = GROUP.start_and_complete(client.pub_key()).unwrap();

        assert_eq!(server.pub_key.len(), 1_088 + 32);
        let secret = client.complete(&server.pub_key).unwrap();
        assert_eq!(secret.secret_bytes(), server.secret.secret_bytes());
        assert_eq!(secret.secret_bytes().len(), 64);
    }

    #[test]
    fn shares_of_other_lengths_and_what_is_no_key_are_refused() {
        let client = GROUP.start().unwrap();
        let mut share = client.pub_key().to_vec();
        assert!(GROUP.start_and_complete(&share[..1_215]).is_err());
        assert!(GROUP.start_and_complete(&share[..100]).is_err());
        assert!(client.complete(&[0; 1_119]).is_err());

        share[..3].fill(0xff);

        assert!(GROUP.start_and_complete(&share).is_err());
    }

    #[test]
    fn a_classical_half_of_small_order_is_refused() {
        let client = GROUP.start().unwrap();
        let mut share = client.pub_key().to_vec();

        share[1_184..].fill(0);

        assert!(GROUP.start_and_complete(&share).is_err());
    }

    #[test]
    fn it_is_of_tls_1_3_alone() {
        assert!(GROUP.usable_for_version(ProtocolVersion::TLSv1_3));
        assert!(!GROUP.usable_for_version(ProtocolVersion::TLSv1_2));
    }
}
