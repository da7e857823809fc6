//! What becomes of an opened packet: a decision is followed, or its service is asked.

use super::Datapath;
use super::departures::copy_of;
use super::services::Fail;
use crate::cache::{Action, Hop, ServiceIndex};
use crate::counters::{Book, End, Fate, Reason};
use crate::decide::{Decided, Verdict};
use crate::packet::{OwnedPacket, Packet};
use crate::queue::WaitingPacket;
use crate::trace::{How, TraceRecord};
use crate::wire::Header;

impl Datapath {
    /// Follow what is decided for a packet that stands before the service at `position` of its
    /// chain, or put it into the queue of the service that has to be asked. The caller counts.
    pub(super) fn pursue(
        &mut self,
        now_ns: u64,
        packet: &Packet<'_>,
        position: usize,
        book: Book,
    ) -> Fate {
        let question = packet.question();
        let verdict = self
            .decisions
            .decide(now_ns, &question, position, packet.is_covered);
        self.follow(now_ns, packet, verdict, book, now_ns)
    }

    /// The same for a packet from the network whose key is known: the hot path.
    #[inline]
    pub(super) fn pursue_received(&mut self, now_ns: u64, packet: &Packet<'_>, key: u128) -> Fate {
        match self.decisions.hit(now_ns, key) {
            Some(id) if !packet.header.is_traced => {
                self.act(now_ns, packet, &Decided::Cached(id), Book::Received)
            }
            _ => self.pursue(now_ns, packet, 0, Book::Received),
        }
    }

    /// The same for a verdict that was asked for already.
    pub(super) fn follow(
        &mut self,
        now_ns: u64,
        packet: &Packet<'_>,
        verdict: Verdict,
        book: Book,
        arrived_ns: u64,
    ) -> Fate {
        match verdict {
            Verdict::Decided(decided) if packet.header.is_traced => {
                let mut record = self.trace_of(now_ns, packet, &decided);
                let fate = self.act(now_ns, packet, &decided, book);
                if fate != Fate::Forwarded {
                    record.verdict = fate.word().to_owned();
                }
                self.traces.push(record);
                fate
            }
            Verdict::Decided(decided) => self.act(now_ns, packet, &decided, book),
            Verdict::Missing {
                position,
                service,
                stages,
            } => {
                match self
                    .decisions
                    .run_stages(&stages, now_ns, packet.payload.len())
                {
                    Ok(()) => self.enqueue(now_ns, packet, position, service, book, arrived_ns),
                    Err(reason) => Fate::Dropped(reason),
                }
            }
            Verdict::Refused(reason) => Fate::Dropped(reason),
        }
    }

    #[inline]
    fn act(&mut self, now_ns: u64, packet: &Packet<'_>, decided: &Decided, book: Book) -> Fate {
        let payload_bytes = packet.payload.len();
        if let Err(reason) = self.decisions.run_stages_of(decided, now_ns, payload_bytes) {
            return Fate::Dropped(reason);
        }
        let action = self.decisions.entry(decided).map(|entry| entry.action);
        match action {
            Some(Action::ForwardOne(peer)) => fate_of(self.departures.send(now_ns, peer, packet)),
            Some(Action::Forward) => self.fan_out(now_ns, packet, decided, book),
            Some(Action::Pass) => self.leave_guards(now_ns, packet),
            Some(Action::Discard { service, reason }) => {
                if let Some(service) = self.service(service) {
                    service.count_word(reason);
                }
                Fate::Dropped(Reason::Discarded)
            }
            None => Fate::Dropped(Reason::NoAnswer),
        }
    }

    /// One copy per hop, sealed straight into the trains.
    fn fan_out(&mut self, now_ns: u64, packet: &Packet<'_>, decided: &Decided, book: Book) -> Fate {
        let Self {
            decisions,
            departures,
            ..
        } = self;
        let Some(entry) = decisions.entry(decided) else {
            return Fate::Dropped(Reason::NoAnswer);
        };
        let mut header = [0; Header::MAX_BYTES];
        let unchanged = match copy_of(packet, &mut header) {
            Ok(copy) => copy,
            Err(reason) => return Fate::Dropped(reason),
        };
        let is_only = entry.hop_count() == 1;
        let mut fate = Fate::Dropped(Reason::PeerUnreachable);
        let mut guarded = Vec::new();
        for (hop, metadata) in entry.hops() {
            let sent = match (hop.is_guarded, hop.connection, metadata) {
                (true, ..) => {
                    guarded.push((hop, metadata.map(<[u8]>::to_vec)));
                    continue;
                }
                (false, None, None) => departures.send_copy(now_ns, hop.peer, &unchanged),
                (false, ..) => {
                    let copy = packet.rewritten(hop.connection, metadata);
                    departures.send(now_ns, hop.peer, &copy)
                }
            };
            merge(&mut fate, fate_of(sent));
        }
        for (hop, metadata) in &guarded {
            let metadata = metadata.as_deref();
            if is_only {
                return self.enter_guards(now_ns, packet, hop, metadata, book);
            }
            let of_copy = self.enter_guards(now_ns, packet, hop, metadata, Book::Copy);
            self.departures.counters.count_copy(of_copy);
            merge(&mut fate, of_copy);
        }
        fate
    }

