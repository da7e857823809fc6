//! The worker's side, for services written in Rust (tests, benchmarks, tools): events are read, effects
//! written.

use super::effects::{Action, Answer, Decision, Effect, EffectBatch, Hop, Key, Packet, Stage};
use super::msgpack::{Reader, Writer};
use super::parse::{list, packet};
use super::{CodecError, StageList};

/// A batch of events as a worker reads it.
#[derive(Clone, Debug, PartialEq)]
pub struct Events<'a> {
    /// To be repeated in the answer.
    pub sequence: u64,
    /// To be repeated in the answer.
    pub epoch: u64,
    /// Monotonic time.
    pub now_s: f64,
    /// Wall clock.
    pub unix_s: f64,
    /// 1 to 64.
    pub items: Vec<Event<'a>>,
}

/// One event. Fields are those of the Python Structs in `ei/sdk/events.py` and `ei/runtime/batches.py`.
#[derive(Clone, Debug, PartialEq)]
#[allow(
    missing_docs,
    reason = "documented once, at the Python Struct of the same fields"
)]
pub enum Event<'a> {
    PacketArrived(Packet<'a>),
    ControlReceived {
        sender: &'a [u8],
        message: &'a [u8],
    },
    PeerChanged {
        peer: &'a [u8],
        is_up: bool,
    },
    QueryResolved {
        query: &'a [u8],
        record: Option<&'a [u8]>,
    },
    TallyRead {
        object: &'a [u8],
        packets: u64,
        payload_bytes: u64,
    },
    NotKept {
        object: &'a [u8],
        names: Vec<&'a [u8]>,
        to: &'a [u8],
    },
    Started,
    PeersMeasured(Vec<(&'a [u8], f64)>),
}

impl<'a> Events<'a> {
    /// Parse a whole message.
    ///
    /// # Errors
    /// Anything but one `EventBatch`.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        reader.array_of(5, "EventBatch")?;
        let events = Self {
            sequence: reader.integer("sequence")?,
            epoch: reader.integer("epoch")?,
            now_s: reader.float("now_s")?,
            unix_s: reader.float("unix_s")?,
            items: list(&mut reader, "items", 2, event)?,
        };
        reader.finish()?;
        Ok(events)
    }
}

fn event<'a>(reader: &mut Reader<'a>) -> Result<Event<'a>, CodecError> {
    let found = reader.array("Item")?;
    match (found, reader.integer("Item tag")?) {
        (2, 0) => Ok(Event::PacketArrived(packet(reader)?)),
        (3, 1) => Ok(Event::ControlReceived {
            sender: reader.bytes("sender")?,
            message: reader.bytes("message")?,
        }),
        (3, 3) => Ok(Event::PeerChanged {
            peer: reader.bytes("peer")?,
            is_up: reader.boolean("is_up")?,
        }),
        (3, 4) => Ok(Event::QueryResolved {
            query: reader.bytes("query")?,
            record: if reader.nil() {
                None
            } else {
                Some(reader.bytes("record")?)
            },
        }),
        (4, 5) => Ok(Event::TallyRead {
            object: reader.bytes("object")?,
            packets: reader.integer("packets")?,
            payload_bytes: reader.integer("payload_bytes")?,
        }),
        (1, 6) => Ok(Event::Started),
        (2, 7) => {
            let length = reader.map("rtts_s")?;
            let mut rtts = Vec::new();
            for _ in 0..length {
                rtts.push((reader.bytes("peer")?, reader.float("rtt_s")?));
            }
            Ok(Event::PeersMeasured(rtts))
        }
        (4, 30) => Ok(Event::NotKept {
            object: reader.bytes("object")?,
            names: list(reader, "names", 2, |reader| reader.bytes("name"))?,
            to: reader.bytes("to")?,
        }),
        (_, 0 | 1 | 3..=7 | 30) => Err(CodecError::WrongLength {
            field: "Item",
            found,
        }),
        (_, found) => Err(CodecError::UnknownTag {
            field: "Item",
            found,
        }),
    }
}

impl EffectBatch<'_> {
    /// Append the message to `out`. `decode` gives the same batch back.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::new(out);
        writer.array(3);
        writer.integer(self.sequence);
        writer.integer(self.epoch);
        writer.array(self.answers.len());
        for answer in &self.answers {
            write_answer(&mut writer, answer);
        }
    }
}

impl<'a> StageList<'a> {
    /// A list that is `stages`, written to `bytes`.
    pub fn new(stages: Vec<Stage<'a>>, bytes: &'a mut Vec<u8>) -> Self {
        bytes.clear();
        write_stages(&mut Writer::new(bytes), &stages);
        Self { bytes, stages }
    }

    /// No stages.
    pub fn none() -> Self {
        Self {
            bytes: &[0x90],
            stages: Vec::new(),
        }
    }
}

fn write_answer(writer: &mut Writer<'_>, answer: &Answer<'_>) {
    writer.array(3);
    writer.integer(answer.outcome as u64);
    writer.string(answer.reason);
    writer.array(answer.effects.len());
    for effect in &answer.effects {
        write_effect(writer, effect);
    }
}

