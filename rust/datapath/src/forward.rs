//! The datapath of one thread: datagrams in, trains out, and what passes between it and services.
//!
//! ```text
//!  handle ─► pipes.open ─► Header::parse ─► first-node checks ─► decisions.decide ─┬─ hit: stages ─► departures
//!     ▲                                                                            └─ miss: queue of the service
//!     │                                                        next_train ◄─ trains ◄┘        │
//!  datagrams                                                                             take_events ─► worker
//!                                                  decisions, then packets ◄─ put_effects ◄───────────┘
//! ```
//! Everything it needs comes in as an argument: time, datagrams, effects; everything it has to say is
//! taken out: trains, events, notices. Threads of one node share nothing: each has a `Datapath` of its
//! own, and `LaneMessage`s go between them.

mod arrive;
mod batches;
mod books;
mod check;
mod copies;
mod departures;
mod effects;
mod events;
mod fanning;
mod follow;
mod host;
mod kept;
mod lanes;
mod peers;
mod services;
mod statistics;
mod tracing;

pub use batches::{BATCH_BOUNDS_NS, BatchStatistics};
pub use host::{OutgoingPacket, ReceivedPacket};
pub use lanes::LaneMessage;
pub use peers::Notice;
pub use services::{Fail, ServiceConfig};
pub use statistics::{PeerStatistics, ServiceStatistics, Statistics};

use std::collections::VecDeque;
use std::net::SocketAddr;

use crate::aead::KEY_BYTES;
use crate::cache::ServiceIndex;
use crate::codec::EventBatch;
use crate::decide::Decisions;
use crate::log::EventLog;
use crate::pipes::{PeerKind, Pipes, PipesConfig};
use crate::randomness::Randomness;
use crate::routes::{ChainError, Expansion};
use crate::trace::Traces;
use crate::trains::Train;
use crate::wire::{Address, Header};
use copies::CopyBudget;
use departures::Departures;
use host::Inbox;
use peers::Peers;
use services::RunningService;

/// How a `Datapath` is made.
#[derive(Clone)]
pub struct DatapathConfig {
    /// A host delivers and sends for itself; a node forwards and runs services.
    pub role: PeerKind,
    /// This end's own address.
    pub address: Address,
    /// X25519.
    pub private_key: [u8; KEY_BYTES],
    /// For a repeatable run (simulation only); `None` takes the system's randomness.
    pub seed: Option<[u8; 32]>,
    /// Wall clock minus the clock of `now_ns`.
    pub unix_offset_ns: i64,
    /// Most decisions; 0 caches nothing.
    pub cache_entries: usize,
    /// Largest datagram sent, 1,360 to 65,000.
    pub max_datagram_bytes: usize,
    /// Keep the event log (simulation).
    pub has_log: bool,
    /// Threads of this node, 1 to 16.
    pub lanes: u8,
    /// This thread; 0 does handshakes, the control channel and liveness for all.
    pub lane: u8,
    /// Copies that the packets of one peer may become in a second, on this thread; 0 has no bound.
    pub copies_per_s: u64,
    /// Take the cache's memory now rather than as it fills (real nodes).
    pub reserves_memory: bool,
}

impl DatapathConfig {
    /// One thread, the defaults of `ei._core.Datapath`.
    pub fn new(role: PeerKind, address: Address, private_key: [u8; KEY_BYTES]) -> Self {
        Self {
            role,
            address,
            private_key,
            seed: None,
            unix_offset_ns: 0,
            cache_entries: 65_536,
            max_datagram_bytes: 1_452,
            has_log: false,
            lanes: 1,
            lane: 0,
            copies_per_s: 0,
            reserves_memory: false,
        }
    }

    fn pipes(&self) -> PipesConfig {
        PipesConfig {
            seed: self.seed,
            lanes: self.lanes,
            lane: self.lane,
            unix_offset_ns: self.unix_offset_ns,
            max_datagram_bytes: self.max_datagram_bytes,
            ..PipesConfig::new(self.private_key, self.address, self.role)
        }
    }

    /// The secret of the cache's keys, apart from what the pipes take from the same seed.
    fn secret(&self) -> [u8; 16] {
        let seed = self.seed.map(|seed| seed.map(|byte| byte ^ 0x5c));
        // Without randomness no pipe opens, and no packet ever asks the cache.
        Randomness::new(seed).array().unwrap_or_default()
    }
}

/// The datapath of one thread.
pub struct Datapath {
    role: PeerKind,
    lane: u8,
    decisions: Decisions,
    copies: CopyBudget,
    departures: Departures,
    services: Vec<Option<RunningService>>,
    peers: Peers,
    inbox: Inbox,
    traces: Traces,
    log: Option<EventLog>,
    lane_messages: VecDeque<LaneMessage>,
    has_lanes: bool,
    /// Being written; kept for its memory.
    batch: EventBatch,
    /// Where headers are emitted of packets that go to many; kept since zeroing costs as much as emitting.
    headers: Vec<[u8; Header::MAX_BYTES]>,
    /// A datagram of the pipes themselves that `next_train` lent out.
    signal: Option<(SocketAddr, Vec<u8>)>,
}

impl Datapath {
    /// No peers, no services, no decisions.
    pub fn new(config: DatapathConfig) -> Self {
        let mut decisions = Decisions::new(config.cache_entries, config.secret());
        if config.reserves_memory {
            decisions.reserve();
        }
        let is_first_lane = config.lane == 0;
        Self {
            role: config.role,
            lane: config.lane,
            decisions,
            copies: CopyBudget::new(config.copies_per_s),
            departures: Departures::new(Pipes::new(config.pipes()), is_first_lane),
            services: Vec::new(),
            peers: Peers::default(),
            inbox: Inbox::new(config.role),
            traces: Traces::default(),
            log: config.has_log.then(EventLog::default),
            lane_messages: VecDeque::new(),
            has_lanes: config.lanes > 1,
            batch: EventBatch::default(),
            headers: Vec::new(),
            signal: None,
        }
    }

