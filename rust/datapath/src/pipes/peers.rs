//! The table of peers.

use std::net::SocketAddr;

use super::{HandshakeCounts, PeerIndex, PeerKind, PipeChange, Pipes, PipesError, PipesStatistics};
use crate::aead::KEY_BYTES;
use crate::pipe::{Pipe, PipeStatistics, Upkeep};
use crate::wire::Address;

impl Pipes {
    /// Know a peer; again with the same address changes its kind and endpoint, and with another key
    /// ends its pipe.
    ///
    /// # Errors
    /// `TooManyPeers`, `KeyInUse`, `OwnKey`.
    pub fn add_peer(
        &mut self,
        address: Address,
        public_key: [u8; KEY_BYTES],
        kind: PeerKind,
        endpoint: Option<SocketAddr>,
    ) -> Result<PeerIndex, PipesError> {
        if public_key == *self.identity.public_key() {
            return Err(PipesError::OwnKey);
        }
        if let Some(&holder) = self.by_key.get(&short_key(&public_key))
            && self.by_address.get(&address) != Some(&holder)
        {
            return Err(PipesError::KeyInUse {
                by: self.address(holder),
            });
        }
        if let Some(&peer) = self.by_address.get(&address) {
            let is_same_key = self
                .pipe(peer)
                .is_some_and(|pipe| pipe.public_key == public_key);
            if is_same_key {
                self.update_peer(peer, kind, endpoint);
                return Ok(peer);
            }
            self.remove_peer(&address);
        }
        if self.by_address.len() >= self.config.max_peers {
            return Err(PipesError::TooManyPeers {
                limit: self.config.max_peers,
            });
        }
        let pipe = Pipe::new(address, public_key, self.config.kind, kind, endpoint);
        let peer = self.place_peer(pipe);
        self.by_address.insert(address, peer);
        self.by_key.insert(short_key(&public_key), peer);
        Ok(peer)
    }

    fn update_peer(&mut self, peer: PeerIndex, kind: PeerKind, endpoint: Option<SocketAddr>) {
        let own = self.config.kind;
        if let Some(pipe) = self.pipe_mut(peer) {
            pipe.kind = kind;
            pipe.upkeep = Upkeep::between(own, kind);
            if endpoint.is_some() {
                pipe.known_endpoint = endpoint;
            }
        }
    }

    fn place_peer(&mut self, pipe: Pipe) -> PeerIndex {
        // The oldest free place, and only when several are free: an index stays unused for long.
        const REUSE_AFTER: usize = 64;
        let reused = match self.free_peers.len() > REUSE_AFTER {
            true => self.free_peers.pop_front(),
            false => None,
        };
        let index = reused.unwrap_or_else(|| self.peers.places());
        self.peers.put(index, pipe);
        PeerIndex(index)
    }

    /// Forget a peer and its keys; nothing is sent to it any more.
    pub fn remove_peer(&mut self, address: &Address) {
        let Some(peer) = self.by_address.remove(address) else {
            return;
        };
        self.end_sessions(peer);
        self.timers.remove(peer);
        if let Some(pipe) = self.peers.get(peer.0) {
            self.by_key.remove(&short_key(&pipe.public_key));
            if pipe.is_up {
                self.changes.push_back(PipeChange::PeerDown { peer });
            }
        }
        self.peers.remove(peer.0);
        self.messages.retain(|message| message.peer != peer);
        self.free_peers.push_back(peer.0);
    }

    /// The peer with this address.
    pub fn find(&self, address: &Address) -> Option<PeerIndex> {
        self.by_address.get(address).copied()
    }

