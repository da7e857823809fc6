//! `VirtualUnderlay`: what is to happen in a simulation, with its links, and with its nodes' datapaths.
//!
//! Most of what happens concerns a link and a datapath alone. That is done here, one thing after the other,
//! until something comes that Python has a part in, which `pop` returns.

mod log;
mod working;

use std::collections::HashMap;
use std::mem;
use std::net::SocketAddr;

use ei_links::underlay::{Event, Path, Port, Underlay};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use self::log::Log;
use crate::arguments;
use crate::datapath::Datapath;
use crate::link::Link;

#[pyclass(module = "ei._core")]
pub(crate) struct VirtualUnderlay {
    pure: Underlay<Py<PyAny>>,
    ports: Vec<Inhabitant>,
    /// By path: who gets what arrives elsewhere.
    leaves: HashMap<Path, Py<PyAny>>,
    strays: Vec<Stray>,
    owner: Option<Owner>,
    log: Option<Log>,
    is_tapped: bool,
    events: u64,
    standstill: u64,
    now_ns: u64,
}

/// Rank of the program's timers, which are no events.
const TIMER_RANK: u32 = 0;
const NEVER_NS: u64 = 1 << 63;
/// Datagrams whose headers may stay in a datapath: its log is bounded, and forgets beyond.
const MAX_UNLOGGED: usize = 512;

struct Owner {
    on_arrived: Py<PyAny>,
    on_strays: Py<PyAny>,
    partial: Py<PyAny>,
}

struct Inhabitant {
    domain: usize,
    is_frozen: bool,
    node: Option<Box<Node>>,
}

/// A node whose datapath is worked here; its program is in Python.
struct Node {
    datapath: Py<Datapath>,
    on_news: Py<PyAny>,
    on_services_due: Py<PyAny>,
    on_logged: Py<PyAny>,
    program_ns: u64,
    services_ns: u64,
    /// When it is to be woken; `NEVER_NS` where nothing is planned.
    wake_ns: u64,
    unlogged: usize,
}

struct Stray {
    from: Port,
    to: SocketAddr,
    datagram: Vec<u8>,
}

#[pymethods]
impl VirtualUnderlay {
    #[new]
    fn new() -> Self {
        Self {
            pure: Underlay::default(),
            ports: Vec::new(),
            leaves: HashMap::new(),
            strays: Vec::new(),
            owner: None,
            log: None,
            is_tapped: false,
            events: 0,
            standstill: 0,
            now_ns: 0,
        }
    }

    // -- what happens -----------------------------------------------------------------------------

    fn push(&mut self, when_ns: u64, rank: u32, item: Py<PyAny>) {
        self.pure.call(when_ns, rank, item);
    }

    fn pop(
        &mut self,
        py: Python<'_>,
        before_ns: u64,
        most_standing: u64,
    ) -> PyResult<Option<(u64, Py<PyAny>)>> {
        let is_watched = self.log.as_mut().map_or(Ok(false), |log| log.begin(py))?;
        while self.standstill <= most_standing
            && let Some((when_ns, rank, event)) = self.pure.next(before_ns)
        {
            self.events += u64::from(rank != TIMER_RANK);
            self.move_on(when_ns);
            let call = match event {
                Event::Call(call) => Some(call),
                Event::Arrival(path, batch) => self.arrive(py, when_ns, path, batch)?,
                Event::Wake(port) => self.wake(py, when_ns, port)?,
            };
            if call.is_some() || is_watched {
                self.hand_over(py)?;
            }
            if let Some(call) = call {
                return Ok(Some((when_ns, call)));
            }
        }
        self.hand_over(py)?;
        Ok(None)
    }

    fn earliest_ns(&self) -> Option<u64> {
        self.pure.earliest_ns()
    }

    fn retain(&mut self, py: Python<'_>, is_kept: &Bound<'_, PyAny>) -> PyResult<()> {
        let mut outcome = Ok(());
        self.pure.retain_calls(|call| {
            let said = is_kept.call1((call.clone_ref(py),));
            match said.and_then(|said| said.is_truthy()) {
                Ok(is_kept) => is_kept,
                Err(error) => {
                    outcome = Err(error);
                    true
                }
            }
        });
        outcome
    }

    #[getter]
    fn events(&self) -> u64 {
        self.events
    }

    #[getter]
    fn standstill(&self) -> u64 {
        self.standstill
    }

    #[getter]
    fn datagrams(&self) -> u64 {
        self.pure.counts().datagrams
    }

    #[getter]
    fn lost(&self) -> u64 {
        self.pure.counts().lost
    }

    // -- who is there -----------------------------------------------------------------------------

    #[pyo3(signature = (*, on_arrived, on_strays, log))]
    fn open(
        &mut self,
        py: Python<'_>,
        on_arrived: Py<PyAny>,
        on_strays: Py<PyAny>,
        log: Option<Py<PyAny>>,
    ) -> PyResult<()> {
        let partial = py.import("functools")?.getattr("partial")?.unbind();
        self.owner = Some(Owner {
            on_arrived,
            on_strays,
            partial,
        });
        self.log = log.map(Log::new);
        Ok(())
    }

    fn add_port(&mut self, py: Python<'_>, endpoint: &str, domain: &str) -> PyResult<Port> {
        let endpoint = arguments::endpoint(endpoint)?;
        let domain = self.log.as_mut().map_or(0, |log| log.domain(py, domain));
        self.ports.push(Inhabitant {
            domain,
            is_frozen: false,
            node: None,
        });
        Ok(self.pure.add_port(endpoint))
    }

