//! Peers: who they are, what becomes of them, and who is told.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

use super::{Datapath, LaneMessage};
use crate::aead::KEY_BYTES;
use crate::pipes::{PeerIndex, PeerKind, PipeChange, PipesError};
use crate::queue::News;
use crate::wire::Address;

/// Notices that may wait; beyond it queries are refused.
const MAX_NOTICES: usize = 8_192;
/// Control messages, up to 64 KiB each, stay with their pipes and so with their senders beyond this.
const MAX_BEFORE_CONTROL: usize = 64;
/// Round trips are told at most this often.
const MEASURE_NS: u64 = 1_000_000_000;
/// Services below this one are the node's own: it answers their control messages itself.
const FIRST_MODULE: u32 = 16;
/// A round trip has changed when it did so by more than this, and by more than a fifth.
const NOTICEABLE_NS: u64 = 200_000;

/// What the node or host around the datapath should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Packets can be sent to the peer.
    PeerUp {
        /// Which.
        peer: Address,
    },
    /// The peer does not answer any more.
    PeerDown {
        /// Which.
        peer: Address,
    },
    /// A service asks the directory; answer with `Datapath::resolved`.
    ResolveWanted {
        /// Who asks.
        service: u32,
        /// Opaque.
        query: Vec<u8>,
    },
    /// A control message for this host, or for a service of this node's own.
    ControlReceived {
        /// Who sent it.
        peer: Address,
        /// For which service.
        service: u32,
        /// At most 64 KiB.
        message: Vec<u8>,
    },
}

/// What the datapath remembers of peers beside their pipes.
#[derive(Default)]
pub(super) struct Peers {
    /// By index, also for a while after a peer was removed: its last change names it.
    addresses: Vec<Address>,
    notices: VecDeque<Notice>,
    told_rtts_ns: BTreeMap<Address, u64>,
    measure_ns: u64,
    /// Up, and down for services.
    avoided: BTreeSet<Address>,
}

impl Peers {
    /// Keep a notice; false when too many wait.
    pub(super) fn notify(&mut self, notice: Notice) -> bool {
        let is_kept = self.notices.len() < MAX_NOTICES;
        if is_kept {
            self.notices.push_back(notice);
        }
        is_kept
    }

    fn has_room(&self) -> bool {
        self.notices.len() < MAX_BEFORE_CONTROL
    }
}

impl Datapath {
    /// Know a peer; again with the same address changes what is known of it. Opens no pipe.
    ///
    /// # Errors
    /// See `PipesError`.
    pub fn add_peer(
        &mut self,
        address: Address,
        public_key: [u8; KEY_BYTES],
        kind: PeerKind,
        endpoint: Option<SocketAddr>,
    ) -> Result<PeerIndex, PipesError> {
        let peer = self
            .departures
            .pipes
            .add_peer(address, public_key, kind, endpoint)?;
        let place = peer.0 as usize;
        if self.peers.addresses.len() <= place {
            self.peers.addresses.resize(place + 1, Address::default());
        }
        if let Some(known) = self.peers.addresses.get_mut(place) {
            *known = address;
        }
        let is_node = kind == PeerKind::Node;
        self.decisions.routes.set_node(address, is_node);
        Ok(peer)
    }

    /// Forget a peer, its pipe and all that was decided to go to it.
    pub fn remove_peer(&mut self, now_ns: u64, address: &Address) {
        let Some(peer) = self.departures.pipes.find(address) else {
            return;
        };
        self.decisions.revoke_peer(peer);
        self.departures.expire(now_ns, Some(peer));
        self.departures.pipes.remove_peer(address);
        self.decisions.routes.set_node(*address, false);
        self.copies.forget(address);
        self.take_in_changes(now_ns);
    }

    /// Open a pipe to a known peer that has an endpoint; no effect when one is up.
    pub fn dial(&mut self, now_ns: u64, address: &Address) {
        if let Some(peer) = self.departures.pipes.find(address) {
            self.departures.pipes.dial(now_ns, peer);
        }
    }

    /// End the pipe to a peer, and tell it; all that was decided to go to it is decided anew.
    pub fn close_peer(&mut self, now_ns: u64, address: &Address) {
        if let Some(peer) = self.departures.pipes.find(address) {
            self.departures.pipes.close_peer(now_ns, peer);
            self.take_in_changes(now_ns);
        }
    }

