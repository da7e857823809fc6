//! From a datapath thread to a service's worker process and back: one sequenced-packet socket each.
//!
//! One message is one batch. At most two batches are on their way, so that the worker finds the next
//! one when it is done, and all that misses meanwhile makes the one after that larger: under load
//! batches grow by themselves, and a single miss does not wait for company. Waking a sleeping worker
//! costs some hundred microseconds; large batches share that.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send, sockopt};

/// Largest message taken from a worker; a longer one is cut by the kernel and its worker given up.
pub(crate) const MAX_EFFECT_BYTES: usize = 1 << 20;

/// Batches that a worker may have unanswered.
const MAX_OUTSTANDING: usize = 2;

/// A batch unanswered for so long is told to the node, once.
const SLOW_NS: u64 = 2_000_000_000;

/// Why a worker is gone that said nothing more.
pub(crate) const HUNG_UP: &str = "it closed its socket";

/// This thread's socket to the worker of one service.
#[derive(Debug)]
pub(crate) struct WorkerSocket {
    socket: OwnedFd,
    /// When each unanswered batch was sent.
    outstanding: VecDeque<u64>,
    /// A batch that the socket would not take yet.
    unsent: Vec<u8>,
    was_reported_slow: bool,
    /// Another version of the service is to take over: the worker gets no more.
    is_paused: bool,
}

/// What came of looking for a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Received<'a> {
    /// A whole message.
    Batch(&'a [u8]),
    /// None waits.
    Nothing,
    /// The worker is gone, or what it sent is no message: why.
    Lost(String),
}

impl WorkerSocket {
    /// Take over one end of a pair of SOCK_SEQPACKET sockets.
    ///
    /// # Errors
    /// It is no such socket.
    pub(crate) fn new(socket: OwnedFd) -> io::Result<Self> {
        if sockopt::socket_type(&socket)? != rustix::net::SocketType::SEQPACKET {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a worker's socket must be SOCK_SEQPACKET",
            ));
        }
        rustix::io::ioctl_fionbio(&socket, true)?;
        // Room for two whole batches; within the system's limit when this process may not pass it.
        sockopt::set_socket_send_buffer_size_force(&socket, MAX_EFFECT_BYTES)
            .or_else(|_| sockopt::set_socket_send_buffer_size(&socket, MAX_EFFECT_BYTES))?;
        Ok(Self {
            socket,
            outstanding: VecDeque::with_capacity(MAX_OUTSTANDING),
            unsent: Vec::new(),
            was_reported_slow: false,
            is_paused: false,
        })
    }

    /// Whether another batch should be made.
    pub(crate) fn wants_batch(&self) -> bool {
        self.outstanding.len() < MAX_OUTSTANDING && self.unsent.is_empty() && !self.is_paused
    }

    /// Send no more batches; what waits goes to the next worker.
    pub(crate) fn pause(&mut self) {
        self.is_paused = true;
    }

    /// Batches that the worker has not answered.
    pub(crate) fn outstanding(&self) -> usize {
        self.outstanding.len()
    }

    /// Whether a batch waits for room in the socket.
    pub(crate) fn is_full(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Send a batch, or keep it until the socket has room.
    ///
    /// # Errors
    /// The worker is gone.
    pub(crate) fn send(&mut self, now_ns: u64, batch: &[u8]) -> io::Result<()> {
        self.outstanding.push_back(now_ns);
        if !self.try_send(batch)? {
            self.unsent.extend_from_slice(batch);
        }
        Ok(())
    }

    /// Try again to send what the socket would not take.
    ///
    /// # Errors
    /// The worker is gone.
    pub(crate) fn resume(&mut self) -> io::Result<()> {
        let unsent = std::mem::take(&mut self.unsent);
        if !unsent.is_empty() && !self.try_send(&unsent)? {
            self.unsent = unsent;
        }
        Ok(())
    }

    fn try_send(&self, batch: &[u8]) -> io::Result<bool> {
        match send(
            &self.socket,
            batch,
            SendFlags::NOSIGNAL | SendFlags::DONTWAIT,
        ) {
            Ok(_) => Ok(true),
            // ENOBUFS: so many descriptors and buffers are on their way in the whole system.
            Err(Errno::AGAIN | Errno::NOBUFS | Errno::INTR) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Take one message into `buffer`.
    pub(crate) fn receive<'b>(&mut self, buffer: &'b mut [u8]) -> Received<'b> {
        let flags = RecvFlags::DONTWAIT | RecvFlags::TRUNC;
        match recv(&self.socket, &mut *buffer, flags) {
            Ok((_, 0)) => Received::Lost(HUNG_UP.into()),
            Ok((_, length)) => match buffer.get(..length) {
                Some(batch) => {
                    self.note_answer(batch);
                    Received::Batch(batch)
                }
                None => Received::Lost(format!(
                    "its batch of {length} B is longer than {MAX_EFFECT_BYTES} B"
                )),
            },
            Err(Errno::AGAIN | Errno::INTR) => Received::Nothing,
            Err(Errno::CONNRESET) => Received::Lost(HUNG_UP.into()),
            Err(errno) => Received::Lost(format!("its socket failed: {errno}")),
        }
    }

    /// Whether to tell the node now that the oldest batch is unanswered for too long.
    pub(crate) fn is_newly_slow(&mut self, now_ns: u64) -> bool {
        let is_slow = self.slow_at_ns().is_some_and(|at_ns| at_ns <= now_ns);
        let is_news = is_slow && !self.was_reported_slow;
        self.was_reported_slow |= is_news;
        is_news
    }

    /// When `is_newly_slow` should be asked next.
    pub(crate) fn slow_at_ns(&self) -> Option<u64> {
        let sent_ns = self
            .outstanding
            .front()
            .filter(|_| !self.was_reported_slow)?;
        Some(sent_ns + SLOW_NS)
    }

    fn note_answer(&mut self, batch: &[u8]) {
        if is_answer(batch) {
            let _sent_ns = self.outstanding.pop_front();
            self.was_reported_slow = false;
        }
    }
}

impl AsFd for WorkerSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Whether an `EffectBatch` answers a batch, rather than coming by itself (sequence 0).
///
/// Only for keeping time: the datapath reads the batch in earnest, and checks the sequence.
fn is_answer(batch: &[u8]) -> bool {
    const ARRAY_OF_3: u8 = 0x93;
    matches!(batch, [ARRAY_OF_3, sequence, ..] if *sequence != 0)
}
