//! The connections that exist, found by key, by peer and by QUIC's handle.

use std::collections::HashMap;

use quinn_proto::ConnectionHandle;

use crate::ConnectionKey;
use crate::connection::Connection;

/// A table of connections. A slot keeps its number as long as its connection exists.
#[derive(Default)]
pub(crate) struct Slots {
    entries: Vec<Option<Connection>>,
    free: Vec<usize>,
    of_key: HashMap<ConnectionKey, usize>,
    of_peer: HashMap<[u8; 16], Share>,
    added: u64,
    of_handle: Vec<Option<usize>>,
    /// Of those that came by a pipe which has a share: by which.
    pipes: HashMap<usize, [u8; 16]>,
    of_pipe: HashMap<[u8; 16], Share>,
    reserved_bytes: u64,
}

/// What one peer has, or what has come by one pipe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) connections: usize,
    pub(crate) reserved_bytes: u64,
}

impl Slots {
    pub(crate) fn len(&self) -> usize {
        self.of_key.len()
    }

    /// What the windows of all add up to.
    pub(crate) fn reserved_bytes(&self) -> u64 {
        self.reserved_bytes
    }

    pub(crate) fn count_with(&self, peer: &[u8; 16]) -> usize {
        self.of_peer.get(peer).map_or(0, |share| share.connections)
    }

    /// The connection that goes first when memory is short: the oldest whose other end came here and has proved
    /// nothing yet; else, of the peers or pipes that hold most, the one that has been there longest, unless `peer`,
    /// with `bytes` more, would then hold more than they do. All that come by a pipe with a share are one.
    pub(crate) fn first_to_go(&self, peer: &[u8; 16], bytes: u64) -> Option<usize> {
        let reserving = || {
            let entries = self.entries.iter().enumerate();
            entries
                .filter_map(|(slot, entry)| Some((slot, entry.as_ref()?)))
                .filter(|(_, one)| one.reserved_bytes > 0)
        };
        // Beginning a connection is free: what was proved does not make room for what may come to nothing.
        let unproved = reserving()
            .filter(|(_, one)| one.is_unproved())
            .min_by_key(|(_, one)| one.number);
        if let Some((slot, _)) = unproved {
            return Some(slot);
        }
        let held = |shares: &HashMap<[u8; 16], Share>, of: &[u8; 16]| {
            shares.get(of).map_or(0, |share| share.reserved_bytes)
        };
        let shares = self.of_peer.values().chain(self.of_pipe.values());
        let most = shares.map(|share| share.reserved_bytes).max()?;
        if most < held(&self.of_peer, peer).saturating_add(bytes) {
            return None;
        }
        let by_pipe = |slot| {
            let pipe = self.pipes.get(&slot);
            pipe.map_or(0, |pipe| held(&self.of_pipe, pipe))
        };
        reserving()
            .filter(|(slot, one)| held(&self.of_peer, &one.key.peer).max(by_pipe(*slot)) == most)
            .min_by_key(|(_, one)| one.number)
            .map(|(slot, _)| slot)
    }

    /// A connection is about to go: what it reserves is for others.
    pub(crate) fn release(&mut self, slot: usize) {
        let Some(connection) = self.get_mut(slot) else {
            return;
        };
        let peer = connection.key.peer;
        let bytes = std::mem::take(&mut connection.reserved_bytes);
        self.reserved_bytes -= bytes;
        if let Some(share) = self.of_peer.get_mut(&peer) {
            share.reserved_bytes -= bytes;
        }
        let pipe = self.pipes.get(&slot);
        if let Some(share) = pipe.and_then(|pipe| self.of_pipe.get_mut(pipe)) {
            share.reserved_bytes -= bytes;
        }
    }

    pub(crate) fn find(&self, key: &ConnectionKey) -> Option<usize> {
        self.of_key.get(key).copied()
    }

    pub(crate) fn find_handle(&self, handle: ConnectionHandle) -> Option<usize> {
        self.of_handle.get(handle.0).copied().flatten()
    }

    pub(crate) fn get(&self, slot: usize) -> Option<&Connection> {
        self.entries.get(slot)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, slot: usize) -> Option<&mut Connection> {
        self.entries.get_mut(slot)?.as_mut()
    }

    /// All connections with their slots.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (usize, &mut Connection)> {
        let entries = self.entries.iter_mut().enumerate();
        entries.filter_map(|(slot, entry)| entry.as_mut().map(|connection| (slot, connection)))
    }

    pub(crate) fn share_of(&self, pipe: &[u8; 16]) -> Share {
        self.of_pipe.get(pipe).copied().unwrap_or_default()
    }

    /// Add a connection whose key is not there yet.
    pub(crate) fn add(&mut self, mut connection: Connection, pipe: Option<[u8; 16]>) -> usize {
        self.added += 1;
        connection.number = self.added;
        let slot = self.free.pop().unwrap_or(self.entries.len());
        if let Some(pipe) = pipe {
            let share = self.of_pipe.entry(pipe).or_default();
            share.connections += 1;
            share.reserved_bytes += connection.reserved_bytes;
            self.pipes.insert(slot, pipe);
        }
        if slot == self.entries.len() {
            self.entries.push(None);
        }
        self.of_key.insert(connection.key, slot);
        let share = self.of_peer.entry(connection.key.peer).or_default();
        share.connections += 1;
        share.reserved_bytes += connection.reserved_bytes;
        self.reserved_bytes += connection.reserved_bytes;
        if let Some(handle) = connection.handle {
            if self.of_handle.len() <= handle.0 {
                self.of_handle.resize(handle.0 + 1, None);
            }
            if let Some(entry) = self.of_handle.get_mut(handle.0) {
                *entry = Some(slot);
            }
        }
        if let Some(entry) = self.entries.get_mut(slot) {
            *entry = Some(connection);
        }
        slot
    }

    /// QUIC has forgotten the connection and will give its handle to another.
    pub(crate) fn forget_handle(&mut self, slot: usize) {
        let handle = self
            .get_mut(slot)
            .and_then(|connection| connection.handle.take());
        if let Some(entry) = handle.and_then(|handle| self.of_handle.get_mut(handle.0)) {
            *entry = None;
        }
    }

    /// Remove a connection whose handle is forgotten.
    pub(crate) fn remove(&mut self, slot: usize) {
        let Some(connection) = self.entries.get_mut(slot).and_then(Option::take) else {
            return;
        };
        self.of_key.remove(&connection.key);
        if let Some(share) = self.of_peer.get_mut(&connection.key.peer) {
            share.connections -= 1;
            share.reserved_bytes -= connection.reserved_bytes;
            if share.connections == 0 {
                self.of_peer.remove(&connection.key.peer);
            }
        }
        if let Some(pipe) = self.pipes.remove(&slot)
            && let Some(share) = self.of_pipe.get_mut(&pipe)
        {
            share.connections -= 1;
            share.reserved_bytes -= connection.reserved_bytes;
            if share.connections == 0 {
                self.of_pipe.remove(&pipe);
            }
        }
        self.reserved_bytes -= connection.reserved_bytes;
        self.free.push(slot);
    }
}
