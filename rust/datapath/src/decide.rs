//! What becomes of a packet, as far as it was decided before: cache, chains, tags and stages together.
//!
//! Two levels of keys share one cache. At *chain* level a packet that comes in finds the whole answer
//! in one lookup. At *part* level each service of a longer chain keeps its own answer; when all of a
//! chain are there, they are joined into one entry at chain level (decision record 21). The answer of
//! a service that is its own chain is kept at chain level straight away, unless a hop has guards.

use std::collections::BTreeMap;

use crate::cache::{
    Action, Cache, Entry, EntryId, Hop, KEY_SLOTS, KeyHasher, Level, More, Part, Question,
    Revisions, ServiceIndex, StageRef, TAG_SLOTS,
};
use crate::chain;
use crate::codec::Stage;
use crate::counters::Reason;
use crate::pipes::PeerIndex;
use crate::routes::{Chain, MAX_CHAIN, Routes};
use crate::stages::Objects;
use crate::wire::Address;

/// A decision as it is found: kept, or put together for this packet only.
#[derive(Debug)]
pub enum Decided {
    /// In the cache; valid until the cache is next changed.
    Cached(EntryId),
    /// Of parts, for a packet that enters the chain in the middle or has an undecided guard.
    Walked(Box<Entry>),
}

/// What the cache says of a packet.
#[derive(Debug)]
pub enum Verdict {
    /// All is decided.
    Decided(Decided),
    /// The service at `position` of the chain has to be asked, after `stages` have run.
    Missing {
        /// Place in the chain.
        position: usize,
        /// Whom to ask.
        service: ServiceIndex,
        /// Of the decided parts before it.
        stages: Vec<StageRef>,
    },
    /// There is nobody to ask.
    Refused(Reason),
}

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

/// All decisions of one datapath.
#[derive(Clone, Debug)]
pub struct Decisions {
    /// Configuration of services and chains.
    pub routes: Routes,
    hasher: KeyHasher,
    cache: Cache,
    revisions: Revisions,
    objects: Vec<Objects>,
    guarded: BTreeMap<PeerIndex, Address>,
}

impl Decisions {
    /// No decisions yet; room for `limit`.
    pub fn new(limit: usize, secret: [u8; 16]) -> Self {
        Self {
            routes: Routes::default(),
            hasher: KeyHasher::new(secret),
            cache: Cache::new(limit),
            revisions: Revisions::default(),
            objects: Vec::new(),
            guarded: BTreeMap::new(),
        }
    }

    /// The entries themselves.
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// Take all memory of the cache now.
    pub fn reserve(&mut self) {
        self.cache.reserve();
    }

    /// The number that an `EventBatch` carries.
    pub fn epoch(&self) -> u64 {
        self.revisions.current()
    }

    /// The entry of a decision.
    #[inline]
    pub fn entry<'a>(&'a self, decided: &'a Decided) -> Option<&'a Entry> {
        match decided {
            Decided::Cached(id) => self.cache.entry(*id),
            Decided::Walked(entry) => Some(entry),
        }
    }

    /// Under what a packet that comes in looks its decision up.
    ///
    /// # Errors
    /// `UnknownService`; `NotCovered` when a service of the chain reads payloads.
    #[inline]
    pub fn chain_key(&self, question: &Question<'_>, is_covered: bool) -> Result<u128, Reason> {
        let chain = self.routes.chain(question).ok_or(Reason::UnknownService)?;
        if chain.reads_payload && !is_covered {
            return Err(Reason::NotCovered);
        }
        let level = Level::Chain {
            generation: chain.generation,
        };
        Ok(self.hasher.key(level, question, chain.match_bytes))
    }

    /// The valid decision under a key of `chain_key`: the one lookup of a hit.
    #[inline]
    pub fn hit(&self, now_ns: u64, key: u128) -> Option<EntryId> {
        let (id, entry) = self.cache.find(key)?;
        self.holds(entry, now_ns).then_some(id)
    }

