//! All stream connections of one host.

mod connections;
mod transfer;

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

use quinn_proto::{ConnectionEvent, DatagramEvent};

use crate::connection::Connection;
use crate::endpoint::Endpoint;
use crate::incoming::Waiting;
use crate::probing::Slip;
use crate::schedule::{Deadlines, Turns};
use crate::slots::Slots;
use crate::{
    ConnectionKey, ConnectionStatistics, Event, LossKind, Statistics, StreamsConfig, StreamsError,
    Transmit,
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
    slots: Slots,
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
        let windows = config.windows(0, 0).ok_or_else(|| {
            StreamsError::BadConfig(format!("buffer_bytes {} is too small", config.buffer_bytes))
        })?;
        let endpoint = Endpoint::new(&config, config.transport(windows, &Slip::default())?)?;
        Ok(Self {
            waiting: Waiting::new(config.max_incoming, config.max_incoming_per_peer),
            config,
            base: Instant::now(),
            now_ns: 0,
            endpoint,
            slots: Slots::default(),
            to_send: Turns::default(),
            with_events: Turns::default(),
            deadlines: Deadlines::default(),
            events: VecDeque::new(),
            answers: VecDeque::new(),
            answer: Vec::new(),
            statistics: Statistics::default(),
        })
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
                    let slot = self.slots.find_handle(handle);
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
                // The rest of a greeting, which is too long for one payload.
                None if self.waiting.has(&key) => {}
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
            let Some(connection) = self.slots.get_mut(slot) else {
                continue;
            };
            if connection
                .linger_deadline_ns
                .is_some_and(|deadline_ns| deadline_ns <= now_ns)
            {
                connection.let_go();
                if connection.handle.is_none() {
                    self.remove(slot);
                    continue;
                }
            }
            if connection
                .handshake_deadline_ns
                .is_some_and(|deadline_ns| deadline_ns <= now_ns)
            {
                connection.give_up(
                    now,
                    LossKind::HandshakeTimeout,
                    "the handshake took too long",
                );
            }
            connection.quic.handle_timeout(now);
            connection.probe(now_ns);
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
            let Some(connection) = self.slots.get_mut(slot) else {
                continue;
            };
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
            let Some(connection) = self.slots.get_mut(slot) else {
                continue;
            };
            let event = connection.take_event();
            if connection.has_events() {
                self.with_events.add(slot);
            }
            if matches!(
                event,
                Some(Event::StreamReset { .. } | Event::StreamStopped { .. })
            ) {
                // A stream is free again, which the peer should hear.
                self.to_send.add(slot);
            }
            if event.is_some() {
                return event;
            }
        }
        None
    }

    // -- seeing -----------------------------------------------------------------------------------

    /// Counters and gauges.
    pub fn statistics(&self) -> Statistics {
        Statistics {
            connections: self.slots.len(),
            reserved_bytes: self.slots.reserved_bytes(),
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
        let connection = self.slots.find(&key).and_then(|slot| self.slots.get(slot));
        connection
            .map(Connection::statistics)
            .ok_or(StreamsError::NotConnected(key))
    }

    // -- inside -----------------------------------------------------------------------------------

    /// QUIC's name for a time; time that would run backwards stands still.
    fn at(&mut self, now_ns: u64) -> Instant {
        self.now_ns = self.now_ns.max(now_ns);
        self.base + Duration::from_nanos(self.now_ns)
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
        match slot.and_then(|slot| self.slots.get_mut(slot)) {
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
        let now = self.at(self.now_ns);
        let Some(connection) = self.slots.get_mut(slot) else {
            return;
        };
        if connection.handle.is_none() && connection.is_closed {
            self.remove(slot);
            return;
        }
        let quic_ns = connection.quic.poll_timeout().map(|at| {
            u64::try_from(at.saturating_duration_since(base).as_nanos()).unwrap_or(u64::MAX)
        });
        let earliest_ns = [
            quic_ns,
            connection.handshake_deadline_ns,
            connection.linger_deadline_ns,
            connection.probe_deadline_ns(now, self.now_ns),
        ]
        .into_iter()
        .flatten()
        .min();
        self.deadlines.set(slot, earliest_ns);
    }

    fn carry(&mut self, slot: usize) {
        let Some(connection) = self.slots.get_mut(slot) else {
            return;
        };
        let mut is_drained = false;
        while let Some(event) = connection.quic.poll_endpoint_events() {
            let Some(handle) = connection.handle.filter(|_| !is_drained) else {
                break;
            };
            is_drained = event.is_drained();
            if let Some(event) = self.endpoint.quic().handle_event(handle, event) {
                connection.quic.handle_event(event);
            }
        }
        connection.absorb_events();
        if connection.is_lost() && connection.linger_deadline_ns.is_none() && !connection.is_closed
        {
            self.statistics.losses += 1;
            connection.linger_deadline_ns = Some(self.now_ns.saturating_add(self.config.linger_ns));
        }
        if connection.has_events() {
            self.with_events.add(slot);
        }
        if is_drained {
            self.slots.forget_handle(slot);
        }
    }

    /// Nothing of the connection is left.
    fn remove(&mut self, slot: usize) {
        self.slots.remove(slot);
        self.deadlines.set(slot, None);
    }

    fn find_mut(&mut self, key: ConnectionKey) -> Option<(usize, &mut Connection)> {
        let slot = self.slots.find(&key)?;
        let connection = self.slots.get_mut(slot)?;
        Some((slot, connection))
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
        Transmit {
            key,
            bytes,
            payload_bytes,
        }
    }
}

impl fmt::Debug for Streams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Statistics {
            connections,
            waiting,
            payloads_received,
            payloads_sent,
            ..
        } = self.statistics();
        write!(
            f,
            "Streams({connections} connections, {waiting} waiting, {payloads_received} received, \
             {payloads_sent} sent)"
        )
    }
}
