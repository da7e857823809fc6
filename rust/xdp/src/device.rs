//! A network device: its index, its addresses, its queues.

use std::ffi::CStr;
use std::io;
use std::mem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::ptr;
use std::sync::Arc;

use rustix::net::netdevice::name_to_index;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use crate::XdpError;
use crate::bpf;
use crate::program::program;
use crate::queue::Queue;

/// Of all devices; what comes by further ones goes its usual way.
pub const MOST_QUEUES: usize = 16;

/// Frames that may wait at a device: at a million a second, for eight milliseconds.
const MOST_CHUNKS: u32 = 8_192;

/// The same of a queue, of however many, where little memory may be locked.
const LEAST_CHUNKS: u32 = 256;

/// Have the datagrams for `endpoints` that come by a device taken; one queue each of those that it has.
/// `others` are the queues that there are of other devices.
///
/// An unspecified address stands for those that the device has now; what is for one that it gets later goes
/// its usual way. All ends when the last queue is dropped, however the process ends.
///
/// # Errors
/// What the system refused: it needs `CAP_NET_ADMIN`, `CAP_NET_RAW` and `CAP_BPF`, Linux 5.9, a driver that
/// runs such programs, and that no other is attached there.
pub fn capture(
    device: &str,
    endpoints: &[SocketAddr],
    others: usize,
) -> Result<Vec<Queue>, XdpError> {
    let refused = |doing| {
        move |error: io::Error| XdpError {
            device: device.to_owned(),
            doing,
            error,
        }
    };
    let index = index_of(device).map_err(refused("find it"))?;
    let addresses = addresses_of(device).map_err(refused("list its addresses"))?;
    let count = queues_of(device).map_err(refused("count its queues"))?;
    let count = count.min(MOST_QUEUES.saturating_sub(others) as u32);
    let map = bpf::make_socket_map(count).map_err(refused("make a map of sockets"))?;
    let mut queues = open_queues(index, count).map_err(refused("open an AF_XDP socket at it"))?;
    for (number, queue) in (0_u32..).zip(&queues) {
        let put = bpf::put_socket(&map, number, queue.as_fd());
        put.map_err(refused("enter a socket of it"))?;
    }
    let wanted = specified(endpoints, &addresses);
    let program = bpf::load(&program(map.as_raw_fd() as u32, &wanted));
    let program = program.map_err(refused("load a program for it"))?;
    let attached = bpf::attach(&program, index).map_err(refused("attach a program to it"))?;
    let attached = Arc::new(attached);
    for queue in &mut queues {
        queue.keep(Arc::clone(&attached));
    }
    Ok(queues)
}

/// Open the first `count` queues of a device, with as much room as may be locked in memory.
fn open_queues(device: u32, count: u32) -> io::Result<Vec<Queue>> {
    let mut chunks = (MOST_CHUNKS / count.max(1).next_power_of_two()).max(LEAST_CHUNKS);
    loop {
        let numbers = 0..count;
        let queues = numbers.map(|number| Queue::open(device, number, chunks));
        match queues.collect::<io::Result<Vec<_>>>() {
            Err(error) if is_out_of_room(&error) && chunks > LEAST_CHUNKS => chunks /= 2,
            opened => return opened,
        }
    }
}

fn is_out_of_room(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENOBUFS)
}

/// The endpoints with each unspecified address replaced by all of its family.
fn specified(endpoints: &[SocketAddr], addresses: &[IpAddr]) -> Vec<SocketAddr> {
    let all = |endpoint: &SocketAddr| {
        let endpoint = *endpoint;
        let of_family = addresses.iter().filter(move |address| {
            endpoint.ip().is_unspecified() && address.is_ipv4() == endpoint.is_ipv4()
        });
        let own = (!endpoint.ip().is_unspecified()).then_some(endpoint);
        let each = of_family.map(move |address| SocketAddr::new(*address, endpoint.port()));
        own.into_iter().chain(each)
    };
    endpoints.iter().flat_map(all).collect()
}

/// A socket that is asked about devices.
fn any_socket() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC;
    Ok(socket_with(
        AddressFamily::INET,
        SocketType::DGRAM,
        flags,
        None,
    )?)
}

fn index_of(device: &str) -> io::Result<u32> {
    Ok(name_to_index(any_socket()?, device)?)
}

