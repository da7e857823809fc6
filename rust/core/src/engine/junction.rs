//! The stream thread: sockets to the legacy Internet, workers, and packets to and from the datapath
//! threads, around the `Junction` that knows what to do with them.

mod resolver;
mod sockets;
mod splicing;
mod statistics;
mod worker;

use std::collections::BTreeMap;
use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use ei_datapath::codec::EventBatch;
use ei_datapath::forward::ReceivedPacket;
use ei_streams::ConnectionKey;
use ei_streams::internet::Internet;
use ei_streams::junction::{Departure, Junction, JunctionStatistics};
use ei_streams::sites::Sites;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;

use super::mailbox::Mailbox;
use super::notices::News;
use super::shared::{Mail as LaneMail, Shared};
use crate::clock::{monotonic_ns, thread_cpu_ns};
use crate::misses::{HUNG_UP, MAX_EFFECT_BYTES};
use sockets::LegacySockets;
pub(crate) use sockets::Refusal;
pub(crate) use statistics::streams_dict;
use worker::StreamWorker;

/// Events of sockets taken in one round.
const EVENTS_PER_ROUND: usize = 256;

/// Trains that wait at a datapath thread; beyond it QUIC is not asked for more.
const MAX_DEPARTING: usize = 256;

/// And asked again after this.
const ASK_AGAIN_NS: u64 = 200_000;

/// Messages taken from one worker before others have their turn.
const MESSAGES_PER_ROUND: usize = 4;

/// What Python asks of the stream thread; gets the time.
pub(crate) type Order = Box<dyn FnOnce(&mut StreamThread, u64) + Send>;

/// Something for the stream thread.
pub(crate) enum Mail {
    /// Of Python.
    Order(Order),
    /// Of a datapath thread.
    Packets(Vec<ReceivedPacket>),
    /// Of the resolver.
    Resolved {
        number: usize,
        serial: u32,
        addresses: io::Result<Vec<SocketAddr>>,
    },
}

/// Packets of one connection that a datapath thread is to send.
pub(crate) struct OwnTrain {
    pub(crate) departure: Departure,
    pub(crate) bytes: Vec<u8>,
}

/// What the thread has done.
pub(crate) struct StreamStatistics {
    pub(crate) junction: JunctionStatistics,
    pub(crate) cpu_ns: u64,
    pub(crate) not_allowed: Vec<Refusal>,
}

/// Names of what can become ready.
mod token {
    pub(super) const MAILBOX: u64 = 0;
    const WORKER: u64 = 1 << 62;
    const SOCKET: u64 = 2 << 62;
    pub(super) const SERIAL_MASK: u32 = (1 << 30) - 1;

    pub(super) enum Source {
        Mailbox,
        Worker(u32),
        Socket(usize, u32),
    }

    pub(super) fn worker(service: u32) -> u64 {
        WORKER | u64::from(service)
    }

    pub(super) fn socket(number: usize, serial: u32) -> u64 {
        SOCKET | u64::from(serial & SERIAL_MASK) << 32 | u64::from(number as u32)
    }

    pub(super) fn source(token: u64) -> Source {
        match token >> 62 {
            0 => Source::Mailbox,
            1 => Source::Worker(token as u32),
            _ => Source::Socket(token as u32 as usize, (token >> 32) as u32 & SERIAL_MASK),
        }
    }
}

/// The stream thread's all.
pub(crate) struct StreamThread {
    pub(crate) junction: Junction,
    sockets: LegacySockets,
    workers: BTreeMap<u32, StreamWorker>,
    shared: Arc<Shared>,
    mailbox: Arc<Mailbox<Mail>>,
    epoll: OwnedFd,
    /// A train that its thread had no room for.
    unsent: Option<OwnTrain>,
    batch: EventBatch,
    /// A batch of effects as it came.
    effects: Vec<u8>,
}

