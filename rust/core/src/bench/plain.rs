//! The baseline: a UDP forwarder that does nothing else, over the same sockets.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::arguments::endpoint;
use crate::clock::thread_cpu_ns;
use crate::io::{Receiver, UdpSocket};
use crate::threads::{self, StopFlag};

const BATCH_TRAINS: usize = 64;
const TRAIN_BYTES: usize = 65_000;
const TRAIN_SEGMENTS: usize = 64;
/// How long `stop` may take to be seen.
const LOOK_UP: Duration = Duration::from_millis(50);

/// Forwards each datagram to one endpoint, unread: what sockets alone cost on this machine.
#[pyclass(module = "ei._core")]
pub(crate) struct PlainForwarder {
    socket: Arc<UdpSocket>,
    to: SocketAddr,
    cpu: Option<usize>,
    spin: Duration,
    figures: Arc<Figures>,
    running: Option<(StopFlag, JoinHandle<io::Result<()>>)>,
}

#[derive(Debug, Default)]
struct Figures {
    received: AtomicU64,
    sent: AtomicU64,
    cpu_ns: AtomicU64,
}

#[pymethods]
impl PlainForwarder {
    #[new]
    #[pyo3(signature = (bind, to, *, cpu=None, spin_us=0))]
    fn new(bind: &str, to: &str, cpu: Option<usize>, spin_us: u32) -> PyResult<Self> {
        let socket = UdpSocket::bind(endpoint(bind)?, false)?;
        Ok(Self {
            socket: Arc::new(socket),
            to: endpoint(to)?,
            cpu,
            spin: Duration::from_micros(spin_us.into()),
            figures: Arc::default(),
            running: None,
        })
    }

    #[getter]
    fn endpoint(&self) -> String {
        self.socket.endpoint().to_string()
    }

    fn start(&mut self) -> PyResult<()> {
        if self.running.is_none() {
            let (socket, figures, to) = (self.socket.clone(), self.figures.clone(), self.to);
            let (stop, spin) = (StopFlag::default(), self.spin);
            let seen = stop.clone();
            let work = move || forward(&socket, to, spin, &figures, &seen);
            self.running = Some((stop, threads::spawn("ei-plain", self.cpu, work)?));
        }
        Ok(())
    }

    fn stop(&mut self, py: Python<'_>) -> PyResult<()> {
        let Some((stop, thread)) = self.running.take() else {
            return Ok(());
        };
        stop.set();
        let ended = py.detach(|| thread.join());
        ended.unwrap_or_else(|_| Err(io::Error::other("the forwarder's thread panicked")))?;
        Ok(())
    }

    fn statistics(&self) -> HashMap<&'static str, u64> {
        let read = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        HashMap::from([
            ("received", read(&self.figures.received)),
            ("sent", read(&self.figures.sent)),
            ("cpu_ns", read(&self.figures.cpu_ns)),
        ])
    }
}

impl Drop for PlainForwarder {
    fn drop(&mut self) {
        if let Some((stop, _)) = &self.running {
            stop.set();
        }
    }
}

fn forward(
    socket: &UdpSocket,
    to: SocketAddr,
    spin: Duration,
    figures: &Figures,
    stop: &StopFlag,
) -> io::Result<()> {
    let mut worked = Instant::now();
    let mut receiver = Receiver::new(BATCH_TRAINS);
    let mut out = Train::new();
    let timeout = Timespec::try_from(LOOK_UP).map_err(io::Error::other)?;
    while !stop.is_set() {
        if receiver.receive(socket)? == 0 {
            if worked.elapsed() < spin {
                continue;
            }
            figures.cpu_ns.store(thread_cpu_ns(), Ordering::Relaxed);
            poll(&mut [PollFd::new(socket, PollFlags::IN)], Some(&timeout))?;
            continue;
        }
        let (mut received, mut sent) = (0, 0);
        for train in receiver.trains() {
            received += train.bytes.len().div_ceil(train.segment_bytes);
            if train.bytes.len() > train.segment_bytes {
                sent += socket.send(to, train.bytes, train.segment_bytes);
            } else {
                if !out.fits(train.bytes.len()) {
                    sent += out.send(socket, to);
                }
                out.push(train.bytes);
            }
        }
        sent += out.send(socket, to);
        worked = Instant::now();
        figures
            .received
            .fetch_add(received as u64, Ordering::Relaxed);
        figures.sent.fetch_add(sent as u64, Ordering::Relaxed);
        figures.cpu_ns.store(thread_cpu_ns(), Ordering::Relaxed);
    }
    Ok(())
}

/// Single datagrams on their way to leave together.
struct Train {
    bytes: Vec<u8>,
    segment_bytes: usize,
    segments: usize,
    /// Its last datagram is shorter: nothing may follow.
    is_closed: bool,
}

impl Train {
    fn new() -> Self {
        let bytes = Vec::with_capacity(TRAIN_BYTES);
        Self {
            bytes,
            segment_bytes: 0,
            segments: 0,
            is_closed: false,
        }
    }

    fn fits(&self, length: usize) -> bool {
        let is_empty = self.segments == 0;
        let has_room = self.segments < TRAIN_SEGMENTS && self.bytes.len() + length <= TRAIN_BYTES;
        is_empty || (!self.is_closed && has_room && length <= self.segment_bytes)
    }

    fn push(&mut self, datagram: &[u8]) {
        if self.segments == 0 {
            self.segment_bytes = datagram.len();
        }
        self.is_closed = datagram.len() < self.segment_bytes;
        self.segments += 1;
        self.bytes.extend_from_slice(datagram);
    }

    fn send(&mut self, socket: &UdpSocket, to: SocketAddr) -> usize {
        if self.segments == 0 {
            return 0;
        }
        let sent = socket.send(to, &self.bytes, self.segment_bytes);
        self.bytes.clear();
        (self.segments, self.is_closed) = (0, false);
        sent
    }
}