    /// Fetch the cache lines that `hit` will want, without waiting for them: of the packets of one
    /// train they come together. The result means nothing.
    #[inline]
    pub fn fetch(&self, key: u128) -> u64 {
        self.cache
            .find(key)
            .map_or(0, |(_, entry)| entry.expires_ns)
    }

    /// What is decided for a packet that stands before the service at `position` of its chain.
    pub fn decide(
        &mut self,
        now_ns: u64,
        question: &Question<'_>,
        position: usize,
        is_covered: bool,
    ) -> Verdict {
        let key = match self.chain_key(question, is_covered) {
            Ok(key) => key,
            Err(reason) => return Verdict::Refused(reason),
        };
        if position == 0 {
            match self.hit(now_ns, key) {
                Some(id) => return Verdict::Decided(Decided::Cached(id)),
                None => self.forget(key),
            }
            if let Some(chain) = self.routes.chain(question)
                && chain.is_simple
                && !self.routes.has_guards()
            {
                return missing(chain, 0, Vec::new());
            }
        }
        self.walk(now_ns, question, position)
    }

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
        let tag_slot = (self.hasher.slot(new.tag) % TAG_SLOTS as u64) as u16;
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

    /// Forget every decision of the service that was installed with `tag`.
    pub fn revoke(&mut self, service: ServiceIndex, tag: &[u8]) {
        let slot = (self.hasher.slot(tag) % TAG_SLOTS as u64) as u16;
        self.revisions.revoke_tag(service, slot);
    }

    /// Forget every decision that names `peer` as a hop.
    pub fn revoke_peer(&mut self, peer: PeerIndex) {
        self.revisions.revoke_peer(peer);
        self.guarded.remove(&peer);
    }

    /// A service takes this place, with room for `max_objects`; whatever was decided there is void.
    pub fn reset_service(&mut self, service: ServiceIndex, max_objects: usize) {
        self.revisions.reset_service(service);
        let place = usize::from(service.0);
        while self.objects.len() <= place {
            self.objects
                .push(Objects::new(ServiceIndex(self.objects.len() as u16), 0));
        }
        if let Some(objects) = self.objects.get_mut(place) {
            *objects = Objects::new(service, max_objects);
        }
    }

    /// The objects of a service.
    pub fn objects(&self, service: ServiceIndex) -> Option<&Objects> {
        self.objects.get(usize::from(service.0))
    }

    /// Find or make the objects of `stages`. `None` when the service may have none.
    pub fn resolve_stages(
        &mut self,
        service: ServiceIndex,
        stages: &[Stage<'_>],
        now_ns: u64,
    ) -> Option<Vec<StageRef>> {
        let objects = self.objects.get_mut(usize::from(service.0))?;
        stages
            .iter()
            .map(|stage| objects.resolve(stage, now_ns))
            .collect()
    }

    /// Run the stages of a decision on one packet.
    ///
    /// # Errors
    /// `Metered`; the stages after it do not run.
    #[inline]
    pub fn run_stages_of(
        &mut self,
        decided: &Decided,
        now_ns: u64,
        payload_bytes: usize,
    ) -> Result<(), Reason> {
        let entry = match decided {
            Decided::Cached(id) => self.cache.entry(*id),
            Decided::Walked(entry) => Some(&**entry),
        };
        let stages = entry.map_or(&[][..], Entry::stages);
        run(&mut self.objects, stages, now_ns, payload_bytes)
    }

    /// Run stages that were resolved before.
    ///
    /// # Errors
    /// `Metered`; the stages after it do not run.
    pub fn run_stages(
        &mut self,
        stages: &[StageRef],
        now_ns: u64,
        payload_bytes: usize,
    ) -> Result<(), Reason> {
        run(&mut self.objects, stages, now_ns, payload_bytes)
    }

    /// Give memory of dead entries back, a few at a time.
    pub fn sweep(&mut self, now_ns: u64, count: usize) {
        let Self {
            cache, revisions, ..
        } = self;
        cache.sweep(count, |entry| {
            entry.expires_ns > now_ns && revisions.hold(entry)
        });
    }

    /// Address of a hop whose receiver has guards.
    pub fn guarded(&self, peer: PeerIndex) -> Option<Address> {
        self.guarded.get(&peer).copied()
    }

    /// Go through the parts, and join them if all are there.
    fn walk(&mut self, now_ns: u64, question: &Question<'_>, position: usize) -> Verdict {
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
        let (hop, metadata) = match (joined.hop_count(), joined.hop(0)) {
            (1, Some((hop, metadata))) if hop.is_guarded => (hop, metadata),
            _ => return (joined, true),
        };
        let Some(egress) = self.guarded(hop.peer) else {
            return (joined, true);
        };
        let asked = guard_question(question, egress, &hop, metadata);
        let Some(guards) = self.routes.chain(&asked) else {
            return (joined, true);
        };
        let sees_more = metadata.is_none() && guards.match_bytes > match_bytes;
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
            NewAction::Forward(hops) => self.forward_of(hops, &mut more),
        };
        let mut entry = Entry::new(action, part, 0, 0);
        if more != More::default() {
            entry.more = Some(Box::new(more));
        }
        entry
    }

