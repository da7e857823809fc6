//! Trains: datagrams of one next hop, sealed one behind the other and sent by one call.
//!
//! A train's datagrams have one length, only its last may be shorter; at most 64 of them and 65,000
//! bytes, as UDP segmentation demands. Up to four trains are open per next hop, for packets of several
//! lengths. A connection whose packets change length closes the train that it was in, so that its
//! packets leave in the order in which they came.

use std::collections::VecDeque;
use std::net::SocketAddr;

use ei_memory::prefetch;

use crate::counters::Reason;
use crate::pipes::PeerIndex;

/// Most datagrams of a train (the kernel's UDP_MAX_SEGMENTS).
pub const MAX_SEGMENTS: usize = 64;
/// Most bytes of a train, below the 65,507 of one UDP datagram.
pub const MAX_TRAIN_BYTES: usize = 65_000;
/// Open trains per next hop.
const OPEN_PER_PEER: usize = 4;
/// Bytes in all trains that wait to be sent: a batch of 64 packets to 512 hops each.
const MAX_WAITING_BYTES: usize = 64 << 20;
/// Memory of that many emptied trains is kept for the next ones.
const MAX_SPARE: usize = 256;
/// No train.
const NONE: u32 = u32::MAX;

/// What one send call takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Train<'a> {
    /// Where it goes.
    pub to: SocketAddr,
    /// All datagrams, one behind the other.
    pub bytes: &'a [u8],
    /// Length of each, but for the last.
    pub segment_bytes: usize,
}

impl Train<'_> {
    /// How many there are.
    pub fn datagrams(&self) -> usize {
        self.bytes.len().div_ceil(self.segment_bytes.max(1))
    }
}

