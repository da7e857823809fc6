//! Datagrams come in: opened, parsed, checked against the pipe that they came by, decided.
//!
//! A train is worked on in steps, each over all its packets: first all are opened, then the cache lines
//! of all their decisions are fetched, then each goes its way. So the waits for memory overlap. So it is
//! with datagrams that come singly, of whose pipes not even the keys are in the caches.

use std::net::SocketAddr;

use super::Datapath;
use crate::counters::{Fate, Reason};
use crate::packet::Packet;
use crate::pipes::{Opened, PeerIndex, PeerKind};
use crate::trains::{Depart, MAX_SEGMENTS};
use crate::wire::{Address, CONTROL_SERVICE, DatagramType, Header, Protection};

/// Sessions that stay in the caches by themselves: asking for what is there costs 30 ns.
const IN_CACHES: usize = 256;

/// A packet that was let in, and the key of its decision.
#[derive(Clone, Copy)]
pub(super) struct Admitted<'a> {
    pub(super) packet: Packet<'a>,
    pub(super) key: u128,
    /// As it came.
    header: &'a [u8],
    peer: PeerIndex,
    /// It differs from the one before it in its payload alone.
    is_alike: bool,
}

impl<'a> Admitted<'a> {
    /// The packet behind this one, if it came by the same pipe with the same header: what is known of this one
    /// holds for it as well.
    #[inline]
    fn next_alike(&self, opened: &Opened, datagram: &'a [u8]) -> Option<Self> {
        let header = datagram.get(opened.header.clone())?;
        let is_alike = opened.peer == self.peer
            && opened.is_covered == self.packet.is_covered
            && header == self.header;
        let payload = datagram.get(opened.payload.clone())?;
        is_alike.then_some(Self {
            packet: Packet {
                payload,
                ..self.packet
            },
            is_alike,
            ..*self
        })
    }
}

/// With the length of its datagram.
pub(super) type LetIn<'a> = (Admitted<'a>, usize);

impl Datapath {
    /// Process one datagram from the network; it is decrypted in place. Exactly one fate is counted.
    pub fn handle(&mut self, now_ns: u64, from: SocketAddr, datagram: &mut [u8]) -> Fate {
        let bytes = datagram.len();
        let (fate, header) = match self.open(now_ns, from, datagram) {
            Ok(opened) => {
                let datagram = &*datagram;
                let fate = match self.admit(now_ns, &opened, datagram) {
                    Ok(admitted) => {
                        let way = self.way(now_ns, &admitted);
                        self.pursue_received(now_ns, &admitted.packet, way)
                    }
                    Err(fate) => fate,
                };
                (fate, datagram.get(opened.header).unwrap_or(&[]))
            }
            Err(fate) => (fate, &[][..]),
        };
        self.count(fate, bytes);
        if let Some(log) = &mut self.log {
            log.push(now_ns, bytes, fate, header);
        }
        self.take_in_changes(now_ns);
        fate
    }

    /// Process a train as it was received: datagrams of `segment_bytes` each, the last may be shorter.
    /// Each is counted by its fate, as by `handle`.
    ///
    /// Of what becomes many copies full trains leave by `depart` meanwhile, if there is one.
    pub fn handle_train(
        &mut self,
        now_ns: u64,
        from: SocketAddr,
        train: &mut [u8],
        segment_bytes: usize,
        mut depart: Option<Depart<'_>>,
    ) {
        if self.log.is_some() {
            for datagram in train.chunks_mut(segment_bytes.max(1)) {
                self.handle(now_ns, from, datagram);
            }
            return;
        }
        let mut datagrams = train.chunks_mut(segment_bytes.max(1)).peekable();
        while datagrams.peek().is_some() {
            let mut admitted = [const { None }; MAX_SEGMENTS];
            let mut before = &None;
            for (place, datagram) in admitted.iter_mut().zip(&mut datagrams) {
                *place = self.let_in(now_ns, from, datagram, before);
                before = place;
            }
            self.fetch(&admitted);
            self.pursue_all(now_ns, &admitted, &mut depart);
        }
    }

