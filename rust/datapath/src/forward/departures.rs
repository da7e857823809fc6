//! The way out: copies sealed straight into trains, or kept for a pipe that is being opened.

use std::collections::{BTreeMap, VecDeque};

use super::follow::fate_of;
use crate::counters::{Counters, Fate, Reason};
use crate::packet::{Changes, Packet};
use crate::pipes::{PeerIndex, PeerKind, Pipes};
use crate::trains::{Depart, Trains};
use crate::wire::{Address, Header, Protection};

/// Packets that may wait for one pipe to open.
const MAX_WAITING_PER_PEER: usize = 64;
/// Packets that may wait for pipes to open, all together. Those that came by one pipe are at most as many as
/// there is room for others: else one peer would have all places, by sending to whoever does not answer.
const MAX_WAITING: usize = 4_096;
/// Longest wait.
const MAX_WAIT_NS: u64 = 1_000_000_000;

/// What a copy needs to be sealed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Copy<'a> {
    /// Emitted header.
    pub(super) header: &'a [u8],
    pub(super) payload: &'a [u8],
    pub(super) is_covered: bool,
    pub(super) is_packed: bool,
    /// Any hash of (source, connection): copies of one stay in order.
    pub(super) flow: u64,
    /// By whose pipe its packet came.
    pub(super) ingress: &'a Address,
}

#[derive(Clone, Debug)]
struct WaitingCopy {
    ingress: Address,
    header_bytes: usize,
    bytes: Box<[u8]>,
    is_covered: bool,
    is_packed: bool,
    flow: u64,
    until_ns: u64,
}

/// Pipes, the trains that leave by them, and what waits for one.
pub(super) struct Departures {
    pub(super) pipes: Pipes,
    pub(super) trains: Trains,
    pub(super) counters: Counters,
    waiting: BTreeMap<PeerIndex, VecDeque<WaitingCopy>>,
    waiting_by_ingress: BTreeMap<Address, usize>,
    waiting_count: usize,
    /// Where `send` emits headers: zeroing 291 bytes for each packet would cost as much as emitting.
    header: Vec<u8>,
    /// Peers that another thread should dial, since this one does not do handshakes.
    pub(super) to_dial: VecDeque<PeerIndex>,
    is_first_lane: bool,
}

impl Departures {
    pub(super) fn new(pipes: Pipes, is_first_lane: bool) -> Self {
        Self {
            pipes,
            trains: Trains::default(),
            counters: Counters::default(),
            waiting: BTreeMap::new(),
            waiting_by_ingress: BTreeMap::new(),
            waiting_count: 0,
            header: vec![0; Header::MAX_BYTES],
            to_dial: VecDeque::new(),
            is_first_lane,
        }
    }

    /// Whether there is a node of that address.
    pub(super) fn is_node(&self, address: &Address) -> bool {
        let peer = self.pipes.find(address);
        peer.is_some_and(|peer| self.pipes.standing(peer).0 == PeerKind::Node)
    }

    /// Ask for what `send` will want of `peer` first, without waiting for it; `pipes.fetch_sealing` asks
    /// for the rest.
    #[inline]
    pub(super) fn fetch(&self, peer: PeerIndex) {
        self.pipes.fetch_pipe(peer);
        self.trains.fetch(peer);
    }

    /// Send one packet to `peer`, counting the copy.
    ///
    /// # Errors
    /// Why it went no further.
    #[inline]
    pub(super) fn send(
        &mut self,
        now_ns: u64,
        peer: PeerIndex,
        packet: &Packet<'_>,
    ) -> Result<(), Reason> {
        let mut header = std::mem::take(&mut self.header);
        let sent = match copy_of(packet, &mut header) {
            Ok(copy) => self.send_copy(now_ns, peer, &copy),
            Err(reason) => {
                self.counters.count_dropped_copy(reason);
                Err(reason)
            }
        };
        self.header = header;
        sent
    }

