//! Connections to other nodes: made when a stream wants one, warm for the next. And whose keys are known.

use super::entry::{End, Stage};
use super::links::{Link, Wanting};
use super::{Closing, Junction, Sockets, WARM_NS};
use crate::{ConnectionKey, StreamsError};

impl Junction {
    /// A peer whose Ed25519 key is wanted; `peer_key` answers.
    pub fn next_key_wanted(&mut self) -> Option<[u8; 16]> {
        self.links.to_ask.pop_first()
    }

    /// The key of a peer, for all that waits for it now; `None`: it is not known, or not wanted.
    pub fn peer_key(
        &mut self,
        now_ns: u64,
        sockets: &mut impl Sockets,
        peer: [u8; 16],
        peer_key: Option<[u8; 32]>,
    ) {
        self.at(now_ns);
        let Some(Wanting { incoming, outgoing }) = self.links.wanting.remove(&peer) else {
            return;
        };
        for key in incoming {
            // Each fails when it has waited too long.
            let _too_late = match peer_key {
                Some(peer_key) => self.quic.accept(now_ns, key, peer_key),
                None => self.quic.refuse(now_ns, key),
            };
        }
        for (service, place) in outgoing {
            if !self.is_coming(place, &peer, service) {
                continue;
            }
            let reached = match peer_key {
                Some(peer_key) => self.warm_up(peer, service, peer_key),
                None => Err(Closing::Unreachable),
            };
            match reached {
                Ok(key) => self.wait_for(sockets, place, key),
                Err(why) => self.close(sockets, place, why),
            }
        }
    }

    /// Open a stream to a node: over the connection that is there, or over a new one.
    pub(super) fn reach(&mut self, sockets: &mut impl Sockets, place: usize, node: [u8; 16]) {
        let Some(service) = self.table.get(place).map(|entry| entry.service) else {
            return;
        };
        match self.links.warm.get(&(node, service)) {
            Some(key) => self.wait_for(sockets, place, *key),
            None => self.links.want(node).outgoing.push((service, place)),
        }
    }

    /// The warm connection to a node, made if there is none.
    fn warm_up(
        &mut self,
        node: [u8; 16],
        service: u32,
        node_key: [u8; 32],
    ) -> Result<ConnectionKey, Closing> {
        if let Some(key) = self.links.warm.get(&(node, service)) {
            return Ok(*key);
        }
        let key = ConnectionKey {
            peer: node,
            connection: self.randomness.draw_number(),
        };
        match self.quic.connect(self.now_ns, key, node_key) {
            Ok(()) => {}
            Err(StreamsError::TooManyConnections { .. }) => return Err(Closing::TooManyStreams),
            Err(_) => return Err(Closing::Unreachable),
        }
        let link = Link::new(service, node, self.now_ns);
        self.links.of_key.insert(key, link);
        self.links.warm.insert((node, service), key);
        Ok(key)
    }

    fn wait_for(&mut self, sockets: &mut impl Sockets, place: usize, key: ConnectionKey) {
        let Some(link) = self.links.get_mut(&key) else {
            return self.close(sockets, place, Closing::Lost);
        };
        link.waiting.push_back(place);
        if link.is_up {
            self.open_waiting(sockets, key);
        }
    }

    /// Open the streams that wait for a connection, as many as it allows.
    pub(super) fn open_waiting(&mut self, sockets: &mut impl Sockets, key: ConnectionKey) {
        while let Some((place, service)) = self
            .links
            .get_mut(&key)
            .and_then(|link| Some((*link.waiting.front()?, link.service)))
        {
            if self.is_coming(place, &key.peer, service) {
                match self.quic.open_stream(key, true) {
                    Ok(Some(stream)) => self.begin(sockets, place, End::Quic(key, stream)),
                    Ok(None) => return,
                    Err(_) => self.close(sockets, place, Closing::Lost),
                }
            }
            if let Some(link) = self.links.get_mut(&key) {
                link.waiting.pop_front();
            }
        }
    }

    /// The first bytes of a stream of this node's own.
    fn begin(&mut self, sockets: &mut impl Sockets, place: usize, end: End) {
        self.table.set_end(place, end);
        if let End::Quic(key, _) = end {
            self.links.note_opened(&key);
        }
        let opening = self
            .table
            .get_mut(place)
            .map(|entry| std::mem::take(&mut entry.opening));
        let opening = bytes::Bytes::from(opening.unwrap_or_default());
        let written = self.write(sockets, place, &opening, |taken| opening.slice(taken..));
        match written {
            Ok(()) => self.open(place),
            Err(why) => self.close(sockets, place, why),
        }
    }

    /// Whether the stream still waits for a connection to `peer`: its place may be another's by now.
    pub(super) fn is_coming(&self, place: usize, peer: &[u8; 16], service: u32) -> bool {
        self.table.get(place).is_some_and(|entry| {
            let waits = entry.stage == Stage::Connecting && entry.end == End::Coming;
            waits && entry.peer == *peer && entry.service == service
        })
    }

    /// Close what nobody used for long, and forget what is gone.
    pub(super) fn tidy(&mut self) {
        let now_ns = self.now_ns;
        let links = self.links.of_key.iter();
        let idle: Vec<ConnectionKey> = links
            .filter(|(_, link)| {
                let is_used = link.streams > 0 || !link.waiting.is_empty();
                !is_used && link.idle_since_ns.saturating_add(WARM_NS) <= now_ns
            })
            .map(|(key, _)| *key)
            .collect();
        for key in idle {
            let _none_wait = self.links.retire(&key);
            let _code_is_small = self.quic.close(now_ns, key, 0, b"");
        }
        self.handshakes.tidy(now_ns);
        self.forget_kept();
        self.tidy_meters(false);
        self.forget_links();
    }

    /// Forget connections that QUIC does not know.
    pub(super) fn forget_links(&mut self) {
        let quic = &self.quic;
        self.links.of_key.retain(|key, _| quic.is_known(*key));
        for wanting in self.links.wanting.values_mut() {
            wanting.incoming.retain(|key| quic.is_known(*key));
        }
        self.links
            .wanting
            .retain(|_, wanting| !wanting.incoming.is_empty() || !wanting.outgoing.is_empty());
    }
}