    /// The copy for a hop whose receiver has guards: they are asked first.
    fn enter_guards<'a>(
        &mut self,
        now_ns: u64,
        packet: &Packet<'a>,
        hop: &Hop,
        metadata: Option<&'a [u8]>,
        book: Book,
    ) -> Fate {
        let Some(egress) = self.decisions.guarded(hop.peer) else {
            return Fate::Dropped(Reason::ChainBroken);
        };
        let copy = Packet {
            egress: Some(egress),
            ..packet.rewritten(hop.connection, metadata)
        };
        self.pursue(now_ns, &copy, 0, book)
    }

    /// The last guard passed the packet: it goes to the hop that was guarded.
    pub(super) fn leave_guards(&mut self, now_ns: u64, packet: &Packet<'_>) -> Fate {
        let Some(egress) = packet.egress else {
            return Fate::Dropped(Reason::ChainBroken);
        };
        match self.departures.pipes.find(&egress) {
            Some(peer) => fate_of(self.departures.send(now_ns, peer, packet)),
            None => Fate::Dropped(Reason::PeerUnreachable),
        }
    }

    /// Put a packet into the queue of the service that has to be asked.
    fn enqueue(
        &mut self,
        now_ns: u64,
        packet: &Packet<'_>,
        position: usize,
        index: ServiceIndex,
        book: Book,
        arrived_ns: u64,
    ) -> Fate {
        let Some(service) = self
            .services
            .get_mut(usize::from(index.0))
            .and_then(Option::as_mut)
        else {
            return Fate::Dropped(Reason::ServiceDown);
        };
        let fail = service.config.fail;
        if service.is_down {
            return match fail {
                Fail::Closed => {
                    service.count_drop(Reason::ServiceDown);
                    Fate::Dropped(Reason::ServiceDown)
                }
                Fail::Open | Fail::Bypass => self.skip(now_ns, packet, position, book),
            };
        }
        let bytes = packet.header.metadata.len() + packet.payload.len();
        let offer = service
            .queue
            .offer(packet.ingress, bytes, || WaitingPacket {
                packet: OwnedPacket::new(packet),
                position,
                book,
                arrived_ns,
            });
        for pushed_out in &offer.pushed_out {
            service.count_drop(Reason::SlowPathBusy);
            let end = End::Dropped(Reason::SlowPathBusy);
            self.departures.counters.count_end(pushed_out.book, end);
        }
        if offer.is_kept {
            service.missed += 1;
            if packet.header.is_traced {
                let number = service.config.number;
                self.trace_queued(now_ns, packet, number);
            }
            return Fate::Missed;
        }
        if fail == Fail::Bypass {
            return self.skip(now_ns, packet, position, book);
        }
        service.count_drop(Reason::SlowPathBusy);
        Fate::Dropped(Reason::SlowPathBusy)
    }

    /// Go on without a service that fails open. A guard never does.
    fn skip(&mut self, now_ns: u64, packet: &Packet<'_>, position: usize, book: Book) -> Fate {
        let question = packet.question();
        let length = self
            .decisions
            .routes
            .chain(&question)
            .map_or(0, |chain| chain.members.len());
        if packet.egress.is_some() || position + 1 >= length {
            return Fate::Dropped(Reason::ServiceDown);
        }
        self.pursue(now_ns, packet, position + 1, book)
    }

    fn trace_of(&self, now_ns: u64, packet: &Packet<'_>, decided: &Decided) -> TraceRecord {
        let entry = self.decisions.entry(decided);
        let hop = entry
            .and_then(|entry| entry.hop(0))
            .map(|(hop, _)| hop.peer);
        let first_hop = hop
            .map(|peer| self.departures.pipes.address(peer))
            .or(packet.egress);
        let mut services = Vec::new();
        for part in entry.into_iter().flat_map(|entry| entry.parts()) {
            let service = self.services.get(usize::from(part.service.0));
            services.extend(
                service
                    .and_then(Option::as_ref)
                    .map(|running| running.config.number),
            );
        }
        TraceRecord {
            now_ns,
            source: packet.source,
            service: packet.header.service,
            connection: packet.header.connection,
            how: How::Cached,
            verdict: forwarded_to(&first_hop.unwrap_or_default().0),
            spent_ns: 0,
            services,
        }
    }

    fn trace_queued(&mut self, now_ns: u64, packet: &Packet<'_>, number: u32) {
        self.traces.push(TraceRecord {
            now_ns,
            source: packet.source,
            service: packet.header.service,
            connection: packet.header.connection,
            how: How::Queued,
            verdict: Fate::Missed.word().to_owned(),
            spent_ns: 0,
            services: vec![number],
        });
    }
}

/// A traced packet's verdict when it went on.
pub(super) fn forwarded_to(peer: &[u8]) -> String {
    let mut verdict = "forwarded to ".to_owned();
    for byte in peer {
        verdict.push_str(&format!("{byte:02x}"));
    }
    verdict
}

#[inline]
fn fate_of(sent: Result<(), Reason>) -> Fate {
    match sent {
        Ok(()) => Fate::Forwarded,
        Err(reason) => Fate::Dropped(reason),
    }
}

/// A packet went on if any of its copies did; else it was dropped for the last one's reason.
fn merge(fate: &mut Fate, of_copy: Fate) {
    match of_copy {
        Fate::Dropped(reason) if matches!(fate, Fate::Dropped(_)) => *fate = Fate::Dropped(reason),
        Fate::Dropped(_) => {}
        Fate::Forwarded | Fate::Delivered | Fate::Consumed | Fate::Missed => {
            *fate = Fate::Forwarded;
        }
    }
}
