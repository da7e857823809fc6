//! What a thread waits for: first awake for a moment, then asleep.
//!
//! Waking a sleeping thread costs 100 to 500 µs on virtual machines, a look at the sockets half a
//! microsecond: so after work the thread looks on for `spin_ns` before it sleeps.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;

use crate::clock::monotonic_ns;

/// Sources looked at in one round; the others are there in the next.
const SOURCES_PER_ROUND: usize = 32;

/// Something that can become ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A message of another thread or of Python.
    Mailbox,
    /// Datagrams at the socket with this index.
    Socket(usize),
    /// Effects of the worker of this service, its hang-up, or room for a batch to it.
    Worker(u32),
}

impl Source {
    fn token(self) -> u64 {
        match self {
            Self::Mailbox => 0,
            Self::Socket(index) => 1 << 32 | index as u64,
            Self::Worker(service) => 2 << 32 | u64::from(service),
        }
    }

    fn of(token: u64) -> Self {
        match token >> 32 {
            0 => Self::Mailbox,
            1 => Self::Socket(token as u32 as usize),
            _ => Self::Worker(token as u32),
        }
    }
}

/// The epoll of one thread.
#[derive(Debug)]
pub(crate) struct Readiness {
    epoll: OwnedFd,
    spin_ns: u64,
    /// Until when the thread looks on without sleeping.
    awake_until_ns: u64,
}

impl Readiness {
    pub(crate) fn new(spin_ns: u64) -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        Ok(Self {
            epoll,
            spin_ns,
            awake_until_ns: 0,
        })
    }

    /// Wait for `source` from now on. It is forgotten when its descriptor is closed.
    pub(crate) fn watch(&self, descriptor: impl AsFd, source: Source) -> io::Result<()> {
        let data = EventData::new_u64(source.token());
        Ok(epoll::add(&self.epoll, descriptor, data, EventFlags::IN)?)
    }

    /// Also wait for room in it, or no longer.
    pub(crate) fn set_full(
        &self,
        descriptor: impl AsFd,
        source: Source,
        is_full: bool,
    ) -> io::Result<()> {
        let data = EventData::new_u64(source.token());
        let room = if is_full {
            EventFlags::OUT
        } else {
            EventFlags::empty()
        };
        Ok(epoll::modify(
            &self.epoll,
            descriptor,
            data,
            EventFlags::IN | room,
        )?)
    }

    /// Wait until something is ready or `deadline_ns` is due.
    pub(crate) fn wait(
        &mut self,
        deadline_ns: Option<u64>,
    ) -> io::Result<impl Iterator<Item = Source> + use<>> {
        let now_ns = monotonic_ns();
        let mut events = [const { MaybeUninit::<Event>::uninit() }; SOURCES_PER_ROUND];
        let timeout_ns = match now_ns < self.awake_until_ns {
            true => Some(0),
            false => deadline_ns.map(|due_ns| due_ns.saturating_sub(now_ns)),
        };
        let ready = match epoll::wait(&self.epoll, &mut events, timespec(timeout_ns).as_ref()) {
            Ok((ready, _)) => &*ready,
            Err(Errno::INTR) => &[],
            Err(errno) => return Err(errno.into()),
        };
        if !ready.is_empty() {
            self.awake_until_ns = monotonic_ns().saturating_add(self.spin_ns);
        }
        let mut tokens = [None; SOURCES_PER_ROUND];
        for (token, event) in tokens.iter_mut().zip(ready) {
            *token = Some(event.data.u64());
        }
        Ok(tokens.into_iter().flatten().map(Source::of))
    }
}

fn timespec(timeout_ns: Option<u64>) -> Option<Timespec> {
    timeout_ns.and_then(|timeout_ns| Timespec::try_from(Duration::from_nanos(timeout_ns)).ok())
}
