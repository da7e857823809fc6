//! The baseline of a splice: a stream of the same QUIC over a plain UDP socket, and a TCP connection.

use std::collections::HashMap;
use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use ei_streams::{ConnectionKey, Event, Streams, StreamsConfig};
use pyo3::prelude::*;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::arguments::{endpoint, exactly};
use crate::clock::{monotonic_ns, thread_cpu_ns};
use crate::io::{Receiver, UdpSocket};
use crate::threads::{self, StopFlag};

const BATCH_TRAINS: usize = 64;
/// Read of the server at once.
const PIECE_BYTES: usize = 64 * 1024;
/// Pieces, and then trains, before the other direction has its turn.
const TURN: usize = 8;
/// How long `stop` may take to be seen.
const LOOK_UP: Duration = Duration::from_millis(50);

/// Gives whoever opens a stream of QUIC what a TCP server says, to its end.
#[pyclass(module = "ei._core")]
pub(crate) struct PlainQuicForwarder {
    endpoint: SocketAddr,
    waiting: Mutex<Option<Forwarder>>,
    cpu_ns: Arc<AtomicU64>,
    running: Option<(StopFlag, JoinHandle<io::Result<()>>)>,
}

#[pymethods]
impl PlainQuicForwarder {
    #[new]
    #[pyo3(signature = (bind, to, *, identity_key, peer_key))]
    fn new(bind: &str, to: &str, identity_key: &[u8], peer_key: &[u8]) -> PyResult<Self> {
        let socket = UdpSocket::bind(endpoint(bind)?, false)?;
        let config = StreamsConfig::new(exactly("identity_key", identity_key)?);
        let streams = Streams::new(config).map_err(io::Error::other)?;
        let cpu_ns = Arc::default();
        Ok(Self {
            endpoint: socket.endpoint(),
            waiting: Mutex::new(Some(Forwarder {
                to: endpoint(to)?,
                peer_key: exactly("peer_key", peer_key)?,
                peer: socket.endpoint().ip(),
                socket,
                streams,
                carried: None,
                cpu_ns: Arc::clone(&cpu_ns),
            })),
            cpu_ns,
            running: None,
        })
    }

    #[getter]
    fn endpoint(&self) -> String {
        self.endpoint.to_string()
    }

    fn start(&mut self) -> PyResult<()> {
        let waiting = self.waiting.get_mut();
        if let Some(mut forwarder) = waiting.unwrap_or_else(PoisonError::into_inner).take() {
            let stop = StopFlag::default();
            let seen = stop.clone();
            let work = move || forwarder.run(&seen);
            self.running = Some((stop, threads::spawn("ei-plain-quic", None, work)?));
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
        HashMap::from([("cpu_ns", self.cpu_ns.load(Ordering::Relaxed))])
    }
}

impl Drop for PlainQuicForwarder {
    fn drop(&mut self) {
        if let Some((stop, _)) = &self.running {
            stop.set();
        }
    }
}

/// The thread's all. A connection is named by the peer's port.
struct Forwarder {
    socket: UdpSocket,
    to: SocketAddr,
    peer_key: [u8; 32],
    peer: IpAddr,
    streams: Streams,
    carried: Option<Carried>,
    cpu_ns: Arc<AtomicU64>,
}

/// A stream, its server, and what of the server the stream has not taken yet.
struct Carried {
    key: ConnectionKey,
    stream: u64,
    server: TcpStream,
    piece: Vec<u8>,
    taken: usize,
    length: usize,
}

impl Forwarder {
    fn run(&mut self, stop: &StopFlag) -> io::Result<()> {
        let mut receiver = Receiver::new(BATCH_TRAINS);
        let mut train = Vec::new();
        while !stop.is_set() {
            self.wait()?;
            let now_ns = monotonic_ns();
            if receiver.receive(&self.socket)? > 0 {
                for received in receiver.trains() {
                    self.peer = received.from.ip();
                    let payloads = received.bytes.chunks(received.segment_bytes);
                    let key = key_of(received.from);
                    self.streams.handle_many(now_ns, key, payloads);
                }
            }
            self.streams.poll(now_ns);
            self.take_events(now_ns)?;
            self.carry()?;
            for _ in 0..TURN {
                let Some(transmit) = self.streams.next_transmit(now_ns, &mut train) else {
                    break;
                };
                let to = SocketAddr::new(self.peer, transmit.key.connection as u16);
                self.socket.send(to, &train, transmit.payload_bytes);
            }
            self.cpu_ns.store(thread_cpu_ns(), Ordering::Relaxed);
        }
        Ok(())
    }

    fn wait(&self) -> io::Result<()> {
        let due_ns = self.streams.next_deadline_ns();
        let wait = due_ns.map_or(LOOK_UP, |due_ns| {
            Duration::from_nanos(due_ns.saturating_sub(monotonic_ns())).min(LOOK_UP)
        });
        let timeout = Timespec::try_from(wait).map_err(io::Error::other)?;
        let mut descriptors = vec![PollFd::new(&self.socket, PollFlags::IN)];
        // What the stream did not take it has room for when something was acknowledged.
        let is_taken = |carried: &&Carried| carried.taken == carried.length;
        if let Some(carried) = self.carried.as_ref().filter(is_taken) {
            descriptors.push(PollFd::new(&carried.server, PollFlags::IN));
        }
        poll(&mut descriptors, Some(&timeout))?;
        Ok(())
    }

    fn take_events(&mut self, now_ns: u64) -> io::Result<()> {
        while let Some(event) = self.streams.next_event() {
            match event {
                Event::KeyWanted { key } => {
                    let accepted = self.streams.accept(now_ns, key, self.peer_key);
                    accepted.map_err(io::Error::other)?;
                }
                Event::StreamOpened { key, stream, .. } => {
                    let server = TcpStream::connect(self.to)?;
                    server.set_nonblocking(true)?;
                    self.carried = Some(Carried {
                        key,
                        stream,
                        server,
                        piece: vec![0; PIECE_BYTES],
                        taken: 0,
                        length: 0,
                    });
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn carry(&mut self) -> io::Result<()> {
        let Some(carried) = &mut self.carried else {
            return Ok(());
        };
        for _ in 0..TURN {
            if carried.taken == carried.length {
                match carried.server.read(&mut carried.piece) {
                    Ok(0) => {
                        let ended = self.streams.finish(carried.key, carried.stream);
                        self.carried = None;
                        return ended.map_err(io::Error::other);
                    }
                    Ok(length) => (carried.taken, carried.length) = (0, length),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                    Err(error) => return Err(error),
                }
            }
            let rest = carried.piece.get(carried.taken..carried.length);
            let written = self
                .streams
                .write(carried.key, carried.stream, rest.unwrap_or(&[]));
            carried.taken += written.map_err(io::Error::other)?;
            if carried.taken < carried.length {
                return Ok(());
            }
        }
        Ok(())
    }
}

fn key_of(from: SocketAddr) -> ConnectionKey {
    ConnectionKey {
        peer: [0; 16],
        connection: from.port().into(),
    }
}
