//! The streams of a node's services: what a service reads and writes, what is spliced, and over what.
//!
//! ```text
//!   packets ──▶ Streams (QUIC) ──▶ ┌────────────┐ ──▶ next_news  ──▶ worker
//!                                  │   table    │
//!   Sockets (the shell's TCP) ◀──▶ └────────────┘ ◀── orders     ◀── worker
//! ```
//! It is pure, as `Streams` is: time, packets, orders and sockets come in as arguments. Nothing is read
//! that nobody asked for, and nothing is kept beyond a stream's window, so that whoever is slow slows whom
//! it hears from, and memory is bounded.

mod closing;
mod crowding;
mod ending;
mod entry;
mod keeping;
mod links;
mod meters;
mod news;
mod opening;
mod orders;
mod pumping;
mod quic;
mod reaching;
mod securing;
mod shares;
mod sockets;
mod table;

pub use closing::Closing;
pub use meters::Metering;
pub use news::News;
pub use opening::MAX_OPENING_BYTES;
pub use orders::{Order, Target};
pub use sockets::{Got, Legacy, Sockets};

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::randomness::Randomness;
use crate::schedule::{Deadlines, Turns};
use crate::sites::Sites;
use crate::{ConnectionKey, Streams, StreamsConfig, StreamsError};
use entry::Stage;
use links::{Link, Links};
use meters::Meters;
use shares::Shares;
use table::Table;

/// How a `Junction` is made.
#[derive(Clone)]
pub struct JunctionConfig {
    /// The node's Ed25519 private key.
    pub identity_key: [u8; 32],
    /// 32 bytes for a repeatable run, for simulation only.
    pub seed: Option<[u8; 32]>,
    /// The node's own address.
    pub address: [u8; 16],
    /// Streams at a time.
    pub max_streams: usize,
    /// The same of one peer, either side having opened them.
    pub max_streams_per_peer: usize,
    /// Bytes that all streams may hold at most, half of them in QUIC's windows.
    pub buffer_bytes: u64,
}

impl JunctionConfig {
    /// Half of the buffers are for connections: of many hosts rather than of a few that are fast.
    fn quic(&self, seed: Option<[u8; 32]>) -> StreamsConfig {
        StreamsConfig {
            seed,
            max_connections: 1 << 16,
            max_connections_per_peer: 8,
            max_streams: 1_024,
            receive_window_bytes: 8 << 20,
            send_window_bytes: 4 << 20,
            buffer_bytes: self.buffer_bytes / 2,
            stream_share: 8,
            window_share: 128,
            has_steep_shares: true,
            keepalive_ns: 15_000_000_000,
            idle_timeout_ns: 60_000_000_000,
            ..StreamsConfig::new(self.identity_key)
        }
    }
}

/// A connection that has no stream for so long is closed.
const WARM_NS: u64 = 300 * 1_000_000_000;
/// How often that is looked at.
const TIDY_NS: u64 = 30 * 1_000_000_000;
/// Streams seen to in one `run`, before packets and sockets have their turn.
const TURNS: usize = 1_024;

/// What was counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JunctionStatistics {
    /// Streams that are open, or are being opened.
    pub open: usize,
    /// Streams so far.
    pub opened: u64,
    /// Streams that were not let in, and orders for streams that never were.
    pub refused: u64,
    /// Connections and streams of anonymous services that were not let in, since what has come by the same
    /// pipe has as much as is left.
    pub pipe_full: u64,
    /// Streams and connections that were closed to make room for the newest.
    pub crowded_out: u64,
    /// Bytes of splices that were kept, and given up for their memory.
    pub forgotten_bytes: u64,
    /// Streams that are gone, by reason.
    pub closed: BTreeMap<&'static str, u64>,
    /// Bytes that came from other ends.
    pub read_bytes: u64,
    /// Bytes that went to other ends.
    pub written_bytes: u64,
    /// Those that were read and written without the service.
    pub spliced_bytes: u64,
    /// What the windows of streams and connections may come to.
    pub buffered_bytes: u64,
    /// QUIC connections.
    pub connections: usize,
    /// By service: open now, and so far.
    pub services: BTreeMap<u32, (usize, u64)>,
}

/// The streams of a node's services.
pub struct Junction {
    config: JunctionConfig,
    quic: Streams,
    table: Table,
    links: Links,
    sites: Sites,
    handshakes: Shares,
    meters: Meters,
    randomness: Randomness,
    /// Memory is short beyond the streams': none is let in.
    is_tight: bool,
    to_work: Turns,
    deadlines: Deadlines,
    tidy_at_ns: u64,
    now_ns: u64,
    /// What was read last, from a connection and from a socket; kept for its memory.
    pieces: Vec<Bytes>,
    scratch: Vec<u8>,
    counted: JunctionStatistics,
}

