//! Service 1 of a pipe: heartbeats, probes, and the reliable control channel.

use std::net::SocketAddr;

use super::{ControlMessage, Opened, PeerIndex, Pipes};
use crate::control::{ControlHeader, ControlReceipt, Signal};
use crate::counters::{Fate, Reason};
use crate::pipe::Session;
use crate::wire::{CONTROL_SERVICE, Header, Protection};

/// A probe older than this when answered measures nothing.
const OLDEST_PROBE_NS: u64 = 60_000_000_000;
/// What a control packet adds around its fragment: prefix, header, metadata, padding, tag.
const OVERHEAD_BYTES: usize = 16 + 20 + ControlHeader::BYTES + 15 + 16;
/// Fragments while the pipe's size is not known yet.
const UNKNOWN_DATAGRAM_BYTES: usize = 1_200;

impl Pipes {
    /// Process a packet of service 1 that `open` returned.
    pub fn handle_control(
        &mut self,
        now_ns: u64,
        opened: &Opened,
        header: &Header<'_>,
        payload: &[u8],
    ) -> Fate {
        self.clock_ns = self.clock_ns.max(now_ns);
        self.take_control_packet(now_ns, opened, header, payload)
            .map_or_else(Fate::Dropped, |()| Fate::Consumed)
    }

    fn take_control_packet(
        &mut self,
        now_ns: u64,
        opened: &Opened,
        header: &Header<'_>,
        payload: &[u8],
    ) -> Result<(), Reason> {
        if !opened.is_covered || header.service != CONTROL_SERVICE || !self.is_first_lane() {
            return Err(Reason::BadControl);
        }
        let control_header = ControlHeader::parse(header.metadata).ok_or(Reason::BadControl)?;
        let peer = opened.peer;
        let pipe = self.pipe_mut(peer).ok_or(Reason::UnknownPipe)?;
        if let Some(control) = &mut pipe.control {
            control.take_acknowledgement(now_ns, control_header.acknowledged);
        }
        if control_header.is_signal() {
            let signal = Signal::parse(payload).ok_or(Reason::BadControl)?;
            self.take_signal(now_ns, opened, signal);
        } else {
            self.take_fragment(now_ns, peer, &control_header, payload)?;
        }
        self.flush_control(now_ns, peer);
        self.rearm(now_ns, peer);
        Ok(())
    }

    fn take_signal(&mut self, now_ns: u64, opened: &Opened, signal: Signal) {
        let (peer, from) = (opened.peer, opened.from);
        match signal {
            Signal::Beat => {}
            Signal::Close => {
                let current = self.pipe(peer).and_then(|pipe| pipe.current);
                // Under an earlier key it comes late: the pipe that it ended is there again.
                if current == Some(opened.pipe) {
                    self.end_pipe(now_ns, peer);
                }
            }
            Signal::Probe { token } => {
                self.send_signal(now_ns, peer, Signal::Answer { token }, Some(from));
            }
            Signal::Answer { token } => {
                self.take_challenge_answer(peer, token, from);
                let sent_ns = token ^ self.boot;
                let Some(pipe) = self.pipe_mut(peer) else {
                    return;
                };
                if sent_ns <= now_ns && now_ns - sent_ns < OLDEST_PROBE_NS {
                    pipe.rtt.add(now_ns - sent_ns);
                    pipe.measured_ns = now_ns;
                }
            }
        }
    }

    fn take_fragment(
        &mut self,
        now_ns: u64,
        peer: PeerIndex,
        header: &ControlHeader,
        payload: &[u8],
    ) -> Result<(), Reason> {
        let pipe = self.pipe_mut(peer).ok_or(Reason::UnknownPipe)?;
        let control = pipe.control.get_or_insert_with(Box::default);
        let taken = control.take_fragment(now_ns, header, payload);
        let complete: Vec<_> = std::iter::from_fn(|| control.take_message()).collect();
        for (service, message, sequence, generation) in complete {
            let receipt = ControlReceipt {
                peer,
                sequence,
                generation,
            };
            self.messages.push_back(ControlMessage {
                peer,
                service,
                message,
                receipt,
            });
        }
        taken
    }

    /// Send a message on the pipe's control channel: reliable, in order, at most 64 KiB.
    ///
    /// # Errors
    /// `TooBig`; `BadControl` for service 0 or on another lane than 0; `PeerUnreachable` for a peer that
    /// is not known; `DialQueueFull` when 1 MiB waits.
    pub fn send_control(
        &mut self,
        now_ns: u64,
        peer: PeerIndex,
        service: u32,
        message: &[u8],
    ) -> Result<(), Reason> {
        if service == 0 || !self.is_first_lane() {
            return Err(Reason::BadControl);
        }
        self.clock_ns = self.clock_ns.max(now_ns);
        let pipe = self.pipe_mut(peer).ok_or(Reason::PeerUnreachable)?;
        let datagram_bytes = match pipe.max_datagram_bytes() {
            0 => UNKNOWN_DATAGRAM_BYTES,
            known => known,
        };
        let control = pipe.control.get_or_insert_with(Box::default);
        control.push(
            service,
            message,
            datagram_bytes.saturating_sub(OVERHEAD_BYTES),
        )?;
        self.flush_control(now_ns, peer);
        self.rearm(now_ns, peer);
        Ok(())
    }

    /// The next control message that came in, in order per peer.
    pub fn take_control(&mut self) -> Option<ControlMessage> {
        self.messages.pop_front()
    }