    /// Let services think that a peer which is up is down, so that they decide for others; packets from
    /// and to it flow on. Ends by itself when its pipe does.
    pub fn set_peer_avoided(&mut self, address: &Address, is_avoided: bool) {
        let pipes = &self.departures.pipes;
        let Some(peer) = pipes.find(address).filter(|peer| pipes.is_up(*peer)) else {
            return;
        };
        let avoided = &mut self.peers.avoided;
        let is_changed = match is_avoided {
            true => avoided.insert(*address),
            false => avoided.remove(address),
        };
        if !is_changed {
            return;
        }
        if is_avoided {
            self.decisions.revoke_peer(peer);
            self.peers.told_rtts_ns.remove(address);
        }
        self.tell_services(*address, !is_avoided);
    }

    /// Forget all that was decided to go to a peer: it no longer leads where it did.
    pub fn revoke_peer(&mut self, address: &Address) {
        if let Some(peer) = self.departures.pipes.find(address) {
            self.decisions.revoke_peer(peer);
        }
    }

    /// Whether packets of a peer are taken (they are, by default), until it is removed; else they are
    /// dropped, `not_allowed`. Its control messages always are.
    pub fn set_peer_carried(&mut self, address: &Address, is_carried: bool) {
        if let Some(peer) = self.departures.pipes.find(address) {
            self.departures.pipes.set_carried(peer, is_carried);
        }
    }

    /// Datagrams came of late that found no room in this thread's socket: nobody knows whose they were.
    pub fn note_overflow(&mut self, now_ns: u64) {
        self.departures.pipes.note_overflow(now_ns);
    }

    /// All that had come to this thread's socket by `now_ns` has been read; who says so once says so each time.
    #[inline]
    pub fn note_read(&mut self, now_ns: u64) {
        self.departures.pipes.note_read(now_ns);
    }

    /// The directory's answer to a `ResolveWanted`, or news of a record that nobody asked for just now.
    pub fn resolved(&mut self, number: u32, query: &[u8], record: Option<&[u8]>) {
        let Some(index) = self.decisions.routes.index(number) else {
            return;
        };
        let news = News::Resolved {
            query: query.to_vec(),
            record: record.map(<[u8]>::to_vec),
        };
        if let Some(service) = self.service(index) {
            // With too many answers waiting this one is lost: what waits for it times out, counted.
            let _ = service.queue.push_news(news);
        }
    }

    /// The oldest notice.
    pub fn take_notice(&mut self) -> Option<Notice> {
        let notice = self.peers.notices.pop_front();
        if notice.is_some() {
            // There is room for what waited with the pipes.
            self.take_in_control();
        }
        notice
    }

    pub(super) fn has_notices(&self) -> bool {
        !self.peers.notices.is_empty()
    }

    /// Whether the oldest notice is a control message, which are large.
    pub fn is_control_next(&self) -> bool {
        let oldest = self.peers.notices.front();
        matches!(oldest, Some(Notice::ControlReceived { .. }))
    }

    /// Peers that are up for services, and their round trips in seconds.
    pub(super) fn peers_now(&self) -> (Vec<Address>, Vec<(Address, f64)>) {
        let pipes = &self.departures.pipes;
        let up = pipes.peers().filter(|peer| pipes.is_up(*peer));
        let known = up.map(|peer| (pipes.address(peer), pipes.rtt_ns(peer)));
        let offered: Vec<_> = known
            .filter(|(address, _)| !self.peers.avoided.contains(address))
            .collect();
        let rtts = offered
            .iter()
            .filter_map(|(address, rtt_ns)| Some((*address, (*rtt_ns)? as f64 / 1e9)));
        let rtts = rtts.collect();
        (
            offered.into_iter().map(|(address, _)| address).collect(),
            rtts,
        )
    }

    /// Take in what happened to pipes: peers up and down, control messages, peers to dial.
    #[inline]
    pub(super) fn take_in_changes(&mut self, now_ns: u64) {
        while let Some(change) = self.departures.pipes.take_change() {
            self.take_in_change(now_ns, change);
        }
        self.take_in_control();
        if self.has_lanes {
            self.take_in_lanes();
        }
    }