/// Where a transmit goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Departure {
    /// By the pipe to this peer.
    pub pipe: [u8; 16],
    /// The service that its packets name.
    pub service: u32,
    /// The connection that they name.
    pub connection: u64,
    /// Bytes of each payload; only the last may be shorter.
    pub payload_bytes: usize,
    /// They go back to somebody whom another node hides.
    pub is_anonymous: bool,
}

impl Junction {
    /// No services, no streams.
    ///
    /// # Errors
    /// A key that cannot be used, buffers too small, or no randomness.
    pub fn new(config: JunctionConfig) -> Result<Self, StreamsError> {
        let mut randomness = Randomness::new(config.seed)?;
        let half_bytes = config.buffer_bytes / 2;
        let seed = config.seed.map(|_| randomness.draw_seed());
        Ok(Self {
            quic: Streams::new(config.quic(seed))?,
            table: Table::new(config.max_streams, config.max_streams_per_peer, half_bytes),
            links: Links::default(),
            sites: Sites::default(),
            handshakes: Shares::default(),
            meters: Meters::default(),
            randomness,
            is_tight: false,
            to_work: Turns::default(),
            deadlines: Deadlines::default(),
            tidy_at_ns: 0,
            now_ns: 0,
            pieces: Vec::new(),
            scratch: Vec::new(),
            counted: JunctionStatistics::default(),
            config,
        })
    }

    // -- services ---------------------------------------------------------------------------------

    /// A service has a worker from now on: its streams are let in. Whoever opens one of a service that
    /// `is_anonymous` need not be known to anybody.
    pub fn add_service(&mut self, number: u32, is_anonymous: bool) {
        let service = self.table.services.entry(number).or_default();
        service.is_up = true;
        service.is_anonymous = is_anonymous;
    }

    /// The worker of a service is gone, and with it all that the service knew of its streams.
    pub fn lose_service(&mut self, now_ns: u64, sockets: &mut impl Sockets, number: u32) {
        self.at(now_ns);
        let of_service = self.table.places();
        let places: Vec<usize> = of_service
            .filter(|(_, entry)| entry.service == number)
            .map(|(place, _)| place)
            .collect();
        // Nobody is left to be told.
        if let Some(service) = self.table.services.get_mut(&number) {
            service.is_up = false;
            service.ready.clear();
        }
        for place in places {
            self.close(sockets, place, Closing::Lost);
            // Also of one that was closed, and whose last bytes are going out.
            self.release(sockets, place, Some(Closing::Lost));
            self.forget(place);
        }
    }

    /// Services that have something to be told.
    pub fn services_with_news(&self) -> impl Iterator<Item = u32> {
        let services = self.table.services.iter();
        let ready = services.filter(|(_, service)| service.is_up && !service.ready.is_empty());
        ready.map(|(number, _)| *number)
    }

    // -- packets ----------------------------------------------------------------------------------

