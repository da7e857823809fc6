//! What a thread waits for: first awake for a moment, then asleep.
//!
//! Waking a sleeping thread costs 100 to 500 µs on virtual machines, a look at the sockets half a
//! microsecond: so after work the thread looks on for `spin_ns` before it sleeps.
//!
//! The UDP sockets are in no epoll: it would be told, under locks, of each datagram that comes and of each
//! segment that a device is done with, 100 to 200 ns of a packet that travels singly. They are polled.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::clock::monotonic_ns;
use crate::io::UdpSocket;
use ei_xdp::{MOST_QUEUES, Queue};

/// Mailbox and workers looked at in one round; the others are there in the next.
const EVENTS_PER_ROUND: usize = 32;

/// One for each family.
const MOST_SOCKETS: usize = 2;

/// Something that can become ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A message of another thread or of Python.
    Mailbox,
    /// Effects of the worker of this service, its hang-up, or room for a batch to it.
    Worker(u32),
}

impl Source {
    fn token(self) -> u64 {
        match self {
            Self::Mailbox => 0,
            Self::Worker(service) => 1 << 32 | u64::from(service),
        }
    }

    fn of(token: u64) -> Self {
        match token >> 32 {
            0 => Self::Mailbox,
            _ => Self::Worker(token as u32),
        }
    }
}

/// What is ready: first sockets and queues of devices, then the others.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ready {
    sockets: [bool; MOST_SOCKETS],
    queues: [bool; MOST_QUEUES],
    tokens: [Option<u64>; EVENTS_PER_ROUND],
}

impl Ready {
    /// The indices of the sockets at which datagrams wait.
    pub(crate) fn sockets(&self) -> impl Iterator<Item = usize> + use<> {
        indices(self.sockets)
    }

    /// The indices of the queues of devices that frames came by.
    pub(crate) fn queues(&self) -> impl Iterator<Item = usize> + use<> {
        indices(self.queues)
    }

    /// What else is there.
    pub(crate) fn sources(&self) -> impl Iterator<Item = Source> + use<> {
        self.tokens.into_iter().flatten().map(Source::of)
    }
}

/// The epoll of one thread, of all but its UDP sockets.
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

    /// Wait until something is ready, here or at one of `sockets` or `queues`, or `deadline_ns` is due.
    pub(crate) fn wait(
        &mut self,
        sockets: &[UdpSocket],
        queues: &[Queue],
        deadline_ns: Option<u64>,
    ) -> io::Result<Ready> {
        let now_ns = monotonic_ns();
        let timeout_ns = match now_ns < self.awake_until_ns {
            true => Some(0),
            false => deadline_ns.map(|due_ns| due_ns.saturating_sub(now_ns)),
        };
        let sources = sockets.iter().map(AsFd::as_fd);
        let mut sources = sources.chain(queues.iter().map(AsFd::as_fd));
        let mut polled: [PollFd<'_>; MOST_SOCKETS + MOST_QUEUES + 1] = std::array::from_fn(|_| {
            let source = sources.next().unwrap_or(self.epoll.as_fd());
            PollFd::from_borrowed_fd(source, PollFlags::IN)
        });
        let count = sockets.len() + queues.len();
        let polled = polled.get_mut(..=count).unwrap_or_default();
        let mut ready = Ready::default();
        match poll(polled, timespec(timeout_ns).as_ref()) {
            Ok(0) | Err(Errno::INTR) => return Ok(ready),
            Ok(_) => self.awake_until_ns = monotonic_ns().saturating_add(self.spin_ns),
            Err(errno) => return Err(errno.into()),
        }
        if let [watched @ .., others] = polled
            && let Some((of_sockets, of_queues)) = watched.split_at_checked(sockets.len())
        {
            note_ready(&mut ready.sockets, of_sockets);
            note_ready(&mut ready.queues, of_queues);
            if !others.revents().is_empty() {
                self.look_at_others(&mut ready.tokens)?;
            }
        }
        Ok(ready)
    }

    fn look_at_others(&self, tokens: &mut [Option<u64>]) -> io::Result<()> {
        let mut events = [const { MaybeUninit::<Event>::uninit() }; EVENTS_PER_ROUND];
        match epoll::wait(&self.epoll, &mut events, Some(&Timespec::default())) {
            Ok((ready, _)) => {
                for (token, event) in tokens.iter_mut().zip(ready) {
                    *token = Some(event.data.u64());
                }
                Ok(())
            }
            Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}

fn indices<const COUNT: usize>(ready: [bool; COUNT]) -> impl Iterator<Item = usize> {
    let places = ready.into_iter().enumerate();
    places.filter_map(|(index, is_ready)| is_ready.then_some(index))
}

fn note_ready(ready: &mut [bool], polled: &[PollFd<'_>]) {
    for (is_ready, one) in ready.iter_mut().zip(polled) {
        *is_ready = !one.revents().is_empty();
    }
}

fn timespec(timeout_ns: Option<u64>) -> Option<Timespec> {
    timeout_ns.and_then(|timeout_ns| Timespec::try_from(Duration::from_nanos(timeout_ns)).ok())
}
