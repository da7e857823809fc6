//! All stream connections of one host.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::time::{Duration, Instant};

use bytes::Bytes;
use quinn_proto::{ConnectionEvent, ConnectionHandle, DatagramEvent, Incoming};

use crate::connection::Connection;
use crate::endpoint::{Accepted, Endpoint};
use crate::incoming::Waiting;
use crate::schedule::{Deadlines, Turns};
use crate::{
    ConnectionKey, ConnectionStatistics, Event, LossKind, Reading, Statistics, StreamsConfig,
    StreamsError, Transmit,
};

/// Answers to strangers (refusals, resets) that wait to be sent.
const MAX_ANSWERS: usize = 256;

/// One host's end of all its stream connections.
pub struct Streams {
    config: StreamsConfig,
    /// QUIC counts from an `Instant`; this is the one that stands for `now_ns` = 0, taken once.
    base: Instant,
    now_ns: u64,
    endpoint: Endpoint,
    slots: Vec<Option<Connection>>,
    free: Vec<usize>,
    of_key: HashMap<ConnectionKey, usize>,
    of_peer: HashMap<[u8; 16], usize>,
    of_handle: Vec<Option<usize>>,
    waiting: Waiting,
    to_send: Turns,
    with_events: Turns,
    deadlines: Deadlines,
    /// Events of keys that have no connection.
    events: VecDeque<Event>,
    answers: VecDeque<(ConnectionKey, Vec<u8>)>,
    answer: Vec<u8>,
    statistics: Statistics,
}

impl Streams {
    /// An endpoint without connections.
    ///
    /// # Errors
    /// A configuration out of range, a key that cannot be used, or no randomness.
    pub fn new(config: StreamsConfig) -> Result<Self, StreamsError> {
        config.check()?;
        let windows = config.windows(0).ok_or_else(|| {
            StreamsError::BadConfig(format!("buffer_bytes {} is too small", config.buffer_bytes))
        })?;
        let endpoint = Endpoint::new(&config, config.transport(windows)?)?;
        Ok(Self {
            waiting: Waiting::new(config.max_incoming, config.max_incoming_per_peer),
            config,
            base: Instant::now(),
            now_ns: 0,
            endpoint,
            slots: Vec::new(),
            free: Vec::new(),
            of_key: HashMap::new(),
            of_peer: HashMap::new(),
            of_handle: Vec::new(),
            to_send: Turns::default(),
            with_events: Turns::default(),
            deadlines: Deadlines::default(),
            events: VecDeque::new(),
            answers: VecDeque::new(),
            answer: Vec::new(),
            statistics: Statistics::default(),
        })
    }

