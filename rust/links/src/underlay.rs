//! The underlay of a simulation: ports joined by paths, each with a link, in virtual time.
//!
//! A datagram that is sent arrives as an event of the agenda, ranked by the number of its path, so that the
//! order of what happens at one port depends on nothing but times and numbers. What arrives by one path at
//! one time arrives together. Who is at a port, and what is done there, is its owner's business.

use std::collections::HashMap;
use std::net::SocketAddr;

use crate::{Agenda, Link};

/// Where something touches the underlay, counted from 0.
pub type Port = usize;
/// One direction between two ports, counted from 0.
pub type Path = usize;

/// Rank of what is no arrival, before all arrivals of the same time.
pub const FIRST_RANK: u32 = 1;

/// Ports, paths, and what is to happen; `C` is whatever else its owner puts among it.
#[derive(Debug)]
pub struct Underlay<C> {
    agenda: Agenda<Entry<C>>,
    ports: Vec<Place>,
    paths: Vec<Way>,
    batches: Vec<Batch>,
    /// Places of `batches` that are free.
    free: Vec<usize>,
    counts: Counts,
}

/// Datagrams, of those that had a path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Put on links.
    pub datagrams: u64,
    /// Of which nothing arrives.
    pub lost: u64,
}

/// What happens next.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<C> {
    /// What its owner had put in.
    Call(C),
    /// Datagrams reach the end of a path.
    Arrival(Path, Batch),
    /// A port asked to be woken.
    Wake(Port),
}

/// Datagrams that arrive together, in order: at least one.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Batch {
    first: Vec<u8>,
    others: Vec<Vec<u8>>,
}

/// What became of a datagram that was sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Sent {
    /// It will arrive.
    UnderWay,
    /// It will not.
    Lost(Path),
    /// No path leads from there to that endpoint.
    Stray,
    /// It arrives elsewhere: each copy, and when.
    Away(Path, Vec<(u64, Vec<u8>)>),
}

#[derive(Clone, Copy, Debug)]
enum Entry<C> {
    Call(C),
    Arrival { path: Path, place: usize },
    Wake(Port),
}

#[derive(Debug)]
struct Place {
    endpoint: SocketAddr,
    routes: HashMap<SocketAddr, Path>,
}

#[derive(Debug)]
struct Way {
    number: u32,
    sender: Port,
    receiver: Port,
    is_away: bool,
    /// Of the sending end alone; without one all is lost.
    link: Option<Box<Link>>,
    /// When the batch arrives that was made last, and its place, while it is under way.
    open: Option<(u64, usize)>,
}

impl<C> Default for Underlay<C> {
    fn default() -> Self {
        Self {
            agenda: Agenda::default(),
            ports: Vec::new(),
            paths: Vec::new(),
            batches: Vec::new(),
            free: Vec::new(),
            counts: Counts::default(),
        }
    }
}

impl<C> Underlay<C> {
    /// Let something of the owner's happen.
    pub fn call(&mut self, when_ns: u64, rank: u32, call: C) {
        self.agenda.push(when_ns, rank, Entry::Call(call));
    }

    /// Let a port be woken.
    pub fn wake(&mut self, when_ns: u64, port: Port) {
        self.agenda.push(when_ns, FIRST_RANK, Entry::Wake(port));
    }

    /// What happens next, if that is before `before_ns`: when, its rank, and itself.
    pub fn next(&mut self, before_ns: u64) -> Option<(u64, u32, Event<C>)> {
        let (when_ns, rank, entry) = self.agenda.pop(before_ns)?;
        let event = match entry {
            Entry::Call(call) => Event::Call(call),
            Entry::Wake(port) => Event::Wake(port),
            Entry::Arrival { path, place } => Event::Arrival(path, self.take_batch(path, place)),
        };
        Some((when_ns, rank, event))
    }

    /// When that is.
    pub fn earliest_ns(&self) -> Option<u64> {
        self.agenda.earliest_ns()
    }

    /// How much is to happen.
    pub fn len(&self) -> usize {
        self.agenda.len()
    }

    /// Whether nothing is.
    pub fn is_empty(&self) -> bool {
        self.agenda.is_empty()
    }

    /// The calls that are to happen, in no order.
    pub fn calls(&self) -> impl Iterator<Item = &C> {
        self.agenda.items().filter_map(|entry| match entry {
            Entry::Call(call) => Some(call),
            Entry::Arrival { .. } | Entry::Wake(_) => None,
        })
    }

    /// Forget calls that are not to happen any more.
    pub fn retain_calls(&mut self, mut is_kept: impl FnMut(&C) -> bool) {
        self.agenda.retain(|entry| match entry {
            Entry::Call(call) => is_kept(call),
            Entry::Arrival { .. } | Entry::Wake(_) => true,
        });
    }

    /// Forget all that is to happen.
    pub fn clear(&mut self) {
        self.agenda.clear();
    }