    /// Process datagrams that came singly, mostly each by another pipe, as by `handle`.
    ///
    /// They are worked on together as those of a train are, and what will be wanted of their pipes is
    /// fetched beforehand: of all to be opened, and then of all to be sealed.
    pub fn handle_singles<'a>(
        &mut self,
        now_ns: u64,
        singles: impl Iterator<Item = (SocketAddr, &'a mut [u8])>,
        mut depart: Option<Depart<'_>>,
    ) {
        let mut singles = singles.peekable();
        while let Some(first) = singles.next() {
            if singles.peek().is_none() {
                // With nobody to share the preparations with it is quicker without them.
                self.handle(now_ns, first.0, first.1);
                return;
            }
            let mut waiting = [const { None }; MAX_SEGMENTS];
            for (place, single) in waiting
                .iter_mut()
                .zip(std::iter::once(first).chain(&mut singles))
            {
                *place = Some(single);
            }
            if self.log.is_some() {
                for (from, datagram) in waiting.into_iter().flatten() {
                    self.handle(now_ns, from, datagram);
                }
                continue;
            }
            let is_ahead = self.departures.pipes.session_count() > IN_CACHES;
            if is_ahead {
                self.fetch_opening(&waiting);
            }
            let mut admitted = [const { None }; MAX_SEGMENTS];
            let mut before = &None;
            for (place, single) in admitted.iter_mut().zip(&mut waiting) {
                if let Some((from, datagram)) = single.take() {
                    *place = self.let_in(now_ns, from, datagram, before);
                }
                before = place;
            }
            self.fetch(&admitted);
            if is_ahead {
                self.fetch_sealing(&admitted);
            }
            self.pursue_all(now_ns, &admitted, &mut depart);
        }
    }

