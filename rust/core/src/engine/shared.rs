//! What the threads of an engine share: mailboxes, notices, and the flag that ends them.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};

use ei_datapath::forward::{Datapath, LaneMessage};
use ei_datapath::trains::Depart;

use super::junction::{self, OwnTrain};
use super::lane::Lane;
use super::mailbox::Mailbox;
use super::notices::{News, Notices};
use crate::io::ReceivedTrain;
use crate::lock::lock;
use crate::threads::StopFlag;

/// Datagrams that wait for another thread; beyond it they are lost, as in a full socket buffer, and counted.
const MAX_HANDED_OVER: usize = 1_024;

/// What Python asks of a thread; gets the time.
pub(crate) type Order = Box<dyn FnOnce(&mut Lane, u64) + Send>;

/// Something for one thread.
pub(crate) enum Mail {
    /// Of Python: carried out between two batches.
    Order(Order),
    /// Of another thread's datapath.
    Lane(LaneMessage),
    /// A datagram of a lane of this thread that came to another.
    Datagram {
        /// Its sender.
        from: SocketAddr,
        /// As received.
        bytes: Vec<u8>,
    },
    /// Packets of the node's own streams.
    Own(OwnTrain),
}

/// Shared by all threads of an engine, and its handle.
pub(crate) struct Shared {
    /// One for each thread.
    pub(crate) mailboxes: Vec<Mailbox<Mail>>,
    pub(crate) notices: Notices,
    /// Of the stream thread, if there is one.
    pub(crate) streams: OnceLock<Arc<Mailbox<junction::Mail>>>,
    pub(crate) stop: StopFlag,
    pub(super) failure: Mutex<Option<String>>,
    /// Why each service's worker was given up last.
    lost: Mutex<BTreeMap<u32, String>>,
}

impl Shared {
    pub(super) fn new(threads: usize) -> io::Result<Self> {
        Ok(Self {
            mailboxes: (0..threads)
                .map(|_| Mailbox::new())
                .collect::<io::Result<_>>()?,
            notices: Notices::new()?,
            streams: OnceLock::new(),
            stop: StopFlag::default(),
            failure: Mutex::default(),
            lost: Mutex::default(),
        })
    }

    /// Have thread `number` handle the datagrams of its own lanes, and give the others to their threads.
    ///
    /// The kernel steers a whole train by its first datagram, and coalesces what came from one endpoint,
    /// whatever its lane.
    pub(super) fn divide(
        &self,
        train: ReceivedTrain<'_>,
        number: usize,
        datapath: &mut Datapath,
        now_ns: u64,
        depart: Depart<'_>,
    ) {
        let threads = self.mailboxes.len();
        let is_own = |datagram| owner(datagram, threads) == number;
        if threads == 1 || train.split().all(is_own) {
            return train.handle_by(datapath, now_ns, Some(depart));
        }
        let ReceivedTrain {
            from,
            bytes,
            segment_bytes,
        } = train;
        for datagram in bytes.chunks_mut(segment_bytes) {
            if self.keeps(number, from, datagram) {
                let _fate = datapath.handle(now_ns, from, datagram);
            }
        }
    }

    /// Whether thread `number` is to handle a datagram; else it goes to the thread that is.
    #[inline]
    pub(super) fn keeps(&self, number: usize, from: SocketAddr, datagram: &[u8]) -> bool {
        let threads = self.mailboxes.len();
        if threads == 1 {
            return true;
        }
        let owner = owner(datagram, threads);
        if owner != number
            && let Some(mailbox) = self.mailboxes.get(owner)
        {
            let bytes = datagram.to_vec();
            mailbox.put_up_to(Mail::Datagram { from, bytes }, MAX_HANDED_OVER);
        }
        owner == number
    }

    /// Ask all threads to end.
    pub(super) fn stop(&self) {
        self.stop.set();
        for mailbox in &self.mailboxes {
            mailbox.put(Mail::Order(Box::new(|_, _| ())));
        }
        if let Some(mailbox) = self.streams.get() {
            mailbox.put(junction::Mail::Order(Box::new(|_, _| ())));
        }
    }

    /// Why the engine ended by itself.
    pub(super) fn failure(&self) -> Option<String> {
        lock(&self.failure).clone()
    }

    /// A service's worker is gone: tell the node, once for all threads that lose it.
    pub(super) fn note_lost(&self, service: u32, why: &str) {
        let mut lost = lock(&self.lost);
        if lost.insert(service, why.to_owned()).is_none() {
            self.notices.tell(News::WorkerLost(service));
        }
    }

    /// A service gets a new worker, whose loss is news again.
    pub(super) fn forget_lost(&self, service: u32) {
        lock(&self.lost).remove(&service);
    }

    /// Why workers were given up, by service, until they are replaced.
    pub(super) fn lost(&self) -> BTreeMap<u32, String> {
        lock(&self.lost).clone()
    }
}

/// The thread that owns the lane of a datagram; handshakes and what is no datagram of ours go to 0.
fn owner(datagram: &[u8], threads: usize) -> usize {
    const DATA: u8 = 4;
    match datagram {
        [first, _, _, _, index, ..] if first & 0x0f == DATA => usize::from(index & 0x0f) % threads,
        _ => 0,
    }
}
