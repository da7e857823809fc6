//! All joints of a host's streams, and when one has something to move.
//!
//! QUIC says so by an event of the stream, which Python then never sees; a socket by an epoll instance
//! that reports each change once.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use ei_streams::{ConnectionKey, Event, Streams as Endpoint};
use rustix::event::{Timespec, epoll};
use rustix::io::{Errno, ioctl_fionbio};

use super::joint::{HAS_ALL, Joint, Left, Over, PIECE_BYTES};

/// Sockets that are looked at in one turn.
const MAX_READY: usize = 256;

/// What all of them keep of the last that came from their sockets.
const TAILS_BYTES: usize = 256 << 20;

type Name = (ConnectionKey, u64);

/// What Python is told.
pub(super) enum Told {
    Event(Event),
    Over(Name, Over),
}

/// See the module. Made when the first stream is joined.
pub(super) struct Joints {
    epoll: OwnedFd,
    joints: HashMap<u64, Joint>,
    tokens: HashMap<Name, u64>,
    next_token: u64,
    over: VecDeque<u64>,
    /// When to look again at joints whose socket broke.
    due: BTreeSet<(u64, u64)>,
    piece: Vec<u8>,
    tails_bytes: usize,
    max_tails_bytes: usize,
    /// Of joints that were idle longer than those that needed the memory.
    tails_dropped: u64,
}

impl Joints {
    /// # Errors
    /// No descriptor is left.
    pub(super) fn new() -> Result<Self, Errno> {
        Ok(Self {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            joints: HashMap::new(),
            tokens: HashMap::new(),
            next_token: 0,
            over: VecDeque::new(),
            due: BTreeSet::new(),
            piece: vec![0; PIECE_BYTES],
            tails_bytes: 0,
            max_tails_bytes: TAILS_BYTES,
            tails_dropped: 0,
        })
    }

    /// What becomes readable when a socket has something to move.
    pub(super) fn descriptor(&self) -> RawFd {
        self.epoll.as_raw_fd()
    }

    /// Joints, what their tails take, and tails that were dropped for others.
    pub(super) fn figures(&self) -> (usize, usize, u64) {
        (self.joints.len(), self.tails_bytes, self.tails_dropped)
    }

    /// # Errors
    /// The socket cannot be watched.
    pub(super) fn join(
        &mut self,
        endpoint: &mut Endpoint,
        name: Name,
        socket: OwnedFd,
        now_ns: u64,
        keep_bytes: usize,
    ) -> Result<(), Errno> {
        ioctl_fionbio(&socket, true)?;
        let token = self.next_token;
        let changes = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::RDHUP;
        let data = epoll::EventData::new_u64(token);
        epoll::add(&self.epoll, &socket, data, changes | epoll::EventFlags::ET)?;
        self.next_token += 1;
        self.tokens.insert(name, token);
        self.joints
            .insert(token, Joint::new(name, socket, now_ns, keep_bytes));
        self.advance(endpoint, token, now_ns);
        Ok(())
    }

    pub(super) fn get(&self, name: &Name) -> Option<&Joint> {
        self.joints.get(self.tokens.get(name)?)
    }

    /// Let go of a joint; its socket is closed with it.
    pub(super) fn remove(&mut self, name: &Name) -> Option<Joint> {
        let joint = self.joints.remove(&self.tokens.remove(name)?)?;
        self.tails_bytes -= joint.tail.reserved_bytes();
        Some(joint)
    }

    /// Let go of a joint, whose socket goes on.
    pub(super) fn leave(&mut self, name: &Name) -> Option<Left> {
        let left = self.remove(name)?.leave();
        // It fails for one that is not watched, which is as good.
        let _unwatched = epoll::delete(&self.epoll, &left.socket);
        Some(left)
    }

    /// Move what sockets have, or take again.
    ///
    /// # Errors
    /// The system says no more.
    pub(super) fn poll(&mut self, endpoint: &mut Endpoint, now_ns: u64) -> Result<(), Errno> {
        let mut ready = [MaybeUninit::uninit(); MAX_READY];
        let at_once = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let (ready, _) = match epoll::wait(&self.epoll, &mut ready[..], Some(&at_once)) {
            Err(Errno::INTR) => return Ok(()),
            waited => waited?,
        };
        for event in ready {
            self.advance(endpoint, event.data.u64(), now_ns);
        }
        Ok(())
    }

