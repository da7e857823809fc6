//! `Streams`: the QUIC endpoint of a host, for Python.
//!
//! Python objects are made only while the endpoint is not locked: making one may run a collection, hence
//! other threads, and one of those could wait for the lock.

mod events;
mod figures;
mod joint;
mod joints;
mod tail;

use std::collections::HashMap;
use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd};
use std::sync::{Mutex, MutexGuard};

use ei_streams::{
    ConnectionKey, Reading, Streams as Endpoint, StreamsConfig, StreamsError, Transmit,
};
use pyo3::exceptions::{PyBrokenPipeError, PyConnectionError, PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};
use rustix::io::Errno;

use self::events::{event_tuple, over_tuple};
use self::joints::{Joints, Told};
use crate::arguments::exactly;
use crate::lock::lock;

/// See `_core.pyi`.
#[pyclass(frozen, module = "ei._core")]
pub(crate) struct Streams {
    inner: Mutex<Inner>,
    public_key: [u8; 32],
}

/// The endpoint, and its streams that are joined to sockets.
struct Inner {
    endpoint: Endpoint,
    joints: Option<Joints>,
    /// When it was last told the time.
    now_ns: u64,
}

impl Inner {
    fn at(&mut self, now_ns: u64) -> &mut Endpoint {
        self.now_ns = self.now_ns.max(now_ns);
        &mut self.endpoint
    }

    fn next_told(&mut self) -> Option<Told> {
        match &mut self.joints {
            Some(joints) => joints.next(&mut self.endpoint, self.now_ns),
            None => self.endpoint.next_event().map(Told::Event),
        }
    }
}

impl Streams {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }
}

