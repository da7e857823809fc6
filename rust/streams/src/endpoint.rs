//! The QUIC endpoint: which connection a payload belongs to, and the making of new ones.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bytes::BytesMut;
use quinn_proto::{
    ClientConfig, ConnectionHandle, DatagramEvent, EndpointConfig, Incoming, NoneTokenLog,
    NoneTokenStore, ServerConfig, Transmit, TransportConfig, ValidationTokenConfig,
};
use ring::{hkdf, hmac};

use crate::identity::Expected;
use crate::randomness::{ConnectionIds, Randomness};
use crate::tls::{SERVER_NAME, Tls};
use crate::{ConnectionKey, Loss, StreamsConfig, StreamsError};

/// Bytes of payloads that one incoming connection may pile up while it waits for a key: a handshake fits
/// ten times.
const INCOMING_BUFFER_BYTES: u64 = 32 * 1024;

/// quinn's endpoint with this host's identity.
pub(crate) struct Endpoint {
    quic: quinn_proto::Endpoint,
    tls: Tls,
    token_key: Arc<hkdf::Prk>,
    initial_ids: Arc<Mutex<ConnectionIds>>,
}

impl Endpoint {
    pub(crate) fn new(
        config: &StreamsConfig,
        transport: Arc<TransportConfig>,
    ) -> Result<Self, StreamsError> {
        let mut randomness = Randomness::new(config.seed)?;
        let tls = Tls::new(randomness.crypto_provider(), &config.identity_key)?;
        // From the identity and not from the seed: a restarted host must be able to reset what it forgot.
        let secret =
            hkdf::Salt::new(hkdf::HKDF_SHA256, b"ei streams 1").extract(&config.identity_key);
        let reset_key: hmac::Key = secret
            .expand(&[b"stateless reset"], hmac::HMAC_SHA256)
            .map_err(|_| StreamsError::BadKey("reset key".to_owned()))?
            .into();
        let token_key = Arc::new(
            hkdf::Salt::new(hkdf::HKDF_SHA256, b"ei token 1").extract(&config.identity_key),
        );

        let connection_ids = randomness.draw_seed();
        let mut endpoint = EndpointConfig::new(Arc::new(reset_key));
        endpoint
            .cid_generator(move || Box::new(ConnectionIds::new(connection_ids)))
            .rng_seed(Some(randomness.draw_seed()))
            .max_udp_payload_size(MAX_RECEIVED_BYTES)
            .map_err(|error| StreamsError::BadConfig(error.to_string()))?;
        let initial_ids = Arc::new(Mutex::new(ConnectionIds::new(randomness.draw_seed())));
        let mut server = server_config(&tls, &token_key, Expected::Nobody, transport)?;
        server
            .max_incoming(config.max_incoming)
            .incoming_buffer_size(INCOMING_BUFFER_BYTES)
            .incoming_buffer_size_total(INCOMING_BUFFER_BYTES * config.max_incoming as u64);
        let quic =
            quinn_proto::Endpoint::new(Arc::new(endpoint), Some(Arc::new(server)), false, None);
        Ok(Self {
            quic,
            tls,
            token_key,
            initial_ids,
        })
    }

    /// Find out what a payload is for. What must be answered at once is appended to `answer`.
    pub(crate) fn handle(
        &mut self,
        now: Instant,
        key: ConnectionKey,
        payload: &[u8],
        answer: &mut Vec<u8>,
    ) -> Option<DatagramEvent> {
        self.quic.handle(
            now,
            key.to_socket(),
            None,
            None,
            BytesMut::from(payload),
            answer,
        )
    }

    pub(crate) fn connect(
        &mut self,
        now: Instant,
        key: ConnectionKey,
        peer_key: [u8; 32],
        transport: Arc<TransportConfig>,
    ) -> Result<(ConnectionHandle, quinn_proto::Connection), StreamsError> {
        let mut client = ClientConfig::new(Arc::new(self.tls.client(peer_key)?));
        let initial_ids = Arc::clone(&self.initial_ids);
        client
            .transport_config(transport)
            .token_store(Arc::new(NoneTokenStore))
            .initial_dst_cid_provider(Arc::new(move || {
                initial_ids
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .draw_initial()
            }));
        self.quic
            .connect(now, client, key.to_socket(), SERVER_NAME)
            .map_err(|error| StreamsError::BadConfig(error.to_string()))
    }

    /// Begin the handshake of an incoming connection. When the peer's first words already end it, what must
    /// be answered is appended to `answer`.
    pub(crate) fn accept(
        &mut self,
        now: Instant,
        incoming: Incoming,
        expected: Expected,
        transport: Arc<TransportConfig>,
        answer: &mut Vec<u8>,
    ) -> Result<Accepted, StreamsError> {
        let server = match server_config(&self.tls, &self.token_key, expected, transport) {
            Ok(server) => server,
            Err(error) => {
                self.quic.ignore(incoming);
                return Err(error);
            }
        };
        Ok(
            match self
                .quic
                .accept(incoming, now, answer, Some(Arc::new(server)))
            {
                Ok((handle, connection)) => Accepted::Connection(handle, connection),
                Err(error) => Accepted::Lost(Loss::from_quic(error.cause), error.response),
            },
        )
    }

    /// Tell the peer no; what tells it is appended to `answer`.
    pub(crate) fn refuse(&mut self, incoming: Incoming, answer: &mut Vec<u8>) -> Transmit {
        self.quic.refuse(incoming, answer)
    }

    /// Drop it without a word.
    pub(crate) fn ignore(&mut self, incoming: Incoming) {
        self.quic.ignore(incoming);
    }

    pub(crate) fn quic(&mut self) -> &mut quinn_proto::Endpoint {
        &mut self.quic
    }
}

/// What this end says it takes; its peers send what their own `max_payload_bytes` says.
const MAX_RECEIVED_BYTES: u16 = 65_527;

/// What became of an accepted connection.
// Taken apart at once by the only caller.
#[allow(clippy::large_enum_variant)]
pub(crate) enum Accepted {
    Connection(ConnectionHandle, quinn_proto::Connection),
    Lost(Loss, Option<Transmit>),
}

fn server_config(
    tls: &Tls,
    token_key: &Arc<hkdf::Prk>,
    expected: Expected,
    transport: Arc<TransportConfig>,
) -> Result<ServerConfig, StreamsError> {
    let mut tokens = ValidationTokenConfig::default();
    // Tokens prove an address over time; here the first node has checked the source.
    tokens.sent(0).log(Arc::new(NoneTokenLog));
    let token_key: Arc<hkdf::Prk> = Arc::clone(token_key);
    let mut server = ServerConfig::new(Arc::new(tls.server(expected)?), token_key);
    server
        .transport_config(transport)
        .validation_token_config(tokens)
        // The L3.5 connection is the path: a payload from another one is not a peer that moved.
        .migration(false);
    Ok(server)
}