    /// Give up joints whose socket broke a while ago.
    pub(super) fn pass_time(&mut self, endpoint: &mut Endpoint, now_ns: u64) {
        while let Some(&(due_ns, token)) = self.due.first()
            && due_ns <= now_ns
        {
            self.due.pop_first();
            self.advance(endpoint, token, now_ns);
        }
    }

    /// When to call `pass_time` next.
    pub(super) fn next_deadline_ns(&self) -> Option<u64> {
        self.due.first().map(|(due_ns, _)| *due_ns)
    }

    /// The next thing that Python is to know: moves what streams have on the way.
    pub(super) fn next(&mut self, endpoint: &mut Endpoint, now_ns: u64) -> Option<Told> {
        loop {
            while let Some(token) = self.over.pop_front() {
                if let Some(joint) = self.joints.get(&token)
                    && let Some(over) = joint.over
                {
                    return Some(Told::Over((joint.key, joint.stream), over));
                }
            }
            match endpoint.next_event()? {
                event @ (Event::Readable { key, stream } | Event::Writable { key, stream }) => {
                    let Some(&token) = self.tokens.get(&(key, stream)) else {
                        return Some(Told::Event(event));
                    };
                    self.advance(endpoint, token, now_ns);
                }
                event => {
                    match event {
                        Event::StreamFinished { key, stream }
                        | Event::StreamStopped {
                            key,
                            stream,
                            code: HAS_ALL,
                        } => self.acknowledged(&(key, stream)),
                        _ => {}
                    }
                    return Some(Told::Event(event));
                }
            }
        }
    }

    fn advance(&mut self, endpoint: &mut Endpoint, token: u64, now_ns: u64) {
        if let Some(joint) = self.joints.get_mut(&token)
            && joint.over.is_none()
        {
            let was_due_ns = joint.cut_due_ns();
            let before_bytes = joint.tail.reserved_bytes();
            joint.advance(endpoint, &mut self.piece, now_ns);
            self.tails_bytes += joint.tail.reserved_bytes();
            self.tails_bytes -= before_bytes;
            if joint.over.is_some() {
                self.over.push_back(token);
            }
            let due_ns = joint.cut_due_ns().filter(|_| joint.over.is_none());
            if was_due_ns != due_ns {
                self.due.retain(|(_, other)| *other != token);
                self.due.extend(due_ns.map(|due_ns| (due_ns, token)));
            }
            self.drop_tails();
        }
    }

    /// Keep tails within their bound: what went longest ago has most likely arrived.
    fn drop_tails(&mut self) {
        while self.tails_bytes > self.max_tails_bytes {
            let with_tails = self.joints.values_mut();
            let with_tails = with_tails.filter(|joint| joint.tail.reserved_bytes() > 0);
            let Some(oldest) = with_tails.min_by_key(|joint| joint.back_moved_ns) else {
                return;
            };
            self.tails_bytes -= oldest.tail.reserved_bytes();
            self.tails_dropped += 1;
            oldest.tail.clear();
        }
    }

    fn acknowledged(&mut self, name: &Name) {
        if let Some(&token) = self.tokens.get(name)
            && let Some(joint) = self.joints.get_mut(&token)
            && joint.over.is_none()
        {
            joint.acknowledged();
            if joint.over.is_some() {
                self.over.push_back(token);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    #[test]
    fn the_tails_of_those_that_said_nothing_for_longest_make_room() {
        let mut joints = Joints::new().unwrap();
        joints.max_tails_bytes = 250;
        let key = ConnectionKey {
            peer: [1; 16],
            connection: 1,
        };
        for (token, back_moved_ns) in [(0, 5), (1, 7), (2, 3), (3, 9)] {
            let socket = UnixStream::pair().unwrap().0.into();
            let mut joint = Joint::new((key, token), socket, 0, 100);
            joint.back_moved_ns = back_moved_ns;
            joint.tail.push(&[0; 100]);
            joints.tails_bytes += joint.tail.reserved_bytes();
            joints.joints.insert(token, joint);
            joints.tokens.insert((key, token), token);
            joints.drop_tails();
        }

        assert_eq!(joints.figures(), (4, 200, 2));
        let left = [1, 3].map(|token| joints.leave(&(key, token)).unwrap().tail.len());
        assert_eq!(left, [100, 100]);
        assert_eq!(joints.figures(), (2, 0, 2));
    }
}