    /// Take payloads of one connection of a service; `pipe` is the peer by whose pipe they came.
    pub fn handle<'a>(
        &mut self,
        now_ns: u64,
        service: u32,
        pipe: [u8; 16],
        key: ConnectionKey,
        payloads: impl IntoIterator<Item = &'a [u8]>,
    ) {
        self.at(now_ns);
        if key.peer == self.config.address {
            // Its own packet, which found no way and came back.
            return;
        }
        if self.links.of_key.len() > MAX_LINKS {
            self.forget_links();
        }
        let now_ns = self.now_ns;
        let links = self.links.of_key.entry(key);
        let link = links.or_insert_with(|| Link::new(service, pipe, now_ns));
        if link.service != service {
            return;
        }
        link.pipe = pipe;
        self.quic.handle_many(self.now_ns, key, payloads);
    }

    /// Put the next payloads that should be sent into `buffer`, whose content is dropped before.
    pub fn next_transmit(&mut self, now_ns: u64, buffer: &mut Vec<u8>) -> Option<Departure> {
        self.at(now_ns);
        loop {
            let transmit = self.quic.next_transmit(self.now_ns, buffer)?;
            // Else it is of a connection that is forgotten: nobody waits for it.
            if let Some(link) = self.links.of_key.get(&transmit.key) {
                return Some(Departure {
                    pipe: link.pipe,
                    service: link.service,
                    connection: transmit.key.connection,
                    payload_bytes: transmit.payload_bytes,
                    is_anonymous: self.table.is_anonymous(link.service),
                });
            }
        }
    }

    // -- sockets ----------------------------------------------------------------------------------

    /// A socket can be read or written again.
    pub fn socket_ready(&mut self, socket: usize) {
        self.to_work.add(socket);
    }

    /// A socket is connected.
    pub fn socket_opened(&mut self, now_ns: u64, socket: usize) {
        self.at(now_ns);
        self.open(socket);
    }

    /// A socket cannot be connected.
    pub fn socket_failed(
        &mut self,
        now_ns: u64,
        sockets: &mut impl Sockets,
        socket: usize,
        why: Closing,
    ) {
        self.at(now_ns);
        self.close(sockets, socket, why);
    }

    // -- time -------------------------------------------------------------------------------------

    /// Do what is due and what can be done, after anything came in. What is left is due at once.
    pub fn run(&mut self, now_ns: u64, sockets: &mut impl Sockets) {
        self.at(now_ns);
        if self
            .quic
            .next_deadline_ns()
            .is_some_and(|due_ns| due_ns <= now_ns)
        {
            self.quic.poll(now_ns);
        }
        while let Some(place) = self.deadlines.take_due(self.now_ns) {
            self.pass_deadline(sockets, place);
        }
        self.wake_metered();
        if self.tidy_at_ns <= self.now_ns {
            self.tidy_at_ns = self.now_ns + TIDY_NS;
            self.tidy();
        }
        for _ in 0..TURNS {
            while let Some(event) = self.quic.next_event() {
                self.take_quic_event(sockets, event);
            }
            match self.to_work.next() {
                Some(place) => self.work(sockets, place),
                None => return,
            }
        }
    }

    /// When to call `run` next.
    pub fn next_deadline_ns(&self) -> Option<u64> {
        if !self.to_work.is_empty() {
            return Some(self.now_ns);
        }
        let deadlines = [
            self.quic.next_deadline_ns(),
            self.deadlines.earliest_ns(),
            self.meters.earliest_ns(),
            (!self.links.of_key.is_empty()).then_some(self.tidy_at_ns),
        ];
        deadlines.into_iter().flatten().min()
    }

    // -- seeing -----------------------------------------------------------------------------------

    /// What was counted.
    pub fn statistics(&self) -> JunctionStatistics {
        let services = self.table.services.iter();
        let quic = self.quic.statistics();
        JunctionStatistics {
            open: self.table.len(),
            buffered_bytes: self.table.reserved_bytes() as u64 + quic.reserved_bytes,
            connections: quic.connections,
            crowded_out: self.counted.crowded_out + quic.crowded_out,
            services: services
                .map(|(number, service)| (*number, (service.open, service.opened)))
                .collect(),
            ..self.counted.clone()
        }
    }

    // -- inside -----------------------------------------------------------------------------------

    /// Time that would run backwards stands still.
    fn at(&mut self, now_ns: u64) {
        self.now_ns = self.now_ns.max(now_ns);
        self.sites.at(self.now_ns);
    }

    /// See to a stream: whatever can move, moves.
    fn work(&mut self, sockets: &mut impl Sockets, place: usize) {
        let Some(entry) = self.table.get(place) else {
            return;
        };
        match entry.stage {
            Stage::BeingRead => self.read_opening(sockets, place),
            Stage::Connecting => {}
            Stage::Open => self.move_bytes(sockets, place),
            Stage::Closed(_) => self.let_go(sockets, place),
        }
    }

    /// Note when a stream has waited long enough.
    fn set_deadline(&mut self, place: usize) {
        let deadline_ns = self.table.get(place).and_then(|entry| entry.deadline_ns());
        self.deadlines.set(place, deadline_ns);
    }
}

impl std::fmt::Debug for Junction {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let open = self.table.len();
        write!(formatter, "Junction({open} streams, {:?})", self.quic)
    }
}

/// Connections known at a time, with those that never came to anything.
const MAX_LINKS: usize = 1 << 18;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_peers_with_a_connection_each_fit_the_default() {
        let config = JunctionConfig {
            identity_key: [1; 32],
            seed: None,
            address: [1; 16],
            max_streams: 65_536,
            max_streams_per_peer: 1_024,
            buffer_bytes: 1 << 30,
        };
        let quic = config.quic(None);
        let mut reserved_bytes = 0;
        let mut connections = 0;

        while let Some(windows) = quic.windows(reserved_bytes, 0) {
            reserved_bytes += windows.sum_bytes();
            connections += 1;
        }

        assert!(connections > 1_000, "{connections}");
    }
}
