//! How connections begin and end.

use quinn_proto::{ConnectionHandle, Incoming};

use super::Streams;
use crate::config::{MIN_WINDOWS_BYTES, Windows};
use crate::connection::Connection;
use crate::endpoint::Accepted;
use crate::identity::Expected;
use crate::probing::Slip;
use crate::slots::Share;
use crate::{ConnectionKey, Event, LossKind, StreamsError};

const CROWDED_OUT: &str = "its memory was needed for another peer";
/// What a connection that made room had received stays readable for so long.
const CROWDED_LINGER_NS: u64 = 1_000_000_000;

impl Streams {
    /// Open a connection to the peer whose Ed25519 key is `peer_key`. `Event::Connected` or
    /// `Event::ConnectionLost` follows.
    ///
    /// # Errors
    /// The key is in use, or there is no room.
    pub fn connect(
        &mut self,
        now_ns: u64,
        key: ConnectionKey,
        peer_key: [u8; 32],
    ) -> Result<(), StreamsError> {
        let now = self.at(now_ns);
        if self.waiting.contains(&key) {
            return Err(StreamsError::AlreadyConnected(key));
        }
        let windows = self.find_room(key, None)?;
        let slip = Slip::default();
        let transport = self.config.transport(windows, &slip)?;
        let (handle, quic) = self.endpoint.connect(now, key, peer_key, transport)?;
        self.statistics.connects += 1;
        self.add(key, handle, quic, windows, slip, None);
        Ok(())
    }

    /// Answer `Event::KeyWanted` with the peer's Ed25519 key. `Event::Connected` or
    /// `Event::ConnectionLost` follows.
    ///
    /// # Errors
    /// Nothing of that key waits, or there is no room (it is then refused).
    pub fn accept(
        &mut self,
        now_ns: u64,
        key: ConnectionKey,
        peer_key: [u8; 32],
    ) -> Result<(), StreamsError> {
        self.let_begin(now_ns, key, Expected::Key(peer_key), None)
    }

    /// Answer `Event::KeyWanted` with whoever it is: the peer proves that it has some Ed25519 key, and nobody
    /// need know that. What others have by the same `pipe` counts twice against it, so that all that come by
    /// one leave as much to the rest.
    ///
    /// # Errors
    /// Nothing of that key waits, or there is no room (it is then refused).
    pub fn accept_anybody(
        &mut self,
        now_ns: u64,
        key: ConnectionKey,
        pipe: [u8; 16],
    ) -> Result<(), StreamsError> {
        self.let_begin(now_ns, key, Expected::Anybody, Some(pipe))
    }

    fn let_begin(
        &mut self,
        now_ns: u64,
        key: ConnectionKey,
        expected: Expected,
        pipe: Option<[u8; 16]>,
    ) -> Result<(), StreamsError> {
        let now = self.at(now_ns);
        let incoming = self
            .waiting
            .take(&key)
            .ok_or(StreamsError::NotWaiting(key))?;
        let slip = Slip::default();
        let room = self.find_room(key, pipe.as_ref()).and_then(|windows| {
            self.config
                .transport(windows, &slip)
                .map(|transport| (windows, transport))
        });
        let (windows, transport) = match room {
            Ok(room) => room,
            Err(error) => {
                self.refuse_incoming(key, incoming);
                return Err(error);
            }
        };
        self.answer.clear();
        match self
            .endpoint
            .accept(now, incoming, expected, transport, &mut self.answer)?
        {
            Accepted::Connection(handle, quic) => {
                self.statistics.accepts += 1;
                self.add(key, handle, quic, windows, slip, pipe);
            }
            Accepted::Lost(loss, answer) => {
                if answer.is_some() {
                    self.send_answer(key);
                }
                self.statistics.losses += 1;
                self.events.push_back(Event::ConnectionLost { key, loss });
            }
        }
        Ok(())
    }

    /// Answer `Event::KeyWanted` with no.
    ///
    /// # Errors
    /// Nothing of that key waits.
    pub fn refuse(&mut self, now_ns: u64, key: ConnectionKey) -> Result<(), StreamsError> {
        let _ = self.at(now_ns);
        let incoming = self
            .waiting
            .take(&key)
            .ok_or(StreamsError::NotWaiting(key))?;
        self.refuse_incoming(key, incoming);
        Ok(())
    }

    /// Close a connection, telling the peer `code` (at most 2^62 - 1) and `reason`; or let go of one that
    /// was lost. No event follows, unread bytes are gone, unsent ones are not sent: wait for
    /// `Event::StreamFinished` before. Without effect on a connection that is gone.
    ///
    /// # Errors
    /// The code is too large.
    pub fn close(
        &mut self,
        now_ns: u64,
        key: ConnectionKey,
        code: u64,
        reason: &[u8],
    ) -> Result<(), StreamsError> {
        let now = self.at(now_ns);
        let Some((slot, connection)) = self.find_mut(key) else {
            return Ok(());
        };
        connection.close(now, code, reason)?;
        if connection.handle.is_none() {
            self.remove(slot);
        } else {
            self.to_send.add(slot);
        }
        Ok(())
    }