    fn take_in_change(&mut self, now_ns: u64, change: PipeChange) {
        let (peer, is_up) = match change {
            PipeChange::PeerUp { peer } => (peer, true),
            PipeChange::PeerDown { peer } => (peer, false),
            // What waits for it expires by itself; who wanted it may dial again.
            PipeChange::DialFailed { .. } => return,
            PipeChange::PeerRestarted { peer } => {
                let address = self.departures.pipes.address(peer);
                for service in self.services.iter_mut().flatten() {
                    service.queue.forget_control(&address);
                }
                return;
            }
        };
        if is_up {
            self.departures.release(now_ns, peer);
        } else {
            self.decisions.revoke_peer(peer);
        }
        let Some(address) = self.peers.addresses.get(peer.0 as usize).copied() else {
            return;
        };
        let was_avoided = self.peers.avoided.remove(&address);
        if self.lane != 0 {
            return;
        }
        self.peers.told_rtts_ns.remove(&address);
        let notice = if is_up {
            Notice::PeerUp { peer: address }
        } else {
            Notice::PeerDown { peer: address }
        };
        // Pipes go up and down a few times a second at most, so these are bounded by taking them.
        self.peers.notices.push_back(notice);
        if !was_avoided {
            self.tell_services(address, is_up);
        }
    }

    fn tell_services(&mut self, peer: Address, is_up: bool) {
        if self.lane != 0 {
            return;
        }
        for service in self.services.iter_mut().flatten() {
            service.queue.push_news(News::PeerChanged { peer, is_up });
        }
    }

    /// Control messages to the queue of their service, or to this host or node itself.
    #[inline]
    fn take_in_control(&mut self) {
        while self.peers.has_room()
            && let Some(message) = self.departures.pipes.take_control()
        {
            let peer = self.departures.pipes.address(message.peer);
            let is_own = self.role == PeerKind::Host || message.service < FIRST_MODULE;
            let index = self.decisions.routes.index(message.service);
            if is_own && index.is_none() {
                self.departures.pipes.commit_control(message.receipt);
                self.peers.notices.push_back(Notice::ControlReceived {
                    peer,
                    service: message.service,
                    message: message.message,
                });
                continue;
            }
            match index.and_then(|index| self.service(index)) {
                Some(service) => service
                    .queue
                    .push_control(peer, message.message, message.receipt),
                // Nobody will ever want it; the sender need not repeat it.
                None => self.departures.pipes.commit_control(message.receipt),
            }
        }
    }

    fn take_in_lanes(&mut self) {
        while let Some(update) = self.departures.pipes.take_key_update() {
            self.lane_messages.push_back(LaneMessage::Keys(update));
        }
        while let Some(report) = self.departures.pipes.take_lane_report() {
            self.lane_messages.push_back(LaneMessage::Report(report));
        }
        while let Some(peer) = self.departures.to_dial.pop_front() {
            let peer = self.departures.pipes.address(peer);
            self.lane_messages.push_back(LaneMessage::Dial { peer });
        }
    }

    /// Tell services of round trips that changed noticeably, once a second at most.
    pub(super) fn measure_peers(&mut self, now_ns: u64) {
        if self.lane != 0 || now_ns < self.peers.measure_ns || self.services.is_empty() {
            return;
        }
        self.peers.measure_ns = now_ns.saturating_add(MEASURE_NS);
        let pipes = &self.departures.pipes;
        let mut changed = Vec::new();
        for peer in pipes.peers().filter(|peer| pipes.is_up(*peer)) {
            let (address, Some(rtt_ns)) = (pipes.address(peer), pipes.rtt_ns(peer)) else {
                continue;
            };
            if self.peers.avoided.contains(&address) {
                continue;
            }
            let told_ns = self.peers.told_rtts_ns.get(&address).copied();
            let is_noticeable = told_ns
                .is_none_or(|told_ns| rtt_ns.abs_diff(told_ns) > NOTICEABLE_NS.max(told_ns / 5));
            if is_noticeable {
                self.peers.told_rtts_ns.insert(address, rtt_ns);
                changed.push((address, rtt_ns as f64 / 1e9));
            }
        }
        for changed in changed.chunks(MAX_MEASURED) {
            for service in self.services.iter_mut().flatten() {
                service
                    .queue
                    .push_news(News::PeersMeasured(changed.to_vec()));
            }
        }
    }
}

/// Round trips in one piece of news, so that it fits a batch.
pub(super) const MAX_MEASURED: usize = 2_048;