    // -- who is there -----------------------------------------------------------------------------

    /// Make a port.
    pub fn add_port(&mut self, endpoint: SocketAddr) -> Port {
        self.ports.push(Place {
            endpoint,
            routes: HashMap::new(),
        });
        self.ports.len() - 1
    }

    /// Where a port is now.
    pub fn endpoint(&self, port: Port) -> Option<SocketAddr> {
        self.ports.get(port).map(|place| place.endpoint)
    }

    /// Let a port be elsewhere: what is sent to where it was has no path any more.
    pub fn move_port(&mut self, port: Port, endpoint: SocketAddr) {
        let Some(place) = self.ports.get_mut(port) else {
            return;
        };
        let former = std::mem::replace(&mut place.endpoint, endpoint);
        for place in &mut self.ports {
            place.routes.remove(&former);
        }
    }

    /// Make a path; `number` ranks what arrives by it, and what `is_away` arrives elsewhere.
    pub fn add_path(&mut self, number: u32, sender: Port, receiver: Port, is_away: bool) -> Path {
        self.paths.push(Way {
            number,
            sender,
            receiver,
            is_away,
            link: None,
            open: None,
        });
        self.paths.len() - 1
    }

    /// Sender and receiver of a path.
    pub fn ends(&self, path: Path) -> Option<(Port, Port)> {
        self.paths.get(path).map(|way| (way.sender, way.receiver))
    }

    /// The number of a path.
    pub fn number(&self, path: Path) -> Option<u32> {
        self.paths.get(path).map(|way| way.number)
    }

    /// Let what a path's sender sends to an endpoint go by it.
    pub fn add_route(&mut self, path: Path, endpoint: SocketAddr) {
        let sender = self.paths.get(path).map(|way| way.sender);
        if let Some(place) = sender.and_then(|port| self.ports.get_mut(port)) {
            place.routes.insert(endpoint, path);
        }
    }

    /// Give a path another link.
    pub fn set_link(&mut self, path: Path, link: Link) {
        if let Some(way) = self.paths.get_mut(path) {
            way.link = Some(Box::new(link));
        }
    }

    /// Whether a path has a link.
    pub fn has_link(&self, path: Path) -> bool {
        self.paths.get(path).is_some_and(|way| way.link.is_some())
    }

    // -- datagrams --------------------------------------------------------------------------------

    /// Put a datagram on its link.
    pub fn send(&mut self, now_ns: u64, from: Port, to: SocketAddr, datagram: &[u8]) -> Sent {
        let path = self.ports.get(from).and_then(|place| place.routes.get(&to));
        let Some(&path) = path else {
            return Sent::Stray;
        };
        let Some(way) = self.paths.get_mut(path) else {
            return Sent::Stray;
        };
        self.counts.datagrams += 1;
        let arrivals = match &mut way.link {
            Some(link) => link.offer(now_ns, datagram.len()),
            None => [None; 2],
        };
        if arrivals == [None; 2] {
            self.counts.lost += 1;
            return Sent::Lost(path);
        }
        let is_away = way.is_away;
        let copies = arrivals.into_iter().flatten().map(|arrival| {
            let mut copy = datagram.to_vec();
            arrival.apply(&mut copy);
            (arrival.at_ns, copy)
        });
        if is_away {
            return Sent::Away(path, copies.collect());
        }
        for (at_ns, copy) in copies {
            self.put(path, at_ns, copy);
        }
        Sent::UnderWay
    }

    /// Let a datagram arrive by a path.
    pub fn put(&mut self, path: Path, at_ns: u64, datagram: Vec<u8>) {
        let Some(way) = self.paths.get_mut(path) else {
            return;
        };
        if let Some((open_ns, place)) = way.open
            && open_ns == at_ns
            && let Some(batch) = self.batches.get_mut(place)
        {
            batch.others.push(datagram);
            return;
        }
        let place = self.free.pop().unwrap_or_else(|| {
            self.batches.push(Batch::default());
            self.batches.len() - 1
        });
        if let Some(batch) = self.batches.get_mut(place) {
            batch.first = datagram;
        }
        way.open = Some((at_ns, place));
        let rank = way.number + FIRST_RANK;
        self.agenda
            .push(at_ns, rank, Entry::Arrival { path, place });
    }

    /// What was sent so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    fn take_batch(&mut self, path: Path, place: usize) -> Batch {
        if let Some(way) = self.paths.get_mut(path)
            && way.open.is_some_and(|(_, open)| open == place)
        {
            way.open = None;
        }
        self.free.push(place);
        self.batches
            .get_mut(place)
            .map(std::mem::take)
            .unwrap_or_default()
    }
}

