//! TLS 1.3 inside QUIC: one configuration per expected peer.

use std::sync::Arc;

use quinn_proto::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::UnixTime;
use rustls::server::AlwaysResolvesServerRawPublicKeys;
use rustls::sign::CertifiedKey;
use rustls::time_provider::TimeProvider;
use rustls::version::TLS13;
use rustls::{ClientConfig, ServerConfig};

use crate::StreamsError;
use crate::identity::{Expected, ExpectedKey, certified_key};

/// What both ends must speak inside QUIC: the text name of the wire version.
const PROTOCOL: &[u8] = b"ei/1";

/// TLS insists on a name; with raw keys nobody looks at it and it is not sent.
pub(crate) const SERVER_NAME: &str = "host";

/// This host's side of every handshake.
pub(crate) struct Tls {
    provider: Arc<CryptoProvider>,
    identity: Arc<CertifiedKey>,
}

impl Tls {
    pub(crate) fn new(
        provider: CryptoProvider,
        identity_key: &[u8; 32],
    ) -> Result<Self, StreamsError> {
        Ok(Self {
            provider: Arc::new(provider),
            identity: certified_key(identity_key)?,
        })
    }

    /// For a connection to the peer that has `peer_key`.
    pub(crate) fn client(&self, peer_key: [u8; 32]) -> Result<QuicClientConfig, StreamsError> {
        let mut config =
            ClientConfig::builder_with_details(Arc::clone(&self.provider), Arc::new(NoClock))
                .with_protocol_versions(&[&TLS13])
                .map_err(tls_error)?
                .dangerous()
                .with_custom_certificate_verifier(self.expect(Expected::Key(peer_key)))
                .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(
                    Arc::clone(&self.identity),
                )));
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        config.enable_sni = false;
        config.resumption = Resumption::disabled();
        QuicClientConfig::try_from(config).map_err(tls_error)
    }

    /// For a connection from whom is expected.
    pub(crate) fn server(&self, expected: Expected) -> Result<QuicServerConfig, StreamsError> {
        let mut config =
            ServerConfig::builder_with_details(Arc::clone(&self.provider), Arc::new(NoClock))
                .with_protocol_versions(&[&TLS13])
                .map_err(tls_error)?
                .with_client_cert_verifier(self.expect(expected))
                .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(
                    Arc::clone(&self.identity),
                )));
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        config.send_tls13_tickets = 0;
        QuicServerConfig::try_from(config).map_err(tls_error)
    }

    fn expect(&self, expected: Expected) -> Arc<ExpectedKey> {
        ExpectedKey::new(expected, self.provider.signature_verification_algorithms)
    }
}

fn tls_error(error: impl std::fmt::Display) -> StreamsError {
    StreamsError::BadConfig(format!("TLS: {error}"))
}

/// Raw keys have no validity and there are no tickets: nothing depends on the time.
#[derive(Debug)]
struct NoClock;

impl TimeProvider for NoClock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(std::time::Duration::ZERO))
    }
}
