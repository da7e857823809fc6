//! `EffectBatch`, parsed once at the edge: borrowed from the message, typed, not yet checked against
//! what the service may do (that is `forward::check`).

use super::{CodecError, msgpack::Reader};

/// What became of the event of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Not a packet.
    None,
    /// The service answered the packet.
    Answered,
    /// The service handed it on to the next of the chain.
    Passed,
    /// Still waiting for a query; a later answer ends it.
    Held,
    /// Dropped, for `Answer::reason`.
    Dropped,
}

/// A whole message from a worker.
#[derive(Clone, Debug, PartialEq)]
pub struct EffectBatch<'a> {
    /// Of the batch it answers; 0 when it comes by itself.
    pub sequence: u64,
    /// Of the batch it answers, or of the newest one seen.
    pub epoch: u64,
    /// One per item of that batch in order, then those of timers and released holds.
    pub answers: Vec<Answer<'a>>,
}

/// What one event's transaction came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer<'a> {
    /// How the accounting of law 6 goes on.
    pub outcome: Outcome,
    /// With `Dropped`: why.
    pub reason: &'a str,
    /// In the order in which the service asked.
    pub effects: Vec<Effect<'a>>,
}

/// One request of a service. Addresses and numbers are as found: any length, any size.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect<'a> {
    /// `SendPacket`
    Send {
        /// What to send.
        packet: Packet<'a>,
        /// Address of a peer.
        to: &'a [u8],
        /// Run before.
        stages: StageList<'a>,
    },
    /// `InstallDecision`
    Install(Decision<'a>),
    /// `RevokeDecisions`
    Revoke {
        /// Under which they were installed.
        tag: &'a [u8],
    },
    /// `PassPacket`
    Pass {
        /// What to hand on.
        packet: Packet<'a>,
        /// Run before.
        stages: StageList<'a>,
    },
    /// `SendControlBytes`
    SendControl {
        /// At most 64 KiB.
        message: &'a [u8],
        /// Address of a peer.
        to: &'a [u8],
    },
    /// `ResolveBytes`
    Resolve {
        /// Opaque here.
        query: &'a [u8],
    },
    /// `Count`
    Count {
        /// A word from the manifest.
        name: &'a str,
        /// 0 to 2^32.
        amount: u64,
    },
    /// `ReadTally`
    ReadTally {
        /// Its name.
        object: &'a [u8],
    },
}

/// `Packet` of `ei/sdk/packets.py`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "documented once, at the Python Struct of the same fields"
)]
pub struct Packet<'a> {
    pub service: u64,
    pub ingress: &'a [u8],
    pub source: &'a [u8],
    pub connection: u64,
    pub metadata: &'a [u8],
    pub payload: &'a [u8],
    pub traffic_class: u64,
    pub hop_limit: u64,
    pub protection: u64,
    pub is_covered: bool,
    pub is_traced: bool,
    pub egress: &'a [u8],
}

/// `Decision` of `ei/sdk/decisions.py`.
#[derive(Clone, Debug, PartialEq)]
#[allow(
    missing_docs,
    reason = "documented once, at the Python Struct of the same fields"
)]
pub struct Decision<'a> {
    pub key: Key<'a>,
    pub action: Action<'a>,
    pub ttl_s: f64,
    pub tag: &'a [u8],
    pub stages: StageList<'a>,
}

/// `Key` of `ei/sdk/decisions.py`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "documented once, at the Python Struct of the same fields"
)]
pub struct Key<'a> {
    pub ingress: &'a [u8],
    pub source: &'a [u8],
    pub connection: u64,
    pub metadata: &'a [u8],
    pub egress: &'a [u8],
    pub service: u64,
}

/// `Action` of `ei/sdk/decisions.py`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action<'a> {
    /// One copy to each.
    Forward(Vec<Hop<'a>>),
    /// On to the next service of the chain.
    Pass,
    /// Drop for this reason.
    Discard(&'a str),
}

/// `Hop` of `ei/sdk/decisions.py`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "documented once, at the Python Struct of the same fields"
)]
pub struct Hop<'a> {
    pub to: &'a [u8],
    pub metadata: Option<&'a [u8]>,
    pub connection: Option<u64>,
}

/// The stages of a decision or packet, and their bytes, by which two lists are compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageList<'a> {
    /// The msgpack array.
    pub bytes: &'a [u8],
    /// The same, typed.
    pub stages: Vec<Stage<'a>>,
}

/// `Stage` of `ei/sdk/stages.py`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "documented once, at the Python Struct of the same fields"
)]
pub enum Stage<'a> {
    Meter {
        object: &'a [u8],
        rate_bytes_per_s: u64,
        burst_bytes: u64,
    },
    Tally {
        object: &'a [u8],
    },
}

impl<'a> EffectBatch<'a> {
    /// Parse a whole message.
    ///
    /// # Errors
    /// Anything but one `EffectBatch`; nothing of it should be applied then.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        reader.array_of(3, "EffectBatch")?;
        let sequence = reader.integer("sequence")?;
        let epoch = reader.integer("epoch")?;
        let answers = list(&mut reader, "answers", answer)?;
        reader.finish()?;
        Ok(Self {
            sequence,
            epoch,
            answers,
        })
    }
}

/// An array of `item`s. Grows as items are found, never on the word of the length alone.
pub(super) fn list<'a, T>(
    reader: &mut Reader<'a>,
    field: &'static str,
    item: fn(&mut Reader<'a>) -> Result<T, CodecError>,
) -> Result<Vec<T>, CodecError> {
    let length = reader.array(field)?;
    let mut items = Vec::with_capacity(length.min(16) as usize);
    for _ in 0..length {
        items.push(item(reader)?);
    }
    Ok(items)
}

