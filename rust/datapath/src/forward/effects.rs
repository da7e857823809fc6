//! What a worker answered, applied: first decisions, then packets (law 4).

use super::Datapath;
use super::check::{self, Refused};
use super::follow::{fate_of, merge};
use super::lanes::LaneMessage;
use super::peers::Notice;
use super::services::Handed;
use crate::cache::ServiceIndex;
use crate::codec::{self, Answer, CodecError, Effect, EffectBatch, StageList};
use crate::counters::{Book, Fate, Reason};
use crate::decide::InstallError;
use crate::packet::Packet;
use crate::pipes::PeerIndex;
use crate::queue::News;
use crate::stages::Carried;
use crate::wire::Address;

/// What the packets of one answer have in common.
struct Sending<'a> {
    /// When the packet came that is answered.
    arrived_ns: u64,
    /// What became of them, if there were any.
    fate: Option<Fate>,
    /// Stages that ran already, on which payload, and what they said: copies of one packet run them
    /// once, as those of a decision do.
    stages: &'a [u8],
    payload: &'a [u8],
    verdict: Option<Result<(), Reason>>,
    /// What they made of it.
    carried: Option<Carried<'a>>,
}

impl Sending<'_> {
    /// `packet` as its stages, which have run, left it.
    fn changed<'b>(&'b self, packet: &Packet<'b>, stages: &StageList<'_>) -> Packet<'b> {
        match &self.carried {
            Some(carried) if !stages.stages.is_empty() => carried.put_in(packet),
            _ => *packet,
        }
    }
}

impl Datapath {
    /// Apply an `EffectBatch` of a service's worker. A refused effect is counted (`effect_refused`),
    /// never fatal.
    ///
    /// # Errors
    /// The bytes are not a batch that is due; nothing of it was applied, and the worker should be
    /// treated as lost.
    pub fn put_effects(
        &mut self,
        now_ns: u64,
        number: u32,
        bytes: &[u8],
    ) -> Result<(), CodecError> {
        let batch = EffectBatch::decode(bytes)?;
        let unknown = CodecError::UnknownService { service: number };
        let index = self.decisions.routes.index(number).ok_or(unknown)?;
        let items = self.items_of(now_ns, index, &batch)?;
        let mut items = items.into_iter();
        for answer in &batch.answers {
            let handed = items.next();
            let traced = match &handed {
                Some(Handed::Packet { trace, .. }) => *trace,
                Some(Handed::Control(_) | Handed::News) => None,
                None => self.released(index, answer),
            };
            let place = self.traces.made();
            let arrived_ns = traced.map_or(now_ns, |traced| traced.arrived_ns);
            let refused = self.departures.counters.effects_refused;
            let sent = self.apply(now_ns, index, batch.epoch, answer, arrived_ns);
            let is_refused = self.departures.counters.effects_refused > refused;
            if is_refused
                && handed.is_some()
                && let Some(service) = self.service(index)
            {
                service.batches.failed += 1;
            }
            if let Some(traced) = traced {
                self.trace_decided(now_ns, place, index, traced, answer, sent);
            }
            match handed {
                Some(handed) => self.end(index, handed, answer),
                None => self.end_held(index, answer),
            }
        }
        self.take_in_changes(now_ns);
        Ok(())
    }

    /// What the batch answers: the items of the oldest outstanding one, or nothing.
    fn items_of(
        &mut self,
        now_ns: u64,
        index: ServiceIndex,
        batch: &EffectBatch<'_>,
    ) -> Result<Vec<Handed>, CodecError> {
        if batch.sequence == 0 {
            return Ok(Vec::new());
        }
        let oldest = self
            .service(index)
            .and_then(|service| service.outstanding.front());
        let expected = oldest.map_or(0, |oldest| oldest.sequence);
        if expected != batch.sequence {
            return Err(CodecError::WrongSequence {
                expected,
                found: batch.sequence,
            });
        }
        let items = oldest.map_or(0, |oldest| oldest.items.len());
        let answers = batch.answers.len();
        if answers < items {
            return Err(CodecError::TooFewAnswers { items, answers });
        }
        let Some(service) = self.service(index) else {
            return Ok(Vec::new());
        };
        let Some(oldest) = service.outstanding.pop_front() else {
            return Ok(Vec::new());
        };
        let spent_ns = now_ns.saturating_sub(oldest.handed_ns);
        service.batches.note_answered(oldest.items.len(), spent_ns);
        Ok(oldest.items)
    }

