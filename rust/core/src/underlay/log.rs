//! What arrived and what was lost, as the log of a simulation has it, until Python takes it.

use std::collections::HashMap;
use std::mem;

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

const DATAGRAM: u8 = 0;
const LOST: &str = "lost on the link";

/// Entries of the log of events, until Python gets them: before anything else of Python runs.
pub(super) struct Log {
    log: Py<PyAny>,
    domains: Vec<Domain>,
    by_name: HashMap<String, usize>,
    /// Domains with entries.
    dirty: Vec<usize>,
    /// Of the arrival that is worked on: they come after those of what it led to.
    arrived: Vec<u8>,
    arrived_at: usize,
}

struct Domain {
    name: Py<PyString>,
    entries: Vec<u8>,
}

impl Log {
    pub(super) fn new(log: Py<PyAny>) -> Self {
        Self {
            log,
            domains: Vec::new(),
            by_name: HashMap::new(),
            dirty: Vec::new(),
            arrived: Vec::new(),
            arrived_at: 0,
        }
    }

    pub(super) fn domain(&mut self, py: Python<'_>, name: &str) -> usize {
        let domains = &mut self.domains;
        *self.by_name.entry(name.to_owned()).or_insert_with(|| {
            domains.push(Domain {
                name: PyString::new(py, name).unbind(),
                entries: Vec::new(),
            });
            domains.len() - 1
        })
    }

    /// Go on after Python did what the last arrival led to; returns whether somebody watches each entry.
    pub(super) fn begin(&mut self, py: Python<'_>) -> PyResult<bool> {
        self.conclude();
        let watch = self.log.bind(py).getattr(intern!(py, "watch"))?;
        Ok(!watch.is_none())
    }

    /// A datagram reached a node and met its fate there.
    pub(super) fn arrived(
        &mut self,
        domain: usize,
        now_ns: u64,
        number: u32,
        length: usize,
        fate: &str,
    ) {
        self.arrived_at = domain;
        write_entry(&mut self.arrived, now_ns, number, length, fate);
    }

    /// A datagram of that domain was lost on its link.
    pub(super) fn lost(&mut self, domain: usize, now_ns: u64, number: u32, length: usize) {
        let mut entry = Vec::new();
        write_entry(&mut entry, now_ns, number, length, LOST);
        self.add(domain, &entry);
    }

    /// For the garbage collector.
    pub(super) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.log)
    }

    /// Nothing more follows from the arrival that was worked on.
    pub(super) fn conclude(&mut self) {
        if !self.arrived.is_empty() {
            let arrived = mem::take(&mut self.arrived);
            self.add(self.arrived_at, &arrived);
            self.arrived = arrived;
            self.arrived.clear();
        }
    }

    fn add(&mut self, domain: usize, entries: &[u8]) {
        if let Some(known) = self.domains.get_mut(domain) {
            if known.entries.is_empty() {
                self.dirty.push(domain);
            }
            known.entries.extend_from_slice(entries);
        }
    }

    pub(super) fn hand_over(&mut self, py: Python<'_>) -> PyResult<()> {
        for domain in self.dirty.drain(..) {
            if let Some(domain) = self.domains.get_mut(domain) {
                let entries = PyBytes::new(py, &domain.entries);
                domain.entries.clear();
                let add = intern!(py, "add_datagrams");
                self.log.call_method1(py, add, (&domain.name, entries))?;
            }
        }
        Ok(())
    }
}

/// See `ei.lab.eventlog`, which reads it.
fn write_entry(entries: &mut Vec<u8>, now_ns: u64, number: u32, length: usize, fate: &str) {
    entries.push(DATAGRAM);
    entries.extend_from_slice(&now_ns.to_le_bytes());
    entries.extend_from_slice(&number.to_le_bytes());
    entries.extend_from_slice(&(length as u32).to_le_bytes());
    entries.push(fate.len() as u8);
    entries.extend_from_slice(fate.as_bytes());
}
