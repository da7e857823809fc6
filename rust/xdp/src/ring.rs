//! Memory that the kernel shares: mapped pages, and the rings of an AF_XDP socket.

use std::io;
use std::marker::PhantomData;
use std::os::fd::BorrowedFd;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, mmap_anonymous, munmap};
use rustix::net::xdp::XdpRingOffset;

/// Pages of this process that nobody else here knows of.
pub(crate) struct Mapping {
    start: *mut u8,
    bytes: usize,
}

// SAFETY: the pages belong to the mapping alone, whichever thread has it.
unsafe impl Send for Mapping {}

// SAFETY: a shared `Mapping` gives nothing but its address.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Of memory, touched, which no process that is forked has: it would be copied for each.
    pub(crate) fn anonymous(bytes: usize) -> io::Result<Self> {
        let flags = MapFlags::PRIVATE | MapFlags::POPULATE;
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: the kernel chooses the place: nothing that is mapped is replaced.
        let start = unsafe { mmap_anonymous(ptr::null_mut(), bytes, protection, flags) }?;
        let mapping = Self {
            start: start.cast(),
            bytes,
        };
        // SAFETY: the pages are those that were just mapped; what they hold does not change.
        unsafe { madvise(start, bytes, Advice::LinuxDontFork) }?;
        Ok(mapping)
    }

    /// Of what a descriptor shares at `offset`.
    fn shared(bytes: usize, of: BorrowedFd<'_>, offset: u64) -> io::Result<Self> {
        let flags = MapFlags::SHARED | MapFlags::POPULATE;
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: as above.
        let start = unsafe { mmap(ptr::null_mut(), bytes, protection, flags, of, offset) }?;
        Ok(Self {
            start: start.cast(),
            bytes,
        })
    }

    /// For the kernel, which writes there.
    pub(crate) fn address(&self) -> u64 {
        self.start.expose_provenance() as u64
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn start(&self) -> *mut u8 {
        self.start
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: it was mapped so, and what borrowed of it is gone.
        let _unmapped = unsafe { munmap(self.start.cast(), self.bytes) };
    }
}

/// One ring of an AF_XDP socket: of two parties each writes one of the counters, which wrap.
pub(crate) struct Ring<T> {
    mapping: Mapping,
    at: XdpRingOffset,
    /// A power of two.
    entries: u32,
    of: PhantomData<T>,
}

impl<T: Copy> Ring<T> {
    /// Map the ring of `socket` at `page_offset`, which was made with `entries`.
    pub(crate) fn map(
        socket: BorrowedFd<'_>,
        page_offset: u64,
        at: XdpRingOffset,
        entries: u32,
    ) -> io::Result<Self> {
        let bytes = at.desc as usize + entries as usize * size_of::<T>();
        Ok(Self {
            mapping: Mapping::shared(bytes, socket, page_offset)?,
            at,
            entries,
            of: PhantomData,
        })
    }

    fn counter(&self, offset: u64) -> &AtomicU32 {
        // SAFETY: the kernel has a 32-bit counter there, aligned, within the mapping that `self` keeps;
        // whoever uses it does so atomically.
        unsafe { AtomicU32::from_ptr(self.mapping.start.add(offset as usize).cast()) }
    }

    fn entry(&self, count: u32) -> *mut T {
        let index = (count & (self.entries - 1)) as usize;
        // SAFETY: the index is below the number of entries, for which the mapping has room.
        unsafe {
            self.mapping
                .start
                .add(self.at.desc as usize)
                .cast::<T>()
                .add(index)
        }
    }

    /// Take up to `into.len()` entries that the kernel has put; return how many.
    pub(crate) fn take(&mut self, into: &mut [T]) -> usize {
        let consumer = self.counter(self.at.consumer);
        let taken = consumer.load(Ordering::Relaxed);
        let put = self.counter(self.at.producer).load(Ordering::Acquire);
        let waiting = put.wrapping_sub(taken).min(self.entries);
        let count = into.len().min(waiting as usize);
        for (place, number) in into.iter_mut().take(count).zip(0_u32..) {
            // SAFETY: the kernel has written the entry, as its counter says, and does not touch it before
            // ours says that it was read.
            *place = unsafe { self.entry(taken.wrapping_add(number)).read() };
        }
        consumer.store(taken.wrapping_add(count as u32), Ordering::Release);
        count
    }

    /// Put entries for the kernel, as many as there is room for.
    pub(crate) fn put(&mut self, entries: impl Iterator<Item = T>) {
        let producer = self.counter(self.at.producer);
        let mut put = producer.load(Ordering::Relaxed);
        let taken = self.counter(self.at.consumer).load(Ordering::Acquire);
        let room = self.entries.saturating_sub(put.wrapping_sub(taken));
        for entry in entries.take(room as usize) {
            // SAFETY: the kernel does not touch the entry before our counter says that it is there, and has
            // read what was there before, since there is room.
            unsafe { self.entry(put).write(entry) };
            put = put.wrapping_add(1);
        }
        producer.store(put, Ordering::Release);
    }

    /// Whether the kernel has put anything.
    pub(crate) fn is_empty(&self) -> bool {
        let taken = self.counter(self.at.consumer).load(Ordering::Relaxed);
        taken == self.counter(self.at.producer).load(Ordering::Acquire)
    }
}