    /// What the message asked for is done (or will never be): tell the sender. A message is
    /// acknowledged only after this, and after all that came before it from the same peer.
    pub fn commit_control(&mut self, receipt: ControlReceipt) {
        let now_ns = self.clock_ns;
        let Some(pipe) = self.pipe_mut(receipt.peer) else {
            return;
        };
        let Some(control) = &mut pipe.control else {
            return;
        };
        control.commit(now_ns, receipt.sequence, receipt.generation);
        self.flush_control(now_ns, receipt.peer);
        self.rearm(now_ns, receipt.peer);
    }

    /// Send the fragments that are due, as far as the window goes, and what is to be acknowledged.
    pub(super) fn flush_control(&mut self, now_ns: u64, peer: PeerIndex) {
        loop {
            let Some(pipe) = self.pipe_mut(peer) else {
                return;
            };
            if !pipe.is_up {
                return;
            }
            let timeout_ns = pipe.rtt.timeout_ns();
            let Some(control) = &mut pipe.control else {
                return;
            };
            let Some((header, payload)) = control.next_due(now_ns, timeout_ns) else {
                if control.is_acknowledgement_due(now_ns) {
                    self.send_signal(now_ns, peer, Signal::Beat, None);
                }
                return;
            };
            // It waits for its acknowledgement as data waits for an answer: else it would be sent again for
            // ever to a peer that is gone, and keep the keepalive from finding that out.
            pipe.unanswered_ns = pipe.unanswered_ns.min(now_ns);
            self.send_own(now_ns, peer, &header, &payload, None);
        }
    }

    /// End the pipe to a peer, and tell it: it need not find out by our silence. Either end may open
    /// another one.
    pub fn close_peer(&mut self, now_ns: u64, peer: PeerIndex) {
        self.clock_ns = self.clock_ns.max(now_ns);
        self.send_signal(now_ns, peer, Signal::Close, None);
        if let Some(pipe) = self.pipe_mut(peer) {
            pipe.is_wanted = false;
        }
        self.end_pipe(now_ns, peer);
        self.rearm(now_ns, peer);
    }

    /// Seal nothing more under the pipe's key, and never use the next; what is under way may still be
    /// opened for a while.
    fn end_pipe(&mut self, now_ns: u64, peer: PeerIndex) {
        self.end_dialling(peer);
        let Some(pipe) = self.pipe_mut(peer) else {
            return;
        };
        if let Some(next) = pipe.next.take() {
            self.retire(next.index);
        }
        let Some(pipe) = self.pipe_mut(peer) else {
            return;
        };
        let Some(current) = pipe.current.take() else {
            return;
        };
        let stale = pipe.previous.replace(current);
        pipe.retire_previous_ns = now_ns.saturating_add(super::upkeep::PREVIOUS_KEY_NS);
        if let Some(stale) = stale {
            self.retire(stale);
        }
        self.went_down(now_ns, peer);
    }

    /// Ask the peer for a sign of life, which also measures the round trip.
    pub(super) fn send_probe(&mut self, now_ns: u64, peer: PeerIndex) {
        let token = now_ns ^ self.boot;
        if let Some(pipe) = self.pipe_mut(peer)
            && pipe.unanswered_ns == crate::pipe::NEVER_NS
        {
            pipe.unanswered_ns = now_ns;
        }
        self.send_signal(now_ns, peer, Signal::Probe { token }, None);
    }

    pub(super) fn send_signal(
        &mut self,
        now_ns: u64,
        peer: PeerIndex,
        signal: Signal,
        to: Option<SocketAddr>,
    ) {
        let Some(pipe) = self.pipe_mut(peer) else {
            return;
        };
        let control = pipe.control.as_mut();
        let acknowledged = control.map_or(0, |control| control.acknowledge());
        let header = ControlHeader {
            service: 0,
            sequence: 0,
            acknowledged,
            has_more: false,
        };
        self.send_own(now_ns, peer, &header, &signal.emit(), to);
    }

    /// Seal a packet of service 1, covered, and put it out.
    fn send_own(
        &mut self,
        now_ns: u64,
        peer: PeerIndex,
        control_header: &ControlHeader,
        payload: &[u8],
        to: Option<SocketAddr>,
    ) {
        let metadata = control_header.emit();
        let header = Header {
            hop_limit: 1,
            class: 0,
            service: CONTROL_SERVICE,
            connection: 0,
            payload_bytes: payload.len() as u16,
            protection: Protection::None,
            source: None,
            metadata: &metadata,
            is_traced: false,
        };
        let mut header_bytes = [0; Header::MIN_BYTES + ControlHeader::BYTES];
        if header.emit(&mut header_bytes).is_err() {
            return;
        }
        let Some(pipe) = self.peers.get_mut(peer.0) else {
            return;
        };
        let Some(index) = pipe.current else {
            return;
        };
        let Some(endpoint) = to.or(pipe.endpoint) else {
            return;
        };
        let Some((_, _, session)) = self.sessions.find(index) else {
            return;
        };
        let mut datagram = vec![0; Session::sealed_bytes(header_bytes.len(), payload.len(), true)];
        // An expired key sends nothing, and the pipe goes down by its own timer; as far as the next
        // heartbeat is concerned this was one.
        pipe.last_sent_ns = now_ns;
        if let Ok(bytes) = session.seal(
            now_ns,
            &self.limits,
            &header_bytes,
            payload,
            true,
            &mut datagram,
        ) {
            let unanswered_ns = pipe.unanswered_ns;
            let _ = pipe.note_sent(now_ns, bytes);
            pipe.unanswered_ns = unanswered_ns;
            self.outgoing.push_back((endpoint, datagram));
        }
    }
}
