//! One batch of received trains, and the buffers that it lies in.

use std::io;
use std::mem;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::AsRawFd;
use std::ptr;

use ei_datapath::forward::Datapath;
use ei_datapath::trains::Depart;

use super::UdpSocket;

/// A whole train fits, and the next buffer starts at another cache set: with a plain 64 KiB the heads
/// of all buffers would compete for the same few lines.
const STRIDE_BYTES: usize = 65_536 + 320;

/// Room for the one control message asked for, `UDP_GRO`, with space to spare.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Control([u8; 64]);

/// Buffers of one thread for batched receiving.
pub(crate) struct Receiver {
    buffer: Vec<u8>,
    headers: Vec<libc::mmsghdr>,
    vectors: Vec<libc::iovec>,
    names: Vec<libc::sockaddr_storage>,
    controls: Vec<Control>,
    received: usize,
    took_all: bool,
    /// How many trains to take next.
    wanted: usize,
}

// SAFETY: the raw pointers inside `headers` and `vectors` point into the heap blocks of this very
// value's other fields, are used only during `receive`, which writes them anew, and are never lent out.
unsafe impl Send for Receiver {}

// SAFETY: nothing can be done with a shared `Receiver`; all its methods want it mutable.
unsafe impl Sync for Receiver {}

impl Receiver {
    /// Buffers for batches of up to `trains`, each up to 64 KiB; touched, since a page fault in the
    /// midst of traffic costs more than many packets.
    pub(crate) fn new(trains: usize) -> Self {
        let mut buffer = vec![0; trains * STRIDE_BYTES];
        buffer
            .chunks_mut(4096)
            .filter_map(<[u8]>::first_mut)
            .for_each(|byte| {
                // SAFETY: a plain write to a live byte; volatile, so that it is not optimised away.
                unsafe { ptr::write_volatile(byte, 0) }
            });
        // SAFETY: all three are plain C structs, for which all bits zero is a valid value.
        let (header, vector, name) = unsafe { (mem::zeroed(), mem::zeroed(), mem::zeroed()) };
        Self {
            buffer,
            headers: vec![header; trains],
            vectors: vec![vector; trains],
            names: vec![name; trains],
            controls: vec![Control([0; 64]); trains],
            received: 0,
            took_all: true,
            wanted: trains,
        }
    }

    /// Take what waits at the socket; return how many trains that is. Never blocks: 0 means nothing.
    pub(crate) fn receive(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        self.received = 0;
        self.took_all = false;
        self.point_at_buffers();
        // SAFETY: each of the headers points to a buffer, a name and a control area of the length that it
        // states, all owned by `self`, which is borrowed mutably until the call returns.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                self.wanted as libc::c_uint,
                libc::MSG_DONTWAIT,
                ptr::null_mut(),
            )
        };
        match usize::try_from(count) {
            Ok(count) => {
                self.received = count;
                self.took_all = count < self.wanted;
                self.choose_wanted();
                Ok(count)
            }
            Err(_) => {
                let error = io::Error::last_os_error();
                self.took_all = error.kind() == io::ErrorKind::WouldBlock;
                nothing_or(error)
            }
        }
    }

    /// Whether `receive` took all that waited.
    pub(crate) fn took_all(&self) -> bool {
        self.took_all
    }

    /// The datagrams of the batch, trains cut apart, each with its sender.
    pub(crate) fn datagrams(&mut self) -> impl Iterator<Item = (SocketAddr, &mut [u8])> {
        self.trains().flat_map(|train| {
            // An empty datagram is one, of which `chunks_mut` makes none.
            let (empty, rest) = match train.bytes {
                [] => (Some(train.bytes), Default::default()),
                _ => (None, train.bytes),
            };
            let datagrams = rest.chunks_mut(train.segment_bytes);
            let datagrams = empty.into_iter().chain(datagrams);
            datagrams.map(move |datagram| (train.from, datagram))
        })
    }

    /// Whether most of the batch came singly.
    pub(crate) fn is_mostly_single(&self) -> bool {
        let headers = self.headers.iter().take(self.received);
        let trains = headers.filter(|header| segment_bytes(&header.msg_hdr).is_some());
        trains.count() * 2 < self.received
    }

    /// The batch as it came.
    pub(crate) fn trains(&mut self) -> impl Iterator<Item = ReceivedTrain<'_>> {
        let buffers = self.buffer.chunks_exact_mut(STRIDE_BYTES);
        let headers = self.headers.iter().zip(&self.names).take(self.received);
        buffers.zip(headers).filter_map(|(buffer, (header, name))| {
            let bytes = buffer.get_mut(..header.msg_len as usize)?;
            let segment_bytes = segment_bytes(&header.msg_hdr).unwrap_or(bytes.len());
            Some(ReceivedTrain {
                from: sender(name)?,
                bytes,
                segment_bytes: segment_bytes.max(1),
            })
        })
    }

    /// Fewer at a time while long trains come: beyond two megabytes a batch falls out of the caches.
    /// Single datagrams are taken as many at a time as there is room for, since each call costs.
    fn choose_wanted(&mut self) {
        const WARM_BYTES: usize = 1 << 20;
        let headers = self.headers.iter().take(self.received);
        let bytes: usize = headers.map(|header| header.msg_len as usize).sum();
        let most = self.headers.len();
        self.wanted = if bytes > WARM_BYTES {
            most.div_ceil(2)
        } else {
            most
        };
    }

    fn point_at_buffers(&mut self) {
        let areas = self
            .names
            .iter_mut()
            .zip(&mut self.controls)
            .zip(&mut self.vectors);
        let buffers = self.buffer.chunks_exact_mut(STRIDE_BYTES);
        for ((header, ((name, control), vector)), buffer) in
            self.headers.iter_mut().zip(areas).zip(buffers)
        {
            vector.iov_base = buffer.as_mut_ptr().cast();
            vector.iov_len = buffer.len();
            header.msg_hdr.msg_name = ptr::from_mut(name).cast();
            header.msg_hdr.msg_namelen = mem::size_of::<libc::sockaddr_storage>() as u32;
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_control = control.0.as_mut_ptr().cast();
            header.msg_hdr.msg_controllen = control.0.len() as _;
        }
    }
}

