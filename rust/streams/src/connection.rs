//! One connection: its streams, and what happened on it.

mod transfer;

use std::collections::{HashSet, VecDeque};
use std::time::Instant;

use bytes::Bytes;
use quinn_proto::{ConnectionHandle, Dir, StreamEvent, VarInt};

use crate::probing::{Probing, Slip};
use crate::{ConnectionKey, ConnectionStatistics, Event, Loss, LossKind, StreamsError};

/// QUIC's connection with what this crate keeps beside it.
pub(crate) struct Connection {
    pub(crate) key: ConnectionKey,
    /// `None` once the endpoint has forgotten the connection: it only waits to be read.
    pub(crate) handle: Option<ConnectionHandle>,
    pub(crate) quic: quinn_proto::Connection,
    /// Of its windows; 0 once others have them.
    pub(crate) reserved_bytes: u64,
    /// The smaller came first.
    pub(crate) number: u64,
    /// Until the handshake is done.
    pub(crate) handshake_deadline_ns: Option<u64>,
    /// Since it was lost.
    pub(crate) linger_deadline_ns: Option<u64>,
    /// The caller closed it and wants to hear no more.
    pub(crate) is_closed: bool,
    is_connected: bool,
    is_lost: bool,
    wants_streams: [bool; 2],
    events: VecDeque<Event>,
    announced: HashSet<(Announced, u64)>,
    probing: Probing,
    slip: Slip,
}

/// Events that wait at most once for each stream, so that a peer cannot fill memory with them.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Announced {
    Readable,
    Writable,
    Available,
}

impl Connection {
    pub(crate) fn new(
        key: ConnectionKey,
        handle: ConnectionHandle,
        quic: quinn_proto::Connection,
        reserved_bytes: u64,
        handshake_deadline_ns: u64,
        slip: Slip,
    ) -> Self {
        Self {
            key,
            handle: Some(handle),
            quic,
            reserved_bytes,
            number: 0,
            handshake_deadline_ns: Some(handshake_deadline_ns),
            linger_deadline_ns: None,
            is_closed: false,
            is_connected: false,
            is_lost: false,
            wants_streams: [false; 2],
            events: VecDeque::new(),
            announced: HashSet::new(),
            probing: Probing::default(),
            slip,
        }
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.is_lost
    }

    /// Whether the other end came here and has not shown that it has its key.
    pub(crate) fn is_unproved(&self) -> bool {
        self.handshake_deadline_ns.is_some() && self.quic.side().is_server()
    }

    // -- events -----------------------------------------------------------------------------------

    /// Take over what QUIC has to say.
    pub(crate) fn absorb_events(&mut self) {
        while let Some(event) = self.quic.poll() {
            match event {
                quinn_proto::Event::Connected => {
                    self.is_connected = true;
                    self.handshake_deadline_ns = None;
                    self.push(Event::Connected { key: self.key });
                }
                quinn_proto::Event::ConnectionLost { reason } => self.lose(Loss::from_quic(reason)),
                quinn_proto::Event::Stream(event) => self.absorb_stream_event(event),
                quinn_proto::Event::HandshakeDataReady
                | quinn_proto::Event::DatagramReceived
                | quinn_proto::Event::DatagramsUnblocked => {}
            }
        }
    }

    fn absorb_stream_event(&mut self, event: StreamEvent) {
        let key = self.key;
        match event {
            StreamEvent::Opened { dir } => {
                while let Some(id) = self.quic.streams().accept(dir) {
                    let is_bidirectional = dir == Dir::Bi;
                    self.push(Event::StreamOpened {
                        key,
                        stream: id.into(),
                        is_bidirectional,
                    });
                    self.announce(Announced::Readable, id.into());
                }
            }
            StreamEvent::Readable { id } => self.announce(Announced::Readable, id.into()),
            StreamEvent::Writable { id } => self.announce(Announced::Writable, id.into()),
            StreamEvent::Finished { id } => self.push(Event::StreamFinished {
                key,
                stream: id.into(),
            }),
            StreamEvent::Stopped { id, error_code } => {
                self.push(Event::StreamStopped {
                    key,
                    stream: id.into(),
                    code: error_code.into_inner(),
                });
            }
            StreamEvent::Available { dir } => {
                let wants = self
                    .wants_streams
                    .get_mut(dir as usize)
                    .is_some_and(std::mem::take);
                if wants {
                    self.announce(Announced::Available, dir as u64);
                }
            }
        }
    }

    /// End the connection for a reason of this host's own.
    pub(crate) fn give_up(&mut self, now: Instant, kind: LossKind, text: &str) {
        self.quic
            .close(now, VarInt::from_u32(0), Bytes::from(text.to_owned()));
        self.lose(Loss::new(kind, text));
    }

    fn lose(&mut self, loss: Loss) {
        if !self.is_lost {
            self.is_lost = true;
            self.handshake_deadline_ns = None;
            self.push(Event::ConnectionLost {
                key: self.key,
                loss,
            });
        }
    }

    fn push(&mut self, event: Event) {
        if !self.is_closed {
            self.events.push_back(event);
        }
    }

