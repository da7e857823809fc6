//! The QUIC connections of streams: of which service they are, by which pipe they come, and the warm ones
//! that this node opened.

use std::collections::{BTreeSet, HashMap, VecDeque};

use crate::ConnectionKey;

/// One connection.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) service: u32,
    /// The peer by whose pipe its packets came last, and go.
    pub(super) pipe: [u8; 16],
    /// The handshake is done.
    pub(super) is_up: bool,
    /// Streams of this node that wait for it, or for it to allow more.
    pub(super) waiting: VecDeque<usize>,
    /// Streams on it, and since when there is none.
    pub(super) streams: usize,
    pub(super) idle_since_ns: u64,
}

impl Link {
    pub(super) fn new(service: u32, pipe: [u8; 16], now_ns: u64) -> Self {
        Self {
            service,
            pipe,
            is_up: false,
            waiting: VecDeque::new(),
            streams: 0,
            idle_since_ns: now_ns,
        }
    }
}

/// Whose key is asked for, and what waits for it.
#[derive(Debug, Default)]
pub(super) struct Wanting {
    /// Connections of the peer's.
    pub(super) incoming: Vec<ConnectionKey>,
    /// Services of this node that want a connection to it, and their streams.
    pub(super) outgoing: Vec<(u32, usize)>,
}

/// Every connection.
#[derive(Debug, Default)]
pub(super) struct Links {
    pub(super) of_key: HashMap<ConnectionKey, Link>,
    /// Connections that this node opened, to be used again.
    pub(super) warm: HashMap<([u8; 16], u32), ConnectionKey>,
    pub(super) wanting: HashMap<[u8; 16], Wanting>,
    /// Whose key is to be asked for, once for each connection that waits.
    pub(super) to_ask: BTreeSet<[u8; 16]>,
}

impl Links {
    pub(super) fn get_mut(&mut self, key: &ConnectionKey) -> Option<&mut Link> {
        self.of_key.get_mut(key)
    }

    /// The key of `peer` is wanted; a place where to note for what.
    pub(super) fn want(&mut self, peer: [u8; 16]) -> &mut Wanting {
        self.to_ask.insert(peer);
        self.wanting.entry(peer).or_default()
    }

    /// A stream was opened on a connection.
    pub(super) fn note_opened(&mut self, key: &ConnectionKey) {
        if let Some(link) = self.of_key.get_mut(key) {
            link.streams += 1;
        }
    }

    /// A stream of a connection is gone.
    pub(super) fn note_gone(&mut self, now_ns: u64, key: &ConnectionKey) {
        if let Some(link) = self.of_key.get_mut(key) {
            link.streams = link.streams.saturating_sub(1);
            link.idle_since_ns = now_ns;
        }
    }

    /// The connection is not to be used for more streams; those that wait for it.
    pub(super) fn retire(&mut self, key: &ConnectionKey) -> VecDeque<usize> {
        self.warm.retain(|_, known| known != key);
        match self.of_key.get_mut(key) {
            Some(link) => {
                link.is_up = false;
                std::mem::take(&mut link.waiting)
            }
            None => VecDeque::new(),
        }
    }
}
