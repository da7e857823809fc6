//! One datapath thread: its sockets, its datapath, its end of each worker's socket.
//!
//! A round: sleep or spin until something is there; take mail, datagrams and effects in; do what is
//! due; send everything out. Nothing is shared with other threads but mailboxes, none of which a hit
//! touches.

mod readiness;
mod streaming;

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use ei_datapath::forward::Datapath;
use ei_datapath::trains::Train;
use ei_xdp::Queue;

use super::mailbox::Mailbox;
use super::notices::News;
use super::shared::{Mail, Shared};
use crate::bookkeeping::ThreadStatistics;
use crate::clock::{monotonic_ns, thread_cpu_ns, unix_ns};
use crate::io::{Receiver, UdpSocket, send_by, send_trains};
use crate::misses::{HUNG_UP, MAX_EFFECT_BYTES, Received, WorkerSocket};
use readiness::{Readiness, Source};

/// Trains taken from a socket at once; then workers and mail have their turn.
const BATCH_TRAINS: usize = 64;

/// Datagrams handled before what they made is sent: a train's worth.
const TRAIN_SEGMENTS: usize = 64;

/// Messages taken from one worker before others have their turn.
const MESSAGES_PER_ROUND: usize = 4;

/// Mail that waits at another thread; beyond it this one takes no more effects, which cause mail.
const MAX_MAIL: usize = 4_096;

/// Control messages that the node has no room for are told after this.
const TELL_AGAIN_NS: u64 = 10_000_000;

/// One thread's all.
pub(crate) struct Lane {
    number: usize,
    pub(crate) datapath: Datapath,
    sockets: Vec<UdpSocket>,
    receiver: Receiver,
    /// Of devices whose frames are taken before a socket gets them.
    queues: Vec<Queue>,
    /// Datagrams that came by those.
    captured: u64,
    /// When to tell what the node had no room for.
    tell_again_ns: Option<u64>,
    /// When to hand over what the stream thread had no room for.
    hand_over_again_ns: Option<u64>,
    /// Overflows that the datapath knows of.
    told_overflows: u64,
    workers: BTreeMap<u32, WorkerSocket>,
    readiness: Readiness,
    shared: Arc<Shared>,
    /// A batch of effects as it came, and a batch of events as it goes.
    effects: Vec<u8>,
    events: Vec<u8>,
}

impl Lane {
    /// The thread `number`, from 0; `sockets` are its own, at most one for each family, as are `queues`.
    ///
    /// # Errors
    /// No descriptor is left.
    pub(crate) fn new(
        number: usize,
        datapath: Datapath,
        sockets: Vec<UdpSocket>,
        queues: Vec<Queue>,
        spin_ns: u64,
        shared: Arc<Shared>,
    ) -> io::Result<Self> {
        let readiness = Readiness::new(spin_ns)?;
        if let Some(mailbox) = shared.mailboxes.get(number) {
            readiness.watch(mailbox, Source::Mailbox)?;
        }
        Ok(Self {
            number,
            datapath,
            sockets,
            receiver: Receiver::new(BATCH_TRAINS),
            queues,
            captured: 0,
            tell_again_ns: None,
            hand_over_again_ns: None,
            told_overflows: 0,
            workers: BTreeMap::new(),
            readiness,
            shared,
            effects: vec![0; MAX_EFFECT_BYTES],
            events: Vec::new(),
        })
    }

    /// Work until the engine stops.
    ///
    /// # Errors
    /// The system refuses to wait or to receive: nothing can go on then.
    pub(crate) fn run(&mut self) -> io::Result<()> {
        while !self.shared.stop.is_set() {
            let deadline_ns = self.next_deadline_ns();
            let ready = self
                .readiness
                .wait(&self.sockets, &self.queues, deadline_ns)?;
            let now_ns = monotonic_ns();
            let mut is_all_read = true;
            for index in ready.sockets() {
                is_all_read &= self.receive(now_ns, index)?;
                self.stamp_traces();
            }
            for index in ready.queues() {
                is_all_read &= self.receive_captured(now_ns, index);
                self.stamp_traces();
            }
            if is_all_read {
                self.datapath.note_read(now_ns);
            }
            for source in ready.sources() {
                match source {
                    Source::Mailbox => self.take_mail(now_ns),
                    Source::Worker(service) => self.take_effects(now_ns, service),
                }
                self.stamp_traces();
            }
            if self
                .datapath
                .next_deadline_ns()
                .is_some_and(|due_ns| due_ns <= now_ns)
            {
                self.tell_overflows(now_ns);
                self.datapath.poll(now_ns);
            }
            self.hand_over_streams(now_ns);
            self.send_events(now_ns);
            self.send_now();
            self.send_mail();
            self.tell_notices(now_ns);
        }
        Ok(())
    }