impl StreamThread {
    /// # Errors
    /// The system has no descriptor or thread left.
    pub(crate) fn new(
        junction: Junction,
        internet: Internet,
        shared: Arc<Shared>,
        mailbox: Arc<Mailbox<Mail>>,
    ) -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let data = EventData::new_u64(token::MAILBOX);
        epoll::add(&epoll, &*mailbox, data, EventFlags::IN)?;
        let own_epoll = epoll.try_clone()?;
        Ok(Self {
            junction,
            sockets: LegacySockets::new(own_epoll, internet, Arc::clone(&mailbox))?,
            workers: BTreeMap::new(),
            shared,
            mailbox,
            epoll,
            unsent: None,
            batch: EventBatch::default(),
            effects: vec![0; MAX_EFFECT_BYTES],
        })
    }

    /// Work until the engine stops.
    ///
    /// # Errors
    /// The system refuses to wait: nothing can go on then.
    pub(crate) fn run(&mut self) -> io::Result<()> {
        while !self.shared.stop.is_set() {
            let ready = self.wait()?;
            let now_ns = monotonic_ns();
            for (token, events) in ready {
                match token::source(token) {
                    token::Source::Mailbox => self.take_mail(now_ns),
                    token::Source::Worker(service) => self.take_effects(now_ns, service),
                    token::Source::Socket(number, serial) => {
                        if self.sockets.note_events(number, serial, events) {
                            self.junction.socket_ready(number);
                        }
                    }
                }
            }
            self.take_outcomes(now_ns);
            self.junction.run(now_ns, &mut self.sockets);
            self.sockets.tidy_ahead(now_ns);
            self.take_outcomes(now_ns);
            self.send_events(now_ns);
            self.send_trains(now_ns);
            while let Some(peer) = self.junction.next_key_wanted() {
                self.shared.notices.tell(News::StreamKeyWanted(peer));
            }
        }
        Ok(())
    }

    fn wait(&self) -> io::Result<Vec<(u64, EventFlags)>> {
        let now_ns = monotonic_ns();
        let again_ns = self.unsent.as_ref().map(|_| now_ns + ASK_AGAIN_NS);
        // While a train waits QUIC wants to send more, and must wait as well.
        let due_ns = again_ns.or_else(|| self.next_deadline_ns());
        let timeout_ns = due_ns.map(|due_ns| due_ns.saturating_sub(now_ns));
        let timeout = timeout_ns
            .and_then(|timeout_ns| Timespec::try_from(Duration::from_nanos(timeout_ns)).ok());
        let mut events = [const { MaybeUninit::<Event>::uninit() }; EVENTS_PER_ROUND];
        match epoll::wait(&self.epoll, &mut events, timeout.as_ref()) {
            Ok((ready, _)) => Ok(ready
                .iter()
                .map(|event| (event.data.u64(), event.flags))
                .collect()),
            Err(Errno::INTR) => Ok(Vec::new()),
            Err(errno) => Err(errno.into()),
        }
    }

    fn next_deadline_ns(&self) -> Option<u64> {
        let workers = self.workers.values();
        let slow_ns = workers.filter_map(|worker| worker.socket.slow_at_ns());
        let ahead_ns = self.sockets.ahead_due_ns();
        let own_ns = [self.junction.next_deadline_ns(), ahead_ns];
        slow_ns.chain(own_ns.into_iter().flatten()).min()
    }

    // -- in ---------------------------------------------------------------------------------------

    fn take_mail(&mut self, now_ns: u64) {
        for mail in self.mailbox.take() {
            match mail {
                Mail::Order(order) => order(self, now_ns),
                Mail::Packets(packets) => self.take_packets(now_ns, &packets),
                Mail::Resolved {
                    number,
                    serial,
                    addresses,
                } => self.sockets.resolved(number, serial, addresses),
            }
        }
    }

    /// Runs of one connection go to QUIC together.
    fn take_packets(&mut self, now_ns: u64, packets: &[ReceivedPacket]) {
        let is_same = |one: &ReceivedPacket, other: &ReceivedPacket| {
            one.connection == other.connection
                && one.source == other.source
                && one.service == other.service
                && one.peer == other.peer
        };
        for run in packets.chunk_by(is_same) {
            let Some(first) = run.first() else { continue };
            let key = ConnectionKey {
                peer: first.source.0,
                connection: first.connection,
            };
            let payloads = run.iter().map(|packet| packet.payload.as_slice());
            self.junction
                .handle(now_ns, first.service, first.peer.0, key, payloads);
        }
    }

    fn take_effects(&mut self, now_ns: u64, service: u32) {
        for _ in 0..MESSAGES_PER_ROUND {
            let Some(worker) = self.workers.get_mut(&service) else {
                return;
            };
            let heard = worker.listen(
                now_ns,
                &mut self.junction,
                &mut self.sockets,
                &mut self.effects,
            );
            match heard {
                Ok(true) => {}
                Ok(false) => return,
                Err(why) => return self.lose_worker(now_ns, service, &why),
            }
        }
    }

    fn take_outcomes(&mut self, now_ns: u64) {
        while let Some((number, outcome)) = self.sockets.take_outcome() {
            match outcome {
                Ok(()) => self.junction.socket_opened(now_ns, number),
                Err(why) => {
                    self.junction
                        .socket_failed(now_ns, &mut self.sockets, number, why);
                }
            }
        }
    }

    // -- out --------------------------------------------------------------------------------------

    fn send_events(&mut self, now_ns: u64) {
        let with_news: Vec<u32> = self.junction.services_with_news().collect();
        let slow = self.workers.iter().filter(|(_, worker)| {
            let slow_ns = worker.socket.slow_at_ns();
            worker.socket.is_full() || slow_ns.is_some_and(|slow_ns| slow_ns <= now_ns)
        });
        let slow: Vec<u32> = slow.map(|(service, _)| *service).collect();
        for service in with_news.into_iter().chain(slow) {
            if let Err(error) = self.send_events_to(now_ns, service) {
                let why = match error.kind() {
                    io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => HUNG_UP.into(),
                    _ => format!("its socket failed: {error}"),
                };
                self.lose_worker(now_ns, service, &why);
            }
        }
    }

    fn send_events_to(&mut self, now_ns: u64, service: u32) -> io::Result<()> {
        let Some(worker) = self.workers.get_mut(&service) else {
            return Ok(());
        };
        let was_full = worker.socket.is_full();
        worker.tell(
            now_ns,
            &mut self.junction,
            &mut self.sockets,
            &mut self.batch,
        )?;
        let is_full = worker.socket.is_full();
        if is_full != was_full {
            let room = match is_full {
                true => EventFlags::OUT,
                false => EventFlags::empty(),
            };
            let data = EventData::new_u64(token::worker(service));
            epoll::modify(&self.epoll, &worker.socket, data, EventFlags::IN | room)?;
        }
        if worker.socket.is_newly_slow(now_ns) {
            self.shared.notices.tell(News::WorkerSlow(service));
        }
        Ok(())
    }

    /// Give the datapath threads what QUIC wants to send: packets of one connection always to the same.
    fn send_trains(&mut self, now_ns: u64) {
        loop {
            let next = self.unsent.take().or_else(|| {
                let mut bytes = Vec::new();
                let departure = self.junction.next_transmit(now_ns, &mut bytes)?;
                Some(OwnTrain { departure, bytes })
            });
            let Some(train) = next else { return };
            let mailboxes = &self.shared.mailboxes;
            let number = train.departure.connection % mailboxes.len().max(1) as u64;
            match mailboxes.get(number as usize) {
                Some(mailbox) if mailbox.len() < MAX_DEPARTING => {
                    mailbox.put(LaneMail::Own(train));
                }
                _ => {
                    self.unsent = Some(train);
                    return;
                }
            }
        }
    }

    // -- workers ----------------------------------------------------------------------------------

    /// Give a service its worker, in the place of an earlier one.
    ///
    /// # Errors
    /// The descriptor is no sequenced-packet socket.
    pub(crate) fn attach_worker(
        &mut self,
        now_ns: u64,
        service: u32,
        is_anonymous: bool,
        socket: OwnedFd,
    ) -> io::Result<()> {
        self.detach_worker(now_ns, service);
        let worker = StreamWorker::new(service, socket)?;
        let data = EventData::new_u64(token::worker(service));
        epoll::add(&self.epoll, &worker.socket, data, EventFlags::IN)?;
        self.workers.insert(service, worker);
        self.junction.add_service(service, is_anonymous);
        Ok(())
    }

    /// Close the socket to a service's worker, and its streams.
    pub(crate) fn detach_worker(&mut self, now_ns: u64, service: u32) {
        if self.workers.remove(&service).is_some() {
            self.junction
                .lose_service(now_ns, &mut self.sockets, service);
        }
    }

    fn lose_worker(&mut self, now_ns: u64, service: u32, why: &str) {
        self.detach_worker(now_ns, service);
        self.shared.note_lost(service, why);
    }

    // -- control ----------------------------------------------------------------------------------

    /// What services may reach from now on; open streams stay.
    pub(crate) fn set_internet(&mut self, internet: Internet) {
        self.sockets.internet = internet;
        self.sockets.drop_ahead();
    }

    /// Sites whose TLS ends here from now on; open streams stay.
    pub(crate) fn set_sites(&mut self, sites: Sites) {
        self.junction.set_sites(sites);
    }

    /// Answer `News::StreamKeyWanted`.
    pub(crate) fn set_peer_key(&mut self, now_ns: u64, peer: [u8; 16], key: Option<[u8; 32]>) {
        self.junction.peer_key(now_ns, &mut self.sockets, peer, key);
    }

    /// What this thread has done.
    pub(crate) fn statistics(&self) -> StreamStatistics {
        StreamStatistics {
            junction: self.junction.statistics(),
            cpu_ns: thread_cpu_ns(),
            not_allowed: self.sockets.refusals.iter().cloned().collect(),
        }
    }
}
