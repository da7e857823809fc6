//! What happens in a simulation that Python has no part in, and what it is told where it has.

use std::net::SocketAddr;

use ei_datapath::forward::Datapath as Pure;
use ei_links::underlay::{Batch, Path, Port, Sent};
use pyo3::exceptions::PyLookupError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use super::{Inhabitant, MAX_UNLOGGED, NEVER_NS, Node, Stray, VirtualUnderlay};

impl VirtualUnderlay {
    pub(super) fn move_on(&mut self, when_ns: u64) {
        if when_ns > self.now_ns {
            (self.now_ns, self.standstill) = (when_ns, 0);
        } else {
            self.standstill += 1;
        }
    }

    /// Let datagrams arrive; returns what Python has to do about them.
    pub(super) fn arrive(
        &mut self,
        py: Python<'_>,
        now_ns: u64,
        path: Path,
        mut batch: Batch,
    ) -> PyResult<Option<Py<PyAny>>> {
        let Some((sender, receiver)) = self.pure.ends(path) else {
            return Ok(None);
        };
        let (Some(from), Some(inhabitant)) =
            (self.pure.endpoint(sender), self.ports.get_mut(receiver))
        else {
            return Ok(None);
        };
        if self.is_tapped || inhabitant.is_frozen || inhabitant.node.is_none() {
            return self.arrival(py, path, &mut batch).map(Some);
        }
        let Some(mut node) = inhabitant.node.take() else {
            return Ok(None);
        };
        let (domain, number) = (inhabitant.domain, self.pure.number(path).unwrap_or(0));
        let done = self.handle(py, now_ns, &mut node, from, &mut batch, (domain, number));
        let call = done.and_then(|()| self.follow(py, now_ns, receiver, &mut node));
        if let Some(inhabitant) = self.ports.get_mut(receiver) {
            inhabitant.node = Some(node);
        }
        if let (Some(log), Ok(None)) = (&mut self.log, &call) {
            log.conclude();
        }
        call
    }

    fn handle(
        &mut self,
        py: Python<'_>,
        now_ns: u64,
        node: &mut Node,
        from: SocketAddr,
        batch: &mut Batch,
        (domain, number): (usize, u32),
    ) -> PyResult<()> {
        let mut datapath = node.datapath.bind(py).try_borrow_mut()?;
        for datagram in batch.datagrams() {
            let length = datagram.len();
            let fate = datapath.pure().handle(now_ns, from, datagram);
            if let Some(log) = &mut self.log {
                log.arrived(domain, now_ns, number, length, fate.word());
            }
        }
        drop(datapath);
        if self.log.is_some() {
            node.unlogged += batch.count();
            if node.unlogged > MAX_UNLOGGED {
                node.unlogged = 0;
                node.on_logged.call0(py)?;
            }
        }
        Ok(())
    }

    /// Wake a node; returns what Python has to do.
    pub(super) fn wake(
        &mut self,
        py: Python<'_>,
        now_ns: u64,
        port: Port,
    ) -> PyResult<Option<Py<PyAny>>> {
        let Some(inhabitant) = self.ports.get_mut(port) else {
            return Ok(None);
        };
        let is_frozen = inhabitant.is_frozen;
        // A wake-up that was planned before an earlier one took its place, or for one that has ended.
        let Some(mut node) = inhabitant.node.take_if(|node| node.wake_ns == now_ns) else {
            return Ok(None);
        };
        node.wake_ns = NEVER_NS;
        let call = if is_frozen {
            Ok(None)
        } else {
            self.poll(py, now_ns, port, &mut node)
        };
        if let Some(inhabitant) = self.ports.get_mut(port) {
            inhabitant.node = Some(node);
        }
        call
    }

    fn poll(
        &mut self,
        py: Python<'_>,
        now_ns: u64,
        port: Port,
        node: &mut Node,
    ) -> PyResult<Option<Py<PyAny>>> {
        node.datapath.bind(py).try_borrow_mut()?.pure().poll(now_ns);
        if node.services_ns <= now_ns {
            return Ok(Some(node.on_services_due.clone_ref(py)));
        }
        self.follow(py, now_ns, port, node)
    }

