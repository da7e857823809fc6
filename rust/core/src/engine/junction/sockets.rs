//! The sockets of streams to the legacy Internet.

mod ahead;
mod connecting;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use ei_streams::framing::{MAX_DATAGRAM_BYTES, Unframing, frame};
use ei_streams::internet::Internet;
use ei_streams::junction::{Closing, Got, Legacy, Sockets};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown, sockopt};

use super::resolver::Resolver;
use super::splicing::{Moved, Pipe, Pipes};
use super::{Mail, token};
use crate::engine::mailbox::Mailbox;
use ahead::Ahead;
pub(crate) use connecting::Refusal;

/// One socket, from the moment that it is asked for.
#[derive(Debug)]
struct Socket {
    /// Tells it from an earlier one of the same number.
    serial: u32,
    to: Legacy,
    /// `None` while the name is asked for.
    descriptor: Option<OwnedFd>,
    /// Addresses to try when this one fails.
    others: VecDeque<SocketAddr>,
    is_connected: bool,
    can_read: bool,
    can_write: bool,
    has_ended: bool,
    /// Why it broke, after bytes that are still to be given.
    broke: Option<Closing>,
    /// With bytes on their way to the other socket of a splice.
    pipe: Option<Pipe>,
    unframing: Unframing,
    /// Framed datagrams that a read had no room for.
    framed: Vec<u8>,
}

/// All sockets of the streams of a node.
pub(super) struct LegacySockets {
    epoll: OwnedFd,
    sockets: HashMap<usize, Socket>,
    next_serial: u32,
    pipes: Pipes,
    ahead: Ahead,
    pub(super) internet: Internet,
    resolver: Resolver,
    mailbox: Arc<Mailbox<Mail>>,
    /// What became of attempts to connect: the socket, its serial, and why it failed if it did.
    outcomes: VecDeque<(usize, u32, Result<(), Closing>)>,
    pub(super) refusals: VecDeque<Refusal>,
    datagram: Vec<u8>,
}

impl LegacySockets {
    /// # Errors
    /// The system has no thread or descriptor left.
    pub(super) fn new(
        epoll: OwnedFd,
        internet: Internet,
        mailbox: Arc<Mailbox<Mail>>,
    ) -> io::Result<Self> {
        Ok(Self {
            epoll,
            sockets: HashMap::new(),
            next_serial: 0,
            pipes: Pipes::default(),
            ahead: Ahead::default(),
            internet,
            resolver: Resolver::new()?,
            mailbox,
            outcomes: VecDeque::new(),
            refusals: VecDeque::new(),
            datagram: vec![0; MAX_DATAGRAM_BYTES + 1],
        })
    }
}

/// Why a socket broke.
fn reason(errno: Errno) -> Closing {
    match errno {
        Errno::CONNREFUSED => Closing::Refused,
        Errno::CONNRESET | Errno::PIPE => Closing::Reset,
        Errno::TIMEDOUT => Closing::Lost,
        _ => Closing::Unreachable,
    }
}

impl Sockets for LegacySockets {
    fn open(&mut self, number: usize, to: &Legacy, ahead: usize, until_ns: u64) {
        let is_ready = ahead > 0 && self.take_ahead(number, to);
        if !is_ready {
            self.begin_to_open(number, to, until_ns);
        }
        if ahead > 0 && !to.is_udp {
            self.want_ahead(to, ahead);
        }
    }
    fn read(&mut self, number: usize, limit: usize, out: &mut Vec<u8>) -> Result<Got, Closing> {
        let Some(socket) = self.sockets.get_mut(&number) else {
            return Err(Closing::Lost);
        };
        let before = out.len();
        let got = |out: &Vec<u8>, is_end| Got {
            bytes: out.len() - before,
            is_end,
        };
        let Some(descriptor) = &socket.descriptor else {
            return Ok(got(out, false));
        };
        if let Some(why) = socket.broke {
            return Err(why);
        }
        if socket.has_ended {
            return Ok(got(out, true));
        }
        if socket.to.is_udp {
            while socket.can_read && socket.framed.len() < limit {
                match recv(
                    descriptor,
                    self.datagram.as_mut_slice(),
                    RecvFlags::DONTWAIT,
                ) {
                    Ok((_, bytes)) => {
                        frame(
                            self.datagram.get(..bytes).unwrap_or(&[]),
                            &mut socket.framed,
                        );
                    }
                    Err(Errno::INTR) => {}
                    Err(Errno::AGAIN) => socket.can_read = false,
                    Err(errno) => return Err(reason(errno)),
                }
            }
            let taken = socket.framed.len().min(limit);
            out.extend(socket.framed.drain(..taken));
            return Ok(got(out, false));
        }
        while socket.can_read && socket.broke.is_none() && out.len() - before < limit {
            let start = out.len();
            out.resize(before + limit, 0);
            let room = out.get_mut(start..).unwrap_or(&mut []);
            let received = recv(descriptor, room, RecvFlags::DONTWAIT);
            let bytes = received.as_ref().map_or(0, |(_, bytes)| *bytes);
            out.truncate(start + bytes);
            match received {
                Ok((_, 0)) => {
                    socket.has_ended = true;
                    return Ok(got(out, true));
                }
                Ok(_) => {}
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => socket.can_read = false,
                // The system says so once; what came before it is given first.
                Err(errno) if out.len() > before => socket.broke = Some(reason(errno)),
                Err(errno) => return Err(reason(errno)),
            }
        }
        Ok(got(out, false))
    }

