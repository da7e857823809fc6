//! `Engine`: the datapath of a real node, native threads that own the sockets.

mod fleet;
mod handing_over;
mod junction;
mod lane;
mod mailbox;
mod notices;
mod shared;

use std::os::fd::{AsFd, AsRawFd, RawFd};

use ei_datapath::pipes::PeerKind;
use ei_datapath::routes::Expansion;
use ei_datapath::wire::Address;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::arguments::{self, SiteTuple};
use crate::bookkeeping::engine_dict;
use crate::clock::{monotonic_ns, unix_ns};
use crate::objects::{refused, trace_tuple};
pub(crate) use fleet::UnmadeError;
use fleet::{Fleet, FleetConfig};
use handing_over::{first_refusal, news_tuple};
use junction::{StreamThread, streams_dict};

const MOST_THREADS: usize = 16;

/// The datapath of a real node: what is asked of it is done by its threads, between two batches.
#[pyclass(frozen, module = "ei._core")]
pub(crate) struct Engine {
    fleet: Fleet,
    address: Address,
}

#[pymethods]
impl Engine {
    #[new]
    #[pyo3(signature = (*, binds, address, private_key, threads=1, cache_entries=65_536,
        max_datagram_bytes=1_452, spin_us=50, cpus=None, copies_per_s=0, xdp=vec![]))]
    #[expect(
        clippy::too_many_arguments,
        reason = "they are the keyword arguments of Python"
    )]
    fn new(
        py: Python<'_>,
        binds: Vec<String>,
        address: &[u8],
        private_key: &[u8],
        threads: usize,
        cache_entries: usize,
        max_datagram_bytes: usize,
        spin_us: u64,
        cpus: Option<Vec<usize>>,
        copies_per_s: u64,
        xdp: Vec<String>,
    ) -> PyResult<Self> {
        let role = PeerKind::Node;
        let mut datapath = arguments::datapath(
            role,
            address,
            private_key,
            cache_entries,
            max_datagram_bytes,
        )?;
        datapath.unix_offset_ns = unix_ns() as i64 - monotonic_ns() as i64;
        datapath.reserves_memory = true;
        let threads = arguments::within("threads", threads, 1, MOST_THREADS)?;
        if threads > 1 && !xdp.is_empty() {
            return Err(PyValueError::new_err(format!(
                "xdp: {threads} threads seen, 1 allowed"
            )));
        }
        datapath.copies_per_s = copies_per_s.div_ceil(threads as u64);
        let config = FleetConfig {
            binds: arguments::binds(&binds)?,
            threads,
            cpus: arguments::cpus(cpus, threads)?,
            spin_us,
            xdp,
            datapath,
        };
        let fleet = py.detach(|| Fleet::new(config))?;
        let address = arguments::address(address)?;
        Ok(Self { fleet, address })
    }

    #[getter]
    fn endpoints(&self) -> Vec<String> {
        self.fleet
            .endpoints()
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    fn start(&self, py: Python<'_>) -> PyResult<()> {
        Ok(py.detach(|| self.fleet.start())?)
    }

    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        Ok(py.detach(|| self.fleet.stop())?)
    }

    // -- control ----------------------------------------------------------------------------------

    #[pyo3(signature = (address, public_key, *, kind, endpoint=None))]
    fn add_peer(
        &self,
        py: Python<'_>,
        address: &[u8],
        public_key: &[u8],
        kind: &str,
        endpoint: Option<&str>,
    ) -> PyResult<()> {
        let peer = arguments::peer(address, public_key, kind, endpoint)?;
        let added = py.detach(|| {
            self.fleet.order_all(move |lane, _| {
                lane.datapath
                    .add_peer(peer.address, peer.public_key, peer.kind, peer.endpoint)
            })
        })?;
        first_refusal(added)
    }

    fn remove_peer(&self, py: Python<'_>, address: &[u8]) -> PyResult<()> {
        let peer = arguments::address(address)?;
        py.detach(|| {
            self.fleet
                .order_all(move |lane, now_ns| lane.datapath.remove_peer(now_ns, &peer))
        })?;
        Ok(())
    }

    fn dial(&self, py: Python<'_>, address: &[u8]) -> PyResult<()> {
        let peer = arguments::address(address)?;
        py.detach(|| {
            self.fleet
                .order(0, move |lane, now_ns| lane.datapath.dial(now_ns, &peer))
        })?;
        Ok(())
    }

    fn close_peer(&self, py: Python<'_>, address: &[u8]) -> PyResult<()> {
        let peer = arguments::address(address)?;
        py.detach(|| {
            self.fleet.order(0, move |lane, now_ns| {
                lane.datapath.close_peer(now_ns, &peer);
            })
        })?;
        Ok(())
    }

    fn send_control(
        &self,
        py: Python<'_>,
        peer: &[u8],
        service: u32,
        message: Vec<u8>,
    ) -> PyResult<()> {
        let peer = arguments::address(peer)?;
        let sent = py.detach(|| {
            self.fleet.order(0, move |lane, now_ns| {
                let sent = lane.datapath.send_control(now_ns, &peer, service, &message);
                // Before the caller is woken, whom nobody waits for.
                lane.send_now();
                sent
            })
        })?;
        sent.map_err(refused)
    }

    #[pyo3(signature = (address, *, is_avoided))]
    fn set_peer_avoided(&self, py: Python<'_>, address: &[u8], is_avoided: bool) -> PyResult<()> {
        let peer = arguments::address(address)?;
        py.detach(|| {
            self.fleet
                .order_all(move |lane, _| lane.datapath.set_peer_avoided(&peer, is_avoided))
        })?;
        Ok(())
    }

    #[pyo3(signature = (address, *, is_carried))]
    fn set_peer_carried(&self, py: Python<'_>, address: &[u8], is_carried: bool) -> PyResult<()> {
        let peer = arguments::address(address)?;
        py.detach(|| {
            self.fleet
                .order_all(move |lane, _| lane.datapath.set_peer_carried(&peer, is_carried))
        })?;
        Ok(())
    }

    fn revoke_peer(&self, py: Python<'_>, address: &[u8]) -> PyResult<()> {
        let peer = arguments::address(address)?;
        py.detach(|| {
            self.fleet
                .order_all(move |lane, _| lane.datapath.revoke_peer(&peer))
        })?;
        Ok(())
    }

    #[pyo3(signature = (service))]
    fn set_fallback(&self, py: Python<'_>, service: Option<u32>) -> PyResult<()> {
        py.detach(|| {
            self.fleet
                .order_all(move |lane, _| lane.datapath.set_fallback(service))
        })?;
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
        &self,
        py: Python<'_>,
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
        let config = arguments::service(
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
        )?;
        self.fleet.set_streams(number, streams.then_some(anonymous));
        py.detach(|| {
            self.fleet
                .order_all(move |lane, _| lane.datapath.add_service(config.clone()))
        })?;
        Ok(())
    }

    fn remove_service(&self, py: Python<'_>, number: u32) -> PyResult<()> {
        py.detach(|| self.fleet.detach_streams(number))?;
        self.fleet.set_streams(number, None);
        py.detach(|| {
            self.fleet
                .order_all(move |lane, _| lane.remove_service(number))
        })?;
        Ok(())
    }

    fn set_chain(&self, py: Python<'_>, service: u32, services: Vec<u32>) -> PyResult<()> {
        let set = py.detach(|| {
            self.fleet
                .order_all(move |lane, _| lane.datapath.set_chain(service, &services))
        })?;
        first_refusal(set)
    }

    #[pyo3(signature = (number, *, first, later, to_nodes, to_hosts))]
    fn set_bundle(
        &self,
        py: Python<'_>,
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
        let set = py.detach(|| {
            self.fleet
                .order_all(move |lane, _| lane.datapath.set_bundle(number, expansion.clone()))
        })?;
        first_refusal(set)
    }

    fn set_guards(&self, py: Python<'_>, host: &[u8], services: Vec<u32>) -> PyResult<()> {
        let host = arguments::address(host)?;
        let set = py.detach(|| {
            self.fleet
                .order_all(move |lane, _| lane.datapath.set_guards(host, &services))
        })?;
        first_refusal(set)
    }

    fn resolved(
        &self,
        py: Python<'_>,
        service: u32,
        query: Vec<u8>,
        record: Option<Vec<u8>>,
    ) -> PyResult<()> {
        // A worker is one, whichever thread's packets it holds: thread 0 tells it.
        py.detach(|| {
            self.fleet.order(0, move |lane, _| {
                lane.datapath.resolved(service, &query, record.as_deref());
            })
        })?;
        Ok(())
    }

    // -- workers ----------------------------------------------------------------------------------

    fn attach_worker(&self, py: Python<'_>, service: u32, sockets: Vec<RawFd>) -> PyResult<()> {
        let sockets = handing_over::sockets(sockets, self.fleet.sockets_of(service))?;
        py.detach(|| self.fleet.attach_worker(service, sockets))??;
        Ok(())
    }

    fn pause_worker(&self, py: Python<'_>, service: u32) -> PyResult<usize> {
        let unanswered = py.detach(|| {
            self.fleet
                .order_all(move |lane, _| lane.pause_worker(service))
        })?;
        Ok(unanswered.into_iter().sum())
    }

    fn detach_worker(&self, py: Python<'_>, service: u32) -> PyResult<()> {
        py.detach(|| self.fleet.detach_streams(service))?;
        py.detach(|| {
            self.fleet
                .order_all(move |lane, _| lane.detach_worker(service))
        })?;
        Ok(())
    }

    // -- streams ----------------------------------------------------------------------------------

    #[pyo3(signature = (identity_key, *, internet=vec![], own_addresses=vec![], max_streams=65_536,
        max_streams_per_peer=1_024, buffer_bytes=1_073_741_824))]
    #[expect(
        clippy::too_many_arguments,
        reason = "they are the keyword arguments of Python"
    )]
    fn start_streams(
        &self,
        py: Python<'_>,
        identity_key: &[u8],
        internet: Vec<String>,
        own_addresses: Vec<String>,
        max_streams: usize,
        max_streams_per_peer: usize,
        buffer_bytes: u64,
    ) -> PyResult<()> {
        let own = arguments::ip_addresses(&own_addresses)?;
        let internet = arguments::internet(&internet, own.clone())?;
        let config = arguments::junction(
            self.address,
            identity_key,
            max_streams,
            max_streams_per_peer,
            buffer_bytes,
        )?;
        Ok(py.detach(|| self.fleet.start_streams(config, internet, own))?)
    }

    fn set_internet(&self, py: Python<'_>, internet: Vec<String>) -> PyResult<()> {
        let internet = arguments::internet(&internet, self.fleet.own_addresses())?;
        let order = move |thread: &mut StreamThread, _| thread.set_internet(internet);
        Ok(py.detach(|| self.fleet.order_streams(order))?)
    }

    fn set_sites(&self, py: Python<'_>, sites: Vec<SiteTuple>) -> PyResult<()> {
        let sites = arguments::sites(sites)?;
        let order = move |thread: &mut StreamThread, _| thread.set_sites(sites);
        Ok(py.detach(|| self.fleet.order_streams(order))?)
    }

    #[pyo3(signature = (address, identity_key))]
    fn set_stream_peer(
        &self,
        py: Python<'_>,
        address: &[u8],
        identity_key: Option<&[u8]>,
    ) -> PyResult<()> {
        let peer = arguments::address(address)?.0;
        let key = identity_key.map(|key| arguments::exactly("identity_key", key));
        let key = key.transpose()?;
        let order = move |thread: &mut StreamThread, now_ns| thread.set_peer_key(now_ns, peer, key);
        Ok(py.detach(|| self.fleet.order_streams(order))?)
    }

    // -- memory -----------------------------------------------------------------------------------

    fn set_tight(&self, py: Python<'_>, is_tight: bool) -> PyResult<u64> {
        py.detach(|| self.fleet.set_tight(is_tight))
            .map_err(PyErr::from)
    }

    // -- seeing -----------------------------------------------------------------------------------

    fn notice_fd(&self) -> RawFd {
        self.fleet.shared().notices.as_fd().as_raw_fd()
    }

    fn take_notices<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        let news = self.fleet.shared().notices.take();
        news.map(|news| news_tuple(py, news)).collect()
    }

    fn statistics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let threads = py.detach(|| self.fleet.order_all(|lane, _| lane.statistics()))?;
        let shared = self.fleet.shared();
        let dict = engine_dict(py, threads, shared.notices.lost(), &shared.lost())?;
        if self.fleet.has_streams() {
            let streams =
                py.detach(|| self.fleet.order_streams(|thread, _| thread.statistics()))?;
            dict.set_item("streams", streams_dict(py, streams, &dict)?)?;
        }
        Ok(dict)
    }

    fn take_traces<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        let mut traces = py
            .detach(|| {
                self.fleet.order_all(|lane, _| {
                    std::iter::from_fn(|| lane.datapath.take_trace()).collect::<Vec<_>>()
                })
            })?
            .concat();
        traces.sort_by_key(|trace| trace.now_ns);
        traces
            .into_iter()
            .map(|trace| trace_tuple(py, trace))
            .collect()
    }

    fn __repr__(&self) -> String {
        let endpoints = self.endpoints().join(" and ");
        format!(
            "<Engine at {endpoints}, {} threads, {}>",
            self.fleet.threads(),
            self.fleet.state()
        )
    }
}
