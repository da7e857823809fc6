//! The threads of an engine: made, started, asked, ended.

mod streaming;

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use ei_datapath::forward::{Datapath, DatapathConfig};
use ei_xdp::{XdpError, capture};

use super::lane::Lane;
use super::notices::News;
use super::shared::{Mail, Shared};
use crate::io::{BindError, UdpSocket, steer_by_lane};
use crate::lock::lock;
use crate::threads;
use streaming::Streaming;
pub(crate) use streaming::StreamingError;

/// An order is carried out between two batches; a thread that takes longer is stuck.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// What `stop` promises.
const END_WITHIN: Duration = Duration::from_secs(1);

/// What all threads of an engine have in common.
pub(crate) struct FleetConfig {
    pub(crate) binds: Vec<SocketAddr>,
    pub(crate) threads: usize,
    /// Thread i runs on `cpus[i]`; empty leaves that to the system.
    pub(crate) cpus: Vec<usize>,
    pub(crate) spin_us: u64,
    /// Devices whose frames thread 0 takes before a socket gets them.
    pub(crate) xdp: Vec<String>,
    /// Of lane 0; the others differ in their lane only.
    pub(crate) datapath: DatapathConfig,
}

/// Why there is no fleet.
pub(crate) enum UnmadeError {
    /// An endpoint cannot be bound, or the system has no descriptor left.
    Bind(BindError),
    /// Nothing can be taken from a device.
    Xdp(XdpError),
}

/// Why an order was not carried out.
#[derive(Debug)]
pub(crate) enum FleetError {
    /// `stop` was called.
    Stopped,
    /// A thread ended by itself: what it said.
    Failed(String),
    /// The thread did not answer in time.
    Stuck(usize),
    /// Nor did the stream thread.
    StreamsStuck,
    /// `start_streams` was not called.
    NoStreams,
}

impl std::fmt::Display for FleetError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stopped => formatter.write_str("the engine is stopped"),
            Self::Failed(why) => write!(formatter, "the engine failed: {why}"),
            Self::Stuck(number) => {
                let seconds = ANSWER_WITHIN.as_secs();
                write!(
                    formatter,
                    "datapath thread {number} did not answer within {seconds} s"
                )
            }
            Self::StreamsStuck => {
                let seconds = ANSWER_WITHIN.as_secs();
                write!(
                    formatter,
                    "the stream thread did not answer within {seconds} s"
                )
            }
            Self::NoStreams => formatter.write_str("start_streams was not called"),
        }
    }
}

/// All threads of one engine.
pub(crate) struct Fleet {
    shared: Arc<Shared>,
    endpoints: Vec<SocketAddr>,
    cpus: Vec<usize>,
    state: Mutex<State>,
    streaming: Streaming,
}

enum State {
    /// Made, sockets bound; orders are carried out on the caller's thread.
    Ready(Vec<Lane>),
    Running(Vec<JoinHandle<io::Result<()>>>),
    Stopped,
}

impl Fleet {
    /// Bind the sockets of all threads.
    ///
    /// # Errors
    /// See `UnmadeError`.
    pub(crate) fn new(config: FleetConfig) -> Result<Self, UnmadeError> {
        let first = config.binds.first().copied();
        let shared = Shared::new(config.threads).map(Arc::new);
        let unbound = |error| {
            let endpoint = first.unwrap_or(SocketAddr::from(([0; 4], 0)));
            UnmadeError::Bind(BindError { endpoint, error })
        };
        let shared = shared.map_err(unbound)?;
        let (endpoints, sockets) =
            bind(&config.binds, config.threads).map_err(UnmadeError::Bind)?;
        let mut queues = capture(&config.xdp, &endpoints).map_err(UnmadeError::Xdp)?;
        let lanes = sockets.into_iter().enumerate().map(|(number, sockets)| {
            let mut datapath = config.datapath.clone();
            datapath.lanes = config.threads as u8;
            datapath.lane = number as u8;
            let spin_ns = config.spin_us.saturating_mul(1_000);
            Lane::new(
                number,
                Datapath::new(datapath),
                sockets,
                // All of them are the first thread's: whose frame it is, no device knows.
                std::mem::take(&mut queues),
                spin_ns,
                Arc::clone(&shared),
            )
        });
        let lanes = lanes.collect::<io::Result<Vec<_>>>().map_err(unbound)?;
        Ok(Self {
            shared,
            endpoints,
            cpus: config.cpus,
            state: Mutex::new(State::Ready(lanes)),
            streaming: Streaming::default(),
        })
    }

    pub(crate) fn endpoints(&self) -> &[SocketAddr] {
        &self.endpoints
    }

    /// "ready", "running" or "stopped".
    pub(crate) fn state(&self) -> &'static str {
        match *self.lock() {
            State::Ready(_) => "ready",
            State::Running(_) => "running",
            State::Stopped => "stopped",
        }
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(crate) fn threads(&self) -> usize {
        self.shared.mailboxes.len()
    }

    /// Start the threads; no effect when they run.
    ///
    /// # Errors
    /// The engine was stopped, or the system has no thread left.
    pub(crate) fn start(&self) -> Result<(), FleetError> {
        let mut state = self.lock();
        match std::mem::replace(&mut *state, State::Stopped) {
            State::Ready(lanes) => {
                let mut running = Vec::new();
                for (number, lane) in lanes.into_iter().enumerate() {
                    match self.spawn(number, lane) {
                        Ok(thread) => running.push(thread),
                        Err(error) => {
                            self.shared.stop();
                            return Err(FleetError::Failed(error.to_string()));
                        }
                    }
                }
                *state = State::Running(running);
                Ok(())
            }
            State::Running(running) => {
                *state = State::Running(running);
                Ok(())
            }
            State::Stopped => Err(FleetError::Stopped),
        }
    }

