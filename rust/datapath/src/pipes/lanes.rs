//! Several threads, nothing shared: lane 0 tells the others of keys and states, they report back.
//!
//! The shell carries these values between the threads of one endpoint, each update to every other
//! thread and in order.

use std::net::SocketAddr;

use super::{PeerIndex, PipeChange, Pipes};
use crate::handshake::SessionSecrets;
use crate::pipe::{NEVER_NS, Session};
use crate::wire::Address;

/// Reports that may wait to be taken; beyond it they are dropped, and made again later.
pub(super) const MAX_REPORTS: usize = 4_096;

/// From lane 0 to every other thread.
#[derive(Clone, Debug)]
pub enum LaneUpdate {
    /// Open packets with this receiver index.
    Install {
        /// The peer, known to every thread by `add_peer`.
        peer: Address,
        /// Our receiver index, lane bits zero.
        index: u32,
        /// The peer's receiver index.
        remote_index: u32,
        /// Age of the keys.
        made_ns: u64,
        /// Each thread derives its lane's keys.
        secrets: SessionSecrets,
        /// Sending lanes of the peer.
        peer_lanes: u8,
    },
    /// Seal with this session from now on.
    Promote {
        /// The peer.
        peer: Address,
        /// Our receiver index.
        index: u32,
    },
    /// Forget this session.
    Retire {
        /// Our receiver index.
        index: u32,
    },
    /// The peer went up or down, or moved.
    State {
        /// The peer.
        peer: Address,
        /// Whether packets can be sent to it.
        is_up: bool,
        /// Where they go.
        endpoint: Option<SocketAddr>,
        /// Largest datagram for it.
        max_datagram_bytes: usize,
    },
}

/// From another thread to lane 0: it sent to a peer, so an answer is due; or its key is worn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneReport {
    /// The peer.
    pub peer: Address,
    /// When the packet was sealed.
    pub sent_ns: u64,
    /// The lane's packet counter demands a new key.
    pub is_worn: bool,
}

impl Pipes {
    /// What every other thread of this endpoint must be told (lane 0).
    pub fn take_key_update(&mut self) -> Option<LaneUpdate> {
        self.updates.pop_front()
    }

    /// Take in what lane 0 says (other lanes).
    pub fn apply_key_update(&mut self, update: LaneUpdate) {
        match update {
            LaneUpdate::Install {
                peer,
                index,
                remote_index,
                made_ns,
                secrets,
                peer_lanes,
            } => {
                let Some(peer) = self.find(&peer) else { return };
                let share = self.share(peer_lanes);
                let session = Session::new(made_ns, &secrets, remote_index, share);
                self.sessions.put_at(index, peer, session);
            }
            LaneUpdate::Promote { peer, index } => {
                if let Some(pipe) = self.find(&peer).and_then(|peer| self.pipe_mut(peer)) {
                    pipe.current = Some(index);
                }
            }
            LaneUpdate::Retire { index } => {
                self.sessions.release(index);
            }
            LaneUpdate::State {
                peer,
                is_up,
                endpoint,
                max_datagram_bytes,
            } => {
                self.apply_state(peer, is_up, endpoint, max_datagram_bytes);
            }
        }
    }

    fn apply_state(
        &mut self,
        address: Address,
        is_up: bool,
        endpoint: Option<SocketAddr>,
        max_datagram_bytes: usize,
    ) {
        let Some(peer) = self.find(&address) else {
            return;
        };
        let Some(pipe) = self.pipe_mut(peer) else {
            return;
        };
        pipe.endpoint = endpoint;
        pipe.set_max_datagram_bytes(max_datagram_bytes);
        pipe.unanswered_ns = NEVER_NS;
        if std::mem::replace(&mut pipe.is_up, is_up) != is_up {
            self.changes.push_back(if is_up {
                PipeChange::PeerUp { peer }
            } else {
                PipeChange::PeerDown { peer }
            });
        }
    }

    /// What lane 0 must be told (other lanes).
    pub fn take_lane_report(&mut self) -> Option<LaneReport> {
        self.reports.pop_front()
    }

    /// Take in what another lane says (lane 0).
    pub fn apply_lane_report(&mut self, now_ns: u64, report: LaneReport) {
        let Some(peer) = self.find(&report.peer) else {
            return;
        };
        let heartbeat_ns = self.config.heartbeat_ns;
        let Some(pipe) = self.pipe_mut(peer) else {
            return;
        };
        if pipe.last_received_ns < report.sent_ns && pipe.unanswered_ns == NEVER_NS {
            pipe.unanswered_ns = report.sent_ns;
            self.pull_timer(peer, report.sent_ns + heartbeat_ns);
        }
        if report.is_worn && self.is_up(peer) {
            self.begin_dialling(now_ns, peer);
        }
    }

    pub(super) fn tell_lanes(
        &mut self,
        peer: PeerIndex,
        update: impl FnOnce(Address) -> LaneUpdate,
    ) {
        if self.config.lanes > 1 {
            let address = self.address(peer);
            self.updates.push_back(update(address));
        }
    }

    pub(super) fn tell_state(&mut self, peer: PeerIndex) {
        let Some(pipe) = self.pipe(peer) else { return };
        let (is_up, endpoint) = (pipe.is_up, pipe.endpoint);
        let max_datagram_bytes = pipe.max_datagram_bytes();
        self.tell_lanes(peer, |peer| LaneUpdate::State {
            peer,
            is_up,
            endpoint,
            max_datagram_bytes,
        });
    }
}
