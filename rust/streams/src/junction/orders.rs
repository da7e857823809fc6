//! What a service asks for.

use bytes::Bytes;

use super::entry::{Asked, End, Entry, Out, Splice, Stage};
use super::keeping::Kept;
use super::{Closing, Junction, Legacy, Metering, Sockets};

/// Where a stream is opened to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A port of the legacy Internet.
    Legacy(Legacy),
    /// The same service on another node.
    AtNode {
        /// A peer.
        node: [u8; 16],
        /// What the stream is for.
        opening: Vec<u8>,
    },
    /// A port of a host.
    AtHost,
}

/// An effect of `ei/sdk/streams.py`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "documented once, at the Python Structs of the same names and fields"
)]
pub enum Order<'a> {
    Open {
        stream: u64,
        to: Target,
        deadline_ns: u64,
        ahead: usize,
    },
    Read {
        stream: u64,
        limit: usize,
        idle_ns: u64,
    },
    Write {
        stream: u64,
        data: &'a [u8],
        is_end: bool,
    },
    Close {
        stream: u64,
    },
    StartTls {
        stream: u64,
        site: &'a str,
    },
    Splice {
        a: u64,
        b: u64,
        idle_ns: u64,
        keep_bytes: usize,
        from_byte: Option<u64>,
        meter: Option<Metering<'a>>,
    },
}

/// Streams beyond the most that may be, of which services are still to be told that they are closed. A worker that
/// asks for more and more, and does not listen, is told no more of them.
const MAX_UNTOLD: usize = 4_096;

impl Junction {
    /// Do what a service asks for. What names a stream that is gone is too late, and does nothing.
    pub fn order(
        &mut self,
        now_ns: u64,
        sockets: &mut impl Sockets,
        service: u32,
        order: Order<'_>,
    ) {
        self.at(now_ns);
        match order {
            Order::Open {
                stream,
                to,
                deadline_ns,
                ahead,
            } => self.open_for(sockets, service, stream, to, deadline_ns, ahead),
            Order::Read {
                stream,
                limit,
                idle_ns,
            } => self.ask(service, stream, limit, idle_ns),
            Order::Write {
                stream,
                data,
                is_end,
            } => self.write_for(sockets, service, stream, data, is_end),
            Order::Close { stream } => {
                if let Some(place) = self.table.find(service, stream) {
                    self.close_by_service(sockets, place);
                }
            }
            Order::StartTls { stream, site } => self.secure(sockets, service, stream, site),
            Order::Splice {
                a,
                b,
                idle_ns,
                keep_bytes,
                from_byte,
                meter,
            } => {
                let Some((one, other)) = self.both(sockets, service, a, b) else {
                    return;
                };
                match self.keep_for(other, keep_bytes, from_byte) {
                    true => {
                        let meter = meter.map(|metering| self.meter_of(service, &metering));
                        self.splice(one, other, idle_ns, meter);
                    }
                    false => self.close(sockets, one, Closing::TooLate),
                }
            }
        }
    }

    fn open_for(
        &mut self,
        sockets: &mut impl Sockets,
        service: u32,
        stream: u64,
        to: Target,
        deadline_ns: u64,
        ahead: usize,
    ) {
        if stream.is_multiple_of(2) || self.table.find(service, stream).is_some() {
            self.counted.refused += 1;
            return;
        }
        let (peer, end) = match &to {
            Target::Legacy(_) => (self.config.address, End::Socket),
            Target::AtNode { node, .. } => (*node, End::Coming),
            Target::AtHost => (self.config.address, End::Coming),
        };
        // Streams to the legacy Internet are everybody's.
        let other = (peer != self.config.address).then_some(&peer);
        let room = self.make_room(sockets, service, other);
        if room.is_err() && self.table.len() >= self.config.max_streams + MAX_UNTOLD {
            self.counted.refused += 1;
            return;
        }
        let mut entry = Entry::new(service, peer, end, Stage::Connecting);
        entry.number = Some(stream);
        entry.until_ns = Some(self.now_ns.saturating_add(deadline_ns));
        if room.is_err() {
            // Nothing was opened yet.
            entry.end = End::Gone;
        }
        let place = self.table.add(entry);
        self.counted.opened += 1;
        self.set_deadline(place);
        match (room, to) {
            (Err(why), _) => self.close(sockets, place, why),
            (Ok(()), Target::Legacy(to)) => {
                sockets.open(place, &to, ahead, self.now_ns.saturating_add(deadline_ns));
            }
            // What comes back would be for the service itself.
            (Ok(()), Target::AtNode { .. }) if self.table.is_anonymous(service) => {
                self.close(sockets, place, Closing::Refused);
            }
            (Ok(()), Target::AtNode { node, opening }) => {
                if let Some(entry) = self.table.get_mut(place) {
                    entry.opening = super::opening::written(&opening);
                }
                self.reach(sockets, place, node);
            }
            (Ok(()), Target::AtHost) => self.close(sockets, place, Closing::Unreachable),
        }
    }

