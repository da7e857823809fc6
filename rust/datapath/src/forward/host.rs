//! Packets of this end's own go out, packets for it come in: a host's, and those of a node's streams.

use std::collections::{HashMap, VecDeque};

use super::Datapath;
use super::departures::copy_of;
use crate::counters::{Fate, Reason};
use crate::packet::Packet;
use crate::pipes::{PeerKind, Pipes};
use crate::wire::{Address, Header, Protection};

/// Hop limit of packets of this end's own.
const HOP_LIMIT: u8 = 64;
/// Packets that may wait for the application, and their bytes.
const MAX_RECEIVED: usize = 8_192;
const MAX_RECEIVED_BYTES: usize = 8 << 20;

/// A packet of this end's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutgoingPacket<'a> {
    /// A peer, mostly one of the host's nodes.
    pub peer: Address,
    /// The service that is to handle it.
    pub service: u32,
    /// Unique for (this host, service).
    pub connection: u64,
    /// At most 255 bytes.
    pub metadata: &'a [u8],
    /// At most 65,000 bytes.
    pub payload: &'a [u8],
    /// How the payload is sealed for the other host.
    pub protection: Protection,
    /// Seal the payload for the pipe too; a must where `protection` is none.
    pub is_covered: bool,
    /// Class of service; 0 is best effort.
    pub class: u16,
    /// Ask each node to keep a record.
    pub is_traced: bool,
}

/// A packet for this end: for a host, or for the streams of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedPacket {
    /// By whose pipe it came.
    pub peer: Address,
    /// The service that handled it.
    pub service: u32,
    /// Whom it speaks for, as its domain claims.
    pub source: Address,
    /// Within (source, service).
    pub connection: u64,
    /// The service's own bytes.
    pub metadata: Vec<u8>,
    /// How the payload is sealed.
    pub protection: Protection,
    /// Nodes kept records.
    pub is_traced: bool,
    /// As its sender sealed it.
    pub payload: Vec<u8>,
}

/// What waits for the application, or for the streams of a node.
pub(super) struct Inbox {
    packets: VecDeque<ReceivedPacket>,
    held: Held,
    /// Of a node, what came by each pipe: one may have as much as is left, and so half of all for itself. All
    /// that comes to a host is its own.
    by_peer: Option<HashMap<Address, Held>>,
}

#[derive(Clone, Copy, Default)]
struct Held {
    packets: usize,
    bytes: usize,
}

impl Held {
    fn add(&mut self, bytes: usize) {
        self.packets += 1;
        self.bytes += bytes;
    }

    fn take(&mut self, bytes: usize) {
        self.packets -= 1;
        self.bytes -= bytes;
    }
}

impl Inbox {
    /// An empty one.
    pub(super) fn new(role: PeerKind) -> Self {
        Self {
            packets: VecDeque::new(),
            held: Held::default(),
            by_peer: (role == PeerKind::Node).then(HashMap::new),
        }
    }

    /// Keep a packet for the application.
    ///
    /// # Errors
    /// `ReceiverBusy`: it does not take them fast enough, or not those of this peer.
    pub(super) fn deliver(
        &mut self,
        peer: Address,
        source: Address,
        header: &Header<'_>,
        payload: &[u8],
    ) -> Result<Fate, Reason> {
        let bytes = header.metadata.len() + payload.len();
        let all = self.held;
        if all.packets >= MAX_RECEIVED || all.bytes + bytes > MAX_RECEIVED_BYTES {
            return Err(Reason::ReceiverBusy);
        }
        if let Some(by_peer) = &mut self.by_peer {
            let own = by_peer.entry(peer).or_default();
            // Who holds nothing always fits, so that none is left here that does.
            if own.packets >= MAX_RECEIVED - all.packets
                || own.bytes + bytes > MAX_RECEIVED_BYTES - all.bytes
            {
                return Err(Reason::ReceiverBusy);
            }
            own.add(bytes);
        }
        self.held.add(bytes);
        self.packets.push_back(ReceivedPacket {
            peer,
            service: header.service,
            source,
            connection: header.connection,
            metadata: header.metadata.to_vec(),
            protection: header.protection,
            is_traced: header.is_traced,
            payload: payload.to_vec(),
        });
        Ok(Fate::Delivered)
    }