    fn write(&mut self, number: usize, bytes: &[u8]) -> Result<usize, Closing> {
        let Some(socket) = self.sockets.get_mut(&number) else {
            return Err(Closing::Lost);
        };
        let Some(descriptor) = &socket.descriptor else {
            return Ok(0);
        };
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        if socket.to.is_udp {
            socket.unframing.feed(bytes, |datagram| {
                // As a network would: what it does not take is lost.
                let _sent = send(descriptor, datagram, flags);
            });
            return Ok(bytes.len());
        }
        let mut taken = 0;
        while socket.can_write
            && let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty())
        {
            match send(descriptor, rest, flags) {
                Ok(sent) => taken += sent,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => socket.can_write = false,
                Err(errno) => return Err(reason(errno)),
            }
        }
        Ok(taken)
    }

    fn splice(&mut self, from: usize, to: usize, limit: usize) -> Option<Result<Got, Closing>> {
        let is_udp = |number| {
            let socket = self.sockets.get(number);
            socket.is_none_or(|socket| socket.to.is_udp)
        };
        if is_udp(&from) || is_udp(&to) {
            return None;
        }
        let kept = self.sockets.get_mut(&from)?.pipe.take();
        let mut pipe = match kept {
            Some(pipe) => pipe,
            // Without one the bytes are copied.
            None => self.pipes.take().ok()?,
        };
        let moved = self.splice_by(&mut pipe, from, to, limit);
        let kept = self.pipes.give_back(pipe);
        if let Some(source) = self.sockets.get_mut(&from) {
            source.pipe = kept;
        }
        Some(moved)
    }

    fn finish(&mut self, number: usize) {
        if let Some(socket) = self.sockets.get(&number)
            && let Some(descriptor) = &socket.descriptor
            && !socket.to.is_udp
        {
            // It can only fail where the other end is gone, which reading tells.
            let _gone = shutdown(descriptor, Shutdown::Write);
        }
    }

    fn close(&mut self, number: usize, is_abrupt: bool) {
        let Some(socket) = self.sockets.remove(&number) else {
            return;
        };
        if let Some(descriptor) = &socket.descriptor
            && is_abrupt
            && socket.is_connected
            && !socket.to.is_udp
        {
            // The other end sees a reset, not an end that would look like a good one.
            let _best_effort = sockopt::set_socket_linger(descriptor, Some(Duration::ZERO));
        }
    }
}

impl LegacySockets {
    /// Find the address, and connect.
    fn begin_to_open(&mut self, number: usize, to: &Legacy, until_ns: u64) {
        self.next_serial = self.next_serial.wrapping_add(1) & token::SERIAL_MASK;
        let serial = self.next_serial;
        let socket = Socket {
            serial,
            to: to.clone(),
            descriptor: None,
            others: VecDeque::new(),
            is_connected: false,
            can_read: false,
            can_write: false,
            has_ended: false,
            broke: None,
            pipe: None,
            unframing: Unframing::default(),
            framed: Vec::new(),
        };
        self.sockets.insert(number, socket);
        let bare = to.host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = bare.parse::<IpAddr>() {
            return self.resolved(number, serial, Ok(vec![SocketAddr::new(address, to.port)]));
        }
        let mailbox = Arc::clone(&self.mailbox);
        let is_asked = self.resolver.ask(
            to,
            until_ns,
            Box::new(move |addresses| {
                mailbox.put(Mail::Resolved {
                    number,
                    serial,
                    addresses,
                });
            }),
        );
        if !is_asked {
            self.note_outcome(number, Err(Closing::Unreachable));
        }
    }

    fn splice_by(
        &mut self,
        pipe: &mut Pipe,
        from: usize,
        to: usize,
        limit: usize,
    ) -> Result<Got, Closing> {
        let failed = |error: io::Error| Errno::from_io_error(&error).map_or(Closing::Lost, reason);
        let mut bytes = 0;
        loop {
            if pipe.held_bytes > 0 {
                let sink = self.sockets.get_mut(&to).ok_or(Closing::Lost)?;
                let Some(descriptor) = sink.descriptor.as_ref().filter(|_| sink.can_write) else {
                    break;
                };
                match pipe.drain(descriptor.as_fd()).map_err(failed)? {
                    Moved::Some(moved) => bytes += moved,
                    Moved::Blocked | Moved::End => {
                        sink.can_write = false;
                        break;
                    }
                }
                continue;
            }
            let source = self.sockets.get_mut(&from).ok_or(Closing::Lost)?;
            if source.has_ended {
                return Ok(Got {
                    bytes,
                    is_end: true,
                });
            }
            if bytes >= limit || !source.can_read {
                break;
            }
            let Some(descriptor) = &source.descriptor else {
                break;
            };
            match pipe.fill(descriptor.as_fd()).map_err(failed)? {
                Moved::Some(_) => {}
                Moved::Blocked => source.can_read = false,
                Moved::End => source.has_ended = true,
            }
        }
        Ok(Got {
            bytes,
            is_end: false,
        })
    }
}
