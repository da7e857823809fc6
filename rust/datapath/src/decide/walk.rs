//! A packet whose chain is not joined yet: part after part, until one is missing or all are there.

use super::{Decided, Decisions, Verdict, key_slot, missing};
use crate::cache::{Action, Entry, Level, Question};
use crate::chain;
use crate::counters::Reason;
use crate::packet::Changes;
use crate::routes::MAX_CHAIN;
use crate::wire::Address;

impl Decisions {
    /// Go through the parts, and join them if all are there.
    pub(super) fn walk(
        &mut self,
        now_ns: u64,
        question: &Question<'_>,
        position: usize,
    ) -> Verdict {
        let Some(chain) = self.routes.chain(question) else {
            return Verdict::Refused(Reason::UnknownService);
        };
        let mut parts: Vec<(&Entry, u16)> = Vec::with_capacity(MAX_CHAIN);
        let mut is_final = question.egress.is_some();
        for (at, member) in chain.members.iter().enumerate().skip(position) {
            let level = Level::Part {
                service: member.number,
            };
            let key = self.hasher.key(level, question, member.match_bytes);
            let found = self.cache.find(key);
            match found {
                Some((_, entry)) if self.holds(entry, now_ns) => {
                    parts.push((entry, key_slot(key)));
                    if entry.action != Action::Pass {
                        is_final = true;
                        break;
                    }
                }
                _ => {
                    let dead = found.map(|(id, _)| id);
                    let stages = parts.iter().flat_map(|(part, _)| part.stages()).copied();
                    let verdict = missing(chain, at, stages.collect());
                    if let Some(dead) = dead {
                        self.cache.remove(dead);
                    }
                    return verdict;
                }
            }
        }
        if !is_final {
            return Verdict::Refused(Reason::ChainBroken);
        }
        let Some(joined) = chain::join(&parts, self.revisions.current()) else {
            return Verdict::Refused(Reason::ChainBroken);
        };
        let match_bytes = chain.match_bytes;
        let level = Level::Chain {
            generation: chain.generation,
        };
        let key = self.hasher.key(level, question, match_bytes);
        let (joined, is_complete) = self.with_guards(now_ns, question, joined, match_bytes);
        let is_kept = position == 0 && is_complete && self.cache.limit() > 0;
        if !is_kept {
            return Verdict::Decided(Decided::Walked(Box::new(joined)));
        }
        match self.cache.insert(key, question.ingress, joined) {
            Some(id) => Verdict::Decided(Decided::Cached(id)),
            None => Verdict::Refused(Reason::ChainBroken),
        }
    }

    /// Join the guards of a single guarded hop, if they are decided, see no more of the metadata
    /// than the chain's key does, and read no payload. The second value says whether the entry is worth keeping: not while
    /// its guards are still to be asked.
    fn with_guards(
        &mut self,
        now_ns: u64,
        question: &Question<'_>,
        joined: Entry,
        match_bytes: u8,
    ) -> (Entry, bool) {
        let (hop, changes) = match (joined.hop_count(), joined.hop(0)) {
            (1, Some((hop, changes))) if hop.is_guarded => (hop, changes),
            _ => return (joined, true),
        };
        let Some(egress) = self.guarded(hop.peer) else {
            return (joined, true);
        };
        let asked = guard_question(question, egress, &changes);
        let Some(guards) = self.routes.chain(&asked) else {
            return (joined, true);
        };
        let sees_more = changes.metadata.is_none() && guards.match_bytes > match_bytes;
        if sees_more || guards.reads_payload {
            return (joined, true);
        }
        let Verdict::Decided(decided) = self.decide(now_ns, &asked, 0, true) else {
            return (joined, false);
        };
        match self.entry(&decided) {
            Some(guards) => (
                chain::join_guards(joined, guards, self.revisions.current()),
                true,
            ),
            None => (joined, false),
        }
    }
}

/// What the guards of a hop are asked about a packet of `question`.
pub(super) fn guard_question<'a>(
    question: &Question<'a>,
    egress: Address,
    changes: &Changes<'a>,
) -> Question<'a> {
    Question {
        source: changes.source.unwrap_or(question.source),
        connection: changes.connection.unwrap_or(question.connection),
        metadata: changes.metadata.unwrap_or(question.metadata),
        egress: Some(egress),
        ..*question
    }
}