    /// Every peer, in the order of their indices.
    pub fn peers(&self) -> impl Iterator<Item = PeerIndex> + '_ {
        self.peers.iter().map(|(index, _)| PeerIndex(index))
    }

    /// Address of this end.
    pub fn own_address(&self) -> Address {
        self.config.address
    }

    /// Address of a peer; all zero when there is none such.
    pub fn address(&self, peer: PeerIndex) -> Address {
        self.pipe(peer).map(|pipe| pipe.address).unwrap_or_default()
    }

    /// What the peer is, and whether its packets are taken; a host's are not when there is none such.
    pub fn standing(&self, peer: PeerIndex) -> (PeerKind, bool) {
        self.pipe(peer)
            .map_or((PeerKind::Host, false), |pipe| (pipe.kind, pipe.is_carried))
    }

    /// Whether packets of a peer are taken, until it is removed. Its control messages always are.
    pub fn set_carried(&mut self, peer: PeerIndex, is_carried: bool) {
        if let Some(pipe) = self.pipe_mut(peer) {
            pipe.is_carried = is_carried;
        }
    }

    /// A packet of the peer was not taken.
    pub fn note_refused(&mut self, peer: PeerIndex) {
        if let Some(pipe) = self.pipe_mut(peer) {
            pipe.refused += 1;
        }
    }

    /// Whether packets can be sent to it.
    pub fn is_up(&self, peer: PeerIndex) -> bool {
        self.pipe(peer).is_some_and(|pipe| pipe.is_up)
    }

    /// Where its packets go, or would be dialled.
    #[inline]
    pub fn endpoint(&self, peer: PeerIndex) -> Option<SocketAddr> {
        let pipe = self.pipe(peer)?;
        match pipe.endpoint {
            Some(endpoint) => Some(endpoint),
            None => pipe.endpoint_to_dial(),
        }
    }

    /// Smoothed round-trip time.
    pub fn rtt_ns(&self, peer: PeerIndex) -> Option<u64> {
        self.pipe(peer).and_then(|pipe| pipe.rtt.smoothed_ns())
    }

    /// What was sent and received on this thread.
    pub fn pipe_statistics(&self, peer: PeerIndex) -> PipeStatistics {
        self.pipe(peer).map(Pipe::statistics).unwrap_or_default()
    }

    /// Gauges of the whole table.
    pub fn statistics(&self) -> PipesStatistics {
        let pipes = || self.peers.iter().map(|(_, pipe)| pipe);
        PipesStatistics {
            peers: self.by_address.len(),
            up: pipes().filter(|pipe| pipe.is_up).count(),
            dialling: pipes().filter(|pipe| pipe.dialling.is_some()).count(),
            sessions: self.sessions.len(),
            outgoing: self.outgoing.len(),
            messages: self.messages.len(),
        }
    }

    /// What became of handshakes.
    pub fn handshakes(&self) -> HandshakeCounts {
        self.handshakes
    }

    /// Sessions and unfinished handshakes.
    pub fn session_count(&self) -> usize {
        self.sessions.len()
    }

    /// Largest datagram that goes to `peer`; zero without a pipe.
    pub fn max_datagram_bytes(&self, peer: PeerIndex) -> usize {
        self.pipe(peer).map_or(0, Pipe::max_datagram_bytes)
    }

    /// The peer that has exactly this public key.
    pub(super) fn find_key(&self, public_key: &[u8; KEY_BYTES]) -> Option<PeerIndex> {
        let peer = *self.by_key.get(&short_key(public_key))?;
        // In full: X25519 takes several encodings of one key, and only one of them is this peer's.
        self.pipe(peer)
            .filter(|pipe| pipe.public_key == *public_key)
            .map(|_| peer)
    }
}

impl std::fmt::Debug for Pipes {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let PipesStatistics {
            peers,
            up,
            dialling,
            sessions,
            ..
        } = self.statistics();
        write!(
            formatter,
            "Pipes({} lane {}: {up} up of {peers}, {dialling} dialling, {sessions} sessions)",
            self.config.address, self.config.lane
        )
    }
}

/// By the first half of the public key: 128 bits that nobody can make another key for.
pub(super) type ShortKey = [u8; KEY_BYTES / 2];

fn short_key(public_key: &[u8; KEY_BYTES]) -> ShortKey {
    public_key.first_chunk().copied().unwrap_or_default()
}
