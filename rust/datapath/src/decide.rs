//! What becomes of a packet, as far as it was decided before: cache, chains, tags and stages together.
//!
//! Two levels of keys share one cache. At *chain* level a packet that comes in finds the whole answer
//! in one lookup. At *part* level each service of a longer chain keeps its own answer; when all of a
//! chain are there, they are joined into one entry at chain level (decision record 21). The answer of
//! a service that is its own chain is kept at chain level straight away, unless a hop has guards.

mod install;
mod outcome;
mod walk;

pub use install::{InstallError, NewAction, NewDecision, NewHop};
pub use outcome::{HopOutcome, Outcome};

use std::collections::BTreeMap;

use crate::cache::{
    Action, Cache, Entry, EntryId, KEY_SLOTS, KeyHasher, Level, Question, Revisions, ServiceIndex,
    StageRef, TAG_SLOTS,
};
use crate::codec::Stage;
use crate::counters::Reason;
use crate::packet::Packet;
use crate::pipes::PeerIndex;
use crate::routes::{Chain, Routes};
use crate::stages::{Carried, Objects, Zstd};
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
/// All decisions of one datapath.
#[derive(Clone, Debug)]
pub struct Decisions {
    /// Configuration of services and chains.
    pub routes: Routes,
    hasher: KeyHasher,
    cache: Cache,
    revisions: Revisions,
    objects: Vec<Objects>,
    /// Working memory of the stages.
    pub zstd: Zstd,
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
            zstd: Zstd::default(),
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
        let key = self.hasher.key(level, question, chain.match_bytes);
        self.cache.fetch_slot(key);
        Ok(key)
    }

    /// The valid decision under a key of `chain_key`: the one lookup of a hit.
    #[inline]
    pub fn hit(&self, now_ns: u64, key: u128) -> Option<EntryId> {
        let (id, entry) = self.cache.find(key)?;
        self.holds(entry, now_ns).then_some(id)
    }

    /// See `Entry::plain_way`.
    #[inline]
    pub fn plain_way(&self, id: EntryId) -> Option<PeerIndex> {
        self.cache.entry(id)?.plain_way()
    }

    /// See `Entry::is_wide`.
    #[inline]
    pub fn is_wide(&self, id: EntryId) -> bool {
        self.cache.entry(id).is_some_and(Entry::is_wide)
    }

    /// Ask for the entry that `hit` will want, without waiting for it; `chain_key` has asked for the way to
    /// it.
    #[inline]
    pub fn fetch(&self, key: u128) {
        self.cache.fetch_entry(key);
    }

    /// The peer that a decision of the most frequent kind sends to, valid or not.
    #[inline]
    pub fn only_way(&self, key: u128) -> Option<PeerIndex> {
        match self.cache.find(key)?.1.action {
            Action::ForwardOne(peer) => Some(peer),
            Action::Forward | Action::Pass | Action::Discard { .. } => None,
        }
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
    /// Forget every decision of the service that was installed with `tag`.
    pub fn revoke(&mut self, service: ServiceIndex, tag: &[u8]) {
        let slot = self.tag_slot(tag);
        self.revisions.revoke_tag(service, slot);
    }

    /// Slot of a tag: tags of one slot are revoked together.
    pub fn tag_slot(&self, tag: &[u8]) -> u16 {
        (self.hasher.slot(tag) % TAG_SLOTS as u64) as u16
    }

    /// Slot of the answers of a service to a question: a new one unjoins all of its slot.
    pub fn key_slot(&self, service: u32, question: &Question<'_>, match_bytes: u8) -> u16 {
        key_slot(
            self.hasher
                .key(Level::Part { service }, question, match_bytes),
        )
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

    /// Forget what the histories of all services keep; returns the bytes of that.
    pub fn forget_kept(&mut self) -> usize {
        self.objects.iter_mut().map(Objects::forget_kept).sum()
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

    /// Keep a dictionary in an object of a service. False when that is not allowed.
    pub fn keep_dictionary(&mut self, service: ServiceIndex, object: &[u8], bytes: &[u8]) -> bool {
        let objects = self.objects.get_mut(usize::from(service.0));
        objects.is_some_and(|objects| objects.keep_dictionary(object, bytes))
    }

    /// Run the stages of a decision on one packet: `packet` but for what is carried.
    ///
    /// # Errors
    /// The stages after one that drops the packet do not run.
    #[inline]
    pub fn run_stages_of(
        &mut self,
        decided: &Decided,
        now_ns: u64,
        carried: &mut Carried<'_>,
        packet: Option<&Packet<'_>>,
    ) -> Result<(), Reason> {
        let entry = match decided {
            Decided::Cached(id) => self.cache.entry(*id),
            Decided::Walked(entry) => Some(&**entry),
        };
        let stages = entry.map_or(&[][..], Entry::stages);
        run(
            &mut self.objects,
            &mut self.zstd,
            stages,
            now_ns,
            carried,
            packet,
        )
    }

    /// Run stages that were resolved before.
    ///
    /// # Errors
    /// The stages after one that drops the packet do not run.
    pub fn run_stages(
        &mut self,
        stages: &[StageRef],
        now_ns: u64,
        carried: &mut Carried<'_>,
        packet: Option<&Packet<'_>>,
    ) -> Result<(), Reason> {
        run(
            &mut self.objects,
            &mut self.zstd,
            stages,
            now_ns,
            carried,
            packet,
        )
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
fn objects_hold(objects: &[Objects], entry: &Entry) -> bool {
    entry.stages().iter().all(|stage| {
        objects
            .get(usize::from(stage.service.0))
            .is_some_and(|objects| objects.holds(stage))
    })
}

fn run(
    objects: &mut [Objects],
    zstd: &mut Zstd,
    stages: &[StageRef],
    now_ns: u64,
    carried: &mut Carried<'_>,
    packet: Option<&Packet<'_>>,
) -> Result<(), Reason> {
    for stage in stages {
        if let Some(objects) = objects.get_mut(usize::from(stage.service.0)) {
            objects.apply(stage, now_ns, carried, zstd, packet)?;
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
