//! The stream thread of an engine: started, asked, and given its end of workers.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;

use ei_streams::StreamsError;
use ei_streams::internet::Internet;
use ei_streams::junction::{Junction, JunctionConfig};

use super::{ANSWER_WITHIN, Fleet, FleetError};
use crate::engine::junction::{Mail, StreamThread};
use crate::engine::mailbox::Mailbox;
use crate::lock::lock;
use crate::threads;

/// What an engine knows of its stream thread.
#[derive(Default)]
pub(super) struct Streaming(Mutex<State>);

#[derive(Default)]
struct State {
    thread: Option<JoinHandle<io::Result<()>>>,
    /// The node's own addresses, which rules must name.
    own: Vec<IpAddr>,
    /// Services with streams, and whether they are anonymous.
    services: BTreeMap<u32, bool>,
}

/// Why there is no stream thread.
pub(crate) enum StreamingError {
    /// It runs already.
    Started,
    /// What it was given cannot be used.
    Refused(StreamsError),
    /// What the system refused.
    System(io::Error),
}

impl Fleet {
    /// Start the stream thread.
    ///
    /// # Errors
    /// See `StreamingError`.
    pub(crate) fn start_streams(
        &self,
        config: JunctionConfig,
        internet: Internet,
        own: Vec<IpAddr>,
    ) -> Result<(), StreamingError> {
        let mut state = self.streaming.lock();
        if state.thread.is_some() {
            return Err(StreamingError::Started);
        }
        let junction = Junction::new(config).map_err(StreamingError::Refused)?;
        let shared = Arc::clone(&self.shared);
        let mailbox = Mailbox::new()
            .map(Arc::new)
            .map_err(StreamingError::System)?;
        let thread = StreamThread::new(junction, internet, shared, Arc::clone(&mailbox));
        let thread = thread.map_err(StreamingError::System)?;
        self.shared
            .streams
            .set(mailbox)
            .map_err(|_| StreamingError::Started)?;
        state.thread = Some(self.spawn_streams(thread).map_err(StreamingError::System)?);
        state.own = own;
        Ok(())
    }

    fn spawn_streams(&self, mut thread: StreamThread) -> io::Result<JoinHandle<io::Result<()>>> {
        let shared = Arc::clone(&self.shared);
        threads::spawn("ei-streams", None, move || {
            // What a panic leaves behind is dropped with the thread.
            let ended = catch_unwind(AssertUnwindSafe(|| thread.run()));
            let why = match ended {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error)) => error.to_string(),
                Err(panic) => format!("panic: {}", threads::panic_text(&*panic)),
            };
            shared.fail(format!("stream thread: {why}"));
            Ok(())
        })
    }

    /// Whether there is a stream thread.
    pub(crate) fn has_streams(&self) -> bool {
        self.shared.streams.get().is_some()
    }

    /// Give up what is kept, and let in no stream while memory `is_tight`; returns the bytes of what was.
    ///
    /// # Errors
    /// See `FleetError`.
    pub(crate) fn set_tight(&self, is_tight: bool) -> Result<u64, FleetError> {
        let mut bytes = 0;
        if is_tight {
            let forgotten = self.order_all(|lane, _| lane.datapath.forget_kept())?;
            bytes += forgotten.into_iter().sum::<usize>() as u64;
        }
        if self.has_streams() {
            bytes += self.order_streams(move |thread, _| thread.junction.set_tight(is_tight))?;
        }
        if is_tight {
            // SAFETY: it touches nothing but what is free.
            let _is_smaller = unsafe { libc::malloc_trim(0) };
        }
        Ok(bytes)
    }

    /// Have the stream thread carry out `order`, and return what it returns.
    ///
    /// # Errors
    /// There is none, or see `FleetError`.
    pub(crate) fn order_streams<T: Send + 'static>(
        &self,
        order: impl FnOnce(&mut StreamThread, u64) -> T + Send + 'static,
    ) -> Result<T, FleetError> {
        let mailbox = self.shared.streams.get().ok_or(FleetError::NoStreams)?;
        if self.shared.stop.is_set() {
            return Err(self.failure_or(FleetError::Stopped));
        }
        let (answer, answered) = sync_channel(1);
        mailbox.put(Mail::Order(Box::new(move |thread, now_ns| {
            // Nobody listens any more after the time is up.
            let _was_heard = answer.send(order(thread, now_ns));
        })));
        let within = answered.recv_timeout(ANSWER_WITHIN);
        within.map_err(|_| self.failure_or(FleetError::StreamsStuck))
    }

    /// The node's own addresses, which rules must name.
    pub(crate) fn own_addresses(&self) -> Vec<IpAddr> {
        self.streaming.lock().own.clone()
    }

    /// Note whether a service has streams, and if so whether it is anonymous.
    pub(crate) fn set_streams(&self, service: u32, is_anonymous: Option<bool>) {
        let mut state = self.streaming.lock();
        match is_anonymous {
            Some(is_anonymous) => state.services.insert(service, is_anonymous),
            None => state.services.remove(&service),
        };
    }

    /// Sockets that the worker of a service has: one for each thread that it hears of.
    pub(crate) fn sockets_of(&self, service: u32) -> usize {
        let has_streams = self.streaming.lock().services.contains_key(&service);
        self.threads() + usize::from(has_streams && self.has_streams())
    }

    /// Give the stream thread its end of a worker.
    ///
    /// # Errors
    /// See `FleetError`; inside, why the socket cannot be used.
    pub(super) fn attach_streams(
        &self,
        service: u32,
        socket: OwnedFd,
    ) -> Result<io::Result<()>, FleetError> {
        let is_anonymous = self.streaming.lock().services.get(&service).copied();
        let is_anonymous = is_anonymous.unwrap_or_default();
        self.order_streams(move |thread, now_ns| {
            thread.attach_worker(now_ns, service, is_anonymous, socket)
        })
    }

    /// End a worker's streams, if it has any.
    pub(crate) fn detach_streams(&self, service: u32) -> Result<(), FleetError> {
        match self.has_streams() {
            true => self.order_streams(move |thread, now_ns| thread.detach_worker(now_ns, service)),
            false => Ok(()),
        }
    }

    /// The thread, to wait for its end.
    pub(super) fn take_streams(&self) -> Option<JoinHandle<io::Result<()>>> {
        self.streaming.lock().thread.take()
    }
}

impl Streaming {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Whole between any two calls, whatever happened to the thread that made the last one.
        lock(&self.0)
    }
}