    /// The same for a header that was emitted before.
    ///
    /// # Errors
    /// Why it went no further.
    #[inline]
    pub(super) fn send_copy(
        &mut self,
        now_ns: u64,
        peer: PeerIndex,
        copy: &Copy<'_>,
    ) -> Result<(), Reason> {
        match self.seal(now_ns, peer, copy) {
            Ok(bytes) => {
                self.counters.count_sent(bytes);
                Ok(())
            }
            Err(Reason::PeerUnreachable) => self.wait(now_ns, peer, copy),
            Err(reason) => {
                self.counters.count_dropped_copy(reason);
                Err(reason)
            }
        }
    }

    /// Send one of many copies: `copy` of the packet, or another if its hop changes anything.
    ///
    /// # Errors
    /// Why it went no further.
    #[inline]
    pub(super) fn send_changed(
        &mut self,
        now_ns: u64,
        peer: PeerIndex,
        changes: &Changes<'_>,
        packet: &Packet<'_>,
        copy: &Copy<'_>,
    ) -> Result<(), Reason> {
        if changes.are_none() {
            self.send_copy(now_ns, peer, copy)
        } else {
            self.send(now_ns, peer, &packet.changed(changes))
        }
    }

    /// Send packets that differ in their payloads alone, as `send`, and count what became of each, and its bytes.
    #[inline]
    pub(super) fn send_alike<'a>(
        &mut self,
        now_ns: u64,
        peer: PeerIndex,
        packets: impl Iterator<Item = (&'a Packet<'a>, usize)>,
    ) {
        let mut packets = packets.peekable();
        let Some((first, _)) = packets.peek() else {
            return;
        };
        let mut header = std::mem::take(&mut self.header);
        let emitted = copy_of(first, &mut header);
        for (packet, bytes) in packets {
            let sent = match emitted {
                Ok(copy) => {
                    let payload = packet.payload;
                    self.send_copy(now_ns, peer, &Copy { payload, ..copy })
                }
                Err(reason) => {
                    self.counters.count_dropped_copy(reason);
                    Err(reason)
                }
            };
            self.count(fate_of(sent), bytes);
        }
        self.header = header;
    }

    /// Count a packet that came in and what became of it.
    #[inline]
    pub(super) fn count(&mut self, fate: Fate, bytes: usize) {
        self.counters.count(fate);
        self.counters.received_bytes += bytes as u64;
    }

    /// Send what no packet can join any more by `depart`, while it is in the caches.
    pub(super) fn depart(&mut self, depart: Depart<'_>) {
        while let Some(train) = self.trains.next_closed() {
            let unsent = train.datagrams().saturating_sub(depart(train));
            self.counters.count_unsent(unsent as u64);
        }
    }

    #[inline]
    fn seal(&mut self, now_ns: u64, peer: PeerIndex, copy: &Copy<'_>) -> Result<usize, Reason> {
        let Self { pipes, trains, .. } = self;
        if copy.is_packed && pipes.standing(peer).0 == PeerKind::Host {
            return Err(Reason::StillPacked);
        }
        let (header, payload) = (copy.header, copy.payload);
        let length = Pipes::sealed_bytes(header.len(), payload.len(), copy.is_covered);
        let seat = trains.seat(peer, length, copy.flow, || pipes.endpoint(peer))?;
        let out = trains.bytes(seat);
        let bytes = pipes.seal(now_ns, peer, header, payload, copy.is_covered, out)?;
        trains.commit(seat);
        Ok(bytes)
    }

    /// Dial the peer and keep the copy until its pipe is up.
    #[cold]
    fn wait(&mut self, now_ns: u64, peer: PeerIndex, copy: &Copy<'_>) -> Result<(), Reason> {
        let reason = self.cannot_wait(peer, copy.ingress);
        if let Some(reason) = reason {
            self.counters.count_dropped_copy(reason);
            return Err(reason);
        }
        let mut bytes = Vec::with_capacity(copy.header.len() + copy.payload.len());
        bytes.extend_from_slice(copy.header);
        bytes.extend_from_slice(copy.payload);
        self.waiting
            .entry(peer)
            .or_default()
            .push_back(WaitingCopy {
                ingress: *copy.ingress,
                header_bytes: copy.header.len(),
                bytes: bytes.into(),
                is_covered: copy.is_covered,
                is_packed: copy.is_packed,
                flow: copy.flow,
                until_ns: now_ns.saturating_add(MAX_WAIT_NS),
            });
        self.waiting_count += 1;
        *self.waiting_by_ingress.entry(*copy.ingress).or_default() += 1;
        self.counters.count_waiting_copy();
        if self.is_first_lane {
            self.pipes.dial(now_ns, peer);
        } else if self.to_dial.len() < MAX_WAITING {
            self.to_dial.push_back(peer);
        }
        Ok(())
    }

    fn cannot_wait(&self, peer: PeerIndex, ingress: &Address) -> Option<Reason> {
        let queued = self.waiting.get(&peer).map_or(0, VecDeque::len);
        let of_ingress = self.waiting_by_ingress.get(ingress).copied();
        let room = MAX_WAITING.saturating_sub(self.waiting_count);
        if self.pipes.endpoint(peer).is_none() {
            Some(Reason::PeerUnreachable)
        } else if queued >= MAX_WAITING_PER_PEER || of_ingress.unwrap_or(0) >= room {
            Some(Reason::DialQueueFull)
        } else {
            None
        }
    }

    /// The pipe is up: send what waited for it.
    pub(super) fn release(&mut self, now_ns: u64, peer: PeerIndex) {
        for waited in self.waiting.remove(&peer).unwrap_or_default() {
            self.waiting_count -= 1;
            forget_one(&mut self.waiting_by_ingress, &waited.ingress);
            let Some((header, payload)) = waited.bytes.split_at_checked(waited.header_bytes) else {
                continue;
            };
            let copy = Copy {
                header,
                payload,
                is_covered: waited.is_covered,
                is_packed: waited.is_packed,
                flow: waited.flow,
                ingress: &waited.ingress,
            };
            match self.seal(now_ns, peer, &copy) {
                Ok(bytes) => self.counters.count_waited_copy_sent(bytes),
                Err(reason) => self.counters.count_waited_copy_dropped(reason),
            }
        }
    }

    /// Drop what has waited long enough, and all that waits for `gone`.
    pub(super) fn expire(&mut self, now_ns: u64, gone: Option<PeerIndex>) {
        let Self {
            waiting,
            waiting_by_ingress,
            waiting_count,
            counters,
            ..
        } = self;
        waiting.retain(|peer, copies| {
            while let Some(copy) = copies.front()
                && (copy.until_ns <= now_ns || gone == Some(*peer))
            {
                forget_one(waiting_by_ingress, &copy.ingress);
                copies.pop_front();
                *waiting_count -= 1;
                counters.count_waited_copy_dropped(Reason::PeerUnreachable);
            }
            !copies.is_empty()
        });
    }

    /// When `expire` should be called next.
    pub(super) fn next_deadline_ns(&self) -> Option<u64> {
        self.waiting
            .values()
            .filter_map(|copies| Some(copies.front()?.until_ns))
            .min()
    }
}

fn forget_one(counts: &mut BTreeMap<Address, usize>, ingress: &Address) {
    if let Some(count) = counts.get_mut(ingress) {
        *count -= 1;
        if *count == 0 {
            counts.remove(ingress);
        }
    }
}

/// Emit the packet's header into `header`.
///
/// # Errors
/// `BadHeader`: metadata beyond 255 bytes.
#[inline]
pub(super) fn copy_of<'a>(
    packet: &'a Packet<'_>,
    header: &'a mut [u8],
) -> Result<Copy<'a>, Reason> {
    let length = packet.header.emit(header)?;
    Ok(Copy {
        header: header.get(..length).ok_or(Reason::BadHeader)?,
        payload: packet.payload,
        is_covered: packet.is_covered,
        is_packed: packet.header.protection == Protection::Packed,
        flow: packet.header.connection ^ low_bits(&packet.source.0),
        ingress: &packet.ingress,
    })
}

#[inline]
fn low_bits(address: &[u8; 16]) -> u64 {
    u128::from_le_bytes(*address) as u64 ^ (u128::from_le_bytes(*address) >> 64) as u64
}