/// Sends a train at once; returns how many of its datagrams went out.
pub type Depart<'a> = &'a mut dyn FnMut(Train<'_>) -> usize;

#[derive(Clone, Debug)]
struct Wagons {
    to: SocketAddr,
    peer: PeerIndex,
    /// Allocated; `used` of them are filled.
    bytes: Vec<u8>,
    used: usize,
    segments: usize,
    segment_bytes: usize,
    is_open: bool,
}

/// What boarding looks at: the open trains of one peer are one cache line.
#[derive(Clone, Copy, Debug)]
struct Open {
    train: u32,
    segment_bytes: u32,
    /// One bit for each connection in it, by hash.
    connections: u64,
}

const NOT_OPEN: Open = Open {
    train: NONE,
    segment_bytes: 0,
    connections: 0,
};

/// Place for one datagram, to be filled and then kept by `Trains::commit`.
#[derive(Clone, Copy, Debug)]
pub struct Seat {
    train: u32,
    length: usize,
    is_last: bool,
}

/// All trains of one thread.
#[derive(Clone, Debug, Default)]
pub struct Trains {
    trains: Vec<Wagons>,
    unused: Vec<u32>,
    /// Memory of emptied trains, apart from them: a new one takes what was used last, and has none only if
    /// there is none.
    spare: Vec<Vec<u8>>,
    open: Vec<[Open; OPEN_PER_PEER]>,
    /// In the order of opening; those closed since are in `closed` too.
    opened: VecDeque<u32>,
    closed: VecDeque<u32>,
    lent: Option<u32>,
    waiting_bytes: usize,
}

impl Trains {
    /// Find a seat of `length` bytes for a packet of `connection` (any hash of it) to `peer`, which
    /// is at `to`.
    ///
    /// # Errors
    /// `TooBig` beyond 65,000 bytes, `SendFailed` when far too much waits already.
    pub fn seat(
        &mut self,
        peer: PeerIndex,
        length: usize,
        connection: u64,
        to: impl FnOnce() -> Option<SocketAddr>,
    ) -> Result<Seat, Reason> {
        if length == 0 || length > MAX_TRAIN_BYTES {
            return Err(Reason::TooBig);
        }
        let bit = 1 << (connection.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58);
        let (train, is_last) = match self.board(peer, length, bit) {
            Some(found) => found,
            None => (
                self.open(peer, length, bit, to().ok_or(Reason::PeerUnreachable)?)?,
                false,
            ),
        };
        if let Some(wagons) = self.trains.get_mut(train as usize) {
            let end = wagons.used + length;
            if wagons.bytes.len() < end {
                // Twice as long each time, so that idle hosts keep one packet and busy nodes all 64.
                let grown = (end * 2).min(MAX_TRAIN_BYTES).max(end);
                wagons.bytes.resize(grown, 0);
            }
        }
        Ok(Seat {
            train,
            length,
            is_last,
        })
    }

    /// Ask for what `seat` will want of a peer, without waiting for it.
    #[inline]
    pub fn fetch(&self, peer: PeerIndex) {
        if let Some(open) = self.open.get(peer.0 as usize) {
            prefetch(open);
        }
    }

    /// The bytes of a seat.
    pub fn bytes(&mut self, seat: Seat) -> &mut [u8] {
        let Some(wagons) = self.trains.get_mut(seat.train as usize) else {
            return &mut [];
        };
        let start = wagons.used;
        wagons
            .bytes
            .get_mut(start..start + seat.length)
            .unwrap_or(&mut [])
    }

    /// The seat is filled: keep it. A seat that is not kept is given out again.
    pub fn commit(&mut self, seat: Seat) {
        let Some(wagons) = self.trains.get_mut(seat.train as usize) else {
            return;
        };
        wagons.used += seat.length;
        wagons.segments += 1;
        self.waiting_bytes += seat.length;
        let is_full = wagons.segments == MAX_SEGMENTS
            || wagons.used + wagons.segment_bytes > MAX_TRAIN_BYTES
            || seat.is_last;
        if is_full {
            self.close(seat.train);
        }
    }

    /// The next train to send: first the closed ones, then, when none is left, the open ones. It is
    /// valid until the next call of anything here.
    pub fn next_train(&mut self) -> Option<Train<'_>> {
        self.take_back();
        let train = loop {
            match self.next_used() {
                Some(train) => break train,
                None => self.close_oldest()?,
            }
        };
        self.lend(train)
    }

    /// The next train that nothing can join any more. Valid as long as that of `next_train`.
    pub fn next_closed(&mut self) -> Option<Train<'_>> {
        self.take_back();
        let train = self.next_used()?;
        self.lend(train)
    }

    fn next_used(&mut self) -> Option<u32> {
        while let Some(train) = self.closed.pop_front() {
            if self.is_used(train) {
                return Some(train);
            }
            self.give_back(train);
        }
        None
    }

    fn take_back(&mut self) {
        if let Some(lent) = self.lent.take() {
            self.give_back(lent);
        }
    }

    fn lend(&mut self, train: u32) -> Option<Train<'_>> {
        self.lent = Some(train);
        let wagons = self.trains.get(train as usize)?;
        self.waiting_bytes = self.waiting_bytes.saturating_sub(wagons.used);
        let bytes = wagons.bytes.get(..wagons.used)?;
        Some(Train {
            to: wagons.to,
            bytes,
            segment_bytes: wagons.segment_bytes,
        })
    }

    /// Whether nothing waits to be sent.
    pub fn is_empty(&self) -> bool {
        self.waiting_bytes == 0
    }

    /// Bytes of memory held.
    pub fn held_bytes(&self) -> usize {
        let of_trains = self.trains.iter().map(|wagons| wagons.bytes.len());
        of_trains.chain(self.spare.iter().map(Vec::len)).sum()
    }

    /// The open train that a packet may join, and whether it is the shorter last one of it. Other
    /// trains that its connection was in are closed, so that it overtakes nothing.
    #[inline]
    fn board(&mut self, peer: PeerIndex, length: usize, bit: u64) -> Option<(u32, bool)> {
        let place = peer.0 as usize;
        let open = self.open.get_mut(place)?;
        let mut same = None;
        let mut must_close = false;
        for one in open.iter_mut() {
            if one.segment_bytes as usize == length {
                one.connections |= bit;
                same = Some((one.train, false));
            } else {
                must_close |= one.connections & bit != 0;
            }
        }
        if must_close {
            self.leave(peer, length, bit).or(same)
        } else {
            same
        }
    }

    /// The connection of a packet is in trains of other lengths (or one that shares its bit is): it
    /// ends the only such train if it is shorter, else they leave before it.
    #[cold]
    fn leave(&mut self, peer: PeerIndex, length: usize, bit: u64) -> Option<(u32, bool)> {
        let open = *self.open.get(peer.0 as usize)?;
        let is_other =
            |one: &&Open| one.segment_bytes as usize != length && one.connections & bit != 0;
        let mut others = open.iter().filter(is_other);
        if let (Some(only), None) = (others.next(), others.next())
            && let Some(wagons) = self.trains.get(only.train as usize)
            && length < wagons.segment_bytes
            && wagons.used + length <= MAX_TRAIN_BYTES
        {
            return Some((only.train, true));
        }
        for one in open.iter().filter(is_other) {
            self.close(one.train);
        }
        None
    }

    fn open(
        &mut self,
        peer: PeerIndex,
        length: usize,
        bit: u64,
        to: SocketAddr,
    ) -> Result<u32, Reason> {
        if self.waiting_bytes + length > MAX_WAITING_BYTES {
            return Err(Reason::SendFailed);
        }
        let place = peer.0 as usize;
        if self.open.len() <= place {
            self.open.resize(place + 1, [NOT_OPEN; OPEN_PER_PEER]);
        }
        if let Some([.., oldest]) = self.open.get(place).copied()
            && oldest.train != NONE
        {
            self.close(oldest.train);
        }
        let fresh = Wagons {
            to,
            peer,
            bytes: self.spare.pop().unwrap_or_default(),
            used: 0,
            segments: 0,
            segment_bytes: length,
            is_open: true,
        };
        let train = match self.unused.pop() {
            Some(train) => {
                if let Some(wagons) = self.trains.get_mut(train as usize) {
                    *wagons = fresh;
                }
                train
            }
            None => {
                self.trains.push(fresh);
                (self.trains.len() - 1) as u32
            }
        };
        if let Some([first, second, third, fourth]) = self.open.get_mut(place) {
            // The youngest stands first.
            (*fourth, *third, *second) = (*third, *second, *first);
            *first = Open {
                train,
                segment_bytes: length as u32,
                connections: bit,
            };
        }
        self.opened.push_back(train);
        Ok(train)
    }

    fn close(&mut self, train: u32) {
        let Some(wagons) = self.trains.get_mut(train as usize) else {
            return;
        };
        if !std::mem::replace(&mut wagons.is_open, false) {
            return;
        }
        if let Some(open) = self.open.get_mut(wagons.peer.0 as usize) {
            remove(open, train);
        }
        self.closed.push_back(train);
    }

    /// A train whose only seat could not be filled is not.
    fn is_used(&self, train: u32) -> bool {
        self.trains
            .get(train as usize)
            .is_some_and(|wagons| wagons.used > 0)
    }

    fn close_oldest(&mut self) -> Option<()> {
        let train = self.opened.pop_front()?;
        self.close(train);
        Some(())
    }

    fn give_back(&mut self, train: u32) {
        if let Some(wagons) = self.trains.get_mut(train as usize) {
            let bytes = std::mem::take(&mut wagons.bytes);
            if self.spare.len() < MAX_SPARE && !bytes.is_empty() {
                self.spare.push(bytes);
            }
        }
        self.unused.push(train);
    }
}

