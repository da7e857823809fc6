//! `Socket`: batched UDP for a host's datapath.

use std::os::fd::AsRawFd;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::arguments;
use crate::datapath::Datapath;
use crate::io::{Receiver, UdpSocket, send_trains};

/// A host has many fewer packets than a node, and there are many hosts in a lab: half a megabyte.
const BATCH_TRAINS: usize = 8;

/// Datagrams after which `receive` returns, so that the event loop has its turn.
const MOST_DATAGRAMS: usize = 256;

/// A UDP socket with batched receive (GRO) and send (GSO) for a `Datapath`; never blocks.
#[pyclass(module = "ei._core")]
pub(crate) struct Socket {
    /// None once it is closed.
    socket: Option<UdpSocket>,
    receiver: Receiver,
    /// Overflows that the datapath knows of.
    told_overflows: u32,
}

#[pymethods]
impl Socket {
    #[new]
    fn new(bind: &str) -> PyResult<Self> {
        let socket = UdpSocket::bind(arguments::endpoint(bind)?, false)?;
        Ok(Self {
            socket: Some(socket),
            receiver: Receiver::new(BATCH_TRAINS),
            told_overflows: 0,
        })
    }

    #[getter]
    fn endpoint(&self) -> PyResult<String> {
        Ok(self.open()?.endpoint().to_string())
    }

    #[getter]
    fn overflows(&self) -> u32 {
        self.socket.as_ref().map_or(0, UdpSocket::overflowed)
    }

    fn fileno(&self) -> i32 {
        self.socket.as_ref().map_or(-1, AsRawFd::as_raw_fd)
    }

    fn receive(&mut self, py: Python<'_>, datapath: &mut Datapath, now_ns: u64) -> PyResult<usize> {
        let socket = self.socket.as_ref().ok_or_else(closed)?;
        let (receiver, told_overflows) = (&mut self.receiver, &mut self.told_overflows);
        let datapath = datapath.pure();
        py.detach(|| {
            let mut count = 0;
            let overflows = socket.overflowed();
            if std::mem::replace(told_overflows, overflows) != overflows {
                datapath.note_overflow(now_ns);
            }
            while count < MOST_DATAGRAMS && receiver.receive(socket)? > 0 {
                for train in receiver.trains() {
                    count += train.datagrams();
                    train.handle_by(datapath, now_ns, None);
                }
                if receiver.took_all() {
                    break;
                }
            }
            Ok(count)
        })
    }

    fn flush(&self, py: Python<'_>, datapath: &mut Datapath) -> PyResult<usize> {
        let sockets = std::slice::from_ref(self.open()?);
        let datapath = datapath.pure();
        Ok(py.detach(|| send_trains(datapath, sockets)))
    }

    fn close(&mut self) {
        self.socket = None;
    }

    fn __repr__(&self) -> String {
        match &self.socket {
            Some(socket) => format!("<Socket at {}>", socket.endpoint()),
            None => "<Socket, closed>".into(),
        }
    }
}

impl Socket {
    /// The open socket, and its buffers.
    pub(crate) fn parts(&mut self) -> PyResult<(&UdpSocket, &mut Receiver)> {
        let socket = self.socket.as_ref().ok_or_else(closed)?;
        Ok((socket, &mut self.receiver))
    }

    fn open(&self) -> PyResult<&UdpSocket> {
        self.socket.as_ref().ok_or_else(closed)
    }
}

fn closed() -> PyErr {
    PyValueError::new_err("the socket is closed")
}
