//! Sites whose TLS ends at this node: a certificate and its key for each name.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::{ClientHello, ResolvesServerCert, ServerSessionMemoryCache};
use rustls::sign::CertifiedKey;
use rustls::time_provider::TimeProvider;
use rustls::version::TLS13;

use crate::randomness::provider_for_all;

/// Sessions of one site that clients may resume.
const SESSIONS: usize = 4_096;

/// What an operator says of a site.
pub struct Site {
    /// The name that clients ask for.
    pub name: String,
    /// Its certificate and those between that and a root, PEM.
    pub certificates: Vec<u8>,
    /// The private key of the first of them, PEM.
    pub key: Vec<u8>,
    /// What is spoken inside, the best first, as ALPN names it.
    pub protocols: Vec<String>,
}

/// Every site of a node.
#[derive(Clone, Default)]
pub struct Sites {
    of_name: HashMap<String, Arc<ServerConfig>>,
    clock: Arc<Clock>,
}

impl Sites {
    /// Check each site.
    ///
    /// # Errors
    /// Which one cannot be used, and why; nothing of its key.
    pub fn new(sites: Vec<Site>) -> Result<Self, String> {
        let clock = Arc::new(Clock::default());
        let mut of_name = HashMap::new();
        for site in sites {
            let name = site.name.to_ascii_lowercase();
            let config = config(&site, &clock).map_err(|why| format!("site {name}: {why}"))?;
            of_name.insert(name, Arc::new(config));
        }
        Ok(Self { of_name, clock })
    }

    pub(crate) fn find(&self, name: &str) -> Option<Arc<ServerConfig>> {
        self.of_name.get(&name.to_ascii_lowercase()).cloned()
    }

    /// What time it is, for how long a session can be resumed.
    pub(crate) fn at(&self, now_ns: u64) {
        self.clock.0.store(now_ns, Ordering::Relaxed);
    }
}

impl fmt::Debug for Sites {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Sites({})", self.of_name.len())
    }
}

fn config(site: &Site, clock: &Arc<Clock>) -> Result<ServerConfig, String> {
    let provider = Arc::new(provider_for_all());
    let chain = CertificateDer::pem_slice_iter(&site.certificates)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| format!("its certificate is no PEM: {error}"))?;
    if chain.is_empty() {
        return Err("its certificate file has no certificate".into());
    }
    let key = PrivateKeyDer::from_pem_slice(&site.key)
        .map_err(|error| format!("its key is no PEM of a private key: {error}"))?;
    let pair = CertifiedKey::from_der(chain, key, &provider)
        .map_err(|error| format!("its certificate and key: {error}"))?;
    let clock: Arc<Clock> = Arc::clone(clock);
    let mut config = ServerConfig::builder_with_details(provider, clock)
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| error.to_string())?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(OfName {
            name: site.name.to_ascii_lowercase(),
            pair: Arc::new(pair),
        }));
    config.alpn_protocols = site
        .protocols
        .iter()
        .map(|protocol| protocol.as_bytes().to_vec())
        .collect();
    config.session_storage = ServerSessionMemoryCache::new(SESSIONS);
    Ok(config)
}

/// The certificate of a site, for whoever asks for that one or for none.
#[derive(Debug)]
struct OfName {
    name: String,
    pair: Arc<CertifiedKey>,
}

impl ResolvesServerCert for OfName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let is_other = hello
            .server_name()
            .is_some_and(|asked| !asked.eq_ignore_ascii_case(&self.name));
        (!is_other).then(|| Arc::clone(&self.pair))
    }
}

/// The time of whoever calls, since some moment: sessions only compare it.
#[derive(Debug, Default)]
struct Clock(AtomicU64);

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        let since = Duration::from_nanos(self.0.load(Ordering::Relaxed));
        Some(UnixTime::since_unix_epoch(since))
    }
}