#[pymethods]
impl Streams {
    #[new]
    #[pyo3(signature = (*, identity_key, seed=None, max_payload_bytes=1_232, max_connections=1_024,
        max_incoming=256, max_streams=256, receive_window_bytes=16_777_216,
        send_window_bytes=8_388_608, buffer_bytes=1_073_741_824, idle_timeout_s=30.0, keepalive_s=0.0,
        handshake_timeout_s=10.0, key_timeout_s=5.0, linger_s=30.0))]
    #[expect(
        clippy::too_many_arguments,
        reason = "they are the keyword arguments of Python"
    )]
    fn new(
        identity_key: &[u8],
        seed: Option<&[u8]>,
        max_payload_bytes: u16,
        max_connections: usize,
        max_incoming: usize,
        max_streams: u32,
        receive_window_bytes: u64,
        send_window_bytes: u64,
        buffer_bytes: u64,
        idle_timeout_s: f64,
        keepalive_s: f64,
        handshake_timeout_s: f64,
        key_timeout_s: f64,
        linger_s: f64,
    ) -> PyResult<Self> {
        let identity_key = exactly("identity_key", identity_key)?;
        let public_key = ei_streams::public_key(&identity_key).map_err(to_python)?;
        let config = StreamsConfig {
            seed: seed.map(|seed| exactly("seed", seed)).transpose()?,
            max_payload_bytes,
            max_connections,
            max_incoming,
            max_streams,
            receive_window_bytes,
            send_window_bytes,
            buffer_bytes,
            idle_timeout_ns: nanoseconds("idle_timeout_s", idle_timeout_s)?,
            keepalive_ns: nanoseconds("keepalive_s", keepalive_s)?,
            handshake_timeout_ns: nanoseconds("handshake_timeout_s", handshake_timeout_s)?,
            key_timeout_ns: nanoseconds("key_timeout_s", key_timeout_s)?,
            linger_ns: nanoseconds("linger_s", linger_s)?,
            ..StreamsConfig::new(identity_key)
        };
        let endpoint = Endpoint::new(config).map_err(to_python)?;
        Ok(Self {
            inner: Mutex::new(Inner {
                endpoint,
                joints: None,
                now_ns: 0,
            }),
            public_key,
        })
    }

    #[getter]
    fn public_key<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.public_key)
    }

    // -- connections ------------------------------------------------------------------------------

    fn connect(
        &self,
        py: Python<'_>,
        now_ns: u64,
        peer: &[u8],
        connection: u64,
        peer_key: &[u8],
    ) -> PyResult<()> {
        let key = connection_key(peer, connection)?;
        let peer_key = exactly("peer_key", peer_key)?;
        py.detach(|| self.lock().endpoint.connect(now_ns, key, peer_key))
            .map_err(to_python)
    }

    fn accept(
        &self,
        py: Python<'_>,
        now_ns: u64,
        peer: &[u8],
        connection: u64,
        peer_key: &[u8],
    ) -> PyResult<()> {
        let key = connection_key(peer, connection)?;
        let peer_key = exactly("peer_key", peer_key)?;
        py.detach(|| self.lock().endpoint.accept(now_ns, key, peer_key))
            .map_err(to_python)
    }

    fn refuse(&self, now_ns: u64, peer: &[u8], connection: u64) -> PyResult<()> {
        let key = connection_key(peer, connection)?;
        self.lock().endpoint.refuse(now_ns, key).map_err(to_python)
    }

    #[pyo3(signature = (now_ns, peer, connection, *, code=0, reason=""))]
    fn close(
        &self,
        now_ns: u64,
        peer: &[u8],
        connection: u64,
        code: u64,
        reason: &str,
    ) -> PyResult<()> {
        let key = connection_key(peer, connection)?;
        self.lock()
            .endpoint
            .close(now_ns, key, code, reason.as_bytes())
            .map_err(to_python)
    }

    fn path_changed(&self, now_ns: u64, peer: &[u8]) -> PyResult<()> {
        let peer = exactly("peer", peer)?;
        self.lock().endpoint.path_changed(now_ns, peer);
        Ok(())
    }

    fn ask(&self, now_ns: u64, peer: &[u8]) -> PyResult<()> {
        let peer = exactly("peer", peer)?;
        self.lock().endpoint.ask(now_ns, peer);
        Ok(())
    }

    // -- payloads and time ------------------------------------------------------------------------

    fn handle(
        &self,
        py: Python<'_>,
        now_ns: u64,
        peer: &[u8],
        connection: u64,
        payload: &[u8],
    ) -> PyResult<()> {
        let key = connection_key(peer, connection)?;
        py.detach(|| self.lock().at(now_ns).handle(now_ns, key, payload));
        Ok(())
    }

    fn handle_many(
        &self,
        py: Python<'_>,
        now_ns: u64,
        peer: &[u8],
        connection: u64,
        payloads: Vec<Bound<'_, PyBytes>>,
    ) -> PyResult<()> {
        let key = connection_key(peer, connection)?;
        // The list's objects are held by `payloads` and bytes never change: they can be read without the
        // interpreter.
        let payloads: Vec<&[u8]> = payloads.iter().map(PyBytesMethods::as_bytes).collect();
        py.detach(|| self.lock().at(now_ns).handle_many(now_ns, key, payloads));
        Ok(())
    }

    fn poll(&self, py: Python<'_>, now_ns: u64) {
        py.detach(|| {
            let inner = &mut *self.lock();
            inner.at(now_ns).poll(now_ns);
            if let Some(joints) = &mut inner.joints {
                joints.pass_time(&mut inner.endpoint, now_ns);
            }
        });
    }

    fn next_deadline_ns(&self) -> Option<u64> {
        let inner = self.lock();
        let of_joints = inner.joints.as_ref().and_then(Joints::next_deadline_ns);
        let deadlines = [inner.endpoint.next_deadline_ns(), of_joints];
        deadlines.into_iter().flatten().min()
    }

    #[pyo3(signature = (now_ns, max_payloads=1_024))]
    fn take_transmits<'py>(
        &self,
        py: Python<'py>,
        now_ns: u64,
        max_payloads: usize,
    ) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        let transmits = py.detach(|| {
            let endpoint = &mut self.lock().endpoint;
            let mut transmits: Vec<(Transmit, Vec<u8>)> = Vec::new();
            let mut payloads = 0;
            while payloads < max_payloads {
                let mut buffer = Vec::new();
                let Some(transmit) = endpoint.next_transmit(now_ns, &mut buffer) else {
                    break;
                };
                payloads += transmit.bytes.div_ceil(transmit.payload_bytes.max(1));
                transmits.push((transmit, buffer));
            }
            transmits
        });
        let tuple = |(transmit, buffer): &(Transmit, Vec<u8>)| {
            let payloads = buffer.chunks(transmit.payload_bytes.max(1));
            let payloads = PyList::new(py, payloads.map(|payload| PyBytes::new(py, payload)))?;
            (
                PyBytes::new(py, &transmit.key.peer),
                transmit.key.connection,
                payloads,
            )
                .into_pyobject(py)
        };
        transmits.iter().map(tuple).collect()
    }

    #[pyo3(signature = (max_events=1_024))]
    fn take_events<'py>(
        &self,
        py: Python<'py>,
        max_events: usize,
    ) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        let told: Vec<Told> = py.detach(|| {
            let mut inner = self.lock();
            std::iter::from_fn(|| inner.next_told())
                .take(max_events)
                .collect()
        });
        told.into_iter()
            .map(|told| match told {
                Told::Event(event) => event_tuple(py, event),
                Told::Over((key, stream), over) => over_tuple(py, key, stream, over),
            })
            .collect()
    }

    // -- streams ----------------------------------------------------------------------------------

    #[pyo3(signature = (peer, connection, *, is_bidirectional))]
    fn open_stream(
        &self,
        peer: &[u8],
        connection: u64,
        is_bidirectional: bool,
    ) -> PyResult<Option<u64>> {
        let key = connection_key(peer, connection)?;
        self.lock()
            .endpoint
            .open_stream(key, is_bidirectional)
            .map_err(to_python)
    }

    #[pyo3(signature = (peer, connection, stream, data, start=0))]
    fn write(
        &self,
        py: Python<'_>,
        peer: &[u8],
        connection: u64,
        stream: u64,
        data: &[u8],
        start: usize,
    ) -> PyResult<usize> {
        let key = connection_key(peer, connection)?;
        let Some(rest) = data.get(start..) else {
            return Err(PyValueError::new_err(format!(
                "start {start} is behind the end of data of {} bytes",
                data.len()
            )));
        };
        py.detach(|| self.lock().endpoint.write(key, stream, rest))
            .map_err(to_python)
    }

    fn finish(&self, peer: &[u8], connection: u64, stream: u64) -> PyResult<()> {
        let key = connection_key(peer, connection)?;
        self.lock().endpoint.finish(key, stream).map_err(to_python)
    }

    fn reset(&self, peer: &[u8], connection: u64, stream: u64, code: u64) -> PyResult<()> {
        let key = connection_key(peer, connection)?;
        self.lock()
            .endpoint
            .reset(key, stream, code)
            .map_err(to_python)
    }

    fn stop(&self, peer: &[u8], connection: u64, stream: u64, code: u64) -> PyResult<()> {
        let key = connection_key(peer, connection)?;
        self.lock()
            .endpoint
            .stop(key, stream, code)
            .map_err(to_python)
    }

    fn read<'py>(
        &self,
        py: Python<'py>,
        peer: &[u8],
        connection: u64,
        stream: u64,
        max_bytes: usize,
    ) -> PyResult<(Bound<'py, PyBytes>, &'static str, u64)> {
        let key = connection_key(peer, connection)?;
        let mut pieces = Vec::new();
        let reading = self
            .lock()
            .endpoint
            .read(key, stream, max_bytes, &mut pieces)
            .map_err(to_python)?;
        let total = pieces.iter().map(|piece| piece.len()).sum();
        let bytes = PyBytes::new_with(py, total, |mut rest: &mut [u8]| {
            for piece in &pieces {
                let (head, tail) = rest.split_at_mut(piece.len());
                head.copy_from_slice(piece);
                rest = tail;
            }
            Ok(())
        })?;
        Ok(match reading {
            Reading::Open => (bytes, "open", 0),
            Reading::Finished => (bytes, "finished", 0),
            Reading::Reset { code } => (bytes, "reset", code),
        })
    }

    // -- joints -----------------------------------------------------------------------------------

    #[pyo3(signature = (now_ns, peer, connection, stream, socket, *, keep_bytes=0))]
    #[expect(
        clippy::too_many_arguments,
        reason = "they are the arguments of Python"
    )]
    fn join(
        &self,
        py: Python<'_>,
        now_ns: u64,
        peer: &[u8],
        connection: u64,
        stream: u64,
        socket: i32,
        keep_bytes: usize,
    ) -> PyResult<()> {
        if socket < 0 {
            return Err(PyValueError::new_err("a descriptor is 0 or more"));
        }
        // SAFETY: the caller has given the descriptor up, as `join` demands, and nobody else owns it.
        let socket = unsafe { OwnedFd::from_raw_fd(socket) };
        let name = (connection_key(peer, connection)?, stream);
        py.detach(|| {
            let inner = &mut *self.lock();
            let joints = match &mut inner.joints {
                Some(joints) => joints,
                none => none.insert(Joints::new()?),
            };
            joints.join(&mut inner.endpoint, name, socket, now_ns, keep_bytes)
        })
        .map_err(os_error)
    }

    fn joint(&self, peer: &[u8], connection: u64, stream: u64) -> PyResult<(u64, u64, u64)> {
        let name = (connection_key(peer, connection)?, stream);
        let inner = self.lock();
        let joint = inner.joints.as_ref().and_then(|joints| joints.get(&name));
        joint
            .map(|joint| (joint.there_bytes, joint.back_bytes, joint.moved_ns))
            .ok_or_else(|| PyConnectionError::new_err("the stream is not joined"))
    }

    fn leave<'py>(
        &self,
        py: Python<'py>,
        peer: &[u8],
        connection: u64,
        stream: u64,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let name = (connection_key(peer, connection)?, stream);
        let left = self
            .lock()
            .joints
            .as_mut()
            .and_then(|joints| joints.leave(&name))
            .ok_or_else(|| PyConnectionError::new_err("the stream is not joined"))?;
        (
            left.socket.into_raw_fd(),
            left.there_bytes,
            left.back_bytes,
            PyBytes::new(py, &left.unsent),
            PyBytes::new(py, &left.tail),
        )
            .into_pyobject(py)
    }

    #[pyo3(signature = (peer, connection, stream, *, is_reset))]
    fn part(&self, peer: &[u8], connection: u64, stream: u64, is_reset: bool) -> PyResult<()> {
        let name = (connection_key(peer, connection)?, stream);
        let parted = self
            .lock()
            .joints
            .as_mut()
            .and_then(|joints| joints.remove(&name));
        if let Some(joint) = parted.filter(|_| is_reset) {
            joint.reset_socket();
        }
        Ok(())
    }

    fn joints_fileno(&self) -> i32 {
        self.lock().joints.as_ref().map_or(-1, Joints::descriptor)
    }

    fn poll_joints(&self, py: Python<'_>, now_ns: u64) -> PyResult<()> {
        py.detach(|| {
            let inner = &mut *self.lock();
            match &mut inner.joints {
                Some(joints) => joints.poll(&mut inner.endpoint, now_ns),
                None => Ok(()),
            }
        })
        .map_err(os_error)
    }

    // -- seeing -----------------------------------------------------------------------------------

    fn statistics(&self) -> HashMap<&'static str, u64> {
        let inner = self.lock();
        let joints = inner.joints.as_ref().map_or((0, 0, 0), Joints::figures);
        figures::of_all(&inner.endpoint.statistics(), joints)
    }

    fn connection_statistics(
        &self,
        peer: &[u8],
        connection: u64,
    ) -> PyResult<HashMap<&'static str, u64>> {
        let key = connection_key(peer, connection)?;
        let counted = self.lock().endpoint.connection_statistics(key);
        Ok(figures::of_one(&counted.map_err(to_python)?))
    }

    fn __repr__(&self) -> String {
        format!("<{:?}>", self.lock().endpoint)
    }
}