    /// The next train to send, after each batch until there is none. Valid until the next call.
    pub fn next_train(&mut self) -> Option<Train<'_>> {
        let departures = &mut self.departures;
        self.signal = departures.pipes.take_outgoing();
        if let Some((to, bytes)) = &self.signal {
            departures.counters.signals += 1;
            departures.counters.sent_bytes += bytes.len() as u64;
            return Some(Train {
                to: *to,
                bytes,
                segment_bytes: bytes.len(),
            });
        }
        departures.trains.next_train()
    }

    /// The kernel refused `datagrams` of a train that was given out.
    pub fn note_unsent(&mut self, datagrams: usize) {
        self.departures.counters.count_unsent(datagrams as u64);
    }

    /// Do what is due: retries, heartbeats, expiry.
    pub fn poll(&mut self, now_ns: u64) {
        self.departures.pipes.poll(now_ns);
        self.take_in_changes(now_ns);
        self.departures.expire(now_ns, None);
        self.measure_peers(now_ns);
        self.decisions.sweep(now_ns, SWEPT_PER_POLL);
    }

    /// When `poll` should be called next.
    pub fn next_deadline_ns(&self) -> Option<u64> {
        let deadlines = [
            self.departures.pipes.next_deadline_ns(),
            self.departures.next_deadline_ns(),
        ];
        deadlines.into_iter().flatten().min()
    }

    // -- services ---------------------------------------------------------------------------------

    /// Run a service here. One of the same number is another version of it, which takes its place: what
    /// waits stays, and what was counted; what was decided is void, and `Started` leads the next batch.
    pub fn add_service(&mut self, config: ServiceConfig) {
        let number = config.number;
        let free = || self.services.iter().position(Option::is_none);
        let index = self.decisions.routes.index(number).unwrap_or_else(|| {
            let place = free().unwrap_or(self.services.len());
            ServiceIndex(place as u16)
        });
        self.decisions.reset_service(index, config.max_objects);
        // Streams are sealed from end to end and end here: their packets need no cover. Whether the
        // others have it, such a service sees itself.
        let needs_cover = config.reads_payload && !config.has_streams;
        self.decisions.routes.add_service(
            number,
            index,
            config.match_metadata.unwrap_or(u8::MAX),
            needs_cover,
        );
        let is_first_lane = self.lane == 0;
        match self.services.get_mut(usize::from(index.0)) {
            Some(Some(service)) => service.renew(config, is_first_lane),
            Some(slot) => *slot = Some(RunningService::new(config, is_first_lane)),
            None => {
                let service = RunningService::new(config, is_first_lane);
                self.services.push(Some(service));
            }
        }
    }

    /// Services that a packet naming `service` visits, in order; ends with it. Empty: it alone.
    ///
    /// # Errors
    /// See `ChainError`; nothing is changed then.
    pub fn set_chain(&mut self, service: u32, services: &[u32]) -> Result<(), ChainError> {
        self.decisions.routes.set_chain(service, services)
    }

    /// What packets visit that name the bundle `number`; empty takes it away.
    ///
    /// # Errors
    /// See `ChainError`; nothing is changed then.
    pub fn set_bundle(&mut self, number: u32, expansion: Expansion) -> Result<(), ChainError> {
        self.decisions.routes.set_bundle(number, expansion)
    }

    /// The service that packets visit whose service is not here; `None`: they are dropped.
    pub fn set_fallback(&mut self, service: Option<u32>) {
        self.decisions.routes.set_fallback(service);
    }

    /// Services that run before the last pipe to `host`; empty removes them.
    ///
    /// # Errors
    /// See `ChainError`; nothing is changed then.
    pub fn set_guards(&mut self, host: Address, services: &[u32]) -> Result<(), ChainError> {
        self.decisions.routes.set_guards(host, services)?;
        if let Some(peer) = self.departures.pipes.find(&host) {
            // What was decided for the host was decided without these guards.
            self.decisions.revoke_peer(peer);
        }
        Ok(())
    }

    /// Numbers of the services whose worker should be given a batch.
    pub fn services_with_events(&self) -> Vec<u32> {
        let running = self.services.iter().flatten();
        running
            .filter(|service| service.has_events())
            .map(|service| service.config.number)
            .collect()
    }

    /// Forget what the histories of all services keep, for its memory; returns the bytes of that.
    pub fn forget_kept(&mut self) -> usize {
        self.decisions.forget_kept()
    }

    /// Whether a notice waits to be taken, or the worker of a service should be given a batch.
    pub fn has_news(&self) -> bool {
        self.has_notices()
            || self
                .services
                .iter()
                .flatten()
                .any(RunningService::has_events)
    }

    fn service(&mut self, index: ServiceIndex) -> Option<&mut RunningService> {
        self.services
            .get_mut(usize::from(index.0))
            .and_then(Option::as_mut)
    }

    // -- seeing -----------------------------------------------------------------------------------

    /// The event log since the last call; empty unless `has_log`.
    pub fn take_log(&mut self) -> Vec<u8> {
        self.log.as_mut().map(EventLog::take).unwrap_or_default()
    }
}

/// Cache places looked at per poll, for entries that nobody asks for any more.
const SWEPT_PER_POLL: usize = 64;
