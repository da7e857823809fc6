//! A UDP socket for trains.

use std::io::{self, IoSlice};
use std::mem;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::ptr;
use std::time::Duration;

use rustix::net::{self, AddressFamily, SocketFlags, SocketType, sockopt};

/// Several times what a node handles between two looks at its socket, at 10 Gb/s.
const BUFFER_BYTES: usize = 8 << 20;

/// How long a full send buffer is waited for before the train is given up.
const FULL_WAIT: Duration = Duration::from_millis(2);

/// Most segments that a kernel takes at once (64 until Linux 6.9, 128 after).
const MAX_SEGMENTS: usize = 64;

/// What `SO_MEMINFO` tells (`SK_MEMINFO_VARS`); the last, `SK_MEMINFO_DROPS`, is what was dropped.
const SOCKET_FACTS: usize = 9;

/// Why a socket could not be made: the system's error, and for which endpoint.
#[derive(Debug)]
pub(crate) struct BindError {
    pub(crate) endpoint: SocketAddr,
    pub(crate) error: io::Error,
}

/// A bound socket: nonblocking, large buffers, GRO and GSO where the kernel has them, never fragmenting.
#[derive(Debug)]
pub(crate) struct UdpSocket {
    socket: OwnedFd,
    endpoint: SocketAddr,
}

impl UdpSocket {
    /// Bind to `endpoint`; port 0 takes any. With `is_shared` other sockets of this user may bind to it too.
    pub(crate) fn bind(endpoint: SocketAddr, is_shared: bool) -> Result<Self, BindError> {
        open(endpoint, is_shared).map_err(|error| BindError { endpoint, error })
    }

    /// Where it is bound.
    pub(crate) fn endpoint(&self) -> SocketAddr {
        self.endpoint
    }

    /// Datagrams that found its receive buffer full; the kernel counts them for nothing, up to 2^32.
    pub(crate) fn overflowed(&self) -> u32 {
        let mut facts = [0_u32; SOCKET_FACTS];
        let mut bytes = mem::size_of_val(&facts) as libc::socklen_t;
        // SAFETY: the kernel writes at most `bytes` bytes into `facts`, which lives until it returns.
        let result = unsafe {
            libc::getsockopt(
                self.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_MEMINFO,
                facts.as_mut_ptr().cast(),
                &raw mut bytes,
            )
        };
        match (result, facts) {
            (0, [.., drops]) => drops,
            // Before Linux 4.12.
            _ => 0,
        }
    }

    /// Send a train: datagrams of `segment_bytes`, the last perhaps shorter. Return how many went out.
    ///
    /// What the kernel refuses is dropped, as a network would; a full buffer is waited for, briefly.
    pub(crate) fn send(&self, to: SocketAddr, bytes: &[u8], segment_bytes: usize) -> usize {
        let segment_bytes = segment_bytes.max(1);
        let most_bytes = segment_bytes.saturating_mul(MAX_SEGMENTS);
        bytes
            .chunks(most_bytes)
            .map(|part| self.send_part(to, part, segment_bytes))
            .sum()
    }