    fn forward_of(&mut self, hops: &[NewHop<'_>], more: &mut More) -> Action {
        if let [
            NewHop {
                peer,
                address,
                metadata: None,
                connection: None,
            },
        ] = hops
            && !self.routes.is_guarded(address)
        {
            return Action::ForwardOne(*peer);
        }
        let mut joined = Vec::new();
        more.hops = hops
            .iter()
            .map(|hop| {
                let is_guarded = self.routes.is_guarded(&hop.address);
                if is_guarded {
                    self.guarded.insert(hop.peer, hop.address);
                }
                let metadata = hop.metadata.map(|metadata| {
                    let start = joined.len() as u32;
                    joined.extend_from_slice(metadata);
                    (start, metadata.len() as u8)
                });
                Hop {
                    peer: hop.peer,
                    is_guarded,
                    connection: hop.connection,
                    metadata,
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

    #[inline]
    fn holds(&self, entry: &Entry, now_ns: u64) -> bool {
        entry.expires_ns > now_ns
            && self.revisions.hold(entry)
            && objects_hold(&self.objects, entry)
    }

    fn forget(&mut self, key: u128) {
        if let Some((id, _)) = self.cache.find(key) {
            self.cache.remove(id);
        }
    }
}

/// What the guards of a hop are asked about a packet of `question`.
pub fn guard_question<'a>(
    question: &Question<'a>,
    egress: Address,
    hop: &Hop,
    metadata: Option<&'a [u8]>,
) -> Question<'a> {
    Question {
        connection: hop.connection.unwrap_or(question.connection),
        metadata: metadata.unwrap_or(question.metadata),
        egress: Some(egress),
        ..*question
    }
}

fn objects_hold(objects: &[Objects], entry: &Entry) -> bool {
    entry.stages().iter().all(|stage| {
        objects
            .get(usize::from(stage.service.0))
            .is_some_and(|objects| objects.holds(stage))
    })
}

fn run(
    objects: &mut [Objects],
    stages: &[StageRef],
    now_ns: u64,
    payload_bytes: usize,
) -> Result<(), Reason> {
    for stage in stages {
        if let Some(objects) = objects.get_mut(usize::from(stage.service.0)) {
            objects.apply(stage, now_ns, payload_bytes)?;
        }
    }
    Ok(())
}

fn missing(chain: &Chain, position: usize, stages: Vec<StageRef>) -> Verdict {
    match chain.members.get(position).map(|member| member.index) {
        Some(Some(service)) => Verdict::Missing {
            position,
            service,
            stages,
        },
        Some(None) => Verdict::Refused(Reason::ServiceDown),
        None => Verdict::Refused(Reason::ChainBroken),
    }
}

fn key_slot(key: u128) -> u16 {
    ((key >> 64) as u64 % KEY_SLOTS as u64) as u16
}