    /// Apply the effects of one answer; returns what became of the packets that it sends.
    fn apply(
        &mut self,
        now_ns: u64,
        index: ServiceIndex,
        epoch: u64,
        answer: &Answer<'_>,
        arrived_ns: u64,
    ) -> Option<Fate> {
        let is_first = |effect: &&Effect<'_>| {
            matches!(
                effect,
                Effect::Install(_) | Effect::Revoke { .. } | Effect::KeepDictionary { .. }
            )
        };
        for effect in answer.effects.iter().filter(is_first) {
            let applied = match effect {
                Effect::Install(decision) => self.install(now_ns, index, epoch, decision),
                Effect::Revoke { tag } => self.revoke(index, tag),
                Effect::KeepDictionary { object, dictionary } => {
                    self.keep_dictionary(index, object, dictionary)
                }
                _ => Ok(()),
            };
            self.count_refused(applied);
        }
        let mut sending = Sending {
            arrived_ns,
            fate: None,
            stages: &[],
            payload: &[],
            verdict: None,
            carried: None,
        };
        for effect in answer.effects.iter().filter(|effect| !is_first(effect)) {
            let applied = self.apply_other(now_ns, index, effect, &mut sending);
            self.count_refused(applied);
        }
        if let Some(carried) = sending.carried {
            carried.end(&mut self.decisions.zstd);
        }
        sending.fate
    }

    fn apply_other<'a>(
        &mut self,
        now_ns: u64,
        index: ServiceIndex,
        effect: &Effect<'a>,
        sending: &mut Sending<'a>,
    ) -> Result<(), Refused> {
        match effect {
            Effect::Send { packet, to, stages } => {
                let sent = self.send_for(now_ns, index, packet, to, stages, sending);
                self.note_sent(sent, sending)
            }
            Effect::Pass { packet, stages } => {
                let passed = self.pass_on(now_ns, index, packet, stages, sending);
                self.note_sent(passed, sending)
            }
            Effect::SendControl { message, to } => self.control(now_ns, index, message, to),
            Effect::Resolve { query } => self.resolve(index, query),
            Effect::Count { name, amount } => {
                let amount = check::amount(*amount)?;
                let counted = self
                    .service(index)
                    .is_some_and(|one| one.count(name, amount));
                if counted { Ok(()) } else { Err(Refused) }
            }
            Effect::ReadTally { object } => self.read_tally(index, object),
            Effect::SendKept {
                object,
                names,
                to,
                metadata,
            } => self.send_kept(now_ns, index, &check::kept(object, names, to, metadata)?),
            // Applied before.
            Effect::Install(_) | Effect::Revoke { .. } | Effect::KeepDictionary { .. } => Ok(()),
        }
    }

    fn install(
        &mut self,
        now_ns: u64,
        index: ServiceIndex,
        epoch: u64,
        asked: &codec::Decision<'_>,
    ) -> Result<(), Refused> {
        let service = self
            .services
            .get(usize::from(index.0))
            .and_then(Option::as_ref);
        let service = service.ok_or(Refused)?;
        let new = check::decision(asked, index, service, &self.departures.pipes, epoch)?;
        match self.decisions.install(now_ns, &new) {
            Ok(()) => Ok(()),
            Err(InstallError::Stale) => {
                self.departures.counters.stale_decisions += 1;
                Ok(())
            }
            Err(
                InstallError::NotInChain | InstallError::GuardForwards | InstallError::NoObjects,
            ) => Err(Refused),
        }
    }

    fn revoke(&mut self, index: ServiceIndex, tag: &[u8]) -> Result<(), Refused> {
        let tag = check::tag(tag)?;
        self.decisions.revoke(index, tag);
        let service = self
            .service(index)
            .map_or(0, |service| service.config.number);
        self.tell_lanes(|| LaneMessage::Revoked {
            service,
            tag: tag.to_vec(),
        });
        Ok(())
    }

    fn keep_dictionary(
        &mut self,
        index: ServiceIndex,
        object: &[u8],
        dictionary: &[u8],
    ) -> Result<(), Refused> {
        let object = check::object(object)?;
        if !self.decisions.keep_dictionary(index, object, dictionary) {
            return Err(Refused);
        }
        let service = self
            .service(index)
            .map_or(0, |service| service.config.number);
        self.tell_lanes(|| LaneMessage::Dictionary {
            service,
            object: object.to_vec(),
            dictionary: dictionary.to_vec(),
        });
        Ok(())
    }

    /// `SendPacket`: the copy is counted here unless it is refused.
    fn send_for<'a>(
        &mut self,
        now_ns: u64,
        index: ServiceIndex,
        asked: &codec::Packet<'a>,
        to: &[u8],
        stages: &StageList<'a>,
        sending: &mut Sending<'a>,
    ) -> Result<Fate, Refused> {
        let packet = check::packet(asked, sending.arrived_ns)?;
        let peer = check::peer(to, &self.departures.pipes)?;
        let to = check::address(to)?;
        if let Err(reason) = self.may_leave(now_ns, index, &packet, stages, sending)? {
            self.departures.counters.count_dropped_copy(reason);
            return Ok(Fate::Dropped(reason));
        }
        let packet = sending.changed(&packet, stages);
        Ok(self.leave_for(now_ns, index, packet, peer, to))
    }

    /// Send to a peer, past its guards.
    pub(super) fn leave_for(
        &mut self,
        now_ns: u64,
        index: ServiceIndex,
        mut packet: Packet<'_>,
        peer: PeerIndex,
        to: Address,
    ) -> Fate {
        let service = packet.header.service;
        if !self.decisions.routes.is_guarded(service, &to) {
            return fate_of(self.departures.send(now_ns, peer, &packet));
        }
        let came_from = packet.egress.replace(to);
        if came_from.is_some_and(|egress| egress != to) {
            // Guards that send to each other's hosts end by the hop limit.
            match packet.header.hop_limit.checked_sub(1) {
                Some(hop_limit) => packet.header.hop_limit = hop_limit,
                None => {
                    self.departures
                        .counters
                        .count_dropped_copy(Reason::HopLimit);
                    return Fate::Dropped(Reason::HopLimit);
                }
            }
        }
        self.pass_beyond(now_ns, index, &packet)
    }

    /// `PassPacket`: on to the next of the chain.
    fn pass_on<'a>(
        &mut self,
        now_ns: u64,
        index: ServiceIndex,
        asked: &codec::Packet<'a>,
        stages: &StageList<'a>,
        sending: &mut Sending<'a>,
    ) -> Result<Fate, Refused> {
        let packet = check::packet(asked, sending.arrived_ns)?;
        let chain = self
            .decisions
            .routes
            .chain(&packet.question())
            .ok_or(Refused)?;
        chain.position(index).ok_or(Refused)?;
        match self.may_leave(now_ns, index, &packet, stages, sending)? {
            Ok(()) => {
                let packet = sending.changed(&packet, stages);
                Ok(self.pass_beyond(now_ns, index, &packet))
            }
            Err(reason) => {
                self.departures.counters.count_dropped_copy(reason);
                Ok(Fate::Dropped(reason))
            }
        }
    }

    /// Go on behind the service in the packet's chain, or at its start if the service is not in it;
    /// at the end of a host's guards, to the host.
    fn pass_beyond(&mut self, now_ns: u64, index: ServiceIndex, packet: &Packet<'_>) -> Fate {
        let chain = self.decisions.routes.chain(&packet.question());
        let next = chain
            .and_then(|chain| chain.position(index))
            .map_or(0, |at| at + 1);
        let length = chain.map_or(0, |chain| chain.members.len());
        let fate = if next < length {
            self.pursue(now_ns, packet, next, Book::Copy)
        } else {
            self.leave_guards(now_ns, packet)
        };
        self.departures.counters.count_copy(fate);
        fate
    }

    /// Protection and stages of a packet that a service sends or hands on.
    fn may_leave<'a>(
        &mut self,
        now_ns: u64,
        index: ServiceIndex,
        packet: &Packet<'a>,
        stages: &StageList<'a>,
        sending: &mut Sending<'a>,
    ) -> Result<Result<(), Reason>, Refused> {
        if packet.header.protection.is_none() && !packet.is_covered {
            return Ok(Err(Reason::Unprotected));
        }
        if stages.stages.is_empty() {
            return Ok(Ok(()));
        }
        if let Some(verdict) = sending.verdict
            && sending.stages == stages.bytes
            && sending.payload == packet.payload
        {
            return Ok(verdict);
        }
        check::stages(stages)?;
        let resolved = self.decisions.resolve_stages(index, &stages.stages, now_ns);
        let resolved = resolved.ok_or(Refused)?;
        let mut carried = Carried::of(packet);
        let verdict = self
            .decisions
            .run_stages(&resolved, now_ns, &mut carried, Some(packet));
        if let Some(before) = sending.carried.replace(carried) {
            before.end(&mut self.decisions.zstd);
        }
        sending.stages = stages.bytes;
        sending.payload = packet.payload;
        sending.verdict = Some(verdict);
        Ok(verdict)
    }

    fn control(
        &mut self,
        now_ns: u64,
        index: ServiceIndex,
        message: &[u8],
        to: &[u8],
    ) -> Result<(), Refused> {
        let message = check::message(message)?;
        let peer = check::peer(to, &self.departures.pipes)?;
        let service = self
            .service(index)
            .map_or(0, |service| service.config.number);
        if self.lane != 0 {
            let peer = self.departures.pipes.address(peer);
            let message = message.to_vec();
            self.tell_lanes(|| LaneMessage::SendControl {
                peer,
                service,
                message,
            });
            return Ok(());
        }
        let sent = self
            .departures
            .pipes
            .send_control(now_ns, peer, service, message);
        if sent == Ok(()) && !self.departures.pipes.is_up(peer) {
            self.departures.pipes.dial(now_ns, peer);
        }
        sent.map_err(|_| Refused)
    }

    fn resolve(&mut self, index: ServiceIndex, query: &[u8]) -> Result<(), Refused> {
        let query = check::query(query)?.to_vec();
        let service = self
            .service(index)
            .map_or(0, |service| service.config.number);
        let is_asked = self.peers.notify(Notice::ResolveWanted { service, query });
        if is_asked { Ok(()) } else { Err(Refused) }
    }

    fn read_tally(&mut self, index: ServiceIndex, object: &[u8]) -> Result<(), Refused> {
        let object = check::object(object)?;
        let objects = self.decisions.objects(index).ok_or(Refused)?;
        let tally = objects.read_tally(object);
        let news = News::TallyRead {
            object: object.to_vec(),
            packets: tally.packets,
            payload_bytes: tally.payload_bytes,
        };
        let is_told = self
            .service(index)
            .is_some_and(|service| service.queue.push_news(news));
        if is_told { Ok(()) } else { Err(Refused) }
    }

    fn count_refused(&mut self, applied: Result<(), Refused>) {
        if applied == Err(Refused) {
            self.departures.counters.effects_refused += 1;
        }
    }

    fn note_sent(
        &mut self,
        sent: Result<Fate, Refused>,
        sending: &mut Sending<'_>,
    ) -> Result<(), Refused> {
        let fate = sent.unwrap_or(Fate::Dropped(Reason::EffectRefused));
        merge(sending.fate.get_or_insert(fate), fate);
        if sent == Err(Refused) {
            self.departures
                .counters
                .count_dropped_copy(Reason::EffectRefused);
        }
        sent.map(|_| ())
    }
}