    /// Send a train of which each datagram is one of `heads` and then `tail`; return how many went out.
    ///
    /// A full buffer is waited for, briefly; what is refused then is not sent.
    pub(crate) fn send_joined<'a>(
        &self,
        to: SocketAddr,
        heads: impl ExactSizeIterator<Item = &'a [u8]>,
        tail: &'a [u8],
        segment_bytes: usize,
    ) -> usize {
        let segments = heads.len().min(MAX_SEGMENTS);
        let mut vectors = [IoSlice::new(&[]); 2 * MAX_SEGMENTS];
        for (pair, head) in vectors.chunks_exact_mut(2).zip(heads) {
            pair.copy_from_slice(&[IoSlice::new(head), IoSlice::new(tail)]);
        }
        let vectors = vectors.get(..2 * segments).unwrap_or(&[]);
        let send = || self.send_vectors(to, vectors, segments > 1, segment_bytes);
        let sent = send().or_else(|_| self.wait_writable().and_then(|()| send()));
        if sent.is_ok() { segments } else { 0 }
    }

    fn send_part(&self, to: SocketAddr, bytes: &[u8], segment_bytes: usize) -> usize {
        let segments = bytes.len().div_ceil(segment_bytes);
        match self.send_waiting(to, bytes, segment_bytes) {
            Ok(()) => segments,
            // Still full: for each datagram alone it would be waited once more.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            // Some devices cannot segment, and the kernel will not where a segment exceeds the MTU.
            Err(_) if segments > 1 => bytes
                .chunks(segment_bytes)
                .filter(|datagram| self.send_waiting(to, datagram, segment_bytes).is_ok())
                .count(),
            Err(_) => 0,
        }
    }

    fn send_waiting(&self, to: SocketAddr, bytes: &[u8], segment_bytes: usize) -> io::Result<()> {
        match self.send_now(to, bytes, segment_bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.wait_writable()?;
                self.send_now(to, bytes, segment_bytes)
            }
            // An error that an earlier datagram caused is reported once, in place of the sending.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                self.send_now(to, bytes, segment_bytes)
            }
            result => result,
        }
    }

    fn send_now(&self, to: SocketAddr, bytes: &[u8], segment_bytes: usize) -> io::Result<()> {
        self.send_vectors(
            to,
            &[IoSlice::new(bytes)],
            bytes.len() > segment_bytes,
            segment_bytes,
        )
    }

    fn send_vectors(
        &self,
        to: SocketAddr,
        vectors: &[IoSlice<'_>],
        is_train: bool,
        segment_bytes: usize,
    ) -> io::Result<()> {
        let (name, name_bytes) = raw_address(to);
        let control = SegmentControl::new(segment_bytes as u16);
        // SAFETY: a plain C struct, for which all bits zero is a valid value.
        let mut header: libc::msghdr = unsafe { mem::zeroed() };
        header.msg_name = ptr::from_ref(&name).cast_mut().cast();
        header.msg_namelen = name_bytes;
        // An `IoSlice` is laid out as an iovec; the library guarantees it.
        header.msg_iov = vectors.as_ptr().cast_mut().cast();
        header.msg_iovlen = vectors.len() as _;
        if is_train {
            header.msg_control = ptr::from_ref(&control).cast_mut().cast();
            header.msg_controllen = mem::size_of::<SegmentControl>() as _;
        }
        // SAFETY: name, vectors and control live until the call returns, with the lengths stated; the
        // kernel only reads them, and what the vectors point to.
        let sent = unsafe { libc::sendmsg(self.as_raw_fd(), &header, libc::MSG_DONTWAIT) };
        match sent {
            0.. => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    fn wait_writable(&self) -> io::Result<()> {
        let timeout = rustix::event::Timespec::try_from(FULL_WAIT).map_err(io::Error::other)?;
        let flags = rustix::event::PollFlags::OUT;
        let mut descriptors = [rustix::event::PollFd::new(&self.socket, flags)];
        rustix::event::poll(&mut descriptors, Some(&timeout))?;
        Ok(())
    }
}

impl AsFd for UdpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for UdpSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

/// A `UDP_SEGMENT` control message, exactly as the kernel wants it: header, u16, padding.
#[repr(C)]
struct SegmentControl {
    header: libc::cmsghdr,
    segment_bytes: u16,
    padding: [u8; 6],
}

impl SegmentControl {
    fn new(segment_bytes: u16) -> Self {
        // SAFETY: a plain C struct (some systems pad it), for which all bits zero is a valid value.
        let mut header: libc::cmsghdr = unsafe { mem::zeroed() };
        header.cmsg_len = (mem::size_of::<libc::cmsghdr>() + mem::size_of::<u16>()) as _;
        header.cmsg_level = libc::SOL_UDP;
        header.cmsg_type = libc::UDP_SEGMENT;
        Self {
            header,
            segment_bytes,
            padding: [0; 6],
        }
    }
}

/// An IPv4 or IPv6 address as the kernel reads it.
union RawAddress {
    v4: libc::sockaddr_in,
    v6: libc::sockaddr_in6,
}

fn raw_address(address: SocketAddr) -> (RawAddress, libc::socklen_t) {
    match address {
        SocketAddr::V4(v4) => {
            let raw = libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: v4.port().to_be(),
                sin_addr: libc::in_addr {
                    s_addr: u32::from(*v4.ip()).to_be(),
                },
                sin_zero: [0; 8],
            };
            (
                RawAddress { v4: raw },
                mem::size_of::<libc::sockaddr_in>() as u32,
            )
        }
        SocketAddr::V6(v6) => {
            let raw = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: v6.port().to_be(),
                sin6_flowinfo: 0,
                sin6_addr: libc::in6_addr {
                    s6_addr: v6.ip().octets(),
                },
                sin6_scope_id: v6.scope_id(),
            };
            (
                RawAddress { v6: raw },
                mem::size_of::<libc::sockaddr_in6>() as u32,
            )
        }
    }
}

fn open(endpoint: SocketAddr, is_shared: bool) -> io::Result<UdpSocket> {
    let family = match endpoint {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = net::socket_with(family, SocketType::DGRAM, flags, None)?;
    if endpoint.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    if is_shared {
        sockopt::set_socket_reuseport(&socket, true)?;
    }
    enlarge_buffers(&socket)?;
    never_fragment(&socket, endpoint)?;
    // Without GRO (before Linux 5.0) datagrams come one by one, which is slower and still right.
    let _is_coalescing = set_option(&socket, libc::SOL_UDP, libc::UDP_GRO, &1).is_ok();
    net::bind(&socket, &endpoint)?;
    let bound = SocketAddr::try_from(net::getsockname(&socket)?)?;
    Ok(UdpSocket {
        socket,
        endpoint: bound,
    })
}

fn enlarge_buffers(socket: &OwnedFd) -> io::Result<()> {
    // Past the system's limit if this process may; else as far as the limit goes.
    sockopt::set_socket_recv_buffer_size_force(socket, BUFFER_BYTES)
        .or_else(|_| sockopt::set_socket_recv_buffer_size(socket, BUFFER_BYTES))?;
    sockopt::set_socket_send_buffer_size_force(socket, BUFFER_BYTES)
        .or_else(|_| sockopt::set_socket_send_buffer_size(socket, BUFFER_BYTES))?;
    Ok(())
}

/// Set "don't fragment", and do not believe ICMP, which anybody can forge, about the path's size.
fn never_fragment(socket: &OwnedFd, endpoint: SocketAddr) -> io::Result<()> {
    match endpoint {
        SocketAddr::V4(_) => {
            let probe = libc::IP_PMTUDISC_PROBE;
            set_option(socket, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, &probe)
        }
        SocketAddr::V6(_) => {
            let probe = libc::IPV6_PMTUDISC_PROBE;
            set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, &probe)
        }
    }
}

/// `setsockopt` for what `rustix` does not name.
///
/// Only for options whose argument is a plain C int.
fn set_option(
    socket: &OwnedFd,
    level: libc::c_int,
    name: libc::c_int,
    value: &libc::c_int,
) -> io::Result<()> {
    // SAFETY: the descriptor is open, and the value is a C int of the length stated.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            ptr::from_ref(value).cast(),
            mem::size_of::<libc::c_int>() as u32,
        )
    };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
