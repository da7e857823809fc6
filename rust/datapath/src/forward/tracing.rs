//! The records that traced packets leave, one for each step; see `trace`.

use super::Datapath;
use crate::cache::{Action, ServiceIndex};
use crate::codec::{self, Answer, Effect, Outcome};
use crate::counters::{Fate, Reason};
use crate::decide::{Decided, Verdict};
use crate::packet::Packet;
use crate::trace::{How, TraceRecord, Traced};
use crate::wire::{Address, Header};

/// What is known of a step before it is taken.
pub(super) struct Step {
    /// How many records there were.
    place: u64,
    packet: Traced,
    services: Vec<u32>,
    says: Says,
}

enum Says {
    /// A decision: where the first copy goes.
    Forward(Address),
    /// A decision: to drop it, for a reason of its service.
    Discard(String),
    /// There is none.
    Nothing,
}

impl Datapath {
    /// The oldest trace record.
    pub fn take_trace(&mut self) -> Option<TraceRecord> {
        self.traces.take()
    }

    /// Whether packets were traced since the last `stamp_traces`.
    #[inline]
    pub fn has_fresh_traces(&self) -> bool {
        self.traces.has_fresh()
    }

    /// What was traced since the last call was done by `now_ns`. Within a batch the datapath knows no
    /// other time than that of the batch, so without this a cached decision seems to take none.
    pub fn stamp_traces(&mut self, now_ns: u64) {
        self.traces.stamp(now_ns);
    }

    /// A packet from the network was let in by its pipe and refused by what its header says.
    #[cold]
    pub(super) fn refuse(
        &mut self,
        now_ns: u64,
        ingress: Address,
        header: &Header<'_>,
        reason: Reason,
    ) -> Fate {
        if header.is_traced {
            let packet = Traced {
                source: header.source.unwrap_or(ingress),
                service: header.service,
                connection: header.connection,
                arrived_ns: now_ns,
                ingress,
            };
            let record = TraceRecord::dropped(packet, now_ns, reason, Vec::new());
            self.traces.push(record);
        }
        Fate::Dropped(reason)
    }

    /// The step of a traced packet that stands before the service at `from` of its chain.
    pub(super) fn step(&self, packet: &Packet<'_>, verdict: &Verdict, from: usize) -> Option<Step> {
        let traced = Traced::of(packet)?;
        let (services, says) = match verdict {
            Verdict::Decided(decided) => self.say(packet, decided),
            Verdict::Missing { position, .. } => {
                let chain = self.decisions.routes.chain(&packet.question());
                let members = chain.and_then(|chain| chain.members.get(from..=*position));
                let numbers = members.unwrap_or_default().iter().map(|one| one.number);
                (numbers.collect(), Says::Nothing)
            }
            Verdict::Refused(_) => (Vec::new(), Says::Nothing),
        };
        Some(Step {
            place: self.traces.made(),
            packet: traced,
            services,
            says,
        })
    }

    fn say(&self, packet: &Packet<'_>, decided: &Decided) -> (Vec<u32>, Says) {
        let Some(entry) = self.decisions.entry(decided) else {
            return (Vec::new(), Says::Nothing);
        };
        let running = |index: ServiceIndex| {
            let service = self.services.get(usize::from(index.0));
            Some(&service?.as_ref()?.config)
        };
        let numbers = entry
            .parts()
            .filter_map(|part| Some(running(part.service)?.number));
        let says = match entry.action {
            Action::Discard { service, reason } => {
                let words = running(service).map(|config| config.drop_reasons.as_slice());
                let word = words.and_then(|words| words.get(usize::from(reason)));
                Says::Discard(word.cloned().unwrap_or_default())
            }
            Action::ForwardOne(_) | Action::Forward | Action::Pass => {
                let hop = entry.hop(0).map(|(hop, _)| hop.peer);
                let first = hop.map(|peer| self.departures.pipes.address(peer));
                Says::Forward(first.or(packet.egress).unwrap_or_default())
            }
        };
        (numbers.collect(), says)
    }

