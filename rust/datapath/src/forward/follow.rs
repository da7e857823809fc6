//! What becomes of an opened packet: a decision is followed, or its service is asked.

use super::Datapath;
use super::arrive::Admitted;
use super::departures::copy_of;
use super::services::Fail;
use crate::cache::{Action, EntryId, ServiceIndex};
use crate::counters::{Book, End, Fate, Reason};
use crate::decide::{Decided, Verdict};
use crate::packet::{Changes, OwnedPacket, Packet};
use crate::pipes::PeerIndex;
use crate::queue::WaitingPacket;
use crate::stages::Carried;
use crate::trace::{TraceRecord, Traced};
use crate::wire::{Address, Header};

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
        self.follow(now_ns, packet, verdict, book, position)
    }

    /// What is decided for a packet from the network, if that is all there is to be known: the hot path.
    #[inline]
    pub(super) fn way(&self, now_ns: u64, admitted: &Admitted<'_>) -> Option<EntryId> {
        let id = self.decisions.hit(now_ns, admitted.key);
        id.filter(|_| !admitted.packet.header.is_traced)
    }

    /// Go that way; `None` is found out.
    #[inline]
    pub(super) fn pursue_received(
        &mut self,
        now_ns: u64,
        packet: &Packet<'_>,
        way: Option<EntryId>,
    ) -> Fate {
        match way {
            Some(id) => self.act(now_ns, packet, &Decided::Cached(id), Book::Received),
            None => self.pursue(now_ns, packet, 0, Book::Received),
        }
    }

    /// The same for a verdict that was asked for already; `from` is where the packet stood then.
    pub(super) fn follow(
        &mut self,
        now_ns: u64,
        packet: &Packet<'_>,
        verdict: Verdict,
        book: Book,
        from: usize,
    ) -> Fate {
        let step = self.step(packet, &verdict, from);
        let fate = self.carry_out(now_ns, packet, verdict, book);
        if let Some(step) = step {
            self.trace_step(now_ns, step, fate);
        }
        fate
    }

    fn carry_out(
        &mut self,
        now_ns: u64,
        packet: &Packet<'_>,
        verdict: Verdict,
        book: Book,
    ) -> Fate {
        match verdict {
            Verdict::Decided(decided) => self.act(now_ns, packet, &decided, book),
            Verdict::Missing {
                position,
                service,
                stages,
            } => {
                let mut carried = Carried::of(packet);
                let passed = self
                    .decisions
                    .run_stages(&stages, now_ns, &mut carried, Some(packet));
                let fate = match passed {
                    Ok(()) => {
                        let packet = carried.put_in(packet);
                        self.enqueue(now_ns, &packet, position, service, book)
                    }
                    Err(reason) => Fate::Dropped(reason),
                };
                carried.end(&mut self.decisions.zstd);
                fate
            }
            Verdict::Refused(reason) => Fate::Dropped(reason),
        }
    }

    #[inline]
    fn act(&mut self, now_ns: u64, packet: &Packet<'_>, decided: &Decided, book: Book) -> Fate {
        let mut carried = Carried::of(packet);
        if let Err(reason) =
            self.decisions
                .run_stages_of(decided, now_ns, &mut carried, Some(packet))
        {
            carried.end(&mut self.decisions.zstd);
            return Fate::Dropped(reason);
        }
        if carried.is_changed() {
            let changed = carried.put_in(packet);
            let fate = self.take_action(now_ns, &changed, decided, book);
            carried.end(&mut self.decisions.zstd);
            return fate;
        }
        self.take_action(now_ns, packet, decided, book)
    }

    #[inline]
    fn take_action(
        &mut self,
        now_ns: u64,
        packet: &Packet<'_>,
        decided: &Decided,
        book: Book,
    ) -> Fate {
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
            copies,
            ..
        } = self;
        let Some(entry) = decisions.entry(decided) else {
            return Fate::Dropped(Reason::NoAnswer);
        };
        let is_peer = |address: &Address| departures.pipes.find(address).is_some();
        if let Err(reason) = copies.take(now_ns, packet.ingress, entry.hop_count(), is_peer) {
            return Fate::Dropped(reason);
        }
        let mut header = [0; Header::MAX_BYTES];
        let unchanged = match copy_of(packet, &mut header) {
            Ok(copy) => copy,
            Err(reason) => return Fate::Dropped(reason),
        };
        let is_only = entry.hop_count() == 1;
        let mut fate = Fate::Dropped(Reason::PeerUnreachable);
        let mut guarded = Vec::new();
        for (hop, changes) in entry.hops() {
            if hop.is_guarded {
                let metadata = changes.metadata.map(<[u8]>::to_vec);
                guarded.push((hop.peer, changes.source, changes.connection, metadata));
                continue;
            }
            let sent = departures.send_changed(now_ns, hop.peer, &changes, packet, &unchanged);
            merge(&mut fate, fate_of(sent));
        }
        for (peer, source, connection, metadata) in &guarded {
            let changes = Changes {
                source: *source,
                connection: *connection,
                metadata: metadata.as_deref(),
            };
            if is_only {
                return self.enter_guards(now_ns, packet, *peer, &changes, book);
            }
            let of_copy = self.enter_guards(now_ns, packet, *peer, &changes, Book::Copy);
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
        peer: PeerIndex,
        changes: &Changes<'a>,
        book: Book,
    ) -> Fate {
        let Some(egress) = self.decisions.guarded(peer) else {
            return Fate::Dropped(Reason::ChainBroken);
        };
        let copy = Packet {
            egress: Some(egress),
            ..packet.changed(changes)
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

    /// Put a packet into the queue of the service that has to be asked, or of the node's streams.
    fn enqueue(
        &mut self,
        now_ns: u64,
        packet: &Packet<'_>,
        position: usize,
        index: ServiceIndex,
        book: Book,
    ) -> Fate {
        let Some(service) = self
            .services
            .get_mut(usize::from(index.0))
            .and_then(Option::as_mut)
        else {
            return Fate::Dropped(Reason::ServiceDown);
        };
        if service.is_streams(packet) {
            let Packet {
                header,
                ingress,
                source,
                payload,
                ..
            } = packet;
            let delivered = self.inbox.deliver(*ingress, *source, header, payload);
            return delivered.unwrap_or_else(Fate::Dropped);
        }
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
            });
        for pushed_out in &offer.pushed_out {
            service.count_drop(Reason::SlowPathBusy);
            let end = End::Dropped(Reason::SlowPathBusy);
            self.departures.counters.count_end(pushed_out.book, end);
            if let Some(traced) = Traced::of(&pushed_out.packet.view()) {
                let services = vec![service.config.number];
                let reason = Reason::SlowPathBusy;
                let record = TraceRecord::dropped(traced, now_ns, reason, services);
                self.traces.push(record);
            }
        }
        if offer.is_kept {
            service.missed += 1;
            return Fate::Missed;
        }
        if fail == Fail::Bypass {
            return self.skip(now_ns, packet, position, book);
        }
        service.count_drop(Reason::SlowPathBusy);
        Fate::Dropped(Reason::SlowPathBusy)
    }

    /// Go on without a service that fails open. The guard of a host never does; what the operator has
    /// put before the pipe to a node may.
    fn skip(&mut self, now_ns: u64, packet: &Packet<'_>, position: usize, book: Book) -> Fate {
        let question = packet.question();
        let length = self
            .decisions
            .routes
            .chain(&question)
            .map_or(0, |chain| chain.members.len());
        let is_last = position + 1 >= length;
        match packet.egress {
            Some(egress) if !self.departures.is_node(&egress) => Fate::Dropped(Reason::ServiceDown),
            Some(_) if is_last => self.leave_guards(now_ns, packet),
            None if is_last => Fate::Dropped(Reason::ServiceDown),
            Some(_) | None => self.pursue(now_ns, packet, position + 1, book),
        }
    }
}

#[inline]
pub(super) fn fate_of(sent: Result<(), Reason>) -> Fate {
    match sent {
        Ok(()) => Fate::Forwarded,
        Err(reason) => Fate::Dropped(reason),
    }
}

/// A packet went on if any of its copies did; else it was dropped for the last one's reason.
pub(super) fn merge(fate: &mut Fate, of_copy: Fate) {
    match of_copy {
        Fate::Dropped(reason) if matches!(fate, Fate::Dropped(_)) => *fate = Fate::Dropped(reason),
        Fate::Dropped(_) => {}
        Fate::Forwarded | Fate::Delivered | Fate::Consumed | Fate::Missed => {
            *fate = Fate::Forwarded;
        }
    }
}