    fn move_port(&mut self, port: Port, endpoint: &str) -> PyResult<()> {
        self.pure.move_port(port, arguments::endpoint(endpoint)?);
        Ok(())
    }

    fn freeze(&mut self, port: Port) -> PyResult<()> {
        self.inhabitant(port)?.is_frozen = true;
        Ok(())
    }

    fn thaw(&mut self, port: Port) -> PyResult<()> {
        self.inhabitant(port)?.is_frozen = false;
        Ok(())
    }

    #[pyo3(signature = (number, sender, receiver, *, leave))]
    fn add_path(
        &mut self,
        number: u32,
        sender: Port,
        receiver: Port,
        leave: Option<Py<PyAny>>,
    ) -> Path {
        let is_away = leave.is_some();
        let path = self.pure.add_path(number, sender, receiver, is_away);
        if let Some(leave) = leave {
            self.leaves.insert(path, leave);
        }
        path
    }

    fn add_route(&mut self, path: Path, endpoint: &str) -> PyResult<()> {
        self.pure.add_route(path, arguments::endpoint(endpoint)?);
        Ok(())
    }

    fn has_link(&self, path: Path) -> bool {
        self.pure.has_link(path)
    }

    fn set_link(&mut self, path: Path, link: &Link) {
        self.pure.set_link(path, link.model());
    }

    #[setter]
    fn set_is_tapped(&mut self, is_tapped: bool) {
        self.is_tapped = is_tapped;
    }

    // -- datagrams --------------------------------------------------------------------------------

    fn send(
        &mut self,
        py: Python<'_>,
        now_ns: u64,
        from: Port,
        to: &str,
        datagram: &[u8],
    ) -> PyResult<()> {
        let to = arguments::endpoint(to)?;
        self.send_one(py, now_ns, from, to, datagram)?;
        self.hand_over(py)
    }

    fn flush(
        &mut self,
        py: Python<'_>,
        now_ns: u64,
        from: Port,
        datapath: &Bound<'_, Datapath>,
    ) -> PyResult<usize> {
        let sent = self.send_all(py, now_ns, from, datapath.try_borrow_mut()?.pure())?;
        self.hand_over(py)?;
        Ok(sent)
    }

    fn put(&mut self, path: Path, at_ns: u64, datagram: Vec<u8>) {
        self.pure.put(path, at_ns, datagram);
    }

    fn take_strays<'py>(&mut self, py: Python<'py>) -> Vec<(Port, String, Bound<'py, PyBytes>)> {
        let strays = mem::take(&mut self.strays).into_iter();
        strays
            .map(|stray| {
                let datagram = PyBytes::new(py, &stray.datagram);
                (stray.from, stray.to.to_string(), datagram)
            })
            .collect()
    }

    #[getter]
    fn has_strays(&self) -> bool {
        !self.strays.is_empty()
    }

    // -- nodes ------------------------------------------------------------------------------------

    #[pyo3(signature = (port, datapath, *, on_news, on_services_due, on_logged))]
    fn add_node(
        &mut self,
        port: Port,
        datapath: Py<Datapath>,
        on_news: Py<PyAny>,
        on_services_due: Py<PyAny>,
        on_logged: Py<PyAny>,
    ) -> PyResult<()> {
        self.inhabitant(port)?.node = Some(Box::new(Node {
            datapath,
            on_news,
            on_services_due,
            on_logged,
            program_ns: NEVER_NS,
            services_ns: NEVER_NS,
            wake_ns: NEVER_NS,
            unlogged: 0,
        }));
        Ok(())
    }

    fn remove_node(&mut self, port: Port) -> PyResult<()> {
        self.inhabitant(port)?.node = None;
        Ok(())
    }

    #[pyo3(signature = (now_ns, port, *, program_ns, services_ns))]
    fn settle(
        &mut self,
        py: Python<'_>,
        now_ns: u64,
        port: Port,
        program_ns: u64,
        services_ns: u64,
    ) -> PyResult<()> {
        // One that has ended since has nothing to say.
        if let Some(mut node) = self.inhabitant(port)?.node.take() {
            (node.program_ns, node.services_ns) = (program_ns, services_ns);
            let settled = self.depart(py, now_ns, port, &mut node);
            self.inhabitant(port)?.node = Some(node);
            settled?;
        }
        self.hand_over(py)
    }

    fn __len__(&self) -> usize {
        self.pure.len()
    }

    fn __repr__(&self) -> String {
        let (ports, events) = (self.ports.len(), self.pure.len());
        format!("<VirtualUnderlay of {ports} ports, {events} events to come>")
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.pure.calls().try_for_each(|call| visit.call(call))?;
        self.leaves
            .values()
            .try_for_each(|leave| visit.call(leave))?;
        if let Some(owner) = &self.owner {
            visit.call(&owner.on_arrived)?;
            visit.call(&owner.on_strays)?;
        }
        if let Some(log) = &self.log {
            log.traverse(&visit)?;
        }
        for node in self.ports.iter().filter_map(|each| each.node.as_ref()) {
            visit.call(&node.datapath)?;
            visit.call(&node.on_news)?;
            visit.call(&node.on_services_due)?;
            visit.call(&node.on_logged)?;
        }
        Ok(())
    }

    fn __clear__(&mut self) {
        self.pure.clear();
        self.leaves.clear();
        self.owner = None;
        self.log = None;
        for inhabitant in &mut self.ports {
            inhabitant.node = None;
        }
    }
}
