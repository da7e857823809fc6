//! The streams that exist: found by place, by number and by QUIC's name.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::Closing;
use super::entry::{End, Entry};
use super::keeping::Kept;
use crate::ConnectionKey;

/// Windows of streams: the largest, and the smallest with which one is opened at all.
const MAX_WINDOW_BYTES: usize = 256 * 1024;
const MIN_WINDOW_BYTES: usize = 4 * 1024;
/// A stream may hold its window and, while the service has not heard of a new one, as much again.
const fn reserved_bytes(window: usize) -> usize {
    2 * window
}

/// One service with streams.
#[derive(Debug, Default)]
pub(super) struct Service {
    /// Its worker is there to be told.
    pub(super) is_up: bool,
    /// Whoever opens its streams need not be known.
    pub(super) is_anonymous: bool,
    /// Streams that have something to tell, in turn.
    pub(super) ready: VecDeque<usize>,
    pub(super) open: usize,
    pub(super) opened: u64,
    last_even: u64,
}

/// Streams of one peer, or that came by one pipe, and what they have reserved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Share {
    streams: usize,
    reserved_bytes: usize,
}

/// Who has what: by peer, or by pipe.
type Shares = HashMap<[u8; 16], Share>;

/// Every stream of every service.
#[derive(Debug)]
pub(super) struct Table {
    entries: Vec<Option<Entry>>,
    free: Vec<usize>,
    of_quic: HashMap<(ConnectionKey, u64), usize>,
    of_number: HashMap<(u32, u64), usize>,
    of_peer: Shares,
    /// Of streams of anonymous services.
    of_pipe: Shares,
    added: u64,
    pub(super) services: BTreeMap<u32, Service>,
    max_streams: usize,
    max_streams_per_peer: usize,
    window_bytes: usize,
    reserved_bytes: usize,
    /// Of that, what is kept of splices.
    kept_bytes: usize,
}

