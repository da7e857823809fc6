//! `Engine`: the datapath of a real node, native threads that own the sockets.

mod fleet;
mod lane;
mod mailbox;
mod notices;
mod shared;

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};

use ei_datapath::pipes::PeerKind;
use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::arguments;
use crate::bookkeeping::{statistics_dict, sum, threads_list};
use crate::clock::{monotonic_ns, unix_ns};
use crate::objects::{notice_tuple, refused, trace_tuple};
use fleet::{Fleet, FleetConfig, FleetError};
use notices::News;

const MOST_THREADS: usize = 16;

/// The datapath of a real node: what is asked of it is done by its threads, between two batches.
#[pyclass(frozen, module = "ei._core")]
pub(crate) struct Engine {
    fleet: Fleet,
}

#[pymethods]
impl Engine {
    #[new]
    #[pyo3(signature = (*, binds, address, private_key, threads=1, cache_entries=65_536,
        max_datagram_bytes=1_452, spin_us=50, cpus=None))]
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
        let config = FleetConfig {
            binds: arguments::binds(&binds)?,
            threads,
            cpus: arguments::cpus(cpus, threads)?,
            spin_us,
            datapath,
        };
        let fleet = py.detach(|| Fleet::new(config))?;
        Ok(Self { fleet })
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
        max_hops=1_024, max_objects=65_536, drop_reasons=vec![], counters=vec![], fail="closed"))]
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
        )?;
        py.detach(|| {
            self.fleet
                .order_all(move |lane, _| lane.datapath.add_service(config.clone()))
        })?;
        Ok(())
    }

    fn remove_service(&self, py: Python<'_>, number: u32) -> PyResult<()> {
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
        let threads = self.fleet.threads();
        if sockets.len() != threads {
            return Err(PyValueError::new_err(format!(
                "{} sockets for {threads} threads",
                sockets.len()
            )));
        }
        let sockets = sockets
            .into_iter()
            .map(owned)
            .collect::<PyResult<Vec<_>>>()?;
        py.detach(|| self.fleet.attach_worker(service, sockets))??;
        Ok(())
    }

    fn detach_worker(&self, py: Python<'_>, service: u32) -> PyResult<()> {
        py.detach(|| {
            self.fleet
                .order_all(move |lane, _| lane.detach_worker(service))
        })?;
        Ok(())
    }

    // -- seeing -----------------------------------------------------------------------------------

    fn notice_fd(&self) -> RawFd {
        self.fleet.shared().notices.as_fd().as_raw_fd()
    }

    fn take_notices<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        let news = self.fleet.shared().notices.take();
        news.map(|news| match news {
            News::Datapath(notice) => notice_tuple(py, notice),
            News::WorkerLost(service) => ("worker_lost", service).into_pyobject(py),
            News::WorkerSlow(service) => ("worker_slow", service).into_pyobject(py),
            News::Failed(why) => ("failed", why).into_pyobject(py),
        })
        .collect()
    }

    fn statistics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let threads = py.detach(|| self.fleet.order_all(|lane, _| lane.statistics()))?;
        let list = threads_list(py, &threads)?;
        let socket_overflows: u64 = threads.iter().map(|thread| thread.socket_overflows).sum();
        let thread_overflows: u64 = threads.iter().map(|thread| thread.thread_overflows).sum();
        let all = threads.into_iter().map(|thread| thread.datapath).collect();
        let sum = sum(all).ok_or_else(|| PyRuntimeError::new_err("no thread runs"))?;
        let dict = statistics_dict(py, &sum)?;
        dict.set_item("threads", list)?;
        dict.set_item("lost_workers", self.fleet.shared().lost())?;
        dict.set_item("socket_overflows", socket_overflows)?;
        dict.set_item("thread_overflows", thread_overflows)?;
        dict.set_item("notice_overflows", self.fleet.shared().notices.lost())?;
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

/// Take a descriptor over from Python.
fn owned(descriptor: RawFd) -> PyResult<OwnedFd> {
    // SAFETY: fcntl with F_GETFD takes any number, and touches no memory.
    if descriptor < 0 || unsafe { libc::fcntl(descriptor, libc::F_GETFD) } < 0 {
        let text = "Bad file descriptor";
        return Err(PyOSError::new_err((
            libc::EBADF,
            text,
            format!("socket {descriptor}"),
        )));
    }
    // SAFETY: it is open, and by the contract of `attach_worker` nobody else closes it from now on.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// All threads have the same configuration, so that they refuse the same.
fn first_refusal<T, E: std::fmt::Display>(results: Vec<Result<T, E>>) -> PyResult<()> {
    for result in results {
        if let Err(error) = result {
            return Err(PyValueError::new_err(error.to_string()));
        }
    }
    Ok(())
}

impl From<FleetError> for PyErr {
    fn from(error: FleetError) -> Self {
        PyRuntimeError::new_err(error.to_string())
    }
}