    /// The step was taken.
    pub(super) fn trace_step(&mut self, now_ns: u64, step: Step, fate: Fate) {
        let is_undecided = matches!(step.says, Says::Nothing);
        if is_undecided && self.traces.made() > step.place {
            // A service that fails open was passed over: what came then is recorded.
            return;
        }
        let how = match fate {
            _ if !is_undecided => How::Cached,
            Fate::Missed => How::Queued,
            _ => How::Dropped,
        };
        let verdict = match (fate, step.says) {
            (Fate::Forwarded, Says::Forward(first)) => forwarded_to(&first.0),
            (Fate::Dropped(Reason::Discarded), Says::Discard(word)) => word,
            _ => fate.word().to_owned(),
        };
        let record = TraceRecord {
            packet: step.packet,
            now_ns,
            how,
            verdict,
            services: step.services,
        };
        self.traces.insert(step.place, record);
    }

    /// A service answered, and its effects were applied: `place` is how many records there were before,
    /// `sent` what became of what it sent.
    pub(super) fn trace_decided(
        &mut self,
        now_ns: u64,
        place: u64,
        index: ServiceIndex,
        packet: Traced,
        answer: &Answer<'_>,
        sent: Option<Fate>,
    ) {
        let first_hop = answer.effects.iter().find_map(|effect| match effect {
            Effect::Send { to, .. } => Some(*to),
            _ => None,
        });
        let guarded = answer.effects.iter().find_map(|effect| match effect {
            Effect::Pass { packet, .. } => Some(packet.egress).filter(|egress| !egress.is_empty()),
            _ => None,
        });
        let verdict = match (answer.outcome, first_hop.or(guarded), sent) {
            (Outcome::Answered | Outcome::Passed, _, Some(Fate::Dropped(reason))) => {
                reason.word().to_owned()
            }
            (Outcome::Passed, Some(to), Some(Fate::Forwarded)) => forwarded_to(to),
            (Outcome::Answered, Some(to), _) => forwarded_to(to),
            (Outcome::Answered, None, _) => "answered".to_owned(),
            (Outcome::Passed, ..) => "passed".to_owned(),
            (Outcome::Held, ..) => "held".to_owned(),
            (Outcome::Dropped, ..) => answer.reason.to_owned(),
            (Outcome::None, ..) => Reason::NoAnswer.word().to_owned(),
        };
        let number = self.service(index).map(|service| service.config.number);
        let record = TraceRecord {
            packet,
            now_ns,
            how: How::Decided,
            verdict,
            services: number.into_iter().collect(),
        };
        self.traces.insert(place, record);
    }

    /// The traced packet that an answer without an item releases, as far as that can be known: the one
    /// that it sends on, or the oldest where nothing but traced packets is held (it may be sent on as another's).
    pub(super) fn released(&mut self, index: ServiceIndex, answer: &Answer<'_>) -> Option<Traced> {
        if matches!(answer.outcome, Outcome::None | Outcome::Held) {
            return None;
        }
        let service = self.service(index)?;
        let sent = answer.effects.iter().find_map(|effect| match effect {
            Effect::Send { packet, .. } | Effect::Pass { packet, .. } => Some(packet),
            _ => None,
        });
        let is_sent = |sent: &codec::Packet<'_>| {
            service
                .held_traces
                .iter()
                .position(|held| held.source.0 == sent.source && held.connection == sent.connection)
        };
        let are_all_traced = service.held_traces.len() as u64 == service.held.len();
        let place = sent.and_then(is_sent).or(are_all_traced.then_some(0));
        service.held_traces.remove(place?)
    }
}

/// A traced packet's verdict when it went on.
fn forwarded_to(peer: &[u8]) -> String {
    let mut verdict = "forwarded to ".to_owned();
    for byte in peer {
        verdict.push_str(&format!("{byte:02x}"));
    }
    verdict
}