    // -- connections ------------------------------------------------------------------------------

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
        let windows = self.check_room(key)?;
        if self.waiting.contains(&key) {
            return Err(StreamsError::AlreadyConnected(key));
        }
        let transport = self.config.transport(windows)?;
        let (handle, quic) = self.endpoint.connect(now, key, peer_key, transport)?;
        self.statistics.connects += 1;
        self.add(key, handle, quic, windows.sum_bytes());
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
        let now = self.at(now_ns);
        let incoming = self.waiting.take(&key).ok_or(StreamsError::NotWaiting(key))?;
        let room = self.check_room(key).and_then(|windows| {
            self.config.transport(windows).map(|transport| (windows, transport))
        });
        let (windows, transport) = match room {
            Ok(room) => room,
            Err(error) => {
                self.refuse_incoming(key, incoming);
                return Err(error);
            }
        };
        self.answer.clear();
        match self.endpoint.accept(now, incoming, peer_key, transport, &mut self.answer)? {
            Accepted::Connection(handle, quic) => {
                self.statistics.accepts += 1;
                self.add(key, handle, quic, windows.sum_bytes());
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
        let incoming = self.waiting.take(&key).ok_or(StreamsError::NotWaiting(key))?;
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
        let Some((slot, connection)) = self.find_mut(key) else { return Ok(()) };
        connection.close(now, code, reason)?;
        if connection.handle.is_none() {
            self.remove(slot);
        } else {
            self.to_send.add(slot);
        }
        Ok(())
    }

    /// The path to `peer` is another one, for instance after a change of attachment: its connections
    /// measure it afresh, and say something at once.
    pub fn path_changed(&mut self, now_ns: u64, peer: [u8; 16]) {
        let now = self.at(now_ns);
        for (slot, entry) in self.slots.iter_mut().enumerate() {
            if let Some(connection) = entry.as_mut().filter(|entry| entry.key.peer == peer) {
                connection.path_changed(now);
                self.to_send.add(slot);
            }
        }
    }

    // -- payloads and time ------------------------------------------------------------------------

    /// Take one payload that came on a connection.
    pub fn handle(&mut self, now_ns: u64, key: ConnectionKey, payload: &[u8]) {
        self.handle_many(now_ns, key, [payload]);
    }

    /// Take payloads that came on one connection, in their order. Cheaper than one by one.
    pub fn handle_many<'a>(
        &mut self,
        now_ns: u64,
        key: ConnectionKey,
        payloads: impl IntoIterator<Item = &'a [u8]>,
    ) {
        let now = self.at(now_ns);
        let mut touched = None;
        for payload in payloads {
            self.statistics.payloads_received += 1;
            self.statistics.received_bytes += payload.len() as u64;
            self.answer.clear();
            match self.endpoint.handle(now, key, payload, &mut self.answer) {
                Some(DatagramEvent::ConnectionEvent(handle, event)) => {
                    let slot = self.of_handle.get(handle.0).copied().flatten();
                    if touched != slot {
                        self.absorb(touched);
                        touched = slot;
                    }
                    self.pass(slot, event);
                }
                Some(DatagramEvent::NewConnection(incoming)) => self.let_wait(key, incoming),
                Some(DatagramEvent::Response(_)) => {
                    self.statistics.payloads_unknown += 1;
                    self.send_answer(key);
                }
                None => self.statistics.payloads_unknown += 1,
            }
        }
        self.absorb(touched);
    }

    /// Do what is due. Call it at [`Self::next_deadline_ns`], then take transmits and events.
    pub fn poll(&mut self, now_ns: u64) {
        let now = self.at(now_ns);
        while let Some((key, incoming)) = self.waiting.take_due(self.now_ns) {
            self.refuse_incoming(key, incoming);
        }
        while let Some(slot) = self.deadlines.take_due(self.now_ns) {
            let now_ns = self.now_ns;
            let Some(connection) = self.slots.get_mut(slot).and_then(Option::as_mut) else { continue };
            if connection.linger_deadline_ns.is_some_and(|deadline_ns| deadline_ns <= now_ns) {
                connection.let_go();
                if connection.handle.is_none() {
                    self.remove(slot);
                    continue;
                }
            }
            if connection.handshake_deadline_ns.is_some_and(|deadline_ns| deadline_ns <= now_ns) {
                connection.give_up(now, LossKind::HandshakeTimeout, "the handshake took too long");
            }
            connection.quic.handle_timeout(now);
            self.absorb(Some(slot));
        }
    }

    /// When to call [`Self::poll`] and take transmits next; in the past when something waits to be sent,
    /// `None` when nothing will happen by itself.
    pub fn next_deadline_ns(&self) -> Option<u64> {
        if !self.to_send.is_empty() || !self.answers.is_empty() {
            return Some(self.now_ns);
        }
        match (self.deadlines.earliest_ns(), self.waiting.earliest_ns()) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }

