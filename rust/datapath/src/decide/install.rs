//! A service's decision enters the cache.

use std::num::NonZeroU32;

use super::{Decisions, key_slot};
use crate::cache::{Action, Entry, Hop, Level, More, Part, Question, ServiceIndex, StageRef};
use crate::codec::Stage;
use crate::pipes::PeerIndex;
use crate::wire::Address;

/// One copy that a new decision makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewHop<'a> {
    /// Who gets it.
    pub peer: PeerIndex,
    /// The same, for its guards.
    pub address: Address,
    /// Replaces the packet's, at most 255 bytes.
    pub metadata: Option<&'a [u8]>,
    /// Replaces the packet's.
    pub connection: Option<u64>,
    /// Replaces the packet's.
    pub source: Option<Address>,
}

/// The action of a new decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewAction<'a> {
    /// 1 to 1,024 copies.
    Forward(Vec<NewHop<'a>>),
    /// On to the next of the chain.
    Pass,
    /// Place of the reason in the service's list.
    Discard(u16),
}

/// A decision to install, checked against what its service may do.
#[derive(Clone, Debug)]
pub struct NewDecision<'a> {
    /// Who decided.
    pub service: ServiceIndex,
    /// Its key.
    pub question: Question<'a>,
    /// After the stages.
    pub action: NewAction<'a>,
    /// From installation, not from the event.
    pub ttl_ns: u64,
    /// For revocation.
    pub tag: &'a [u8],
    /// In order, at most 8.
    pub stages: &'a [Stage<'a>],
    /// `EventBatch.epoch` of the event that led to it.
    pub epoch: u64,
}

/// Why a decision is not installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstallError {
    /// Its tag was revoked, or a hop lost, after its event was handed out.
    Stale,
    /// The service is not in the chain of the key.
    NotInChain,
    /// A guard may pass or discard, not choose another way.
    GuardForwards,
    /// The service may have no objects, yet a stage names one.
    NoObjects,
}

impl Decisions {
    /// Install a decision, under `now_ns`.
    ///
    /// # Errors
    /// Nothing is changed then.
    pub fn install(&mut self, now_ns: u64, new: &NewDecision<'_>) -> Result<(), InstallError> {
        let question = &new.question;
        let chain = self
            .routes
            .chain(question)
            .ok_or(InstallError::NotInChain)?;
        let position = chain
            .position(new.service)
            .ok_or(InstallError::NotInChain)?;
        let member = *chain
            .members
            .get(position)
            .ok_or(InstallError::NotInChain)?;
        let tag_slot = self.tag_slot(new.tag);
        let forwards = matches!(new.action, NewAction::Forward(_));
        if forwards && question.egress.is_some() {
            return Err(InstallError::GuardForwards);
        }
        if !self.is_fresh(new, tag_slot) {
            return Err(InstallError::Stale);
        }
        let is_simple = chain.is_simple;
        let chain_level = Level::Chain {
            generation: chain.generation,
        };
        let chain_key = self.hasher.key(chain_level, question, chain.match_bytes);
        let part_level = Level::Part {
            service: member.number,
        };
        let part_key = self.hasher.key(part_level, question, member.match_bytes);
        let stages = self
            .resolve_stages(new.service, new.stages, now_ns)
            .ok_or(InstallError::NoObjects)?;
        let part = Part {
            service: new.service,
            tag_slot,
            key_slot: Part::OWN,
        };
        let mut entry = self.entry_of(new, part, stages);
        entry.expires_ns = now_ns.saturating_add(new.ttl_ns);

        let is_guarded = entry.hops().any(|(hop, _)| hop.is_guarded);
        let (key, other) = if is_simple && !is_guarded {
            (chain_key, part_key)
        } else {
            self.revisions.replace_key(new.service, key_slot(part_key));
            (part_key, chain_key)
        };
        if is_simple && self.routes.has_guards() {
            self.forget(other);
        }
        entry.revision = self.revisions.current();
        self.cache.insert(key, question.ingress, entry);
        Ok(())
    }
    fn entry_of(&mut self, new: &NewDecision<'_>, part: Part, stages: Vec<StageRef>) -> Entry {
        let mut more = More {
            stages: stages.into(),
            ..More::default()
        };
        let action = match &new.action {
            NewAction::Pass => Action::Pass,
            NewAction::Discard(reason) => Action::Discard {
                service: new.service,
                reason: *reason,
            },
            NewAction::Forward(hops) => self.forward_of(new.question.service, hops, &mut more),
        };
        let mut entry = Entry::new(action, part, 0, 0);
        if more != More::default() {
            entry.more = Some(Box::new(more));
        }
        entry
    }

    fn forward_of(&mut self, service: u32, hops: &[NewHop<'_>], more: &mut More) -> Action {
        if let [
            NewHop {
                peer,
                address,
                metadata: None,
                connection: None,
                source: None,
            },
        ] = hops
            && !self.routes.is_guarded(service, address)
        {
            return Action::ForwardOne(*peer);
        }
        let mut joined = Vec::new();
        more.hops = hops
            .iter()
            .map(|hop| {
                let is_guarded = self.routes.is_guarded(service, &hop.address);
                if is_guarded {
                    self.guarded.insert(hop.peer, hop.address);
                }
                let metadata = hop.metadata.map(|metadata| {
                    let start = joined.len() as u32;
                    joined.extend_from_slice(metadata);
                    (start, metadata.len() as u8)
                });
                let source = hop.source.and_then(|source| {
                    joined.extend_from_slice(&source.0);
                    NonZeroU32::new(joined.len() as u32)
                });
                Hop {
                    peer: hop.peer,
                    is_guarded,
                    connection: hop.connection,
                    metadata,
                    source,
                }
            })
            .collect();
        more.metadata = joined.into();
        Action::Forward
    }

    fn is_fresh(&self, new: &NewDecision<'_>, tag_slot: u16) -> bool {
        let hops_are_fresh = match &new.action {
            NewAction::Forward(hops) => hops
                .iter()
                .all(|hop| self.revisions.is_fresh_peer(hop.peer, new.epoch)),
            NewAction::Pass | NewAction::Discard(_) => true,
        };
        hops_are_fresh && self.revisions.is_fresh(new.service, tag_slot, new.epoch)
    }
}