/// What `ETHTOOL_GCHANNELS` tells (`struct ethtool_channels`).
#[repr(C)]
#[derive(Default)]
struct Channels {
    command: u32,
    most: [u32; 4],
    receiving: u32,
    sending: u32,
    other: u32,
    combined: u32,
}

/// How many queues a device has to receive by.
fn queues_of(device: &str) -> io::Result<u32> {
    const GET_CHANNELS: u32 = 0x3c;
    let mut channels = Channels {
        command: GET_CHANNELS,
        ..Channels::default()
    };
    // SAFETY: a plain C struct, for which all bits zero is a valid value.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    // The last byte stays zero; a longer name was not found before.
    let room = request.ifr_name.len() - 1;
    for (place, byte) in request.ifr_name.iter_mut().take(room).zip(device.bytes()) {
        *place = byte as libc::c_char;
    }
    request.ifr_ifru.ifru_data = ptr::from_mut(&mut channels).cast();
    let socket = any_socket()?;
    // SAFETY: the request names a device and points to channels, both alive; the kernel writes no more than
    // a `struct ethtool_channels`, since that is what the command asks for.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL, &raw mut request) };
    if result == 0 {
        return Ok(channels.receiving.saturating_add(channels.combined).max(1));
    }
    match io::Error::last_os_error() {
        // It has one, and nothing to tell.
        error if error.raw_os_error() == Some(libc::EOPNOTSUPP) => Ok(1),
        error => Err(error),
    }
}

/// The addresses of a device.
fn addresses_of(device: &str) -> io::Result<Vec<IpAddr>> {
    let mut first = ptr::null_mut();
    // SAFETY: it makes a list, which `first` then points to.
    if unsafe { libc::getifaddrs(&raw mut first) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut addresses = Vec::new();
    let mut next = first;
    while !next.is_null() {
        // SAFETY: not null: an entry of the list, which is not freed before the loop has ended.
        let entry = unsafe { &*next };
        // SAFETY: each entry has a name that ends with a zero.
        let name = unsafe { CStr::from_ptr(entry.ifa_name) };
        if name.to_bytes() == device.as_bytes() && !entry.ifa_addr.is_null() {
            // SAFETY: not null: an address as long as its family says.
            addresses.extend(unsafe { address_at(entry.ifa_addr) });
        }
        next = entry.ifa_next;
    }
    // SAFETY: the list that was made above, of which nothing is borrowed any more.
    unsafe { libc::freeifaddrs(first) };
    Ok(addresses)
}

/// An address of IP, if it is one.
///
/// # Safety
/// `raw` points to an address that is as long as its family says.
unsafe fn address_at(raw: *const libc::sockaddr) -> Option<IpAddr> {
    // SAFETY: every address has a family.
    match libc::c_int::from(unsafe { (*raw).sa_family }) {
        libc::AF_INET => {
            // SAFETY: its family says that it is one of these.
            let v4 = unsafe { *raw.cast::<libc::sockaddr_in>() };
            Some(Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: its family says that it is one of these.
            let v6 = unsafe { *raw.cast::<libc::sockaddr_in6>() };
            Some(Ipv6Addr::from(v6.sin6_addr.s6_addr).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unspecified_address_stands_for_those_of_its_family() {
        let wanted = |endpoints: &[&str]| {
            let endpoints: Vec<SocketAddr> =
                endpoints.iter().map(|one| one.parse().unwrap()).collect();
            let addresses = ["192.0.2.1", "192.0.2.2", "fe80::1"].map(|one| one.parse().unwrap());
            specified(&endpoints, &addresses)
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        };
        assert_eq!(wanted(&["0.0.0.0:35"]), ["192.0.2.1:35", "192.0.2.2:35"]);
        assert_eq!(wanted(&["[::]:35"]), ["[fe80::1]:35"]);
        assert_eq!(
            wanted(&["198.51.100.1:35", "[::]:36"]),
            ["198.51.100.1:35", "[fe80::1]:36"]
        );
    }

    #[test]
    fn the_loopback_device_has_its_addresses_and_a_queue() {
        assert!(
            addresses_of("lo")
                .unwrap()
                .contains(&Ipv4Addr::LOCALHOST.into())
        );
        assert_eq!(queues_of("lo").unwrap(), 1);
    }

    #[test]
    fn a_device_that_is_not_there_is_named() {
        let error = capture("nosuchdevice", &[], 0).err().unwrap();
        assert!(
            error
                .to_string()
                .starts_with("nosuchdevice: cannot find it: No such device")
        );
    }
}
