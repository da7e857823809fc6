//! A datagram comes in: opened, parsed, checked against the pipe that it came by.

use std::net::SocketAddr;
use std::ops::Range;

use super::Datapath;
use crate::counters::{Book, Fate, Reason};
use crate::packet::Packet;
use crate::pipes::{Opened, PeerKind};
use crate::wire::{Address, CONTROL_SERVICE, DatagramType, Header, Protection};

impl Datapath {
    /// Process one datagram; also says where in it the plaintext header is now (empty: nowhere).
    #[inline]
    pub(super) fn arrive(
        &mut self,
        now_ns: u64,
        from: SocketAddr,
        datagram: &mut [u8],
    ) -> (Fate, Range<usize>) {
        let pipes = &mut self.departures.pipes;
        match DatagramType::of(datagram) {
            Ok(DatagramType::Data) => match pipes.open(now_ns, from, datagram) {
                Ok(opened) => {
                    let header = opened.header.clone();
                    let fate = self.take_opened(now_ns, &opened, datagram);
                    (fate.unwrap_or_else(Fate::Dropped), header)
                }
                Err(reason) => (Fate::Dropped(reason), 0..0),
            },
            Ok(_) => (pipes.handle_handshake(now_ns, from, datagram), 0..0),
            Err(reason) => (Fate::Dropped(reason), 0..0),
        }
    }

    #[inline]
    fn take_opened(
        &mut self,
        now_ns: u64,
        opened: &Opened,
        datagram: &[u8],
    ) -> Result<Fate, Reason> {
        let header_bytes = datagram
            .get(opened.header.clone())
            .ok_or(Reason::BadHeader)?;
        let header = Header::parse(header_bytes)?;
        let payload = datagram
            .get(opened.payload.clone())
            .ok_or(Reason::Truncated)?;
        let pipes = &mut self.departures.pipes;
        if header.service == CONTROL_SERVICE {
            return Ok(pipes.handle_control(now_ns, opened, &header, payload));
        }
        let ingress = pipes.address(opened.peer);
        let source = match (self.role, pipes.kind(opened.peer)) {
            (PeerKind::Node, PeerKind::Host) => source_of_host(&header, ingress)?,
            // Set by the first node; later it is that domain's claim.
            _ => header.source.ok_or(Reason::BadHeader)?,
        };
        if header.protection == Protection::None && !opened.is_covered {
            return Err(Reason::Unprotected);
        }
        if self.role == PeerKind::Host {
            return self.inbox.deliver(ingress, source, &header, payload);
        }
        let hop_limit = header.hop_limit.checked_sub(1).ok_or(Reason::HopLimit)?;
        let packet = Packet {
            header: Header {
                hop_limit,
                source: Some(source),
                ..header
            },
            ingress,
            source,
            payload,
            is_covered: opened.is_covered,
            egress: None,
        };
        Ok(self.pursue(now_ns, &packet, 0, Book::Received))
    }
}

/// A host speaks for itself alone, and need not say so.
#[inline]
fn source_of_host(header: &Header<'_>, ingress: Address) -> Result<Address, Reason> {
    match header.source {
        Some(source) if source != ingress => Err(Reason::SourceForged),
        _ => Ok(ingress),
    }
}