    fn take(&mut self) -> Option<ReceivedPacket> {
        let packet = self.packets.pop_front()?;
        let bytes = packet.metadata.len() + packet.payload.len();
        self.held.take(bytes);
        if let Some(by_peer) = &mut self.by_peer
            && let Some(own) = by_peer.get_mut(&packet.peer)
        {
            own.take(bytes);
            if own.packets == 0 {
                by_peer.remove(&packet.peer);
            }
        }
        Some(packet)
    }
}

impl Datapath {
    /// Send a packet of this end's own on the pipe to a peer; it waits if the pipe has to be opened.
    ///
    /// # Errors
    /// `PeerUnreachable`, `DialQueueFull`, `TooBig`, `BadHeader`, `Unprotected`.
    pub fn send(&mut self, now_ns: u64, packet: &OutgoingPacket<'_>) -> Result<(), Reason> {
        let sent = self.try_send(now_ns, packet);
        self.take_in_changes(now_ns);
        sent
    }

    fn try_send(&mut self, now_ns: u64, packet: &OutgoingPacket<'_>) -> Result<(), Reason> {
        if packet.protection.is_none() && !packet.is_covered {
            return Err(Reason::Unprotected);
        }
        let peer = self
            .departures
            .pipes
            .find(&packet.peer)
            .ok_or(Reason::PeerUnreachable)?;
        let own_source = match self.role {
            PeerKind::Host => None,
            PeerKind::Node => Some(self.departures.pipes.own_address()),
        };
        let header = Header {
            hop_limit: HOP_LIMIT,
            class: packet.class,
            service: packet.service,
            connection: packet.connection,
            payload_bytes: u16::try_from(packet.payload.len()).map_err(|_| Reason::TooBig)?,
            protection: packet.protection,
            // The node at the other end knows whose pipe a host's is.
            source: own_source,
            metadata: packet.metadata,
            is_traced: packet.is_traced,
        };
        let own = Packet {
            header,
            ingress: Address::default(),
            source: Address::default(),
            payload: packet.payload,
            is_covered: packet.is_covered,
            egress: None,
            arrived_ns: now_ns,
        };
        let mut header = [0; Header::MAX_BYTES];
        let copy = copy_of(&own, &mut header)?;
        // The first node adds a host's source, and would have to drop what then does not fit.
        let header_bytes = match own_source {
            None => copy.header.len() + size_of::<Address>(),
            Some(_) => copy.header.len(),
        };
        let pipes = &self.departures.pipes;
        if !pipes.fits(header_bytes, packet.payload.len(), packet.is_covered) {
            return Err(Reason::TooBig);
        }
        self.departures.send_copy(now_ns, peer, &copy)
    }

    /// Whether there is a packet for this end.
    pub fn has_received(&self) -> bool {
        !self.inbox.packets.is_empty()
    }

    /// The oldest packet for this end.
    pub fn take_received(&mut self) -> Option<ReceivedPacket> {
        self.inbox.take()
    }

    /// Send a control message on the pipe to a peer (hosts, and a node's own services;
    /// modules use effects).
    ///
    /// # Errors
    /// `PeerUnreachable`, `TooBig`, `DialQueueFull`, `BadControl`.
    pub fn send_control(
        &mut self,
        now_ns: u64,
        peer: &Address,
        service: u32,
        message: &[u8],
    ) -> Result<(), Reason> {
        let pipes: &mut Pipes = &mut self.departures.pipes;
        let peer = pipes.find(peer).ok_or(Reason::PeerUnreachable)?;
        pipes.send_control(now_ns, peer, service, message)?;
        if !pipes.is_up(peer) {
            pipes.dial(now_ns, peer);
        }
        self.take_in_changes(now_ns);
        Ok(())
    }

    /// Whether this end is a host.
    pub fn is_host(&self) -> bool {
        self.role == PeerKind::Host
    }
}