    fn announce(&mut self, what: Announced, number: u64) {
        if self.is_closed || !self.announced.insert((what, number)) {
            return;
        }
        let key = self.key;
        self.events.push_back(match what {
            Announced::Readable => Event::Readable {
                key,
                stream: number,
            },
            Announced::Writable => Event::Writable {
                key,
                stream: number,
            },
            Announced::Available => Event::StreamsAvailable {
                key,
                is_bidirectional: number == Dir::Bi as u64,
            },
        });
    }

    pub(crate) fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// The oldest event. A reset is found only here, since finding it frees the stream for the peer, which
    /// would otherwise open and reset streams faster than the caller takes events.
    pub(crate) fn take_event(&mut self) -> Option<Event> {
        loop {
            let event = self.events.pop_front()?;
            match event {
                Event::Readable { key, stream } => {
                    self.announced.remove(&(Announced::Readable, stream));
                    let Ok(id) = self.receiving(stream) else {
                        continue;
                    };
                    match self.quic.recv_stream(id).received_reset() {
                        Ok(None) => return Some(event),
                        Ok(Some(code)) => {
                            return Some(Event::StreamReset {
                                key,
                                stream,
                                code: code.into_inner(),
                            });
                        }
                        // Read to its end or stopped since.
                        Err(_) => {}
                    }
                }
                Event::Writable { stream, .. } => {
                    self.announced.remove(&(Announced::Writable, stream));
                    return Some(event);
                }
                Event::StreamsAvailable {
                    is_bidirectional, ..
                } => {
                    let dir = if is_bidirectional { Dir::Bi } else { Dir::Uni };
                    self.announced.remove(&(Announced::Available, dir as u64));
                    return Some(event);
                }
                Event::StreamStopped { stream, code, .. } => {
                    // Nor is a stopped stream free before that is answered.
                    let _ended = self.reset(stream, code);
                    return Some(event);
                }
                event => return Some(event),
            }
        }
    }

    // -- the end ----------------------------------------------------------------------------------

    /// Say goodbye and be silent from now on.
    pub(crate) fn close(
        &mut self,
        now: Instant,
        code: u64,
        reason: &[u8],
    ) -> Result<(), StreamsError> {
        let code = varint(code)?;
        if !self.is_lost {
            self.quic.close(now, code, Bytes::copy_from_slice(reason));
        }
        self.let_go();
        Ok(())
    }

    /// Nobody will read or ask any more.
    pub(crate) fn let_go(&mut self) {
        self.is_closed = true;
        self.handshake_deadline_ns = None;
        self.linger_deadline_ns = None;
        self.events.clear();
        self.announced.clear();
    }

    // -- the path ---------------------------------------------------------------------------------

    /// The path below is another one: ask over it until it answers, and measure it afresh from then on. Not
    /// before, since what the old path still had to acknowledge would be taken for the measure of the new one.
    pub(crate) fn path_changed(&mut self, now_ns: u64) {
        if !self.is_lost && !self.is_closed {
            self.probing.change_path(now_ns, &self.slip);
            self.probe(now_ns);
        }
    }

    /// Ask over the path as it is, until it answers.
    pub(crate) fn ask(&mut self, now_ns: u64) {
        if !self.is_lost && !self.is_closed {
            self.probing.ask(now_ns, &self.slip);
            self.probe(now_ns);
        }
    }

    /// Ask over the path, if that is due.
    pub(crate) fn probe(&mut self, now_ns: u64) {
        if self.probing.take_due(now_ns) {
            self.slip.allow();
            self.quic.ping();
        }
    }

    /// Return when to `probe` next, as of what was sent and acknowledged by now.
    pub(crate) fn probe_deadline_ns(&mut self, now: Instant, now_ns: u64) -> Option<u64> {
        if self.is_lost || self.is_closed || !self.is_connected {
            return None;
        }
        let stats = self.quic.stats();
        let round_trip_ns = u64::try_from(stats.path.rtt.as_nanos()).unwrap_or(u64::MAX);
        self.probing
            .watch(now_ns, &self.slip, stats.frame_tx.stream, round_trip_ns);
        if self.probing.take_answer() {
            self.quic.path_changed(now);
            self.quic.ping();
            return Some(now_ns);
        }
        self.probing.deadline_ns()
    }

    pub(crate) fn statistics(&self) -> ConnectionStatistics {
        let stats = self.quic.stats();
        let nanoseconds =
            |time: std::time::Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        ConnectionStatistics {
            is_up: self.is_connected && !self.is_lost && !self.is_closed,
            rtt_ns: nanoseconds(stats.path.rtt),
            min_rtt_ns: nanoseconds(stats.path.min_rtt),
            congestion_window_bytes: stats.path.cwnd,
            congestion_events: stats.path.congestion_events,
            payloads_sent: stats.udp_tx.datagrams,
            payloads_received: stats.udp_rx.datagrams,
            payloads_lost: stats.path.lost_packets,
            sent_bytes: stats.udp_tx.bytes,
            received_bytes: stats.udp_rx.bytes,
            acknowledgements_sent: stats.frame_tx.acks,
        }
    }
}

fn varint(number: u64) -> Result<VarInt, StreamsError> {
    VarInt::from_u64(number).map_err(|_| StreamsError::TooLarge(number))
}