    fn spawn(&self, number: usize, mut lane: Lane) -> io::Result<JoinHandle<io::Result<()>>> {
        let shared = Arc::clone(&self.shared);
        let cpu = self.cpus.get(number).copied();
        threads::spawn(&format!("ei-datapath-{number}"), None, move || {
            // What a panic leaves behind is dropped with the thread.
            let ended = catch_unwind(AssertUnwindSafe(|| {
                cpu.map_or(Ok(()), threads::pin)?;
                lane.run()
            }));
            let why = match ended {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error)) => error.to_string(),
                Err(panic) => format!("panic: {}", threads::panic_text(&*panic)),
            };
            shared.fail(format!("datapath thread {number}: {why}"));
            Ok(())
        })
    }

    /// Have thread `number` carry out `order` between two batches, and return what it returns.
    ///
    /// # Errors
    /// See `FleetError`.
    pub(crate) fn order<T: Send + 'static>(
        &self,
        number: usize,
        order: impl FnOnce(&mut Lane, u64) -> T + Send + 'static,
    ) -> Result<T, FleetError> {
        {
            let mut state = self.lock();
            match &mut *state {
                State::Ready(lanes) => {
                    let lane = lanes.get_mut(number).ok_or(FleetError::Stuck(number))?;
                    return Ok(order(lane, crate::clock::monotonic_ns()));
                }
                State::Running(_) => {}
                State::Stopped => return Err(self.failure_or(FleetError::Stopped)),
            }
        }
        let (answer, answered) = sync_channel(1);
        let mailbox = self
            .shared
            .mailboxes
            .get(number)
            .ok_or(FleetError::Stuck(number))?;
        mailbox.put(Mail::Order(Box::new(move |lane, now_ns| {
            // Nobody listens any more after the time is up.
            let _was_heard = answer.send(order(lane, now_ns));
        })));
        let within = answered.recv_timeout(ANSWER_WITHIN);
        within.map_err(|_| self.failure_or(FleetError::Stuck(number)))
    }

    /// Have every thread carry out the same order; the answers are in the order of the threads.
    ///
    /// # Errors
    /// See `FleetError`; of the first thread that fails.
    pub(crate) fn order_all<T: Send + 'static>(
        &self,
        order: impl Fn(&mut Lane, u64) -> T + Clone + Send + 'static,
    ) -> Result<Vec<T>, FleetError> {
        (0..self.threads())
            .map(|number| self.order(number, order.clone()))
            .collect()
    }

    /// Give a service its worker: one socket for each thread, then that of its streams if it has any.
    ///
    /// # Errors
    /// See `FleetError`; inside, why a socket cannot be used.
    pub(crate) fn attach_worker(
        &self,
        service: u32,
        sockets: Vec<OwnedFd>,
    ) -> Result<io::Result<()>, FleetError> {
        self.shared.forget_lost(service);
        for (number, socket) in sockets.into_iter().enumerate() {
            let attached = match number < self.threads() {
                true => self.order(number, move |lane, _| lane.attach_worker(service, socket))?,
                false => self.attach_streams(service, socket)?,
            };
            if attached.is_err() {
                return Ok(attached);
            }
        }
        Ok(Ok(()))
    }

    /// End the threads; what they hold is dropped.
    ///
    /// # Errors
    /// A thread that does not end within a second.
    pub(crate) fn stop(&self) -> Result<(), FleetError> {
        self.shared.stop();
        let state = std::mem::replace(&mut *self.lock(), State::Stopped);
        let mut running = match state {
            State::Running(running) => running,
            State::Ready(_) | State::Stopped => Vec::new(),
        };
        running.extend(self.take_streams());
        let begun = Instant::now();
        while !running.iter().all(JoinHandle::is_finished) {
            if begun.elapsed() > END_WITHIN {
                let number = running.iter().position(|thread| !thread.is_finished());
                return Err(match number {
                    Some(number) if number < self.threads() => FleetError::Stuck(number),
                    _ => FleetError::StreamsStuck,
                });
            }
            sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    fn failure_or(&self, error: FleetError) -> FleetError {
        self.shared.failure().map_or(error, FleetError::Failed)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Whole between any two calls, whatever happened to the thread that made the last one.
        lock(&self.state)
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        // Nobody is left to tell of a thread that does not end.
        let _stopped = self.stop();
    }
}

/// The sockets of each thread, and the endpoints, which all threads share.
fn bind(
    binds: &[SocketAddr],
    threads: usize,
) -> Result<(Vec<SocketAddr>, Vec<Vec<UdpSocket>>), BindError> {
    let mut endpoints = Vec::new();
    let mut sockets: Vec<Vec<UdpSocket>> = (0..threads).map(|_| Vec::new()).collect();
    for &asked in binds {
        // Sockets that share an endpoint would share it with another engine, too: alone, it is refused.
        let mut endpoint = match threads {
            1 => asked,
            _ => UdpSocket::bind(asked, false)?.endpoint(),
        };
        for (number, own) in sockets.iter_mut().enumerate() {
            let socket = UdpSocket::bind(endpoint, threads > 1)?;
            // Port 0 takes any, the same for all threads.
            endpoint = socket.endpoint();
            if number == 0 && threads > 1 {
                steer_by_lane(&socket, threads as u32)
                    .map_err(|error| BindError { endpoint, error })?;
            }
            own.push(socket);
        }
        endpoints.push(endpoint);
    }
    Ok((endpoints, sockets))
}

impl Shared {
    fn fail(&self, why: String) {
        let mut failure = lock(&self.failure);
        let _first = failure.get_or_insert_with(|| why.clone());
        drop(failure);
        self.stop();
        self.notices.tell(News::Failed(why));
    }
}
