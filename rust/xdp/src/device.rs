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
use crate::program::{Place, program};
use crate::queue::Queue;

/// Of all devices; what comes by further ones goes its usual way.
pub const MOST_QUEUES: usize = 16;

/// Frames of all queues that may wait: at a million a second, for eight milliseconds. 16 MiB.
const CHUNKS: usize = 8_192;

/// What is known of a device.
struct Device {
    index: u32,
    ethernet: [u8; 6],
    addresses: Vec<IpAddr>,
    queues: u32,
}

/// Have the datagrams for `endpoints` that come by some devices taken; the queues of all of them, each device
/// with an equal share of `MOST_QUEUES` at most.
///
/// An unspecified address stands for those that a device has now. What is for one that it gets later, or
/// that is none of its own, goes its usual way. All ends when the last queue is dropped, however the process
/// ends.
///
/// # Errors
/// What the system refused: it needs `CAP_NET_ADMIN`, `CAP_NET_RAW` and `CAP_BPF`, 16 MiB of locked memory,
/// Linux 5.9, Ethernet, a driver that runs such programs, and that no other is attached there.
pub fn capture(devices: &[String], endpoints: &[SocketAddr]) -> Result<Vec<Queue>, XdpError> {
    let most = MOST_QUEUES / devices.len().max(1);
    let found = devices.iter().map(|name| Device::find(name, most as u32));
    let found = found.collect::<Result<Vec<_>, _>>()?;
    let count: u32 = found.iter().map(|device| device.queues).sum();
    let chunks = CHUNKS / (count.max(1) as usize).next_power_of_two();
    let mut queues = Vec::new();
    for (name, device) in devices.iter().zip(&found) {
        let attached = device.attach(endpoints, chunks as u32);
        queues.extend(attached.map_err(|refused| refused.of(name))?);
    }
    Ok(queues)
}

/// What the system refused, and what it said.
struct Refused(&'static str, io::Error);

impl Refused {
    fn when(doing: &'static str) -> impl Fn(io::Error) -> Self {
        move |error| Self(doing, error)
    }

    fn of(self, device: &str) -> XdpError {
        let Self(doing, error) = self;
        XdpError {
            device: device.to_owned(),
            doing,
            error,
        }
    }
}

impl Device {
    /// Find out about one; it is to have `most` queues at most.
    fn find(name: &str, most: u32) -> Result<Self, XdpError> {
        let look = || {
            let index = index_of(name).map_err(Refused::when("find it"))?;
            let ethernet = ethernet_of(name)
                .map_err(Refused::when("use it, which has no frames of Ethernet"))?;
            if driver_of(name).as_deref() == Some("tun") {
                // It hands over trains, which are no datagrams, and nothing says which they are.
                let error = io::Error::from_raw_os_error(libc::EOPNOTSUPP);
                return Err(Refused("use it, which is a tap", error));
            }
            Ok(Self {
                index,
                ethernet,
                addresses: addresses_of(index).map_err(Refused::when("list its addresses"))?,
                queues: queues_of(name)
                    .map_err(Refused::when("count its queues"))?
                    .min(most),
            })
        };
        look().map_err(|refused: Refused| refused.of(name))
    }

    /// Open its queues and attach the program, which fills them.
    fn attach(&self, endpoints: &[SocketAddr], chunks: u32) -> Result<Vec<Queue>, Refused> {
        let wanted = specified(endpoints, &self.addresses);
        if wanted.is_empty() {
            let error = io::Error::from_raw_os_error(libc::EADDRNOTAVAIL);
            return Err(Refused("find an address of the node at it", error));
        }
        let map = bpf::make_socket_map(self.queues);
        let map = map.map_err(Refused::when("make a map of sockets"))?;
        let mut queues = Vec::new();
        for number in 0..self.queues {
            let queue = Queue::open(self.index, number, chunks);
            let queue = queue.map_err(Refused::when("open an AF_XDP socket at it"))?;
            let put = bpf::put_socket(&map, number, queue.as_fd());
            put.map_err(Refused::when("enter a socket of it"))?;
            queues.push(queue);
        }
        let place = Place {
            device: self.index,
            ethernet: self.ethernet,
            map: map.as_raw_fd() as u32,
        };
        let too_many = || io::Error::from_raw_os_error(libc::E2BIG);
        let program = program(&place, &wanted).ok_or_else(too_many);
        let program = program.and_then(|program| bpf::load(&program));
        let program = program.map_err(Refused::when("load a program for it"))?;
        let attached = bpf::attach(&program, self.index);
        let attached = Arc::new(attached.map_err(Refused::when("attach a program to it"))?);
        for queue in &mut queues {
            queue.keep(Arc::clone(&attached));
        }
        Ok(queues)
    }
}

/// The endpoints that are addresses of a device, with an unspecified one replaced by all of its family.
fn specified(endpoints: &[SocketAddr], addresses: &[IpAddr]) -> Vec<SocketAddr> {
    let at = |endpoint: &SocketAddr| {
        let endpoint = *endpoint;
        let own = addresses.iter().filter(move |address| {
            let is_any = endpoint.ip().is_unspecified() && address.is_ipv4() == endpoint.is_ipv4();
            is_any || endpoint.ip() == **address
        });
        own.map(move |address| SocketAddr::new(*address, endpoint.port()))
    };
    endpoints.iter().flat_map(at).collect()
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

/// A request about a device.
fn request_of(device: &str) -> libc::ifreq {
    // SAFETY: a plain C struct, for which all bits zero is a valid value.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    // The last byte stays zero; a longer name was not found before.
    let room = request.ifr_name.len() - 1;
    for (place, byte) in request.ifr_name.iter_mut().take(room).zip(device.bytes()) {
        *place = byte as libc::c_char;
    }
    request
}

/// Ask for something of ethtool, whose answer has room in `about`.
fn ask_ethtool<T>(device: &str, about: &mut T) -> io::Result<()> {
    let mut request = request_of(device);
    request.ifr_ifru.ifru_data = ptr::from_mut(about).cast();
    let socket = any_socket()?;
    // SAFETY: the request names a device and points to `about`, both alive; the kernel writes no more than the
    // struct of the command that it begins with, which it is.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL, &raw mut request) };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// How many queues a device has to receive by.
fn queues_of(device: &str) -> io::Result<u32> {
    const GET_CHANNELS: u32 = 0x3c;
    let mut channels = Channels {
        command: GET_CHANNELS,
        ..Channels::default()
    };
    match ask_ethtool(device, &mut channels) {
        Ok(()) => Ok(channels.receiving.saturating_add(channels.combined).max(1)),
        // It has one, and nothing to tell.
        Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => Ok(1),
        Err(error) => Err(error),
    }
}

/// What `ETHTOOL_GDRVINFO` tells (`struct ethtool_drvinfo`): the name of the driver, and what is not asked for.
#[repr(C)]
struct Driver {
    command: u32,
    name: [u8; 32],
    others: [u8; 160],
}

/// Which driver a device has, if it tells.
fn driver_of(device: &str) -> Option<String> {
    const GET_DRIVER: u32 = 0x03;
    let mut driver = Driver {
        command: GET_DRIVER,
        name: [0; 32],
        others: [0; 160],
    };
    ask_ethtool(device, &mut driver).ok()?;
    let name = CStr::from_bytes_until_nul(&driver.name).ok()?;
    Some(name.to_string_lossy().into_owned())
}

/// The Ethernet address of a device.
fn ethernet_of(device: &str) -> io::Result<[u8; 6]> {
    let mut request = request_of(device);
    let socket = any_socket()?;
    // SAFETY: the request names a device, and has room for its address.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFHWADDR, &raw mut request) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has written an address there.
    let address = unsafe { request.ifr_ifru.ifru_hwaddr };
    if address.sa_family != libc::ARPHRD_ETHER {
        return Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP));
    }
    let [a, b, c, d, e, f, ..] = address.sa_data.map(|byte| byte as u8);
    Ok([a, b, c, d, e, f])
}

/// The addresses of a device.
fn addresses_of(index: u32) -> io::Result<Vec<IpAddr>> {
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
        if !entry.ifa_addr.is_null() && index_of_label(name) == Some(index) {
            // SAFETY: not null: an address as long as its family says.
            addresses.extend(unsafe { address_at(entry.ifa_addr) });
        }
        next = entry.ifa_next;
    }
    // SAFETY: the list that was made above, of which nothing is borrowed any more.
    unsafe { libc::freeifaddrs(first) };
    Ok(addresses)
}

