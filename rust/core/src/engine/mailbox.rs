//! How a thread is told something by another: a queue, and an eventfd that ends its sleep.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

use rustix::event::{EventfdFlags, eventfd};

use crate::lock::lock;

/// A queue with an eventfd that is readable while something waits.
#[derive(Debug)]
pub(crate) struct Mailbox<T> {
    queue: Mutex<VecDeque<T>>,
    /// Beside the lock, so that looking costs nothing.
    length: AtomicUsize,
    refused: AtomicU64,
    bell: OwnedFd,
}

impl<T> Mailbox<T> {
    pub(crate) fn new() -> io::Result<Self> {
        let bell = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
        Ok(Self {
            queue: Mutex::default(),
            length: AtomicUsize::new(0),
            refused: AtomicU64::new(0),
            bell,
        })
    }

    /// Put `item` in, and ring unless somebody else did already.
    pub(crate) fn put(&self, item: T) {
        let mut queue = self.lock();
        queue.push_back(item);
        let length = queue.len();
        self.length.store(length, Ordering::Release);
        drop(queue);
        if length == 1 {
            // After the lock, or whom it wakes waits for that; the bell may so ring for what was taken
            // already. It can only fail when the counter is full, and then it rings anyway.
            let _rung = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
        }
    }

    /// Put `item` in; while `limit` are waiting it is lost, and counted.
    pub(crate) fn put_up_to(&self, item: T, limit: usize) {
        if self.len() < limit {
            self.put(item);
        } else {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Silence the bell, and take everything: in this order, or what comes between has no bell.
    pub(crate) fn take(&self) -> VecDeque<T> {
        let mut count = [0; 8];
        let _silenced = rustix::io::read(&self.bell, &mut count);
        let mut queue = self.lock();
        self.length.store(0, Ordering::Release);
        std::mem::take(&mut *queue)
    }

    /// What `put_up_to` lost.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    pub(crate) fn len(&self) -> usize {
        self.length.load(Ordering::Acquire)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<T>> {
        // Whole between any two calls, whatever happened to the thread that made the last one.
        lock(&self.queue)
    }
}

impl<T> AsFd for Mailbox<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}