fn answer<'a>(reader: &mut Reader<'a>) -> Result<Answer<'a>, CodecError> {
    reader.array_of(3, "Answer")?;
    let outcome = match reader.integer("outcome")? {
        0 => Outcome::None,
        1 => Outcome::Answered,
        2 => Outcome::Passed,
        3 => Outcome::Held,
        4 => Outcome::Dropped,
        found => {
            return Err(CodecError::UnknownTag {
                field: "outcome",
                found,
            });
        }
    };
    let reason = reader.string("reason")?;
    let effects = list(reader, "effects", effect)?;
    Ok(Answer {
        outcome,
        reason,
        effects,
    })
}

fn effect<'a>(reader: &mut Reader<'a>) -> Result<Effect<'a>, CodecError> {
    let found = reader.array("Effect")?;
    let tag = reader.integer("Effect tag")?;
    let length = match tag {
        0 => 4,
        3 | 4 | 9 | 11 => 2,
        5 | 6 | 10 => 3,
        found => {
            return Err(CodecError::UnknownTag {
                field: "Effect",
                found,
            });
        }
    };
    if found != length {
        return Err(CodecError::WrongLength {
            field: "Effect",
            found,
        });
    }
    Ok(match tag {
        0 => Effect::Send {
            packet: packet(reader)?,
            to: reader.bytes("to")?,
            stages: stages(reader)?,
        },
        3 => Effect::Install(decision(reader)?),
        4 => Effect::Revoke {
            tag: reader.bytes("tag")?,
        },
        5 => Effect::Pass {
            packet: packet(reader)?,
            stages: stages(reader)?,
        },
        6 => Effect::SendControl {
            message: reader.bytes("message")?,
            to: reader.bytes("to")?,
        },
        9 => Effect::Resolve {
            query: reader.bytes("query")?,
        },
        10 => Effect::Count {
            name: reader.string("name")?,
            amount: reader.integer("amount")?,
        },
        _ => Effect::ReadTally {
            object: reader.bytes("object")?,
        },
    })
}

pub(super) fn packet<'a>(reader: &mut Reader<'a>) -> Result<Packet<'a>, CodecError> {
    reader.array_of(12, "Packet")?;
    Ok(Packet {
        service: reader.integer("service")?,
        ingress: reader.bytes("ingress")?,
        source: reader.bytes("source")?,
        connection: reader.integer("connection")?,
        metadata: reader.bytes("metadata")?,
        payload: reader.bytes("payload")?,
        traffic_class: reader.integer("traffic_class")?,
        hop_limit: reader.integer("hop_limit")?,
        protection: reader.integer("protection")?,
        is_covered: reader.boolean("is_covered")?,
        is_traced: reader.boolean("is_traced")?,
        egress: reader.bytes("egress")?,
    })
}

fn decision<'a>(reader: &mut Reader<'a>) -> Result<Decision<'a>, CodecError> {
    reader.array_of(5, "Decision")?;
    Ok(Decision {
        key: key(reader)?,
        action: action(reader)?,
        ttl_s: reader.float("ttl_s")?,
        tag: reader.bytes("tag")?,
        stages: stages(reader)?,
    })
}

fn key<'a>(reader: &mut Reader<'a>) -> Result<Key<'a>, CodecError> {
    reader.array_of(6, "Key")?;
    Ok(Key {
        ingress: reader.bytes("ingress")?,
        source: reader.bytes("source")?,
        connection: reader.integer("connection")?,
        metadata: reader.bytes("metadata")?,
        egress: reader.bytes("egress")?,
        service: reader.integer("service")?,
    })
}

fn action<'a>(reader: &mut Reader<'a>) -> Result<Action<'a>, CodecError> {
    let found = reader.array("Action")?;
    match (found, reader.integer("Action tag")?) {
        (2, 0) => Ok(Action::Forward(list(reader, "hops", hop)?)),
        (1, 1) => Ok(Action::Pass),
        (2, 2) => Ok(Action::Discard(reader.string("reason")?)),
        (_, 0..=2) => Err(CodecError::WrongLength {
            field: "Action",
            found,
        }),
        (_, found) => Err(CodecError::UnknownTag {
            field: "Action",
            found,
        }),
    }
}

fn hop<'a>(reader: &mut Reader<'a>) -> Result<Hop<'a>, CodecError> {
    reader.array_of(3, "Hop")?;
    Ok(Hop {
        to: reader.bytes("to")?,
        metadata: if reader.nil() {
            None
        } else {
            Some(reader.bytes("metadata")?)
        },
        connection: if reader.nil() {
            None
        } else {
            Some(reader.integer("connection")?)
        },
    })
}

fn stages<'a>(reader: &mut Reader<'a>) -> Result<StageList<'a>, CodecError> {
    let before = reader.rest();
    let stages = list(reader, "stages", stage)?;
    let length = before.len() - reader.rest().len();
    Ok(StageList {
        bytes: before.get(..length).unwrap_or(before),
        stages,
    })
}

fn stage<'a>(reader: &mut Reader<'a>) -> Result<Stage<'a>, CodecError> {
    let found = reader.array("Stage")?;
    match (found, reader.integer("Stage tag")?) {
        (4, 0) => Ok(Stage::Meter {
            object: reader.bytes("object")?,
            rate_bytes_per_s: reader.integer("rate_bytes_per_s")?,
            burst_bytes: reader.integer("burst_bytes")?,
        }),
        (2, 1) => Ok(Stage::Tally {
            object: reader.bytes("object")?,
        }),
        (_, 0..=1) => Err(CodecError::WrongLength {
            field: "Stage",
            found,
        }),
        (_, found) => Err(CodecError::UnknownTag {
            field: "Stage",
            found,
        }),
    }
}

#[cfg(test)]
#[path = "effects_tests.rs"]
mod tests;