/// The index of the device that an address is listed with, whose label may be a further name: `eth0:1`.
fn index_of_label(label: &CStr) -> Option<u32> {
    let label = label.to_str().ok()?;
    index_of(label.split(':').next()?).ok()
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
    fn endpoints_are_addresses_of_the_device_and_an_unspecified_one_is_all_of_its_family() {
        let wanted = |endpoints: &[&str]| {
            let endpoints = endpoints.iter().map(|one| one.parse().unwrap());
            let addresses = ["192.0.2.1", "192.0.2.2", "fe80::1"].map(|one| one.parse().unwrap());
            specified(&endpoints.collect::<Vec<_>>(), &addresses)
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        };
        assert_eq!(wanted(&["0.0.0.0:35"]), ["192.0.2.1:35", "192.0.2.2:35"]);
        assert_eq!(wanted(&["[::]:35"]), ["[fe80::1]:35"]);
        assert_eq!(
            wanted(&["192.0.2.2:35", "[::]:36"]),
            ["192.0.2.2:35", "[fe80::1]:36"]
        );
        assert!(wanted(&["198.51.100.1:35", "127.0.0.1:35"]).is_empty());
    }

    #[test]
    fn the_loopback_device_has_its_addresses_a_queue_and_no_frames() {
        let addresses = addresses_of(index_of("lo").unwrap()).unwrap();
        assert!(addresses.contains(&Ipv4Addr::LOCALHOST.into()));
        assert_eq!(queues_of("lo").unwrap(), 1);
        let refused = ethernet_of("lo").unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(libc::EOPNOTSUPP));
    }

    #[test]
    fn a_device_that_is_not_there_is_named() {
        let error = capture(&["nosuchdevice".into()], &[]).err().unwrap();
        let said = "nosuchdevice: cannot find it: No such device";
        assert!(error.to_string().starts_with(said));
    }
}
