//! `Shaper`: links between real sockets, impaired by the same model as in simulation.
//!
//! ```text
//!   a ──▶ a_side ─ forward ─▶ b_side ──▶ b      a believes that b lives at a_side,
//!   a ◀── a_side ◀ backward ─ b_side ◀── b      b believes that a lives at b_side
//! ```
//! One thread for all links: it sleeps until a datagram comes or the next one is due.

mod relay;
mod wheel;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use pyo3::exceptions::{PyKeyError, PyOSError, PyValueError};
use pyo3::prelude::*;
use rustix::event::{EventfdFlags, epoll, eventfd};

use crate::arguments;
use crate::io::UdpSocket;
use crate::link::{Link, counters};
use crate::lock::lock;
use relay::{Relay, Side};

/// The relays, shared between the thread and Python; the lock is held for one batch at a time.
type Relays = Arc<Mutex<Vec<Relay>>>;

/// A native UDP relay that impairs datagrams between real sockets.
#[pyclass(frozen, module = "ei._core")]
pub(crate) struct Shaper {
    relays: Relays,
    epoll: Arc<OwnedFd>,
    wake: Arc<OwnedFd>,
    is_stopped: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[pymethods]
impl Shaper {
    #[new]
    fn new() -> PyResult<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(os_error)?;
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(os_error)?;
        watch(&epoll, &wake, wheel::WAKE)?;
        Ok(Self {
            relays: Arc::default(),
            epoll: Arc::new(epoll),
            wake: Arc::new(wake),
            is_stopped: Arc::default(),
            thread: Mutex::new(None),
        })
    }

    #[pyo3(signature = (a_side, a, b_side, b, *, forward, backward))]
    fn add(
        &self,
        a_side: &str,
        a: &str,
        b_side: &str,
        b: &str,
        forward: &Link,
        backward: &Link,
    ) -> PyResult<(String, String)> {
        let sides = [side(a_side, a, forward)?, side(b_side, b, backward)?];
        let mut relays = lock(&self.relays);
        let token = relays.len() as u64 * 2;
        let [first, second] = &sides;
        let endpoints = (first.endpoint().to_string(), second.endpoint().to_string());
        if relays.iter().any(|relay| relay.name() == first.endpoint()) {
            return Err(PyValueError::new_err(format!("{a_side} already relays")));
        }
        watch(&self.epoll, first.socket(), token)?;
        watch(&self.epoll, second.socket(), token + 1)?;
        relays.push(Relay::new(sides));
        Ok(endpoints)
    }

    #[pyo3(signature = (a_side, *, forward, backward))]
    fn change(&self, a_side: &str, forward: &Link, backward: &Link) -> PyResult<()> {
        let name = arguments::endpoint(a_side)?;
        let mut relays = lock(&self.relays);
        let relay = relays
            .iter_mut()
            .find(|relay| relay.name() == name)
            .ok_or_else(|| PyKeyError::new_err(format!("no relay listens at {a_side}")))?;
        relay.impair(forward.shared(), backward.shared());
        Ok(())
    }

    fn start(&self) -> PyResult<()> {
        let mut thread = lock(&self.thread);
        if thread.is_some() || self.is_stopped.load(Ordering::Acquire) {
            return Err(PyValueError::new_err("a shaper starts once"));
        }
        let run = wheel::Run {
            relays: Arc::clone(&self.relays),
            epoll: Arc::clone(&self.epoll),
            is_stopped: Arc::clone(&self.is_stopped),
        };
        let spawned = std::thread::Builder::new()
            .name("ei-shaper".into())
            .spawn(move || run.run())
            .map_err(|error| PyOSError::new_err(error.to_string()))?;
        *thread = Some(spawned);
        Ok(())
    }

    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        self.is_stopped.store(true, Ordering::Release);
        rustix::io::write(&self.wake, &1_u64.to_ne_bytes()).map_err(os_error)?;
        let thread = lock(&self.thread).take();
        let ended = py.detach(|| thread.map(JoinHandle::join));
        match ended {
            None | Some(Ok(())) => Ok(()),
            Some(Err(_)) => Err(PyOSError::new_err("the shaper's thread panicked")),
        }
    }

    fn statistics(&self) -> HashMap<String, HashMap<&'static str, u64>> {
        let relays = lock(&self.relays);
        let both = relays.iter().map(|relay| {
            let mut sum: HashMap<&'static str, u64> = HashMap::new();
            for model in relay.models() {
                let model = lock(model);
                for (name, count) in counters(&model) {
                    *sum.entry(name).or_default() += count;
                }
            }
            sum.insert("unsent", relay.unsent());
            (relay.name().to_string(), sum)
        });
        both.collect()
    }

    fn __repr__(&self) -> String {
        format!("<Shaper of {} links>", lock(&self.relays).len())
    }
}

impl Drop for Shaper {
    fn drop(&mut self) {
        self.is_stopped.store(true, Ordering::Release);
        // The thread owns shares of all that it uses, and ends at its next look.
        let _woken = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
    }
}

fn side(bind: &str, peer: &str, link: &Link) -> PyResult<Side> {
    let socket = UdpSocket::bind(arguments::endpoint(bind)?, false)?;
    let peer: SocketAddr = arguments::endpoint(peer)?;
    Ok(Side::new(socket, peer, link.shared()))
}

fn watch(epoll: &OwnedFd, descriptor: impl std::os::fd::AsFd, token: u64) -> PyResult<()> {
    let data = epoll::EventData::new_u64(token);
    epoll::add(epoll, descriptor, data, epoll::EventFlags::IN).map_err(os_error)
}

fn os_error(error: rustix::io::Errno) -> PyErr {
    PyOSError::new_err((
        error.raw_os_error(),
        std::io::Error::from(error).to_string(),
    ))
}
