//! The host's Ed25519 identity as a raw public key in TLS (RFC 7250), and the check of the peer's.
//!
//! There is no certificate, hence no name, no chain and no validity that would need a clock: a key is the
//! expected one or it is not. Both sides prove theirs.

use std::fmt;
use std::sync::Arc;

use ring::signature::{Ed25519KeyPair, KeyPair};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{
    CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime,
};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::CertifiedKey;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError,
    PeerIncompatible, SignatureScheme,
};

use crate::StreamsError;

/// What precedes the 32 bytes of an Ed25519 key in a SubjectPublicKeyInfo (RFC 8410 section 4).
const PUBLIC_PREFIX: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// What precedes the 32 bytes of an Ed25519 seed in PKCS #8 (RFC 8410 section 7).
const PRIVATE_PREFIX: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// Ed25519 public key of `identity_key` (the 32-byte private key of RFC 8032).
///
/// # Errors
/// [`StreamsError::BadKey`] when the key cannot be used.
pub fn public_key(identity_key: &[u8; 32]) -> Result<[u8; 32], StreamsError> {
    let pair = Ed25519KeyPair::from_seed_unchecked(identity_key)
        .map_err(|error| StreamsError::BadKey(error.to_string()))?;
    <[u8; 32]>::try_from(pair.public_key().as_ref())
        .map_err(|_| StreamsError::BadKey("public key is not 32 B".to_owned()))
}

/// This host's key in the form that rustls signs with.
pub(crate) fn certified_key(identity_key: &[u8; 32]) -> Result<Arc<CertifiedKey>, StreamsError> {
    let private = [&PRIVATE_PREFIX[..], identity_key].concat();
    let signer = rustls::crypto::ring::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(private))
        .map_err(|error| StreamsError::BadKey(error.to_string()))?;
    let public = public_key_info(&public_key(identity_key)?);
    // rustls carries a raw public key where a certificate would be.
    Ok(Arc::new(CertifiedKey::new(
        vec![CertificateDer::from(public)],
        signer,
    )))
}

fn public_key_info(key: &[u8; 32]) -> Vec<u8> {
    [&PUBLIC_PREFIX[..], key].concat()
}

fn is_public_key_info(seen: &[u8]) -> bool {
    let key = seen.strip_prefix(&PUBLIC_PREFIX);
    key.is_some_and(|key| key.len() == 32)
}

/// Who may be at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Nobody: the state of an endpoint towards strangers.
    Nobody,
    /// Whoever has this Ed25519 key.
    Key([u8; 32]),
    /// Whoever has any Ed25519 key: one made for this connection, as a rule.
    Anybody,
}

/// Accepts a peer that proves an expected key.
pub(crate) struct ExpectedKey {
    expected: Expected,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ExpectedKey {
    pub(crate) fn new(expected: Expected, algorithms: WebPkiSupportedAlgorithms) -> Arc<Self> {
        Arc::new(Self {
            expected,
            algorithms,
        })
    }

    fn check(&self, seen: &[u8], intermediates: &[CertificateDer<'_>]) -> Result<(), Error> {
        let is_expected = match self.expected {
            Expected::Nobody => false,
            Expected::Key(key) => seen == public_key_info(&key),
            Expected::Anybody => is_public_key_info(seen),
        };
        if is_expected && intermediates.is_empty() {
            return Ok(());
        }
        let wrong = WrongIdentity {
            seen: seen.to_vec(),
            expected: self.expected,
        };
        Err(CertificateError::Other(OtherError(Arc::new(wrong))).into())
    }

    fn verify(
        &self,
        message: &[u8],
        seen: &[u8],
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let info = SubjectPublicKeyInfoDer::from(seen);
        verify_tls13_signature_with_raw_key(message, &info, signature, &self.algorithms)
    }
}

impl fmt::Debug for ExpectedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.expected {
            Expected::Key(key) => write!(f, "ExpectedKey({})", Hex(&key)),
            Expected::Nobody => f.write_str("ExpectedKey(nobody)"),
            Expected::Anybody => f.write_str("ExpectedKey(anybody)"),
        }
    }
}