fn connection_key(peer: &[u8], connection: u64) -> PyResult<ConnectionKey> {
    Ok(ConnectionKey {
        peer: exactly("peer", peer)?,
        connection,
    })
}

fn nanoseconds(name: &str, seconds: f64) -> PyResult<u64> {
    if seconds.is_finite() && (0.0..=1e9).contains(&seconds) {
        Ok((seconds * 1e9).round() as u64)
    } else {
        Err(PyValueError::new_err(format!(
            "{name} is {seconds}, allowed are 0 to 1e9"
        )))
    }
}

fn os_error(error: Errno) -> PyErr {
    PyOSError::new_err((
        error.raw_os_error(),
        std::io::Error::from(error).to_string(),
    ))
}

fn to_python(error: StreamsError) -> PyErr {
    let text = error.to_string();
    match error {
        StreamsError::BadConfig(_)
        | StreamsError::BadKey(_)
        | StreamsError::WrongDirection(_)
        | StreamsError::TooLarge(_) => PyValueError::new_err(text),
        StreamsError::NoRandomness(_) => PyOSError::new_err(text),
        StreamsError::Stopped { .. } => PyBrokenPipeError::new_err(text),
        StreamsError::NotConnected(_)
        | StreamsError::AlreadyConnected(_)
        | StreamsError::NotWaiting(_)
        | StreamsError::TooManyConnections { .. }
        | StreamsError::ClosedStream(_) => PyConnectionError::new_err(text),
    }
}
