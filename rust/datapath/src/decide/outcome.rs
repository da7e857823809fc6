//! What would become of a packet, as a value: the cache, its chains and stages without pipes and queues.
//!
//! `forward` does the same with packets; this is what the model in `ei/testing/model.py` is compared to.

use super::walk::guard_question;
use super::{Decided, Decisions, Verdict};
use crate::cache::{Action, Question, ServiceIndex};
use crate::counters::Reason;
use crate::packet::Changes;
use crate::pipes::PeerIndex;
use crate::stages::Carried;
use crate::wire::{Address, Protection};

/// What becomes of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// One copy for each.
    Forwarded(Vec<HopOutcome>),
    /// The guards let it through.
    Passed,
    /// Dropped for a service's own reason.
    Discarded {
        /// Whose.
        service: ServiceIndex,
        /// Place in its list.
        reason: u16,
    },
    /// A service has to be asked.
    Missing {
        /// Place in the chain.
        position: usize,
        /// Whom.
        service: ServiceIndex,
    },
    /// Dropped.
    Dropped(Reason),
}

/// One copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HopOutcome {
    /// To whom.
    pub peer: PeerIndex,
    /// Instead of the packet's.
    pub connection: Option<u64>,
    /// Instead of the packet's.
    pub metadata: Option<Vec<u8>>,
    /// Instead of the packet's.
    pub source: Option<Address>,
    /// What the receiver's guards say of this one of several copies.
    pub guards: Option<Outcome>,
}

impl Decisions {
    /// What becomes of a packet that stands before the service at `position` of its chain. Stages run.
    pub fn outcome(
        &mut self,
        now_ns: u64,
        question: &Question<'_>,
        position: usize,
        is_covered: bool,
        payload: &[u8],
    ) -> Outcome {
        let mut carried = Carried::new(payload, Protection::None, is_covered);
        match self.decide(now_ns, question, position, is_covered) {
            Verdict::Refused(reason) => Outcome::Dropped(reason),
            Verdict::Missing {
                position,
                service,
                stages,
            } => match self.run_stages(&stages, now_ns, &mut carried, None) {
                Ok(()) => Outcome::Missing { position, service },
                Err(reason) => Outcome::Dropped(reason),
            },
            Verdict::Decided(decided) => {
                match self.run_stages_of(&decided, now_ns, &mut carried, None) {
                    Ok(()) => self.followed(now_ns, question, &decided, is_covered, payload),
                    Err(reason) => Outcome::Dropped(reason),
                }
            }
        }
    }

    fn followed(
        &mut self,
        now_ns: u64,
        question: &Question<'_>,
        decided: &Decided,
        is_covered: bool,
        payload: &[u8],
    ) -> Outcome {
        let Some(entry) = self.entry(decided) else {
            return Outcome::Dropped(Reason::NoAnswer);
        };
        match entry.action {
            Action::Pass if question.egress.is_some() => return Outcome::Passed,
            Action::Pass => return Outcome::Dropped(Reason::ChainBroken),
            Action::Discard { service, reason } => return Outcome::Discarded { service, reason },
            Action::ForwardOne(_) | Action::Forward => {}
        }
        let hops: Vec<_> = entry
            .hops()
            .map(|(hop, changes)| (hop, changes.source, changes.metadata.map(<[u8]>::to_vec)))
            .collect();
        let is_only = hops.len() == 1;
        let mut copies = Vec::new();
        for (hop, source, metadata) in hops {
            let connection = hop.connection;
            let mut guards = None;
            if hop.is_guarded
                && let Some(egress) = self.guarded(hop.peer)
            {
                let changes = Changes {
                    source,
                    connection,
                    metadata: metadata.as_deref(),
                };
                let asked = guard_question(question, egress, &changes);
                let said = self.outcome(now_ns, &asked, 0, is_covered, payload);
                match said {
                    Outcome::Passed if is_only => {}
                    said if is_only => return said,
                    said => guards = Some(said),
                }
            }
            copies.push(HopOutcome {
                peer: hop.peer,
                connection,
                metadata,
                source,
                guards,
            });
        }
        Outcome::Forwarded(copies)
    }
}