    /// Put the next payloads that should be sent into `buffer`, whose content is dropped before; `None` when
    /// there are none now. Connections take turns.
    pub fn next_transmit(&mut self, now_ns: u64, buffer: &mut Vec<u8>) -> Option<Transmit> {
        let now = self.at(now_ns);
        buffer.clear();
        if let Some((key, answer)) = self.answers.pop_front() {
            buffer.extend_from_slice(&answer);
            return Some(self.sent(key, answer.len(), answer.len()));
        }
        while let Some(slot) = self.to_send.next() {
            let max_payloads = self.config.max_transmit_payloads;
            let Some(connection) = self.slots.get_mut(slot).and_then(Option::as_mut) else { continue };
            let key = connection.key;
            let transmit = connection.quic.poll_transmit(now, max_payloads, buffer);
            if let Some(transmit) = transmit {
                self.to_send.add(slot);
                let payload_bytes = transmit.segment_size.unwrap_or(transmit.size);
                return Some(self.sent(key, transmit.size, payload_bytes));
            }
            self.settle(slot);
        }
        None
    }

    /// The next thing that happened.
    pub fn next_event(&mut self) -> Option<Event> {
        while let Some(event) = self.events.pop_front() {
            match event {
                Event::KeyWanted { key } if !self.waiting.contains(&key) => {}
                event => return Some(event),
            }
        }
        while let Some(slot) = self.with_events.next() {
            let Some(connection) = self.slots.get_mut(slot).and_then(Option::as_mut) else { continue };
            let event = connection.take_event();
            if connection.has_events() {
                self.with_events.add(slot);
            }
            if matches!(event, Some(Event::StreamReset { .. })) {
                // A stream is free again, which the peer should hear.
                self.to_send.add(slot);
            }
            if event.is_some() {
                return event;
            }
        }
        None
    }

    // -- streams ----------------------------------------------------------------------------------

    /// Open a stream; `None` while the peer allows no more (`Event::StreamsAvailable` follows). The peer
    /// hears of it with the first bytes or the end.
    ///
    /// # Errors
    /// There is no such connection, or it was lost.
    pub fn open_stream(
        &mut self,
        key: ConnectionKey,
        is_bidirectional: bool,
    ) -> Result<Option<u64>, StreamsError> {
        self.with(key, |connection| Ok((connection.open(is_bidirectional)?, false)))
    }

    /// Write to a stream; return how many bytes were taken. Fewer than offered means that the windows are
    /// full: `Event::Writable` follows.
    ///
    /// # Errors
    /// No such connection or stream, or the peer stopped the stream.
    pub fn write(
        &mut self,
        key: ConnectionKey,
        stream: u64,
        bytes: &[u8],
    ) -> Result<usize, StreamsError> {
        self.with(key, |connection| {
            let accepted = connection.write(stream, bytes)?;
            Ok((accepted, accepted > 0))
        })
    }

    /// End a stream after what was written; `Event::StreamFinished` follows when the peer has it all.
    ///
    /// # Errors
    /// No such connection or stream, or the peer stopped the stream.
    pub fn finish(&mut self, key: ConnectionKey, stream: u64) -> Result<(), StreamsError> {
        self.with(key, |connection| Ok((connection.finish(stream)?, true)))
    }

    /// Give up sending on a stream, telling the peer `code` (at most 2^62 - 1).
    ///
    /// # Errors
    /// No such connection or stream, or the code is too large.
    pub fn reset(&mut self, key: ConnectionKey, stream: u64, code: u64) -> Result<(), StreamsError> {
        self.with(key, |connection| Ok((connection.reset(stream, code)?, true)))
    }

    /// Ask the peer to send no more on a stream, telling it `code` (at most 2^62 - 1); what is unread is
    /// dropped.
    ///
    /// # Errors
    /// No such connection or stream, or the code is too large.
    pub fn stop(&mut self, key: ConnectionKey, stream: u64, code: u64) -> Result<(), StreamsError> {
        self.with(key, |connection| Ok((connection.stop(stream, code)?, true)))
    }

    /// Append up to `max_bytes` of a stream to `pieces`, without copying. Having read less than that, wait
    /// for `Event::Readable`; having read as much, read again.
    ///
    /// # Errors
    /// No such connection or stream; a stream that was read to its end or reset is gone.
    pub fn read(
        &mut self,
        key: ConnectionKey,
        stream: u64,
        max_bytes: usize,
        pieces: &mut Vec<Bytes>,
    ) -> Result<Reading, StreamsError> {
        self.with(key, |connection| connection.read(stream, max_bytes, pieces))
    }