/// One train: datagrams of one sender, all of the same length but the last, which may be shorter.
pub(crate) struct ReceivedTrain<'a> {
    pub(crate) from: SocketAddr,
    pub(crate) bytes: &'a mut [u8],
    /// Above 0.
    pub(crate) segment_bytes: usize,
}

impl ReceivedTrain<'_> {
    /// How many there are: an empty datagram is one.
    pub(crate) fn datagrams(&self) -> usize {
        self.bytes.len().div_ceil(self.segment_bytes).max(1)
    }

    /// Each of them.
    pub(crate) fn split(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.chunks(self.segment_bytes)
    }

    /// Give all to `datapath`; what is to leave meanwhile leaves by `depart`.
    pub(crate) fn handle_by(
        self,
        datapath: &mut Datapath,
        now_ns: u64,
        depart: Option<Depart<'_>>,
    ) {
        if self.bytes.len() <= self.segment_bytes {
            let _fate = datapath.handle(now_ns, self.from, self.bytes);
        } else {
            datapath.handle_train(now_ns, self.from, self.bytes, self.segment_bytes, depart);
        }
    }
}

/// An empty socket is no error; nor is a signal, or an ICMP message about something sent before.
fn nothing_or(error: io::Error) -> io::Result<usize> {
    match error.kind() {
        io::ErrorKind::WouldBlock
        | io::ErrorKind::Interrupted
        | io::ErrorKind::ConnectionRefused
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable => Ok(0),
        _ => Err(error),
    }
}

/// What the kernel says of a coalesced train; `None` when it is a single datagram.
fn segment_bytes(header: &libc::msghdr) -> Option<usize> {
    // SAFETY: the kernel filled the control area and set its length; both live in the `Receiver`.
    let mut message = unsafe { libc::CMSG_FIRSTHDR(header) };
    while !message.is_null() {
        // SAFETY: not null, so it points to a whole control message within the area.
        let (level, kind) = unsafe { ((*message).cmsg_level, (*message).cmsg_type) };
        if level == libc::SOL_UDP && kind == libc::UDP_GRO {
            // SAFETY: a UDP_GRO message carries one C int, perhaps unaligned.
            let length =
                unsafe { ptr::read_unaligned(libc::CMSG_DATA(message).cast::<libc::c_int>()) };
            return usize::try_from(length).ok().filter(|length| *length > 0);
        }
        // SAFETY: header and message are those of the loop above.
        message = unsafe { libc::CMSG_NXTHDR(header, message) };
    }
    None
}

fn sender(name: &libc::sockaddr_storage) -> Option<SocketAddr> {
    match libc::c_int::from(name.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family says that the storage holds a sockaddr_in, which is smaller.
            let v4 = unsafe { &*ptr::from_ref(name).cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
            Some(SocketAddrV4::new(ip, u16::from_be(v4.sin_port)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: the family says that the storage holds a sockaddr_in6, which is smaller.
            let v6 = unsafe { &*ptr::from_ref(name).cast::<libc::sockaddr_in6>() };
            let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
            let port = u16::from_be(v6.sin6_port);
            // Without the flow label, which may change although the peer stays where it is.
            Some(SocketAddrV6::new(ip, port, 0, v6.sin6_scope_id).into())
        }
        _ => None,
    }
}