impl Table {
    pub(super) fn new(max_streams: usize, max_streams_per_peer: usize, window_bytes: u64) -> Self {
        Self {
            entries: Vec::new(),
            free: Vec::new(),
            of_quic: HashMap::new(),
            of_number: HashMap::new(),
            of_peer: HashMap::new(),
            of_pipe: HashMap::new(),
            added: 0,
            services: BTreeMap::new(),
            max_streams,
            max_streams_per_peer,
            window_bytes: usize::try_from(window_bytes).unwrap_or(usize::MAX),
            reserved_bytes: 0,
            kept_bytes: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// What the windows of all streams may come to.
    pub(super) fn reserved_bytes(&self) -> usize {
        self.reserved_bytes
    }

    pub(super) fn get(&self, place: usize) -> Option<&Entry> {
        self.entries.get(place).and_then(Option::as_ref)
    }

    pub(super) fn get_mut(&mut self, place: usize) -> Option<&mut Entry> {
        self.entries.get_mut(place).and_then(Option::as_mut)
    }

    pub(super) fn find(&self, service: u32, number: u64) -> Option<usize> {
        self.of_number.get(&(service, number)).copied()
    }

    pub(super) fn find_quic(&self, key: ConnectionKey, stream: u64) -> Option<usize> {
        self.of_quic.get(&(key, stream)).copied()
    }

    pub(super) fn places(&self) -> impl Iterator<Item = (usize, &Entry)> {
        let entries = self.entries.iter().enumerate();
        entries.filter_map(|(place, entry)| Some((place, entry.as_ref()?)))
    }

    pub(super) fn is_anonymous(&self, service: u32) -> bool {
        let service = self.services.get(&service);
        service.is_some_and(|service| service.is_anonymous)
    }

    /// Whether one more may be that came by a pipe of which any number of peers may come: what has come by it
    /// already counts twice, and so leaves as much to the rest.
    pub(super) fn has_room_by(&self, pipe: &[u8; 16]) -> bool {
        let share = self.of_pipe.get(pipe).copied().unwrap_or_default();
        self.len() + share.streams < self.max_streams
            && self.window_by(share.reserved_bytes) >= MIN_WINDOW_BYTES
    }

    /// Whether one more may be, of `peer` if it is another's.
    pub(super) fn check_room(&self, service: u32, peer: Option<&[u8; 16]>) -> Result<(), Closing> {
        let of_peer = peer.and_then(|peer| self.of_peer.get(peer));
        let of_peer = of_peer.map_or(0, |share| share.streams);
        if !self.services.get(&service).is_some_and(|one| one.is_up) {
            Err(Closing::Refused)
        } else if self.len() >= self.max_streams
            || of_peer >= self.max_streams_per_peer
            || self.window() < MIN_WINDOW_BYTES
        {
            Err(Closing::TooManyStreams)
        } else {
            Ok(())
        }
    }

    /// Of the next stream: so small a part of what is left that ten thousand find room in the default.
    fn window(&self) -> usize {
        self.window_by(0)
    }

    fn window_by(&self, of_pipe: usize) -> usize {
        let left = self.window_bytes.saturating_sub(self.reserved_bytes);
        let left = left.saturating_sub(of_pipe);
        match left < reserved_bytes(MIN_WINDOW_BYTES) {
            true => 0,
            false => (left / 8_192).clamp(MIN_WINDOW_BYTES, MAX_WINDOW_BYTES),
        }
    }

    /// Whether memory is all that one more stream, of `peer` if it is another's, is short of.
    pub(super) fn is_short_of_memory(&self, peer: Option<&[u8; 16]>) -> bool {
        let of_peer = peer.and_then(|peer| self.of_peer.get(peer));
        self.window() < MIN_WINDOW_BYTES
            && self.len() < self.max_streams
            && of_peer.map_or(0, |share| share.streams) < self.max_streams_per_peer
    }

    /// The stream that goes first when memory is short: of the peer or pipe that holds most, the one that has
    /// been there longest; none if `peer` would hold more than that by another one. Streams of `nobody` in
    /// particular go with those that they are spliced with.
    pub(super) fn first_to_go(&self, peer: Option<&[u8; 16]>, nobody: &[u8; 16]) -> Option<usize> {
        let held =
            |shares: &Shares, of: &[u8; 16]| shares.get(of).map_or(0, |share| share.reserved_bytes);
        let peers = self.of_peer.iter().filter(|(of, _)| *of != nobody);
        let most = peers
            .chain(&self.of_pipe)
            .map(|(_, share)| share.reserved_bytes)
            .max()?;
        let wanted = peer.map_or(0, |of| {
            held(&self.of_peer, of) + reserved_bytes(MIN_WINDOW_BYTES)
        });
        if most < wanted {
            return None;
        }
        let holds_most = |entry: &Entry| {
            let by_pipe = entry.pipe.map_or(0, |pipe| held(&self.of_pipe, &pipe));
            entry.peer != *nobody && held(&self.of_peer, &entry.peer).max(by_pipe) == most
        };
        self.places()
            .filter(|(_, entry)| entry.window > 0 && !entry.is_closed() && holds_most(entry))
            .min_by_key(|(_, entry)| entry.added)
            .map(|(place, _)| place)
    }

    /// What is kept of splices.
    pub(super) fn kept_bytes(&self) -> usize {
        self.kept_bytes
    }

    /// What all may reserve.
    pub(super) fn limit_bytes(&self) -> usize {
        self.window_bytes
    }

    /// An entry has reserved more, or gives it back.
    fn charge(&mut self, peer: [u8; 16], pipe: Option<[u8; 16]>, change: impl Fn(&mut usize)) {
        change(&mut self.reserved_bytes);
        if let Some(share) = self.of_peer.get_mut(&peer) {
            change(&mut share.reserved_bytes);
        }
        if let Some(share) = pipe.and_then(|pipe| self.of_pipe.get_mut(&pipe)) {
            change(&mut share.reserved_bytes);
        }
    }

    /// Add a stream for which there is room.
    pub(super) fn add(&mut self, mut entry: Entry) -> usize {
        self.added += 1;
        entry.added = self.added;
        let share = entry.pipe.map(|pipe| self.of_pipe.entry(pipe).or_default());
        let of_pipe = share.map_or(0, |share| {
            share.streams += 1;
            share.reserved_bytes
        });
        entry.window = self.window_by(of_pipe);
        self.of_peer.entry(entry.peer).or_default().streams += 1;
        let bytes = reserved_bytes(entry.window);
        self.charge(entry.peer, entry.pipe, |reserved| *reserved += bytes);
        if let Some(service) = self.services.get_mut(&entry.service) {
            service.open += 1;
            service.opened += 1;
        }
        let place = self.free.pop().unwrap_or(self.entries.len());
        if let Some(number) = entry.number {
            self.of_number.insert((entry.service, number), place);
        }
        if let End::Quic(key, stream) = entry.end {
            self.of_quic.insert((key, stream), place);
        }
        match self.entries.get_mut(place) {
            Some(slot) => *slot = Some(entry),
            None => self.entries.push(Some(entry)),
        }
        place
    }

    /// Reserve more for a stream, until it is removed; whether there is room.
    pub(super) fn reserve(&mut self, place: usize, bytes: usize) -> bool {
        let left = self.window_bytes.saturating_sub(self.reserved_bytes);
        let Some(entry) = self.get_mut(place).filter(|_| bytes <= left) else {
            return false;
        };
        entry.extra_bytes += bytes;
        let (peer, pipe) = (entry.peer, entry.pipe);
        self.charge(peer, pipe, |reserved| *reserved += bytes);
        true
    }

    /// Reserve more for what a stream keeps: of half of the buffers, and so small a part of what is left that
    /// many keep something rather than a few all.
    pub(super) fn reserve_kept(&mut self, place: usize, bytes: usize) -> bool {
        let left = (self.window_bytes / 2).saturating_sub(self.kept_bytes);
        let is_reserved = bytes <= left / 8 && self.reserve(place, bytes);
        if is_reserved {
            self.kept_bytes += bytes;
        }
        is_reserved
    }

    /// Give back what a stream has reserved for what it keeps, and forget that.
    pub(super) fn release_kept(&mut self, place: usize) {
        let Some(entry) = self.get_mut(place) else {
            return;
        };
        let bytes = entry.kept.as_mut().map_or(0, Kept::clear);
        entry.extra_bytes -= bytes;
        let (peer, pipe) = (entry.peer, entry.pipe);
        self.charge(peer, pipe, |reserved| *reserved -= bytes);
        self.kept_bytes -= bytes;
    }

    /// Give back the windows of a stream that takes nothing any more.
    pub(super) fn release_window(&mut self, place: usize) {
        if let Some(entry) = self.get_mut(place) {
            let bytes = reserved_bytes(std::mem::take(&mut entry.window));
            let (peer, pipe) = (entry.peer, entry.pipe);
            self.charge(peer, pipe, |reserved| *reserved -= bytes);
        }
    }

    /// Forget a stream whose end is gone.
    pub(super) fn remove(&mut self, place: usize) {
        self.set_end(place, End::Gone);
        let Some(entry) = self.entries.get_mut(place).and_then(Option::take) else {
            return;
        };
        self.free.push(place);
        let bytes = reserved_bytes(entry.window) + entry.extra_bytes;
        self.charge(entry.peer, entry.pipe, |reserved| *reserved -= bytes);
        self.kept_bytes -= entry.kept.as_ref().map_or(0, Kept::room_bytes);
        if let Some(pipe) = entry.pipe
            && let Some(share) = self.of_pipe.get_mut(&pipe)
        {
            share.streams -= 1;
            if share.streams == 0 {
                self.of_pipe.remove(&pipe);
            }
        }
        if let Some(number) = entry.number {
            self.of_number.remove(&(entry.service, number));
        }
        if let Some(share) = self.of_peer.get_mut(&entry.peer) {
            share.streams -= 1;
            if share.streams == 0 {
                self.of_peer.remove(&entry.peer);
            }
        }
        if let Some(service) = self.services.get_mut(&entry.service) {
            service.open -= 1;
            if entry.is_ready {
                service.ready.retain(|other| *other != place);
            }
        }
    }

    /// Give a stream another end.
    pub(super) fn set_end(&mut self, place: usize, end: End) {
        let Some(entry) = self.entries.get_mut(place).and_then(Option::as_mut) else {
            return;
        };
        if let End::Quic(key, stream) = std::mem::replace(&mut entry.end, end) {
            self.of_quic.remove(&(key, stream));
        }
        if let End::Quic(key, stream) = end {
            self.of_quic.insert((key, stream), place);
        }
    }

    /// Streams of a connection.
    pub(super) fn places_on(&self, key: &ConnectionKey) -> Vec<usize> {
        let streams = self.of_quic.iter();
        streams
            .filter(|((of, _), _)| of == key)
            .map(|(_, place)| *place)
            .collect()
    }

    /// A stream that another opened gets the next even number.
    pub(super) fn number(&mut self, place: usize) {
        let Some(entry) = self.entries.get_mut(place).and_then(Option::as_mut) else {
            return;
        };
        if let Some(service) = self.services.get_mut(&entry.service) {
            service.last_even += 2;
            entry.number = Some(service.last_even);
            self.of_number
                .insert((entry.service, service.last_even), place);
        }
    }

    /// A stream has something to tell its service.
    pub(super) fn note_ready(&mut self, place: usize) {
        let Some(entry) = self.entries.get_mut(place).and_then(Option::as_mut) else {
            return;
        };
        if let Some(service) = self.services.get_mut(&entry.service)
            && !std::mem::replace(&mut entry.is_ready, true)
        {
            service.ready.push_back(place);
        }
    }

    /// The next stream of a service that has something to tell.
    pub(super) fn next_ready(&mut self, service: u32) -> Option<usize> {
        let ready = &mut self.services.get_mut(&service)?.ready;
        let place = ready.pop_front()?;
        if let Some(entry) = self.get_mut(place) {
            entry.is_ready = false;
        }
        Some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::Stage;
    use super::*;

    fn table(max_streams: usize) -> Table {
        let mut table = Table::new(max_streams, 3, 64 * 1024 * 1024);
        let service = Service {
            is_up: true,
            ..Service::default()
        };
        table.services.insert(19, service);
        table
    }

    fn entry(peer: u8) -> Entry {
        Entry::new(19, [peer; 16], End::Socket, Stage::BeingRead)
    }

    #[test]
    fn there_is_room_for_so_many_in_all_and_of_one_peer() {
        let mut table = table(5);
        for _ in 0..3 {
            table.add(entry(1));
        }
        assert_eq!(
            table.check_room(19, Some(&[1; 16])),
            Err(Closing::TooManyStreams)
        );
        assert_eq!(table.check_room(19, Some(&[2; 16])), Ok(()));

        table.add(entry(2));
        table.add(entry(2));
        assert_eq!(
            table.check_room(19, Some(&[3; 16])),
            Err(Closing::TooManyStreams)
        );

        table.remove(0);
        assert_eq!(table.check_room(19, Some(&[3; 16])), Ok(()));
        assert_eq!(table.check_room(19, None), Ok(()));
        assert_eq!(table.check_room(20, Some(&[3; 16])), Err(Closing::Refused));
    }

    #[test]
    fn windows_never_come_to_more_than_the_buffer() {
        let mut table = Table::new(1 << 20, 1 << 20, 16 * 1024 * 1024);
        table.services.insert(
            19,
            Service {
                is_up: true,
                ..Service::default()
            },
        );
        let mut count = 0;

        while table.check_room(19, Some(&[1; 16])).is_ok() {
            table.add(entry(1));
            count += 1;
        }

        assert!(table.reserved_bytes() <= 16 * 1024 * 1024);
        assert!(count > 1_000, "{count}");
        assert!(!table.reserve(0, 16 * 1024 * 1024));
        table.remove(1);
        assert!(table.reserve(0, 4 * 1024));
        for place in 0..count {
            table.remove(place);
        }
        assert_eq!((table.reserved_bytes(), table.len()), (0, 0));
    }

    #[test]
    fn numbers_of_others_are_even_and_not_used_again() {
        let mut table = table(5);
        let one = table.add(entry(1));
        table.number(one);
        assert_eq!(table.find(19, 2), Some(one));

        table.remove(one);
        let other = table.add(entry(1));
        table.number(other);

        assert_eq!(table.find(19, 2), None);
        assert_eq!(table.find(19, 4), Some(other));
    }

    #[test]
    fn each_tells_in_its_turn_and_once() {
        let mut table = table(5);
        let (one, other) = (table.add(entry(1)), table.add(entry(2)));
        for place in [other, one, other] {
            table.note_ready(place);
        }

        let order: Vec<usize> = std::iter::from_fn(|| table.next_ready(19)).collect();

        assert_eq!(order, [other, one]);
    }
}
