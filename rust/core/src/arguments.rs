//! What Python hands over, as the types of the native crates; what is wrong with it, by name.

use std::net::{IpAddr, SocketAddr};

use ei_datapath::forward::{DatapathConfig, Fail, ServiceConfig};
use ei_datapath::pipes::PeerKind;
use ei_datapath::wire::Address;
use ei_datapath::wire::handshake::MAX_HANDSHAKE_BYTES;
use ei_streams::internet::Internet;
use ei_streams::junction::JunctionConfig;
use ei_streams::sites::{Site, Sites};
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;

use crate::engine::UnmadeError;
use crate::io::BindError;

/// An endpoint such as "127.0.0.1:3535" or "[::1]:3535".
pub(crate) fn endpoint(text: &str) -> PyResult<SocketAddr> {
    text.parse().map_err(|_| {
        PyValueError::new_err(format!(
            "endpoint {text:?} is not IP:PORT, such as 127.0.0.1:3535 or [::1]:3535"
        ))
    })
}

/// Exactly `N` bytes.
pub(crate) fn exactly<const N: usize>(name: &str, bytes: &[u8]) -> PyResult<[u8; N]> {
    bytes.try_into().map_err(|_| {
        PyValueError::new_err(format!(
            "{name} of {} bytes is not of {N} bytes",
            bytes.len()
        ))
    })
}

/// An address of 16 bytes.
pub(crate) fn address(bytes: &[u8]) -> PyResult<Address> {
    Ok(Address(exactly("address", bytes)?))
}

/// "node" or "host".
pub(crate) fn peer_kind(name: &str, word: &str) -> PyResult<PeerKind> {
    match word {
        "node" => Ok(PeerKind::Node),
        "host" => Ok(PeerKind::Host),
        _ => Err(PyValueError::new_err(format!(
            "{name} {word:?} is not \"node\" or \"host\""
        ))),
    }
}

/// A number between two others.
pub(crate) fn within(name: &str, value: usize, least: usize, most: usize) -> PyResult<usize> {
    match (least..=most).contains(&value) {
        true => Ok(value),
        false => Err(PyValueError::new_err(format!(
            "{name} of {value} is not within {least} to {most}"
        ))),
    }
}

/// What a `Datapath` and an `Engine` have in common.
pub(crate) fn datapath(
    role: PeerKind,
    own_address: &[u8],
    private_key: &[u8],
    cache_entries: usize,
    max_datagram_bytes: usize,
) -> PyResult<DatapathConfig> {
    const MOST_ENTRIES: usize = 1 << 26;
    let private_key = exactly("private_key", private_key)?;
    Ok(DatapathConfig {
        cache_entries: within("cache_entries", cache_entries, 0, MOST_ENTRIES)?,
        max_datagram_bytes: within(
            "max_datagram_bytes",
            max_datagram_bytes,
            MAX_HANDSHAKE_BYTES,
            65_000,
        )?,
        ..DatapathConfig::new(role, address(own_address)?, private_key)
    })
}

/// The arguments of `add_peer`.
#[derive(Clone, Copy)]
pub(crate) struct Peer {
    pub(crate) address: Address,
    pub(crate) public_key: [u8; 32],
    pub(crate) kind: PeerKind,
    pub(crate) endpoint: Option<SocketAddr>,
}

/// The arguments of `add_peer`.
pub(crate) fn peer(
    peer_address: &[u8],
    public_key: &[u8],
    kind: &str,
    peer_endpoint: Option<&str>,
) -> PyResult<Peer> {
    Ok(Peer {
        address: address(peer_address)?,
        public_key: exactly("public_key", public_key)?,
        kind: peer_kind("kind", kind)?,
        endpoint: peer_endpoint.map(endpoint).transpose()?,
    })
}

/// Endpoints to listen on: at least one, and at most one of each family, by which trains leave.
pub(crate) fn binds(texts: &[String]) -> PyResult<Vec<SocketAddr>> {
    let binds = texts
        .iter()
        .map(|text| endpoint(text))
        .collect::<PyResult<Vec<_>>>()?;
    let v4 = binds.iter().filter(|bind| bind.is_ipv4()).count();
    match (binds.len(), v4, binds.len() - v4) {
        (1.., 0..=1, 0..=1) => Ok(binds),
        (0, ..) => Err(PyValueError::new_err("binds is empty")),
        _ => Err(PyValueError::new_err(format!(
            "binds {texts:?}: at most one is IPv4 and one IPv6"
        ))),
    }
}