    fn stamp_traces(&mut self) {
        if self.datapath.has_fresh_traces() {
            self.datapath.stamp_traces(monotonic_ns());
        }
    }

    fn next_deadline_ns(&self) -> Option<u64> {
        let slow_ns = self.workers.values().filter_map(WorkerSocket::slow_at_ns);
        slow_ns
            .chain(self.datapath.next_deadline_ns())
            .chain(self.tell_again_ns)
            .chain(self.hand_over_again_ns)
            .min()
    }

    // -- in ---------------------------------------------------------------------------------------

    /// Take in what has come; return whether that was all.
    fn receive(&mut self, now_ns: u64, index: usize) -> io::Result<bool> {
        let Some(socket) = self.sockets.get(index) else {
            return Ok(true);
        };
        self.receiver.receive(socket)?;
        let is_all = self.receiver.took_all();
        let (shared, number) = (&self.shared, self.number);
        let mut depart = |train: Train<'_>| send_by(&self.sockets, train);
        if self.receiver.is_mostly_single() {
            let singles = self.receiver.datagrams();
            let mut own = singles
                .filter(|(from, datagram)| shared.keeps(number, *from, datagram))
                .peekable();
            while own.peek().is_some() {
                let some = own.by_ref().take(TRAIN_SEGMENTS);
                self.datapath
                    .handle_singles(now_ns, some, Some(&mut depart));
                let _sent = send_trains(&mut self.datapath, &self.sockets);
            }
            return Ok(is_all);
        }
        let mut handled = 0;
        for train in self.receiver.trains() {
            handled += train.datagrams();
            shared.divide(train, number, &mut self.datapath, now_ns, &mut depart);
            if handled >= TRAIN_SEGMENTS {
                // While they are in the cache.
                let _sent = send_trains(&mut self.datapath, &self.sockets);
                handled = 0;
            }
        }
        let _sent = send_trains(&mut self.datapath, &self.sockets);
        Ok(is_all)
    }

    /// Take in what has come by a queue of a device; return whether that was all.
    fn receive_captured(&mut self, now_ns: u64, index: usize) -> bool {
        let Some(queue) = self.queues.get_mut(index) else {
            return true;
        };
        let mut depart = |train: Train<'_>| send_by(&self.sockets, train);
        let mut frames = queue.take();
        let is_all = frames.is_all();
        self.captured += frames.count() as u64;
        self.datapath
            .handle_singles(now_ns, frames.datagrams(), Some(&mut depart));
        drop(frames);
        let _sent = send_trains(&mut self.datapath, &self.sockets);
        is_all
    }

    fn tell_overflows(&mut self, now_ns: u64) {
        let overflows = self.socket_overflows() + self.thread_overflows();
        if std::mem::replace(&mut self.told_overflows, overflows) != overflows {
            self.datapath.note_overflow(now_ns);
        }
    }

    fn take_mail(&mut self, now_ns: u64) {
        let shared = Arc::clone(&self.shared);
        let Some(mailbox) = shared.mailboxes.get(self.number) else {
            return;
        };
        for mail in mailbox.take() {
            match mail {
                Mail::Order(order) => order(self, now_ns),
                Mail::Lane(message) => self.datapath.apply_lane_message(now_ns, message),
                Mail::Datagram { from, mut bytes } => {
                    let _fate = self.datapath.handle(now_ns, from, &mut bytes);
                }
                Mail::Own(train) => self.send_own(now_ns, &train),
            }
        }
    }

    fn take_effects(&mut self, now_ns: u64, service: u32) {
        if self
            .shared
            .mailboxes
            .iter()
            .any(|mailbox| mailbox.len() > MAX_MAIL)
        {
            return;
        }
        for _ in 0..MESSAGES_PER_ROUND {
            let Some(worker) = self.workers.get_mut(&service) else {
                return;
            };
            match worker.receive(&mut self.effects) {
                Received::Nothing => return,
                Received::Batch(batch) => {
                    if let Err(error) = self.datapath.put_effects(now_ns, service, batch) {
                        return self.lose_worker(service, &error.to_string());
                    }
                    if worker.outstanding() == 0 {
                        // What comes by itself wakes the thread; looking for it now costs more.
                        return;
                    }
                }
                Received::Lost(why) => return self.lose_worker(service, &why),
            }
        }
    }

    // -- out --------------------------------------------------------------------------------------

