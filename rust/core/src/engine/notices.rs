//! What the engine's threads tell Python.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use super::mailbox::Mailbox;

/// Beyond it the node does not listen any more, and news are lost, and counted.
const MAX_WAITING: usize = 65_536;

/// Beyond it control messages, up to 64 KiB each, stay with the datapath, and so with their senders.
const MAX_BEFORE_CONTROL: usize = 256;

/// News of a thread for the node.
#[derive(Debug)]
pub(crate) enum News {
    /// From its datapath.
    Datapath(ei_datapath::forward::Notice),
    /// The worker of a service is gone.
    WorkerLost(u32),
    /// The worker of a service has a batch for two seconds.
    WorkerSlow(u32),
    /// The identity key of a host or node that streams come from or go to.
    StreamKeyWanted([u8; 16]),
    /// A thread panicked: the engine has ended.
    Failed(String),
}

/// All news, for one reader.
#[derive(Debug)]
pub(crate) struct Notices(Mailbox<News>);

impl Notices {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(Mailbox::new()?))
    }

    /// Tell it, unless so much waits that nobody can be listening.
    pub(crate) fn tell(&self, news: News) {
        self.0.put_up_to(news, MAX_WAITING);
    }

    /// Whether a control message may be told now.
    pub(crate) fn has_room_for_control(&self) -> bool {
        self.0.len() < MAX_BEFORE_CONTROL
    }

    /// How many could not be told.
    pub(crate) fn lost(&self) -> u64 {
        self.0.refused()
    }

    pub(crate) fn take(&self) -> impl Iterator<Item = News> + use<> {
        self.0.take().into_iter()
    }
}

impl AsFd for Notices {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
