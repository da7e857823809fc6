//! What comes by one queue of a device.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use ei_memory::prefetch;
use rustix::net::sockopt::{
    set_xdp_rx_ring_size, set_xdp_umem_completion_ring_size, set_xdp_umem_fill_ring_size,
    set_xdp_umem_reg, xdp_mmap_offsets, xdp_statistics,
};
use rustix::net::xdp::{
    SocketAddrXdp, SocketAddrXdpFlags, XDP_PGOFF_RX_RING, XDP_UMEM_PGOFF_FILL_RING, XdpDesc,
    XdpDescOptions, XdpUmemReg, XdpUmemRegFlags,
};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with};

use crate::frame::datagram;
use crate::program::CHUNK_BYTES;
use crate::ring::{Mapping, Ring};

/// A ring that is not used, and must be there.
const LEAST_ENTRIES: u32 = 64;

/// Frames taken at once: a train's worth.
const BATCH_FRAMES: usize = 64;

/// Of a frame: what stands before a datagram, and its header.
const HEAD_BYTES: usize = 128;

const NOTHING: XdpDesc = XdpDesc {
    addr: 0,
    len: 0,
    options: XdpDescOptions::empty(),
};

/// The end of one queue: its socket, and the memory that the kernel writes frames into.
pub struct Queue {
    socket: OwnedFd,
    device: u32,
    memory: Mapping,
    /// Chunks that the kernel may write into.
    fill: Ring<u64>,
    /// Frames that it has written.
    received: Ring<XdpDesc>,
    taken: [XdpDesc; BATCH_FRAMES],
    /// Closed with the last queue of the device, which then runs no program any more.
    attached: Option<Arc<OwnedFd>>,
}

impl Queue {
    /// Make a socket for a queue of a device, by which nothing comes yet, with room for so many frames.
    pub(crate) fn open(device: u32, queue: u32, chunks: u32) -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::XDP, SocketType::RAW, flags, None)?;
        let memory = Mapping::anonymous(chunks as usize * CHUNK_BYTES)?;
        let registered = XdpUmemReg {
            addr: memory.address(),
            len: memory.bytes() as u64,
            chunk_size: CHUNK_BYTES as u32,
            headroom: 0,
            flags: XdpUmemRegFlags::empty(),
            tx_metadata_len: 0,
        };
        set_xdp_umem_reg(&socket, registered)?;
        set_xdp_umem_fill_ring_size(&socket, chunks)?;
        set_xdp_umem_completion_ring_size(&socket, LEAST_ENTRIES)?;
        set_xdp_rx_ring_size(&socket, chunks)?;
        let at = xdp_mmap_offsets(&socket)?;
        let owner = socket.as_fd();
        let mut fill = Ring::map(owner, XDP_UMEM_PGOFF_FILL_RING, at.fr, chunks)?;
        let received = Ring::map(owner, XDP_PGOFF_RX_RING, at.rx, chunks)?;
        fill.put((0..u64::from(chunks)).map(|chunk| chunk * CHUNK_BYTES as u64));
        // A driver that writes into our memory by itself was never at hand.
        let address = SocketAddrXdp::new(SocketAddrXdpFlags::XDP_COPY, device, queue);
        bind(&socket, &address)?;
        Ok(Self {
            socket,
            device,
            memory,
            fill,
            received,
            taken: [NOTHING; BATCH_FRAMES],
            attached: None,
        })
    }

    /// Keep the program attached for as long as the queue lives.
    pub(crate) fn keep(&mut self, attached: Arc<OwnedFd>) {
        self.attached = Some(attached);
    }

    /// Take some of what waits, up to a train's worth.
    #[inline]
    pub fn take(&mut self) -> Batch<'_> {
        let count = self.received.take(&mut self.taken);
        let is_all = count < BATCH_FRAMES || self.received.is_empty();
        let batch = Batch {
            queue: self,
            count,
            is_all,
        };
        for (start, bytes) in batch.frames() {
            // SAFETY: as in `datagrams`, and the borrow ends here.
            let head = unsafe { std::slice::from_raw_parts(start, bytes.min(HEAD_BYTES)) };
            prefetch(head);
        }
        batch
    }

    /// Frames that found no room since the queue was opened.
    pub fn lost(&self) -> u64 {
        xdp_statistics(&self.socket).map_or(0, |counts| {
            counts.rx_dropped + counts.rx_ring_full.unwrap_or(0)
        })
    }
}

impl AsFd for Queue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Frames that were taken. Dropped, the kernel may write into their memory again.
pub struct Batch<'a> {
    queue: &'a mut Queue,
    count: usize,
    is_all: bool,
}

impl Batch<'_> {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Whether no others waited when these were taken.
    pub fn is_all(&self) -> bool {
        self.is_all
    }

    /// Each datagram, with its sender; empty where it was broken on its way.
    pub fn datagrams(&mut self) -> impl Iterator<Item = (SocketAddr, &mut [u8])> {
        let device = self.queue.device;
        self.frames().map(move |(start, bytes)| {
            // SAFETY: `frames` gives places within our memory, each of another chunk. The kernel gives each
            // chunk that we have put at most once, and writes nothing into it before we put it again, which
            // is when this batch is dropped.
            let frame = unsafe { std::slice::from_raw_parts_mut(start, bytes) };
            datagram(frame, device)
        })
    }

    /// Where each frame lies, and how long it is.
    fn frames(&self) -> impl Iterator<Item = (*mut u8, usize)> {
        let (start, most) = (self.queue.memory.start(), self.queue.memory.bytes());
        let taken = self.queue.taken.iter().take(self.count);
        taken.filter_map(move |frame| {
            let (at, bytes) = (frame.addr as usize, frame.len as usize);
            // The kernel says so in memory that we could have written: believed as far as it is ours.
            let is_ours = at.checked_add(bytes)? <= most;
            is_ours.then(|| (start.wrapping_add(at), bytes))
        })
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        let Queue { fill, taken, .. } = &mut *self.queue;
        let chunks = taken.iter().take(self.count).map(|frame| {
            let chunk_bytes = CHUNK_BYTES as u64;
            frame.addr / chunk_bytes * chunk_bytes
        });
        fill.put(chunks);
    }
}