    /// A stream of the service's own is connected.
    pub(super) fn open(&mut self, place: usize) {
        let Some(entry) = self.table.get_mut(place) else {
            return;
        };
        if entry.stage != Stage::Connecting {
            return;
        }
        entry.stage = Stage::Open;
        entry.opening = Vec::new();
        entry.until_ns = None;
        entry.allowed = entry.window;
        entry.credit = entry.window;
        entry.is_news = true;
        self.set_deadline(place);
        self.table.note_ready(place);
        self.to_work.add(place);
    }

    fn ask(&mut self, service: u32, stream: u64, limit: usize, idle_ns: u64) {
        let Some(place) = self.table.find(service, stream) else {
            return;
        };
        let until_ns = self.now_ns.saturating_add(idle_ns);
        if let Some(entry) = self.table.get_mut(place)
            && entry.is_open()
            && entry.splice.is_none()
        {
            entry.asked = Some(Asked { limit, until_ns });
            self.set_deadline(place);
            self.table.note_ready(place);
        }
    }

    fn write_for(
        &mut self,
        sockets: &mut impl Sockets,
        service: u32,
        stream: u64,
        data: &[u8],
        is_end: bool,
    ) {
        let Some(place) = self.table.find(service, stream) else {
            return;
        };
        let Some(entry) = self.table.get_mut(place) else {
            return;
        };
        if entry.is_closed() || entry.splice.is_some() || entry.stopped.is_some() {
            return;
        }
        if data.len() > entry.allowed || (entry.out != Out::Open && !data.is_empty()) {
            return self.close(sockets, place, Closing::StreamOverrun);
        }
        entry.allowed -= data.len();
        entry.credit = entry.credit.saturating_sub(data.len());
        if is_end && entry.out == Out::Open {
            entry.out = Out::Ending;
        }
        let rest = |taken| Bytes::copy_from_slice(data.get(taken..).unwrap_or(&[]));
        match self.write(sockets, place, data, rest) {
            Ok(()) => self.settle(sockets, place),
            Err(why) => self.close(sockets, place, why),
        }
    }

    /// The two that are to be spliced, if they can be.
    fn both(
        &mut self,
        sockets: &mut impl Sockets,
        service: u32,
        a: u64,
        b: u64,
    ) -> Option<(usize, usize)> {
        let found = [self.table.find(service, a), self.table.find(service, b)];
        let (one, other) = match found {
            [Some(one), Some(other)] => (one, other),
            [None, Some(left)] | [Some(left), None] => {
                self.close(sockets, left, Closing::Reset);
                return None;
            }
            [None, None] => return None,
        };
        // One that has just ended, before the service heard of it, ends the other.
        for (gone, left) in [(one, other), (other, one)] {
            if let Some(Stage::Closed(why)) = self.table.get(gone).map(|entry| entry.stage) {
                self.close(sockets, left, why);
                return None;
            }
        }
        let can_be = |place| {
            self.table
                .get(place)
                .is_some_and(|entry| entry.is_open() && entry.splice.is_none())
        };
        if one == other || !can_be(one) || !can_be(other) {
            self.counted.refused += 1;
            return None;
        }
        Some((one, other))
    }

    fn splice(&mut self, one: usize, other: usize, idle_ns: u64, meter: Option<usize>) {
        let now_ns = self.now_ns;
        for (place, with) in [(one, other), (other, one)] {
            self.leave_meter(place);
            let Some(entry) = self.table.get_mut(place) else {
                return;
            };
            entry.asked = None;
            // A handshake has its own.
            if entry.secured.is_none() {
                entry.until_ns = None;
            }
            entry.splice = Some(Splice {
                with,
                idle_ns,
                moved_ns: now_ns,
                meter,
            });
        }
        self.pass_ends_on(one, other);
        self.pass_ends_on(other, one);
        for place in [one, other] {
            self.set_deadline(place);
            self.to_work.add(place);
        }
    }

    /// An end that the service has read already is the other's to see, after what was kept; and what nobody
    /// takes any more need not come.
    fn pass_ends_on(&mut self, from: usize, to: usize) {
        let Some(source) = self.table.get(from) else {
            return;
        };
        let is_read_up = source.is_read_up;
        let is_behind = source.kept.as_ref().is_some_and(Kept::is_behind);
        let Some(sink) = self.table.get_mut(to) else {
            return;
        };
        match sink.out {
            Out::Open if is_read_up && !is_behind => sink.out = Out::Ending,
            Out::Ending | Out::Ended if !is_read_up => self.stop(from, Closing::Ended),
            _ => {}
        }
    }

    /// Nothing more need come from an end.
    pub(super) fn stop(&mut self, place: usize, why: Closing) {
        if let Some(entry) = self.table.get_mut(place)
            && !std::mem::replace(&mut entry.is_read_up, true)
            && let End::Quic(key, stream) = entry.end
        {
            let _gone_already = self.quic.stop(key, stream, why.code());
        }
    }
}