    // -- seeing -----------------------------------------------------------------------------------

    /// Counters and gauges.
    pub fn statistics(&self) -> Statistics {
        Statistics {
            connections: self.of_key.len(),
            waiting: self.waiting.len(),
            ..self.statistics
        }
    }

    /// Counters and gauges of one connection.
    ///
    /// # Errors
    /// There is no such connection.
    pub fn connection_statistics(
        &self,
        key: ConnectionKey,
    ) -> Result<ConnectionStatistics, StreamsError> {
        let slot = self.of_key.get(&key).copied();
        let connection = slot.and_then(|slot| self.slots.get(slot)).and_then(Option::as_ref);
        connection.map(Connection::statistics).ok_or(StreamsError::NotConnected(key))
    }

    // -- inside -----------------------------------------------------------------------------------

    /// QUIC's name for a time; time that would run backwards stands still.
    fn at(&mut self, now_ns: u64) -> Instant {
        self.now_ns = self.now_ns.max(now_ns);
        self.base + Duration::from_nanos(self.now_ns)
    }

    fn check_room(&self, key: ConnectionKey) -> Result<crate::config::Windows, StreamsError> {
        if self.of_key.contains_key(&key) {
            return Err(StreamsError::AlreadyConnected(key));
        }
        let of_peer = self.of_peer.get(&key.peer).copied().unwrap_or(0);
        let is_full = self.of_key.len() >= self.config.max_connections
            || of_peer >= self.config.max_connections_per_peer;
        let windows = self.config.windows(self.statistics.reserved_bytes);
        match windows {
            Some(windows) if !is_full => Ok(windows),
            _ => Err(StreamsError::TooManyConnections {
                connections: self.of_key.len(),
                reserved_bytes: self.statistics.reserved_bytes,
            }),
        }
    }