/// The numbers of `start_streams`.
pub(crate) fn junction(
    own_address: Address,
    identity_key: &[u8],
    max_streams: usize,
    max_streams_per_peer: usize,
    buffer_bytes: u64,
) -> PyResult<JunctionConfig> {
    const MOST_STREAMS: usize = 1 << 20;
    let within = |name, value| within(name, value, 1, MOST_STREAMS);
    Ok(JunctionConfig {
        identity_key: exactly("identity_key", identity_key)?,
        seed: None,
        address: own_address.0,
        max_streams: within("max_streams", max_streams)?,
        max_streams_per_peer: within("max_streams_per_peer", max_streams_per_peer)?,
        buffer_bytes,
    })
}

/// Addresses of the legacy Internet, as text.
pub(crate) fn ip_addresses(texts: &[String]) -> PyResult<Vec<IpAddr>> {
    let address = |text: &String| {
        text.parse().map_err(|_| {
            PyValueError::new_err(format!(
                "address {text:?} is no IP address, such as 192.0.2.1 or 2001:db8::1"
            ))
        })
    };
    texts.iter().map(address).collect()
}

/// What services may reach in the legacy Internet.
pub(crate) fn internet(rules: &[String], own: Vec<IpAddr>) -> PyResult<Internet> {
    Internet::new(rules.iter().map(String::as_str), own)
        .map_err(|error| PyValueError::new_err(error.to_string()))
}

/// Name, certificates, key, protocols.
pub(crate) type SiteTuple = (String, Vec<u8>, Vec<u8>, Vec<String>);

/// Sites whose TLS ends here.
pub(crate) fn sites(sites: Vec<SiteTuple>) -> PyResult<Sites> {
    let site = |(name, certificates, key, protocols)| Site {
        name,
        certificates,
        key,
        protocols,
    };
    Sites::new(sites.into_iter().map(site).collect()).map_err(PyValueError::new_err)
}

/// CPUs of the threads: none, or one for each.
pub(crate) fn cpus(cpus: Option<Vec<usize>>, threads: usize) -> PyResult<Vec<usize>> {
    match cpus {
        None => Ok(Vec::new()),
        Some(cpus) if cpus.len() == threads => Ok(cpus),
        Some(cpus) => Err(PyValueError::new_err(format!(
            "cpus names {} CPUs for {threads} threads",
            cpus.len()
        ))),
    }
}

/// The arguments of `add_service`.
#[expect(
    clippy::too_many_arguments,
    reason = "they are the keyword arguments of Python"
)]
pub(crate) fn service(
    number: u32,
    match_metadata: Option<u8>,
    reads_payload: bool,
    queue_packets: usize,
    max_hops: usize,
    max_objects: usize,
    drop_reasons: Vec<String>,
    counters: Vec<String>,
    fail: &str,
    streams: bool,
    anonymous: bool,
) -> PyResult<ServiceConfig> {
    const MOST_WAITING: usize = 1 << 20;
    const MOST_OBJECTS: usize = 1 << 24;
    Ok(ServiceConfig {
        match_metadata,
        reads_payload,
        has_streams: streams,
        is_anonymous: anonymous,
        queue_packets: within("queue_packets", queue_packets, 1, MOST_WAITING)?,
        max_hops: within("max_hops", max_hops, 1, 1_024)?,
        max_objects: within("max_objects", max_objects, 0, MOST_OBJECTS)?,
        drop_reasons,
        counters,
        fail: match fail {
            "closed" => Fail::Closed,
            "open" => Fail::Open,
            "bypass" => Fail::Bypass,
            _ => {
                let text = format!("fail {fail:?} is not \"closed\", \"open\" or \"bypass\"");
                return Err(PyValueError::new_err(text));
            }
        },
        ..ServiceConfig::new(number)
    })
}

impl From<BindError> for PyErr {
    fn from(bind: BindError) -> Self {
        os_error(&bind.error, "", bind.endpoint.to_string())
    }
}

impl From<UnmadeError> for PyErr {
    fn from(unmade: UnmadeError) -> Self {
        match unmade {
            UnmadeError::Bind(bind) => bind.into(),
            UnmadeError::Xdp(xdp) => {
                let doing = format!("cannot {}: ", xdp.doing);
                os_error(&xdp.error, &doing, xdp.device)
            }
        }
    }
}

/// `OSError`, or its subclass for the errno, which says an endpoint or a device as it would a file name.
fn os_error(error: &std::io::Error, doing: &str, of: String) -> PyErr {
    let said = error.to_string();
    let message = said.split(" (os error").next().unwrap_or(&said);
    PyOSError::new_err((error.raw_os_error(), format!("{doing}{message}"), of))
}
