//! What QUIC says, and how streams that others open come to be.

use super::entry::{End, Entry, Stage};
use super::opening::{self, Opening};
use super::{Closing, Junction, Sockets};
use crate::{ConnectionKey, Event, LossKind, StreamsError};

/// Within this a stream must say what it is for.
const OPENING_NS: u64 = 10 * 1_000_000_000;

/// Connections of one peer that wait for its key.
const MAX_WANTING: usize = 64;

impl Junction {
    pub(super) fn take_quic_event(&mut self, sockets: &mut impl Sockets, event: Event) {
        match event {
            Event::KeyWanted { key } if self.is_anonymous(&key) => self.let_anybody(key),
            Event::KeyWanted { key } => {
                let incoming = &mut self.links.want(key.peer).incoming;
                if incoming.len() < MAX_WANTING {
                    incoming.push(key);
                }
            }
            Event::Connected { key } => {
                if let Some(link) = self.links.get_mut(&key) {
                    link.is_up = true;
                }
                self.open_waiting(sockets, key);
            }
            Event::ConnectionLost { key, loss } => self.lose(sockets, key, loss.kind),
            Event::StreamOpened {
                key,
                stream,
                is_bidirectional,
            } => self.let_in(sockets, key, stream, is_bidirectional),
            Event::Readable { key, stream } | Event::Writable { key, stream } => {
                if let Some(place) = self.table.find_quic(key, stream) {
                    self.to_work.add(place);
                }
            }
            Event::StreamReset { key, stream, code } => {
                if let Some(place) = self.table.find_quic(key, stream) {
                    self.close(sockets, place, Closing::of_code(code));
                }
            }
            Event::StreamStopped { key, stream, code } => {
                if let Some(place) = self.table.find_quic(key, stream) {
                    self.note_stopped(sockets, place, code);
                }
            }
            Event::StreamsAvailable { key, .. } => self.open_waiting(sockets, key),
            Event::StreamFinished { .. } => {}
        }
    }

    fn is_anonymous(&self, key: &ConnectionKey) -> bool {
        let link = self.links.of_key.get(key);
        link.is_some_and(|link| self.table.is_anonymous(link.service))
    }

    /// Somebody whom another node hides wants a connection.
    fn let_anybody(&mut self, key: ConnectionKey) {
        let Some(pipe) = self.links.of_key.get(&key).map(|link| link.pipe) else {
            return;
        };
        let accepted = self.quic.accept_anybody(self.now_ns, key, pipe);
        if let Err(StreamsError::TooManyConnections { .. }) = accepted {
            self.counted.pipe_full += 1;
        }
    }

    fn lose(&mut self, sockets: &mut impl Sockets, key: ConnectionKey, kind: LossKind) {
        let why = match kind {
            LossKind::Refused | LossKind::WrongIdentity | LossKind::IdentityRefused => {
                Closing::Refused
            }
            LossKind::HandshakeTimeout | LossKind::TimedOut => Closing::Unreachable,
            LossKind::Closed | LossKind::Reset | LossKind::Protocol | LossKind::CrowdedOut => {
                Closing::Lost
            }
        };
        let service = self.links.get_mut(&key).map_or(0, |link| link.service);
        for place in self.links.retire(&key) {
            if self.is_coming(place, &key.peer, service) {
                self.close(sockets, place, why);
            }
        }
        for place in self.table.places_on(&key) {
            self.close(sockets, place, Closing::Lost);
        }
        // What was received and nobody asked for is not kept.
        let _code_is_small = self.quic.close(self.now_ns, key, 0, b"");
    }

    /// A peer opened a stream.
    fn let_in(
        &mut self,
        sockets: &mut impl Sockets,
        key: ConnectionKey,
        stream: u64,
        is_bidirectional: bool,
    ) {
        let link = self.links.of_key.get(&key);
        let (service, pipe) = link.map_or((0, [0; 16]), |link| (link.service, link.pipe));
        let pipe = self.table.is_anonymous(service).then_some(pipe);
        // Nobody makes room for those that share a pipe: they have a share of what is left.
        let mut room = match (is_bidirectional, pipe) {
            (true, None) => self.make_room(sockets, service, Some(&key.peer)),
            (true, Some(_)) if self.is_tight => Err(Closing::TooManyStreams),
            (true, Some(_)) => self.table.check_room(service, Some(&key.peer)),
            (false, _) => Err(Closing::Refused),
        };
        if room.is_ok() && pipe.is_some_and(|pipe| !self.table.has_room_by(&pipe)) {
            self.counted.pipe_full += 1;
            room = Err(Closing::TooManyStreams);
        }
        if let Err(why) = room {
            self.counted.refused += 1;
            let _one_way = self.quic.reset(key, stream, why.code());
            let _gone = self.quic.stop(key, stream, why.code());
            return;
        }
        let end = End::Quic(key, stream);
        let mut entry = Entry::new(service, key.peer, end, Stage::BeingRead);
        entry.pipe = pipe;
        entry.until_ns = Some(self.now_ns + OPENING_NS);
        let place = self.table.add(entry);
        self.links.note_opened(&key);
        self.counted.opened += 1;
        self.set_deadline(place);
        self.to_work.add(place);
    }

    /// Read on in a stream's opening; when it is whole, the service is told.
    pub(super) fn read_opening(&mut self, sockets: &mut impl Sockets, place: usize) {
        loop {
            let Some(entry) = self.table.get_mut(place) else {
                return;
            };
            let wanted = match opening::read(&entry.opening) {
                Opening::Wants(wanted) => wanted,
                Opening::TooLong => return self.close(sockets, place, Closing::Refused),
                Opening::Whole(opening) => {
                    entry.opening = opening;
                    entry.stage = Stage::Open;
                    entry.until_ns = None;
                    entry.allowed = entry.window;
                    entry.credit = entry.window;
                    entry.is_news = true;
                    self.table.number(place);
                    self.set_deadline(place);
                    self.table.note_ready(place);
                    return;
                }
            };
            let got = match self.read_end(sockets, place, wanted) {
                Ok(got) if got.is_end => return self.close(sockets, place, Closing::Reset),
                Ok(got) => got,
                Err(why) => return self.close(sockets, place, why),
            };
            if got.bytes == 0 {
                return;
            }
            if let Some(entry) = self.table.get_mut(place) {
                for piece in self.pieces.drain(..) {
                    entry.opening.extend_from_slice(&piece);
                }
            }
        }
    }
}
