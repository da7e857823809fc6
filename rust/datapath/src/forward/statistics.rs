//! What there is to see: counters and gauges, as values.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::{BatchStatistics, Datapath};
use crate::cache::ServiceIndex;
use crate::counters::Counters;
use crate::pipe::PipeStatistics;
use crate::pipes::HandshakeCounts;
use crate::wire::Address;

/// Everything that can be seen of a datapath.
#[derive(Clone, Debug)]
pub struct Statistics {
    /// The three books.
    pub counters: Counters,
    /// In the order of their numbers.
    pub services: Vec<ServiceStatistics>,
    /// In the order in which they were added.
    pub peers: Vec<PeerStatistics>,
    /// Of the pipes.
    pub handshakes: HandshakeCounts,
    /// Entries of the cache.
    pub decisions: usize,
    /// Records that the event log could not keep.
    pub log_lost: u64,
}

/// One service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceStatistics {
    /// Its number.
    pub number: u32,
    /// Packets that were put into its queue.
    pub missed: u64,
    /// Packets in its queue now.
    pub queue_packets: usize,
    /// What those count for.
    pub queue_bytes: usize,
    /// Most that they may count for.
    pub queue_limit_bytes: usize,
    /// How its worker fares.
    pub batches: BatchStatistics,
    /// Cache entries that begin with an answer of it.
    pub decisions: usize,
    /// By the datapath's words and its own.
    pub dropped: BTreeMap<String, u64>,
    /// Its own counters.
    pub counters: BTreeMap<String, u64>,
}

/// One peer.
#[derive(Clone, Debug)]
pub struct PeerStatistics {
    /// Who.
    pub address: Address,
    /// Whether packets can be sent to it.
    pub is_up: bool,
    /// Smoothed round trip.
    pub rtt_ns: Option<u64>,
    /// Where it is, or would be dialled.
    pub endpoint: Option<SocketAddr>,
    /// Sent and received by this thread.
    pub pipe: PipeStatistics,
}

impl Datapath {
    /// All counters and gauges.
    pub fn statistics(&self) -> Statistics {
        let pipes = &self.departures.pipes;
        let mut services: Vec<_> = (0..)
            .zip(&self.services)
            .filter_map(|(place, service)| {
                let service = service.as_ref()?;
                Some(ServiceStatistics {
                    number: service.config.number,
                    missed: service.missed,
                    queue_packets: service.queue.packets(),
                    queue_bytes: service.queue.bytes(),
                    queue_limit_bytes: service.queue.limit_bytes(),
                    batches: service.batches,
                    decisions: self.decisions.cache().len_of(ServiceIndex(place)),
                    dropped: service.dropped(),
                    counters: service.counts(),
                })
            })
            .collect();
        services.sort_by_key(|service| service.number);
        let peers = pipes.peers().map(|peer| PeerStatistics {
            address: pipes.address(peer),
            is_up: pipes.is_up(peer),
            rtt_ns: pipes.rtt_ns(peer),
            endpoint: pipes.endpoint(peer),
            pipe: pipes.pipe_statistics(peer),
        });
        Statistics {
            counters: self.departures.counters.clone(),
            services,
            peers: peers.collect(),
            handshakes: pipes.handshakes(),
            decisions: self.decisions.cache().len(),
            log_lost: self.log.as_ref().map_or(0, crate::log::EventLog::lost),
        }
    }
}