    /// Whether a connection exists, or waits for its key.
    pub fn is_known(&self, key: ConnectionKey) -> bool {
        self.slots.find(&key).is_some() || self.waiting.contains(&key)
    }

    /// The path to `peer` is another one, for instance after a change of attachment: its connections
    /// measure it afresh, and ask over it until it answers.
    pub fn path_changed(&mut self, now_ns: u64, peer: [u8; 16]) {
        let _ = self.at(now_ns);
        for (slot, connection) in self.slots.iter_mut() {
            if connection.key.peer == peer {
                connection.path_changed(self.now_ns);
                self.to_send.add(slot);
            }
        }
    }

    /// Say something to `peer` on its connections that has to be answered, until it is.
    pub fn ask(&mut self, now_ns: u64, peer: [u8; 16]) {
        let _ = self.at(now_ns);
        for (slot, connection) in self.slots.iter_mut() {
            if connection.key.peer == peer {
                connection.ask(self.now_ns);
                self.to_send.add(slot);
            }
        }
    }

    /// Room for one more connection. When there is none left, whoever holds most makes some; not for those of
    /// a shared pipe, which have a share of what is left.
    fn find_room(
        &mut self,
        key: ConnectionKey,
        pipe: Option<&[u8; 16]>,
    ) -> Result<Windows, StreamsError> {
        let room = self.check_room(key, pipe);
        let left = self
            .config
            .buffer_bytes
            .saturating_sub(self.slots.reserved_bytes());
        let is_short_of_memory_alone = left < MIN_WINDOWS_BYTES
            && pipe.is_none()
            && self.slots.find(&key).is_none()
            && self.slots.len() < self.config.max_connections
            && self.slots.count_with(&key.peer) < self.config.max_connections_per_peer;
        if room.is_err() && is_short_of_memory_alone && self.crowd_out(key) {
            return self.check_room(key, pipe);
        }
        room
    }

    /// Give up the connection that goes first when memory is short; whether there was one.
    fn crowd_out(&mut self, key: ConnectionKey) -> bool {
        let now = self.at(self.now_ns);
        let Some(slot) = self.slots.first_to_go(&key.peer, MIN_WINDOWS_BYTES) else {
            return false;
        };
        self.slots.release(slot);
        if let Some(connection) = self.slots.get_mut(slot) {
            connection.give_up(now, LossKind::CrowdedOut, CROWDED_OUT);
            // Not for as long as others: it is the memory that is wanted.
            connection.linger_deadline_ns = Some(self.now_ns.saturating_add(CROWDED_LINGER_NS));
        }
        self.statistics.losses += 1;
        self.statistics.crowded_out += 1;
        self.absorb(Some(slot));
        true
    }

    fn check_room(
        &self,
        key: ConnectionKey,
        pipe: Option<&[u8; 16]>,
    ) -> Result<Windows, StreamsError> {
        if self.slots.find(&key).is_some() {
            return Err(StreamsError::AlreadyConnected(key));
        }
        let connections = self.slots.len();
        let of_peer = self.slots.count_with(&key.peer);
        let by_pipe = pipe.map_or(Share::default(), |pipe| self.slots.share_of(pipe));
        let is_full = connections + by_pipe.connections >= self.config.max_connections
            || of_peer >= self.config.max_connections_per_peer;
        let reserved_bytes = self.slots.reserved_bytes();
        match self
            .config
            .windows(reserved_bytes + by_pipe.reserved_bytes, of_peer)
        {
            Some(windows) if !is_full => Ok(windows),
            _ => Err(StreamsError::TooManyConnections {
                connections,
                reserved_bytes,
            }),
        }
    }

    fn add(
        &mut self,
        key: ConnectionKey,
        handle: ConnectionHandle,
        quic: quinn_proto::Connection,
        windows: Windows,
        slip: Slip,
        pipe: Option<[u8; 16]>,
    ) {
        let deadline_ns = self.now_ns.saturating_add(self.config.handshake_timeout_ns);
        let reserved_bytes = windows.sum_bytes();
        let connection = Connection::new(key, handle, quic, reserved_bytes, deadline_ns, slip);
        let slot = self.slots.add(connection, pipe);
        self.absorb(Some(slot));
    }

    pub(super) fn let_wait(&mut self, key: ConnectionKey, incoming: Incoming) {
        // The second: events of strangers that nobody takes.
        if self.slots.find(&key).is_some() || self.events.len() >= 2 * self.config.max_incoming {
            self.statistics.incoming_dropped += 1;
            self.endpoint.ignore(incoming);
            return;
        }
        let deadline_ns = self.now_ns.saturating_add(self.config.key_timeout_ns);
        match self.waiting.add(key, deadline_ns, incoming) {
            Ok(()) => self.events.push_back(Event::KeyWanted { key }),
            Err(incoming) => {
                self.statistics.incoming_dropped += 1;
                self.endpoint.ignore(incoming);
            }
        }
    }

    pub(super) fn refuse_incoming(&mut self, key: ConnectionKey, incoming: Incoming) {
        self.statistics.refusals += 1;
        self.answer.clear();
        let _ = self.endpoint.refuse(incoming, &mut self.answer);
        self.send_answer(key);
    }
}