    /// Let everything follow from what happened to a node; returns what Python has to do.
    fn follow(
        &mut self,
        py: Python<'_>,
        now_ns: u64,
        port: Port,
        node: &mut Node,
    ) -> PyResult<Option<Py<PyAny>>> {
        let has_news = node.datapath.bind(py).try_borrow_mut()?.pure().has_news();
        if has_news || node.program_ns <= now_ns {
            return Ok(Some(node.on_news.clone_ref(py)));
        }
        self.depart(py, now_ns, port, node)?;
        let strays = self.owner.as_ref().filter(|_| !self.strays.is_empty());
        Ok(strays.map(|owner| owner.on_strays.clone_ref(py)))
    }

    /// Send what a node wants to send, and plan when it is to be woken.
    pub(super) fn depart(
        &mut self,
        py: Python<'_>,
        now_ns: u64,
        port: Port,
        node: &mut Node,
    ) -> PyResult<()> {
        let mut datapath = node.datapath.bind(py).try_borrow_mut()?;
        self.send_all(py, now_ns, port, datapath.pure())?;
        let due_ns = datapath.pure().next_deadline_ns().unwrap_or(NEVER_NS);
        let due_ns = due_ns.min(node.program_ns).min(node.services_ns);
        if due_ns < node.wake_ns && node.wake_ns != now_ns {
            node.wake_ns = due_ns.max(now_ns);
            self.pure.wake(node.wake_ns, port);
        }
        Ok(())
    }

    pub(super) fn send_all(
        &mut self,
        py: Python<'_>,
        now_ns: u64,
        from: Port,
        datapath: &mut Pure,
    ) -> PyResult<usize> {
        let mut sent = 0;
        while let Some(train) = datapath.next_train() {
            for datagram in train.bytes.chunks(train.segment_bytes.max(1)) {
                self.send_one(py, now_ns, from, train.to, datagram)?;
                sent += 1;
            }
        }
        Ok(sent)
    }

    pub(super) fn send_one(
        &mut self,
        py: Python<'_>,
        now_ns: u64,
        from: Port,
        to: SocketAddr,
        datagram: &[u8],
    ) -> PyResult<()> {
        match self.pure.send(now_ns, from, to, datagram) {
            Sent::UnderWay => {}
            Sent::Stray => self.strays.push(Stray {
                from,
                to,
                datagram: datagram.to_vec(),
            }),
            Sent::Lost(path) => {
                if let (Some(log), Some(inhabitant)) = (&mut self.log, self.ports.get(from)) {
                    let number = self.pure.number(path).unwrap_or(0);
                    log.lost(inhabitant.domain, now_ns, number, datagram.len());
                }
            }
            Sent::Away(path, copies) => {
                let number = self.pure.number(path).unwrap_or(0);
                if let Some(leave) = self.leaves.get(&path) {
                    for (at_ns, copy) in copies {
                        leave.call1(py, (at_ns, number, PyBytes::new(py, &copy)))?;
                    }
                }
            }
        }
        Ok(())
    }

    /// What Python calls for datagrams that arrive where it receives them.
    fn arrival(&self, py: Python<'_>, path: Path, batch: &mut Batch) -> PyResult<Py<PyAny>> {
        let Some(owner) = &self.owner else {
            return Err(PyLookupError::new_err("an underlay that is not open"));
        };
        let datagrams = PyList::empty(py);
        for datagram in batch.datagrams() {
            datagrams.append(PyBytes::new(py, datagram))?;
        }
        owner
            .partial
            .call1(py, (&owner.on_arrived, path, datagrams))
    }

    pub(super) fn inhabitant(&mut self, port: Port) -> PyResult<&mut Inhabitant> {
        let ports = self.ports.len();
        self.ports
            .get_mut(port)
            .ok_or_else(|| PyLookupError::new_err(format!("port {port} of {ports}")))
    }

    pub(super) fn hand_over(&mut self, py: Python<'_>) -> PyResult<()> {
        self.log.as_mut().map_or(Ok(()), |log| log.hand_over(py))
    }
}