impl Batch {
    /// Each datagram, in order.
    pub fn datagrams(&mut self) -> impl Iterator<Item = &mut Vec<u8>> {
        std::iter::once(&mut self.first).chain(&mut self.others)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        1 + self.others.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Impairments;

    const MS: u64 = 1_000_000;

    fn at(last: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, last], 3535))
    }

    fn link(delay_s: f64) -> Link {
        let impairments = Impairments {
            delay_s,
            ..Impairments::default()
        };
        Link::new(7, &impairments).unwrap()
    }

    /// Two ports and the path from the first to the second.
    fn pair(is_away: bool) -> (Underlay<&'static str>, Port, Port, Path) {
        let mut underlay = Underlay::default();
        let (a, b) = (underlay.add_port(at(1)), underlay.add_port(at(2)));
        let path = underlay.add_path(5, a, b, is_away);
        underlay.set_link(path, link(0.001));
        underlay.add_route(path, at(2));
        (underlay, a, b, path)
    }

    fn bytes(event: Event<&'static str>) -> Vec<Vec<u8>> {
        match event {
            Event::Arrival(_, mut batch) => batch.datagrams().map(|each| each.clone()).collect(),
            other => panic!("no arrival: {other:?}"),
        }
    }

    #[test]
    fn what_is_sent_at_one_time_arrives_together_and_in_order() {
        let (mut underlay, a, _, _) = pair(false);
        for datagram in [b"1", b"2", b"3"] {
            assert_eq!(underlay.send(MS, a, at(2), datagram), Sent::UnderWay);
        }

        let (when_ns, rank, event) = underlay.next(u64::MAX).unwrap();

        assert_eq!((when_ns, rank), (2 * MS, 6));
        assert_eq!(bytes(event), [b"1", b"2", b"3"]);
        assert!(underlay.is_empty());
    }

    #[test]
    fn what_comes_after_a_batch_was_taken_arrives_by_itself() {
        let (mut underlay, _, _, path) = pair(false);
        underlay.put(path, MS, b"1".to_vec());
        let (_, _, first) = underlay.next(u64::MAX).unwrap();
        underlay.put(path, MS, b"2".to_vec());

        let (_, _, second) = underlay.next(u64::MAX).unwrap();

        assert_eq!(
            (bytes(first), bytes(second)),
            (vec![b"1".to_vec()], vec![b"2".to_vec()])
        );
    }

    #[test]
    fn of_one_time_calls_come_by_rank_and_wakes_before_arrivals() {
        let (mut underlay, a, b, path) = pair(false);
        underlay.put(path, MS, b"1".to_vec());
        underlay.wake(MS, b);
        underlay.call(MS, 0, "timer");
        let _ = a;

        let kinds: Vec<_> = std::iter::from_fn(|| underlay.next(2 * MS))
            .map(|(_, rank, event)| (rank, matches!(event, Event::Arrival(..))))
            .collect();

        assert_eq!(kinds, [(0, false), (1, false), (6, true)]);
    }

    #[test]
    fn without_a_path_a_datagram_is_a_stray_and_not_counted() {
        let (mut underlay, a, b, _) = pair(false);

        assert_eq!(underlay.send(MS, a, at(9), b"?"), Sent::Stray);
        assert_eq!(underlay.send(MS, b, at(1), b"?"), Sent::Stray);
        assert_eq!(underlay.counts(), Counts::default());
    }

    #[test]
    fn what_a_cut_link_takes_is_lost() {
        let (mut underlay, a, _, path) = pair(false);
        let mut cut = link(0.001);
        cut.is_cut = true;
        underlay.set_link(path, cut);

        assert_eq!(underlay.send(MS, a, at(2), b"?"), Sent::Lost(path));
        assert_eq!(
            underlay.counts(),
            Counts {
                datagrams: 1,
                lost: 1
            }
        );
    }

    #[test]
    fn what_is_away_is_given_to_the_owner() {
        let (mut underlay, a, _, path) = pair(true);

        let sent = underlay.send(MS, a, at(2), b"far");

        assert_eq!(sent, Sent::Away(path, vec![(2 * MS, b"far".to_vec())]));
        assert!(underlay.is_empty());
    }

    #[test]
    fn who_moved_is_not_reached_where_it_was() {
        let (mut underlay, a, b, path) = pair(false);

        underlay.move_port(b, at(3));

        assert_eq!(underlay.endpoint(b), Some(at(3)));
        assert_eq!(underlay.send(MS, a, at(2), b"?"), Sent::Stray);
        underlay.add_route(path, at(3));
        assert_eq!(underlay.send(MS, a, at(3), b"!"), Sent::UnderWay);
    }

    #[test]
    fn forgotten_calls_do_not_happen() {
        let (mut underlay, _, b, _) = pair(false);
        underlay.call(1, 0, "kept");
        underlay.call(2, 0, "forgotten");
        underlay.wake(3, b);

        underlay.retain_calls(|call| *call == "kept");

        assert_eq!(underlay.len(), 2);
        assert_eq!(underlay.calls().collect::<Vec<_>>(), [&"kept"]);
    }
}