/// The methods that rustls has twice, for who checks a server and who checks a client.
macro_rules! checks_of_both_sides {
    () => {
        fn verify_tls12_signature(
            &self,
            _message: &[u8],
            _certificate: &CertificateDer<'_>,
            _signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Err(PeerIncompatible::Tls13RequiredForQuic.into())
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            self.verify(message, certificate, signature)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            vec![SignatureScheme::ED25519]
        }

        fn requires_raw_public_keys(&self) -> bool {
            true
        }
    };
}

impl ServerCertVerifier for ExpectedKey {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(end_entity, intermediates)
            .map(|()| ServerCertVerified::assertion())
    }

    checks_of_both_sides!();
}

impl ClientCertVerifier for ExpectedKey {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(end_entity, intermediates)
            .map(|()| ClientCertVerified::assertion())
    }

    checks_of_both_sides!();
}

/// The peer proved another key than the one its record names.
struct WrongIdentity {
    seen: Vec<u8>,
    expected: Expected,
}

/// How the text of a `WrongIdentity` begins.
const WRONG_IDENTITY: &str = "the peer has ";

/// The text of a `WrongIdentity` out of what TLS makes of it: rustls prints the error that it carries by
/// its `Debug`, in brackets.
pub(crate) fn wrong_identity_text(reason: &str) -> &str {
    match reason.find(WRONG_IDENTITY) {
        Some(start) => reason.get(start..).unwrap_or(reason).trim_end_matches(')'),
        None => reason,
    }
}

impl fmt::Debug for WrongIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for WrongIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(WRONG_IDENTITY)?;
        match self.seen.strip_prefix(&PUBLIC_PREFIX) {
            Some(key) if key.len() == 32 => write!(f, "identity key {}", Hex(key))?,
            _ => f.write_str("no Ed25519 identity key")?,
        }
        match self.expected {
            Expected::Key(key) => write!(f, ", expected {}", Hex(&key)),
            Expected::Nobody => f.write_str(", expected nobody"),
            Expected::Anybody => f.write_str(", expected any"),
        }
    }
}

impl std::error::Error for WrongIdentity {}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expecting(expected: Expected) -> Arc<ExpectedKey> {
        ExpectedKey::new(
            expected,
            rustls::crypto::ring::default_provider().signature_verification_algorithms,
        )
    }

    #[test]
    fn the_public_key_is_that_of_rfc_8032() {
        let private = [
            0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec,
            0x2c, 0xc4, 0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03,
            0x1c, 0xae, 0x7f, 0x60,
        ];

        let public = public_key(&private).unwrap();

        assert_eq!(
            Hex(&public).to_string(),
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
        );
    }

    #[test]
    fn only_the_expected_key_passes() {
        let key = [7; 32];
        let verifier = expecting(Expected::Key(key));

        assert!(verifier.check(&public_key_info(&key), &[]).is_ok());
        assert!(verifier.check(&public_key_info(&[8; 32]), &[]).is_err());
        assert!(verifier.check(&key, &[]).is_err());
        assert!(verifier.check(&[], &[]).is_err());
    }

    #[test]
    fn an_endpoint_that_expects_nobody_accepts_nobody() {
        assert!(
            expecting(Expected::Nobody)
                .check(&public_key_info(&[7; 32]), &[])
                .is_err()
        );
    }

    #[test]
    fn where_anybody_may_be_every_key_passes_and_nothing_else() {
        let verifier = expecting(Expected::Anybody);

        assert!(verifier.check(&public_key_info(&[7; 32]), &[]).is_ok());
        assert!(verifier.check(&public_key_info(&[8; 32]), &[]).is_ok());
        assert!(verifier.check(&[7; 32], &[]).is_err());
        assert!(
            verifier
                .check(&[&PUBLIC_PREFIX[..], &[7; 33]].concat(), &[])
                .is_err()
        );
    }

    #[test]
    fn the_error_names_both_keys() {
        let error = expecting(Expected::Key([0xaa; 32]))
            .check(&public_key_info(&[0xbb; 32]), &[])
            .unwrap_err();

        assert_eq!(
            wrong_identity_text(&error.to_string()),
            format!(
                "the peer has identity key {}, expected {}",
                "bb".repeat(32),
                "aa".repeat(32)
            )
        );
    }
}