    fn add(
        &mut self,
        key: ConnectionKey,
        handle: ConnectionHandle,
        quic: quinn_proto::Connection,
        reserved_bytes: u64,
    ) {
        let deadline_ns = self.now_ns.saturating_add(self.config.handshake_timeout_ns);
        let connection = Connection::new(key, handle, quic, reserved_bytes, deadline_ns);
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                self.slots.push(None);
                self.slots.len() - 1
            }
        };
        if let Some(entry) = self.slots.get_mut(slot) {
            *entry = Some(connection);
        }
        self.of_key.insert(key, slot);
        *self.of_peer.entry(key.peer).or_insert(0) += 1;
        if self.of_handle.len() <= handle.0 {
            self.of_handle.resize(handle.0 + 1, None);
        }
        if let Some(entry) = self.of_handle.get_mut(handle.0) {
            *entry = Some(slot);
        }
        self.statistics.reserved_bytes += reserved_bytes;
        self.absorb(Some(slot));
    }

    fn remove(&mut self, slot: usize) {
        let Some(connection) = self.slots.get_mut(slot).and_then(Option::take) else { return };
        self.of_key.remove(&connection.key);
        if let Some(count) = self.of_peer.get_mut(&connection.key.peer) {
            *count -= 1;
            if *count == 0 {
                self.of_peer.remove(&connection.key.peer);
            }
        }
        self.statistics.reserved_bytes -= connection.reserved_bytes;
        self.deadlines.set(slot, None);
        self.free.push(slot);
    }

    fn find_mut(&mut self, key: ConnectionKey) -> Option<(usize, &mut Connection)> {
        let slot = self.of_key.get(&key).copied()?;
        let connection = self.slots.get_mut(slot).and_then(Option::as_mut)?;
        Some((slot, connection))
    }

    /// Act on a connection; `act` also says whether there is now something to send.
    fn with<T>(
        &mut self,
        key: ConnectionKey,
        act: impl FnOnce(&mut Connection) -> Result<(T, bool), StreamsError>,
    ) -> Result<T, StreamsError> {
        let (slot, connection) = self.find_mut(key).ok_or(StreamsError::NotConnected(key))?;
        let (result, has_more_to_send) = act(connection)?;
        if has_more_to_send {
            self.to_send.add(slot);
        }
        Ok(result)
    }

    fn pass(&mut self, slot: Option<usize>, event: ConnectionEvent) {
        let connection =
            slot.and_then(|slot| self.slots.get_mut(slot)).and_then(Option::as_mut);
        match connection {
            Some(connection) => connection.quic.handle_event(event),
            None => self.statistics.payloads_unknown += 1,
        }
    }

    /// After QUIC was given something: carry what it says to the endpoint and to the caller.
    fn absorb(&mut self, slot: Option<usize>) {
        let Some(slot) = slot else { return };
        self.carry(slot);
        self.to_send.add(slot);
    }

    /// After QUIC has nothing more to send: note when it wants to be called again.
    fn settle(&mut self, slot: usize) {
        self.carry(slot);
        let base = self.base;
        let Some(connection) = self.slots.get_mut(slot).and_then(Option::as_mut) else { return };
        if connection.handle.is_none() && connection.is_closed {
            self.remove(slot);
            return;
        }
        let quic_ns = connection.quic.poll_timeout().map(|at| {
            u64::try_from(at.saturating_duration_since(base).as_nanos()).unwrap_or(u64::MAX)
        });
        let earliest_ns = [quic_ns, connection.handshake_deadline_ns, connection.linger_deadline_ns]
            .into_iter()
            .flatten()
            .min();
        self.deadlines.set(slot, earliest_ns);
    }

    fn carry(&mut self, slot: usize) {
        let Some(connection) = self.slots.get_mut(slot).and_then(Option::as_mut) else { return };
        while let Some(event) = connection.quic.poll_endpoint_events() {
            let Some(handle) = connection.handle else { break };
            let is_drained = event.is_drained();
            if let Some(event) = self.endpoint.quic().handle_event(handle, event) {
                connection.quic.handle_event(event);
            }
            if is_drained {
                connection.handle = None;
                if let Some(entry) = self.of_handle.get_mut(handle.0) {
                    *entry = None;
                }
            }
        }
        connection.absorb_events();
        if connection.is_lost() && connection.linger_deadline_ns.is_none() && !connection.is_closed {
            self.statistics.losses += 1;
            connection.linger_deadline_ns = Some(self.now_ns.saturating_add(self.config.linger_ns));
        }
        if connection.has_events() {
            self.with_events.add(slot);
        }
    }

    fn let_wait(&mut self, key: ConnectionKey, incoming: Incoming) {
        // The second: events of strangers that nobody takes.
        if self.of_key.contains_key(&key) || self.events.len() >= 2 * self.config.max_incoming {
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

    fn refuse_incoming(&mut self, key: ConnectionKey, incoming: Incoming) {
        self.statistics.refusals += 1;
        self.answer.clear();
        let _ = self.endpoint.refuse(incoming, &mut self.answer);
        self.send_answer(key);
    }

    /// Queue what QUIC wrote to `self.answer`.
    fn send_answer(&mut self, key: ConnectionKey) {
        if self.answers.len() < MAX_ANSWERS {
            self.answers.push_back((key, self.answer.clone()));
        } else {
            self.statistics.answers_dropped += 1;
        }
    }

    fn sent(&mut self, key: ConnectionKey, bytes: usize, payload_bytes: usize) -> Transmit {
        self.statistics.payloads_sent += bytes.div_ceil(payload_bytes.max(1)) as u64;
        self.statistics.sent_bytes += bytes as u64;
        Transmit { key, bytes, payload_bytes }
    }
}

impl fmt::Debug for Streams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Statistics { connections, waiting, payloads_received, payloads_sent, .. } = self.statistics();
        write!(
            f,
            "Streams({connections} connections, {waiting} waiting, {payloads_received} received, \
             {payloads_sent} sent)"
        )
    }
}