fn write_effect(writer: &mut Writer<'_>, effect: &Effect<'_>) {
    let mut tagged = |length: usize, tag: u64| {
        writer.array(length);
        writer.integer(tag);
    };
    match effect {
        Effect::Send { packet, to, stages } => {
            tagged(4, 0);
            write_packet(writer, packet);
            writer.bytes(to);
            write_stages(writer, &stages.stages);
        }
        Effect::Install(decision) => {
            tagged(2, 3);
            write_decision(writer, decision);
        }
        Effect::Revoke { tag } => {
            tagged(2, 4);
            writer.bytes(tag);
        }
        Effect::Pass { packet, stages } => {
            tagged(3, 5);
            write_packet(writer, packet);
            write_stages(writer, &stages.stages);
        }
        Effect::SendControl { message, to } => {
            tagged(3, 6);
            writer.bytes(message);
            writer.bytes(to);
        }
        Effect::Resolve { query } => {
            tagged(2, 9);
            writer.bytes(query);
        }
        Effect::Count { name, amount } => {
            tagged(3, 10);
            writer.string(name);
            writer.integer(*amount);
        }
        Effect::ReadTally { object } => {
            tagged(2, 11);
            writer.bytes(object);
        }
        Effect::KeepDictionary { object, dictionary } => {
            tagged(3, 18);
            writer.bytes(object);
            writer.bytes(dictionary);
        }
        Effect::SendKept {
            object,
            names,
            to,
            metadata,
        } => {
            tagged(5, 30);
            writer.bytes(object);
            writer.array(names.len());
            for name in names {
                writer.bytes(name);
            }
            writer.bytes(to);
            writer.bytes(metadata);
        }
    }
}

fn write_packet(writer: &mut Writer<'_>, packet: &Packet<'_>) {
    writer.array(12);
    writer.integer(packet.service);
    writer.bytes(packet.ingress);
    writer.bytes(packet.source);
    writer.integer(packet.connection);
    writer.bytes(packet.metadata);
    writer.bytes(packet.payload);
    writer.integer(packet.traffic_class);
    writer.integer(packet.hop_limit);
    writer.integer(packet.protection);
    writer.boolean(packet.is_covered);
    writer.boolean(packet.is_traced);
    writer.bytes(packet.egress);
}

fn write_decision(writer: &mut Writer<'_>, decision: &Decision<'_>) {
    writer.array(5);
    write_key(writer, &decision.key);
    match &decision.action {
        Action::Forward(hops) => {
            writer.array(2);
            writer.integer(0);
            writer.array(hops.len());
            for hop in hops {
                write_hop(writer, hop);
            }
        }
        Action::Pass => {
            writer.array(1);
            writer.integer(1);
        }
        Action::Discard(reason) => {
            writer.array(2);
            writer.integer(2);
            writer.string(reason);
        }
    }
    writer.float(decision.ttl_s);
    writer.bytes(decision.tag);
    write_stages(writer, &decision.stages.stages);
}

fn write_key(writer: &mut Writer<'_>, key: &Key<'_>) {
    writer.array(6);
    writer.bytes(key.ingress);
    writer.bytes(key.source);
    writer.integer(key.connection);
    writer.bytes(key.metadata);
    writer.bytes(key.egress);
    writer.integer(key.service);
}

fn write_hop(writer: &mut Writer<'_>, hop: &Hop<'_>) {
    writer.array(4);
    writer.bytes(hop.to);
    match hop.metadata {
        Some(metadata) => writer.bytes(metadata),
        None => writer.nil(),
    }
    match hop.connection {
        Some(connection) => writer.integer(connection),
        None => writer.nil(),
    }
    match hop.source {
        Some(source) => writer.bytes(source),
        None => writer.nil(),
    }
}

fn write_stages(writer: &mut Writer<'_>, stages: &[Stage<'_>]) {
    writer.array(stages.len());
    for stage in stages {
        match stage {
            Stage::Meter {
                object,
                rate_bytes_per_s,
                burst_bytes,
            } => {
                writer.array(4);
                writer.integer(0);
                writer.bytes(object);
                writer.integer(*rate_bytes_per_s);
                writer.integer(*burst_bytes);
            }
            Stage::Tally { object } => {
                writer.array(2);
                writer.integer(1);
                writer.bytes(object);
            }
            Stage::Compress {
                object,
                dictionary,
                ratio,
            } => {
                writer.array(4);
                writer.integer(2);
                writer.bytes(object);
                writer.integer(u64::from(*dictionary));
                writer.integer(u64::from(*ratio));
            }
            Stage::Decompress {
                object,
                ratio,
                limit_bytes,
            } => {
                writer.array(4);
                writer.integer(3);
                writer.bytes(object);
                writer.integer(u64::from(*ratio));
                writer.integer(u64::from(*limit_bytes));
            }
            Stage::Keep {
                object,
                packets,
                bytes,
            } => {
                writer.array(4);
                writer.integer(4);
                writer.bytes(object);
                writer.integer(*packets);
                writer.integer(*bytes);
            }
        }
    }
}
