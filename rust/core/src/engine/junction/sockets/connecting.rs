//! How sockets come to be: the name is found, each address checked and tried in turn.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;

use ei_streams::junction::Closing;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with, sockopt};

use super::super::token;
use super::{Ahead, LegacySockets, reason};

/// Refusals kept for the operator.
const MAX_REFUSALS: usize = 16;

/// A destination that the rules refuse, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) host: String,
    pub(crate) address: IpAddr,
    pub(crate) port: u16,
    pub(crate) count: u64,
}

impl LegacySockets {
    /// The system answered for a name.
    pub(in crate::engine::junction) fn resolved(
        &mut self,
        number: usize,
        serial: u32,
        addresses: io::Result<Vec<SocketAddr>>,
    ) {
        let Some(socket) = self.sockets.get_mut(&number) else {
            return;
        };
        if socket.serial != serial {
            return;
        }
        let addresses = addresses.unwrap_or_default();
        let is_known = !addresses.is_empty();
        let (port, is_udp) = (socket.to.port, socket.to.is_udp);
        let mut refused = None;
        for address in addresses {
            let ip = address.ip();
            match self.internet.is_allowed(ip, port, is_udp) {
                true => socket.others.push_back(address),
                false => refused = refused.or(Some(ip)),
            }
        }
        let host = socket.to.host.clone();
        if !socket.others.is_empty() {
            return self.connect_next(number, Closing::Unreachable);
        }
        if let Some(address) = refused {
            self.note_refusal(host, address, port);
        }
        let why = match is_known {
            true => Closing::NotAllowed,
            false => Closing::Unreachable,
        };
        self.note_outcome(number, Err(why));
    }

    /// What became of an attempt to connect, for the junction.
    pub(in crate::engine::junction) fn take_outcome(
        &mut self,
    ) -> Option<(usize, Result<(), Closing>)> {
        loop {
            let (number, serial, outcome) = self.outcomes.pop_front()?;
            let socket = self.sockets.get(&number);
            if socket.is_some_and(|socket| socket.serial == serial) {
                if Ahead::is_number(number) {
                    self.note_ahead(number, outcome);
                    continue;
                }
                return Some((number, outcome));
            }
        }
    }

    pub(super) fn note_outcome(&mut self, number: usize, outcome: Result<(), Closing>) {
        if let Some(socket) = self.sockets.get(&number) {
            self.outcomes.push_back((number, socket.serial, outcome));
        }
    }

    fn note_refusal(&mut self, host: String, address: IpAddr, port: u16) {
        let known = self
            .refusals
            .iter()
            .position(|one| one.address == address && one.port == port && one.host == host);
        let mut refusal = known.and_then(|place| self.refusals.remove(place));
        let mut refusal = refusal.take().unwrap_or(Refusal {
            host,
            address,
            port,
            count: 0,
        });
        refusal.count += 1;
        self.refusals.push_back(refusal);
        if self.refusals.len() > MAX_REFUSALS {
            self.refusals.pop_front();
        }
    }

    /// Connect to the next address; when there is none, it failed for the last one's reason.
    fn connect_next(&mut self, number: usize, mut why: Closing) {
        loop {
            let Some(socket) = self.sockets.get_mut(&number) else {
                return;
            };
            socket.descriptor = None;
            let Some(address) = socket.others.pop_front() else {
                return self.note_outcome(number, Err(why));
            };
            let data = EventData::new_u64(token::socket(number, socket.serial));
            match begin(&self.epoll, data, address, socket.to.is_udp) {
                Ok(descriptor) => {
                    socket.descriptor = Some(descriptor);
                    return;
                }
                Err(errno) => why = unconnected(errno),
            }
        }
    }

    /// Something happened at a socket; whether the junction should see to it.
    pub(in crate::engine::junction) fn note_events(
        &mut self,
        number: usize,
        serial: u32,
        events: EventFlags,
    ) -> bool {
        let Some(socket) = self.sockets.get_mut(&number) else {
            return false;
        };
        if socket.serial != serial & token::SERIAL_MASK {
            return false;
        }
        let is_broken = events.intersects(EventFlags::ERR | EventFlags::HUP);
        socket.can_read |= is_broken || events.intersects(EventFlags::IN | EventFlags::RDHUP);
        socket.can_write |= is_broken || events.contains(EventFlags::OUT);
        if socket.is_connected {
            if Ahead::is_number(number) {
                self.look_at_ahead(number, events);
                return false;
            }
            return true;
        }
        let Some(descriptor) = &socket.descriptor else {
            return false;
        };
        match sockopt::socket_error(descriptor) {
            Ok(Ok(())) if is_broken => self.connect_next(number, Closing::Unreachable),
            Ok(Ok(())) if socket.can_write => {
                socket.is_connected = true;
                self.note_outcome(number, Ok(()));
            }
            Ok(Ok(())) => {}
            Ok(Err(errno)) | Err(errno) => self.connect_next(number, unconnected(errno)),
        }
        false
    }
}

/// A socket that connects.
fn begin(
    epoll: &OwnedFd,
    data: EventData,
    address: SocketAddr,
    is_udp: bool,
) -> rustix::io::Result<OwnedFd> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let kind = match is_udp {
        true => SocketType::DGRAM,
        false => SocketType::STREAM,
    };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let descriptor = socket_with(family, kind, flags, None)?;
    if !is_udp {
        sockopt::set_tcp_nodelay(&descriptor, true)?;
        sockopt::set_socket_keepalive(&descriptor, true)?;
    }
    match connect(&descriptor, &address) {
        Ok(()) | Err(Errno::INPROGRESS) => {}
        Err(errno) => return Err(errno),
    }
    let events = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
    epoll::add(epoll, &descriptor, data, events)?;
    Ok(descriptor)
}

/// Why a socket could not be connected.
fn unconnected(errno: Errno) -> Closing {
    match reason(errno) {
        Closing::Lost => Closing::Unreachable,
        why => why,
    }
}