    fn send_events(&mut self, now_ns: u64) {
        let mut next = Some(0);
        while let Some(from) = next
            && let Some(&service) = self
                .workers
                .range(from..)
                .next()
                .map(|(service, _)| service)
        {
            if let Err(error) = self.send_events_to(now_ns, service) {
                let why = match error.kind() {
                    io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => HUNG_UP.into(),
                    _ => format!("its socket failed: {error}"),
                };
                self.lose_worker(service, &why);
            }
            next = service.checked_add(1);
        }
    }

    fn send_events_to(&mut self, now_ns: u64, service: u32) -> io::Result<()> {
        let Some(worker) = self.workers.get_mut(&service) else {
            return Ok(());
        };
        let was_full = worker.is_full();
        if was_full {
            worker.resume()?;
        }
        while worker.wants_batch() {
            self.events.clear();
            let unix_s = unix_ns() as f64 / 1e9;
            if self
                .datapath
                .take_events(now_ns, unix_s, service, &mut self.events)
                == 0
            {
                break;
            }
            worker.send(now_ns, &self.events)?;
        }
        let is_full = worker.is_full();
        if is_full != was_full {
            self.readiness
                .set_full(&*worker, Source::Worker(service), is_full)?;
        }
        if worker.is_newly_slow(now_ns) {
            self.shared.notices.tell(News::WorkerSlow(service));
        }
        Ok(())
    }

    /// Send all that waits.
    pub(crate) fn send_now(&mut self) {
        let _sent = send_trains(&mut self.datapath, &self.sockets);
    }

    fn send_mail(&mut self) {
        while let Some(message) = self.datapath.take_lane_message() {
            let is_for_first = message.is_for_first();
            for (number, mailbox) in self.shared.mailboxes.iter().enumerate() {
                if number != self.number && (number == 0 || !is_for_first) {
                    mailbox.put(Mail::Lane(message.clone()));
                }
            }
        }
    }

    fn tell_notices(&mut self, now_ns: u64) {
        self.tell_again_ns = None;
        let notices = &self.shared.notices;
        while !self.datapath.is_control_next() || notices.has_room_for_control() {
            let Some(notice) = self.datapath.take_notice() else {
                return;
            };
            notices.tell(News::Datapath(notice));
        }
        self.tell_again_ns = Some(now_ns + TELL_AGAIN_NS);
    }

    // -- workers ----------------------------------------------------------------------------------

    /// Give a service its worker, in the place of an earlier one.
    ///
    /// # Errors
    /// The descriptor is no sequenced-packet socket.
    pub(crate) fn attach_worker(&mut self, service: u32, socket: OwnedFd) -> io::Result<()> {
        self.detach_worker(service);
        let worker = WorkerSocket::new(socket)?;
        self.readiness.watch(&worker, Source::Worker(service))?;
        self.workers.insert(service, worker);
        Ok(())
    }

    /// Give a service's worker no more batches; returns how many it has not answered.
    pub(crate) fn pause_worker(&mut self, service: u32) -> usize {
        let Some(worker) = self.workers.get_mut(&service) else {
            return 0;
        };
        worker.pause();
        worker.outstanding()
    }

    /// Close the socket to a service's worker; what it had not answered is dropped.
    pub(crate) fn detach_worker(&mut self, service: u32) {
        if self.workers.remove(&service).is_some() {
            self.datapath.lose_worker(monotonic_ns(), service);
        }
    }

    /// Run a service here no longer.
    pub(crate) fn remove_service(&mut self, service: u32) {
        self.detach_worker(service);
        self.datapath.remove_service(service);
    }

    /// What this thread has done.
    pub(crate) fn statistics(&self) -> ThreadStatistics {
        ThreadStatistics {
            datapath: self.datapath.statistics(),
            cpu_ns: thread_cpu_ns(),
            thread_id: rustix::thread::gettid().as_raw_nonzero().get(),
            batches_outstanding: self.workers.values().map(WorkerSocket::outstanding).sum(),
            socket_overflows: self.socket_overflows(),
            captured: self.captured,
            thread_overflows: self.thread_overflows(),
        }
    }

    fn socket_overflows(&self) -> u64 {
        let sockets = self.sockets.iter();
        let of_sockets: u64 = sockets.map(|socket| u64::from(socket.overflowed())).sum();
        of_sockets + self.queues.iter().map(Queue::lost).sum::<u64>()
    }

    fn thread_overflows(&self) -> u64 {
        let mailbox = self.shared.mailboxes.get(self.number);
        mailbox.map_or(0, Mailbox::refused)
    }

    fn lose_worker(&mut self, service: u32, why: &str) {
        self.detach_worker(service);
        self.shared.note_lost(service, why);
    }
}