    #[inline]
    fn pursue_all(
        &mut self,
        now_ns: u64,
        admitted: &[Option<LetIn<'_>>],
        depart: &mut Option<Depart<'_>>,
    ) {
        let mut rest = admitted;
        while let [first, others @ ..] = rest {
            let Some((one, bytes)) = first else {
                rest = others;
                continue;
            };
            let way = self.way(now_ns, one);
            if let Some(id) = way {
                if let Some(peer) = self.decisions.plain_way(id) {
                    rest = self.forward_alike(now_ns, peer, rest);
                    continue;
                }
                if self.decisions.is_wide(id) {
                    rest = self.fan_out_alike(now_ns, id, rest, depart);
                    continue;
                }
            }
            rest = others;
            let fate = self.pursue_received(now_ns, &one.packet, way);
            self.count(fate, *bytes);
        }
        self.take_in_changes(now_ns);
    }

    /// Send the first packet to `peer`, and those behind it that are alike; return the others.
    #[inline]
    fn forward_alike<'a, 'b>(
        &mut self,
        now_ns: u64,
        peer: PeerIndex,
        admitted: &'a [Option<LetIn<'b>>],
    ) -> &'a [Option<LetIn<'b>>] {
        let is_alike = |place: &&Option<LetIn<'_>>| {
            place
                .as_ref()
                .is_some_and(|(admitted, _)| admitted.is_alike)
        };
        let count = 1 + admitted.iter().skip(1).take_while(is_alike).count();
        let (alike, others) = admitted.split_at_checked(count).unwrap_or_default();
        let packets = alike.iter().flatten();
        self.departures.send_alike(
            now_ns,
            peer,
            packets.map(|(one, bytes)| (&one.packet, *bytes)),
        );
        others
    }

    /// Open and check one datagram of several; `None` when it has met its fate already.
    #[inline]
    fn let_in<'a>(
        &mut self,
        now_ns: u64,
        from: SocketAddr,
        datagram: &'a mut [u8],
        before: &Option<LetIn<'a>>,
    ) -> Option<LetIn<'a>> {
        let bytes = datagram.len();
        let admitted = match self.open(now_ns, from, datagram) {
            Ok(opened) => {
                let datagram = &*datagram;
                let alike = before
                    .as_ref()
                    .and_then(|(before, _)| before.next_alike(&opened, datagram));
                match alike {
                    Some(alike) => Ok(alike),
                    None => self.admit(now_ns, &opened, datagram),
                }
            }
            Err(fate) => Err(fate),
        };
        match admitted {
            Ok(admitted) => Some((admitted, bytes)),
            Err(fate) => {
                self.count(fate, bytes);
                None
            }
        }
    }

    fn fetch(&self, admitted: &[Option<LetIn<'_>>]) {
        for (one, _) in admitted.iter().flatten() {
            if !one.is_alike {
                self.decisions.fetch(one.key);
            }
        }
    }

    #[inline]
    fn fetch_opening(&self, waiting: &[Option<(SocketAddr, &mut [u8])>]) {
        let pipes = &self.departures.pipes;
        let mut indices = [None; MAX_SEGMENTS];
        for (index, (_, datagram)) in indices.iter_mut().zip(waiting.iter().flatten()) {
            *index = pipes.fetch_opening(datagram);
        }
        for index in indices.into_iter().flatten() {
            pipes.fetch_opened(index);
        }
    }

    #[inline]
    fn fetch_sealing(&self, admitted: &[Option<LetIn<'_>>]) {
        let mut ways = [None; MAX_SEGMENTS];
        for (way, (one, _)) in ways.iter_mut().zip(admitted.iter().flatten()) {
            *way = self.decisions.only_way(one.key);
            if let Some(peer) = *way {
                self.departures.fetch(peer);
            }
        }
        for peer in ways.into_iter().flatten() {
            self.departures.pipes.fetch_sealing(peer);
        }
    }

    #[inline]
    pub(super) fn count(&mut self, fate: Fate, bytes: usize) {
        self.departures.count(fate, bytes);
    }

    /// Open a datagram; else its fate.
    #[inline]
    fn open(&mut self, now_ns: u64, from: SocketAddr, datagram: &mut [u8]) -> Result<Opened, Fate> {
        let pipes = &mut self.departures.pipes;
        match DatagramType::of(datagram) {
            Ok(DatagramType::Data) => pipes.open(now_ns, from, datagram).map_err(Fate::Dropped),
            Ok(_) => Err(pipes.handle_handshake(now_ns, from, datagram)),
            Err(reason) => Err(Fate::Dropped(reason)),
        }
    }

    /// Check an opened packet; else its fate.
    #[inline]
    fn admit<'a>(
        &mut self,
        now_ns: u64,
        opened: &Opened,
        datagram: &'a [u8],
    ) -> Result<Admitted<'a>, Fate> {
        let (mut header, payload) = parse(opened, datagram).map_err(Fate::Dropped)?;
        if header.service == CONTROL_SERVICE {
            let pipes = &mut self.departures.pipes;
            return Err(pipes.handle_control(now_ns, opened, &header, payload));
        }
        let ingress = self.departures.pipes.address(opened.peer);
        let source = match self.check(opened, ingress, &mut header) {
            Ok(source) => source,
            Err(reason) => {
                if reason == Reason::NotAllowed {
                    self.departures.pipes.note_refused(opened.peer);
                }
                return Err(self.refuse(now_ns, ingress, &header, reason));
            }
        };
        if self.role == PeerKind::Host {
            if header.protection == Protection::Packed {
                return Err(Fate::Dropped(Reason::StillPacked));
            }
            let delivered = self.inbox.deliver(ingress, source, &header, payload);
            return Err(delivered.unwrap_or_else(Fate::Dropped));
        }
        let packet = Packet {
            header,
            ingress,
            source,
            payload,
            is_covered: opened.is_covered,
            egress: None,
            arrived_ns: now_ns,
        };
        let question = packet.question();
        match self.decisions.chain_key(&question, packet.is_covered) {
            Ok(key) => Ok(Admitted {
                packet,
                key,
                header: datagram.get(opened.header.clone()).unwrap_or(&[]),
                peer: opened.peer,
                is_alike: false,
            }),
            Err(reason) => Err(self.refuse(now_ns, ingress, &packet.header, reason)),
        }
    }

    /// What the first node checks, and every other; returns the source, which the header then has.
    #[inline]
    fn check(
        &self,
        opened: &Opened,
        ingress: Address,
        header: &mut Header<'_>,
    ) -> Result<Address, Reason> {
        let (kind, is_carried) = self.departures.pipes.standing(opened.peer);
        if !is_carried {
            return Err(Reason::NotAllowed);
        }
        let is_first_node = self.role == PeerKind::Node && kind == PeerKind::Host;
        let source = if is_first_node {
            source_of_host(header, ingress)?
        } else {
            // Set by the first node; later it is that domain's claim.
            header.source.ok_or(Reason::BadHeader)?
        };
        if header.protection.is_none() && !opened.is_covered {
            return Err(Reason::Unprotected);
        }
        if is_first_node && header.protection == Protection::Packed {
            // Nodes compress, for nodes: of a host's own a few bytes would become many at another's.
            return Err(Reason::StillPacked);
        }
        header.source = Some(source);
        if self.role == PeerKind::Node {
            header.hop_limit = header.hop_limit.checked_sub(1).ok_or(Reason::HopLimit)?;
        }
        Ok(source)
    }
}

#[inline]
fn parse<'a>(opened: &Opened, datagram: &'a [u8]) -> Result<(Header<'a>, &'a [u8]), Reason> {
    let header = datagram
        .get(opened.header.clone())
        .ok_or(Reason::BadHeader)?;
    let payload = datagram
        .get(opened.payload.clone())
        .ok_or(Reason::Truncated)?;
    Ok((Header::parse(header)?, payload))
}

/// A host speaks for itself alone, and need not say so.
#[inline]
fn source_of_host(header: &Header<'_>, ingress: Address) -> Result<Address, Reason> {
    match header.source {
        Some(source) if source != ingress => Err(Reason::SourceForged),
        _ => Ok(ingress),
    }
}
