//! `Datapath`: the pure datapath, for hosts and for nodes in simulation.

use std::collections::HashMap;
use std::net::SocketAddr;

use ei_datapath::counters::Reason;
use ei_datapath::forward::{Datapath as Pure, OutgoingPacket, ReceivedPacket};
use ei_datapath::routes::Expansion;
use ei_datapath::wire::Protection;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString, PyTuple};

use crate::arguments;
use crate::bookkeeping::statistics_dict;
use crate::objects::{notice_tuple, refused, trace_tuple};

/// A pure datapath for one thread.
#[pyclass(module = "ei._core")]
pub(crate) struct Datapath {
    pure: Pure,
    /// Room for batches of events.
    batch: Vec<u8>,
    /// Endpoints as Python has them, at most `MAX_ENDPOINTS`.
    endpoints: HashMap<SocketAddr, Py<PyString>>,
}

const MAX_ENDPOINTS: usize = 4_096;

/// Endpoint and bytes of each.
type Datagrams<'py> = Vec<(Bound<'py, PyString>, Bound<'py, PyBytes>)>;

impl Datapath {
    pub(crate) fn pure(&mut self) -> &mut Pure {
        &mut self.pure
    }
}

#[pymethods]
impl Datapath {
    #[new]
    #[pyo3(signature = (*, role, address, private_key, seed=None, unix_offset_ns=0,
        cache_entries=65_536, max_datagram_bytes=1_452, has_log=false))]
    #[expect(
        clippy::too_many_arguments,
        reason = "they are the keyword arguments of Python"
    )]
    fn new(
        role: &str,
        address: &[u8],
        private_key: &[u8],
        seed: Option<&[u8]>,
        unix_offset_ns: i64,
        cache_entries: usize,
        max_datagram_bytes: usize,
        has_log: bool,
    ) -> PyResult<Self> {
        let role = arguments::peer_kind("role", role)?;
        let mut config = arguments::datapath(
            role,
            address,
            private_key,
            cache_entries,
            max_datagram_bytes,
        )?;
        config.seed = seed
            .map(|seed| arguments::exactly("seed", seed))
            .transpose()?;
        config.unix_offset_ns = unix_offset_ns;
        config.has_log = has_log;
        Ok(Self {
            pure: Pure::new(config),
            batch: Vec::new(),
            endpoints: HashMap::new(),
        })
    }

    // -- control ----------------------------------------------------------------------------------

    #[pyo3(signature = (address, public_key, *, kind, endpoint=None))]
    fn add_peer(
        &mut self,
        address: &[u8],
        public_key: &[u8],
        kind: &str,
        endpoint: Option<&str>,
    ) -> PyResult<()> {
        let peer = arguments::peer(address, public_key, kind, endpoint)?;
        self.pure
            .add_peer(peer.address, peer.public_key, peer.kind, peer.endpoint)
            .map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(())
    }

    fn remove_peer(&mut self, now_ns: u64, address: &[u8]) -> PyResult<()> {
        self.pure.remove_peer(now_ns, &arguments::address(address)?);
        Ok(())
    }

    fn dial(&mut self, now_ns: u64, address: &[u8]) -> PyResult<()> {
        self.pure.dial(now_ns, &arguments::address(address)?);
        Ok(())
    }

    #[pyo3(signature = (number, *, match_metadata=None, reads_payload=false, queue_packets=1_024,
        max_hops=1_024, max_objects=65_536, drop_reasons=vec![], counters=vec![], fail="closed",
        streams=false, anonymous=false))]
    #[expect(
        clippy::too_many_arguments,
        reason = "they are the keyword arguments of Python"
    )]
    fn add_service(
        &mut self,
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
    ) -> PyResult<()> {
        self.pure.add_service(arguments::service(
            number,
            match_metadata,
            reads_payload,
            queue_packets,
            max_hops,
            max_objects,
            drop_reasons,
            counters,
            fail,
            streams,
            anonymous,
        )?);
        Ok(())
    }

    fn remove_service(&mut self, number: u32) {
        self.pure.remove_service(number);
    }

    fn set_chain(&mut self, service: u32, services: Vec<u32>) -> PyResult<()> {
        self.pure
            .set_chain(service, &services)
            .map_err(chain_refused)
    }

    #[pyo3(signature = (number, *, first, later, to_nodes, to_hosts))]
    fn set_bundle(
        &mut self,
        number: u32,
        first: Vec<u32>,
        later: Vec<u32>,
        to_nodes: Vec<u32>,
        to_hosts: Vec<u32>,
    ) -> PyResult<()> {
        let expansion = Expansion {
            first,
            later,
            to_nodes,
            to_hosts,
        };
        self.pure
            .set_bundle(number, expansion)
            .map_err(chain_refused)
    }

    fn set_guards(&mut self, host: &[u8], services: Vec<u32>) -> PyResult<()> {
        self.pure
            .set_guards(arguments::address(host)?, &services)
            .map_err(chain_refused)
    }

    fn resolved(&mut self, now_ns: u64, service: u32, query: &[u8], record: Option<&[u8]>) {
        let _timeless = now_ns;
        self.pure.resolved(service, query, record);
    }

    fn lose_worker(&mut self, now_ns: u64, service: u32) {
        self.pure.lose_worker(now_ns, service);
    }

    fn send_control(
        &mut self,
        now_ns: u64,
        peer: &[u8],
        service: u32,
        message: &[u8],
    ) -> PyResult<()> {
        let peer = arguments::address(peer)?;
        self.pure
            .send_control(now_ns, &peer, service, message)
            .map_err(refused)
    }

    fn close_peer(&mut self, now_ns: u64, address: &[u8]) -> PyResult<()> {
        let peer = arguments::address(address)?;
        self.pure.close_peer(now_ns, &peer);
        Ok(())
    }

    #[pyo3(signature = (address, *, is_avoided))]
    fn set_peer_avoided(&mut self, address: &[u8], is_avoided: bool) -> PyResult<()> {
        let peer = arguments::address(address)?;
        self.pure.set_peer_avoided(&peer, is_avoided);
        Ok(())
    }

    #[pyo3(signature = (address, *, is_carried))]
    fn set_peer_carried(&mut self, address: &[u8], is_carried: bool) -> PyResult<()> {
        let peer = arguments::address(address)?;
        self.pure.set_peer_carried(&peer, is_carried);
        Ok(())
    }

    fn revoke_peer(&mut self, address: &[u8]) -> PyResult<()> {
        let peer = arguments::address(address)?;
        self.pure.revoke_peer(&peer);
        Ok(())
    }

    #[pyo3(signature = (service))]
    fn set_fallback(&mut self, service: Option<u32>) {
        self.pure.set_fallback(service);
    }

    fn take_notices<'py>(&mut self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        let notices = std::iter::from_fn(|| self.pure.take_notice());
        notices.map(|notice| notice_tuple(py, notice)).collect()
    }

    fn statistics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        statistics_dict(py, &self.pure.statistics())
    }

    fn take_traces<'py>(&mut self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        let traces = std::iter::from_fn(|| self.pure.take_trace());
        traces.map(|trace| trace_tuple(py, trace)).collect()
    }

    // -- the pure walk ----------------------------------------------------------------------------

    fn handle(&mut self, now_ns: u64, source: &str, datagram: &[u8]) -> PyResult<&'static str> {
        let from = arguments::endpoint(source)?;
        // Decrypted in place, and Python's bytes never change.
        let mut datagram = datagram.to_vec();
        Ok(self.pure.handle(now_ns, from, &mut datagram).word())
    }

    fn poll(&mut self, now_ns: u64) {
        self.pure.poll(now_ns);
    }

    fn next_deadline_ns(&self) -> Option<u64> {
        self.pure.next_deadline_ns()
    }

    fn take_datagrams<'py>(&mut self, py: Python<'py>) -> Datagrams<'py> {
        let mut datagrams = Vec::new();
        while let Some(train) = self.pure.next_train() {
            if self.endpoints.len() >= MAX_ENDPOINTS {
                self.endpoints.clear();
            }
            let to = self
                .endpoints
                .entry(train.to)
                .or_insert_with(|| PyString::new(py, &train.to.to_string()).unbind());
            for datagram in train.bytes.chunks(train.segment_bytes.max(1)) {
                datagrams.push((to.bind(py).clone(), PyBytes::new(py, datagram)));
            }
        }
        datagrams
    }

    fn take_events<'py>(
        &mut self,
        py: Python<'py>,
        now_ns: u64,
        unix_s: f64,
        service: u32,
    ) -> Option<Bound<'py, PyBytes>> {
        self.batch.clear();
        let length = self
            .pure
            .take_events(now_ns, unix_s, service, &mut self.batch);
        (length > 0).then(|| PyBytes::new(py, &self.batch))
    }

    fn put_effects(&mut self, now_ns: u64, service: u32, batch: &[u8]) -> PyResult<()> {
        let put = self.pure.put_effects(now_ns, service, batch);
        put.map_err(|error| PyValueError::new_err(error.to_string()))
    }

    fn services_with_events(&self) -> Vec<u32> {
        self.pure.services_with_events()
    }

    fn take_log<'py>(&mut self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.pure.take_log())
    }

    // -- hosts ------------------------------------------------------------------------------------

    #[pyo3(signature = (now_ns, peer, service, connection, metadata, payloads, *, protection,
        is_covered=false, traffic_class=0, is_traced=false))]
    #[expect(
        clippy::too_many_arguments,
        reason = "they are the arguments of Python"
    )]
    fn send(
        &mut self,
        now_ns: u64,
        peer: &[u8],
        service: u32,
        connection: u64,
        metadata: &[u8],
        payloads: Vec<Bound<'_, PyBytes>>,
        protection: u8,
        is_covered: bool,
        traffic_class: u16,
        is_traced: bool,
    ) -> PyResult<usize> {
        let packet = OutgoingPacket {
            peer: arguments::address(peer)?,
            service,
            connection,
            metadata,
            payload: &[],
            protection: protection_of(protection)?,
            is_covered,
            class: traffic_class,
            is_traced,
        };
        for (taken, payload) in payloads.iter().enumerate() {
            match self.pure.send(
                now_ns,
                &OutgoingPacket {
                    payload: payload.as_bytes(),
                    ..packet
                },
            ) {
                Ok(()) => {}
                // The caller's own fault, whatever the network does.
                Err(reason @ (Reason::BadHeader | Reason::Unprotected)) => {
                    return Err(refused(reason));
                }
                Err(_) => return Ok(taken),
            }
        }
        Ok(payloads.len())
    }

    fn take_received<'py>(&mut self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        let mut runs = Vec::new();
        let mut run: Option<(ReceivedPacket, Vec<Bound<'py, PyBytes>>)> = None;
        while let Some(packet) = self.pure.take_received() {
            let payload = PyBytes::new(py, &packet.payload);
            match &mut run {
                Some((first, payloads)) if is_same_run(first, &packet) => payloads.push(payload),
                _ => runs.extend(run.replace((packet, vec![payload]))),
            }
        }
        runs.extend(run);
        runs.into_iter()
            .map(|(first, payloads)| run_tuple(py, &first, payloads))
            .collect()
    }

    fn __repr__(&self) -> String {
        let statistics = self.pure.statistics();
        let up = statistics.peers.iter().filter(|peer| peer.is_up).count();
        format!(
            "<Datapath of a {}: {up} of {} pipes up, {} received, {} sent>",
            if self.pure.is_host() { "host" } else { "node" },
            statistics.peers.len(),
            statistics.counters.received,
            statistics.counters.sent,
        )
    }
}