/// Take `train` out of the list, keeping the order of the others.
fn remove(open: &mut [Open; OPEN_PER_PEER], train: u32) {
    let mut kept = [NOT_OPEN; OPEN_PER_PEER];
    let others = open
        .iter()
        .filter(|other| other.train != train && other.train != NONE);
    for (place, other) in kept.iter_mut().zip(others) {
        *place = *other;
    }
    *open = kept;
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn to() -> Option<SocketAddr> {
        Some(SocketAddr::from(([127, 0, 0, 1], 3535)))
    }

    /// Add a datagram whose bytes are `mark`; false when refused.
    fn add(trains: &mut Trains, peer: u32, length: usize, connection: u64, mark: u8) -> bool {
        let Ok(seat) = trains.seat(PeerIndex(peer), length, connection, to) else {
            return false;
        };
        trains.bytes(seat).fill(mark);
        trains.commit(seat);
        true
    }

    /// (first byte, length) of every datagram, train by train.
    fn taken(trains: &mut Trains) -> Vec<Vec<(u8, usize)>> {
        let mut all = Vec::new();
        while let Some(train) = trains.next_train() {
            let datagrams = train.bytes.chunks(train.segment_bytes);
            all.push(datagrams.map(|one| (one[0], one.len())).collect());
        }
        all
    }

    #[test]
    fn datagrams_of_one_length_to_one_peer_share_a_train() {
        let mut trains = Trains::default();
        for mark in 0..3 {
            add(&mut trains, 0, 100, 1, mark);
            add(&mut trains, 1, 100, 1, mark + 10);
        }

        let all = taken(&mut trains);

        assert_eq!(
            all,
            [
                vec![(0, 100), (1, 100), (2, 100)],
                vec![(10, 100), (11, 100), (12, 100)]
            ]
        );
        assert!(trains.is_empty());
    }

    #[test]
    fn a_train_ends_at_64_datagrams_or_65_000_bytes() {
        let mut trains = Trains::default();
        for _ in 0..65 {
            add(&mut trains, 0, 10, 1, 0);
        }
        for _ in 0..47 {
            add(&mut trains, 1, 1_400, 1, 0);
        }

        let lengths: Vec<_> = taken(&mut trains).iter().map(Vec::len).collect();

        assert_eq!(lengths, [64, 46, 1, 1]);
        assert!(!add(&mut trains, 0, 65_001, 1, 0));
    }

    #[test]
    fn a_shorter_datagram_of_a_connection_ends_its_train() {
        let mut trains = Trains::default();
        add(&mut trains, 0, 100, 1, 0);
        add(&mut trains, 0, 50, 1, 1);
        add(&mut trains, 0, 100, 1, 2);

        assert_eq!(
            taken(&mut trains),
            [vec![(0, 100), (1, 50)], vec![(2, 100)]]
        );
    }

    #[test]
    fn four_lengths_ride_beside_each_other_and_a_fifth_sends_the_oldest_off() {
        let mut trains = Trains::default();
        for round in 0..2 {
            for length in 1..5 {
                add(&mut trains, 0, length * 10, length as u64, round);
            }
        }
        add(&mut trains, 0, 99, 9, 9);

        let all = taken(&mut trains);

        assert_eq!(all.len(), 5);
        assert_eq!(all[0], [(0, 10), (1, 10)], "the oldest was closed first");
    }

    #[test]
    fn a_seat_that_is_not_filled_leaves_no_trace() {
        let mut trains = Trains::default();
        trains.seat(PeerIndex(0), 100, 1, to).unwrap();

        assert_eq!(trains.next_train(), None);

        trains.seat(PeerIndex(0), 100, 1, to).unwrap();
        add(&mut trains, 0, 100, 1, 7);
        assert_eq!(taken(&mut trains), [[(7, 100)]]);
    }

    #[test]
    fn memory_is_used_again() {
        let mut trains = Trains::default();
        for _ in 0..100 {
            for _ in 0..64 {
                add(&mut trains, 0, 600, 1, 0);
            }
            taken(&mut trains);
        }

        assert!(trains.held_bytes() <= 2 * MAX_TRAIN_BYTES);
    }

    #[test]
    fn after_a_peak_a_train_still_finds_memory_that_was_used_before() {
        let mut trains = Trains::default();
        for peer in 0..MAX_SPARE as u32 + 100 {
            add(&mut trains, peer, 600, 1, 0);
        }
        taken(&mut trains);

        let seats: Vec<_> = (0..64)
            .map(|peer| trains.seat(PeerIndex(peer), 10, 1, to).unwrap())
            .collect();

        for seat in seats {
            let wagons = &trains.trains[seat.train as usize];
            assert_eq!(wagons.bytes.len(), 1_200);
        }
        assert_eq!(trains.held_bytes(), MAX_SPARE * 1_200);
    }

    proptest! {
        /// Nothing is lost, every train is one the kernel takes, and no connection is reordered.
        #[test]
        fn every_train_is_lawful(
            packets in proptest::collection::vec((0u32..3, 1usize..6, 0u64..4), 1..300),
        ) {
            let mut trains = Trains::default();
            for (number, (peer, length, connection)) in packets.iter().enumerate() {
                // The peer, the connection and the packet's number are its first bytes.
                let length = length * 40;
                let seat = trains.seat(PeerIndex(*peer), length, *connection, to).unwrap();
                let bytes = trains.bytes(seat);
                bytes[0] = *peer as u8;
                bytes[1] = *connection as u8;
                bytes[2..4].copy_from_slice(&(number as u16).to_le_bytes());
                trains.commit(seat);
            }

            let mut count = 0;
            let mut newest = std::collections::HashMap::new();
            while let Some(train) = trains.next_train() {
                let datagrams: Vec<_> = train.bytes.chunks(train.segment_bytes).collect();
                prop_assert!(datagrams.len() <= MAX_SEGMENTS);
                prop_assert!(train.bytes.len() <= MAX_TRAIN_BYTES);
                for one in &datagrams {
                    let flow = (one[0], one[1]);
                    let number = u16::from_le_bytes([one[2], one[3]]);
                    let before = newest.insert(flow, number);
                    prop_assert!(before.is_none_or(|before| before < number));
                    count += 1;
                }
            }
            prop_assert_eq!(count, packets.len());
        }
    }
}