fn chain_refused(error: ei_datapath::routes::ChainError) -> PyErr {
    PyValueError::new_err(error.to_string())
}

pub(crate) fn protection_of(byte: u8) -> PyResult<Protection> {
    Protection::from_byte(byte)
        .ok_or_else(|| PyValueError::new_err(format!("protection of {byte} is not within 0 to 3")))
}

fn is_same_run(first: &ReceivedPacket, next: &ReceivedPacket) -> bool {
    first.connection == next.connection
        && first.service == next.service
        && first.source == next.source
        && first.peer == next.peer
        && first.protection == next.protection
        && first.is_traced == next.is_traced
        && first.metadata == next.metadata
}

fn run_tuple<'py>(
    py: Python<'py>,
    first: &ReceivedPacket,
    payloads: Vec<Bound<'py, PyBytes>>,
) -> PyResult<Bound<'py, PyTuple>> {
    let peer = PyBytes::new(py, &first.peer.0);
    let source = PyBytes::new(py, &first.source.0);
    let metadata = PyBytes::new(py, &first.metadata);
    let (service, connection) = (first.service, first.connection);
    let protection = first.protection as u8;
    (
        peer,
        service,
        source,
        connection,
        metadata,
        protection,
        first.is_traced,
        payloads,
    )
        .into_pyobject(py)
}
