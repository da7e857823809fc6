//! `EffectBatch` from bytes, once, at the edge.

use super::effects::{
    Action, Answer, Decision, Effect, EffectBatch, Hop, Key, Outcome, Packet, Stage, StageList,
};
use super::{CodecError, msgpack::Reader};

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
        let answers = list(&mut reader, "answers", 4, answer)?;
        reader.finish()?;
        Ok(Self {
            sequence,
            epoch,
            answers,
        })
    }
}

/// An array of `item`s, each at least `least_bytes` long. Takes memory once, for as many as can follow whatever the
/// length says: growing would take three times as much for a moment.
pub(super) fn list<'a, T>(
    reader: &mut Reader<'a>,
    field: &'static str,
    least_bytes: usize,
    item: fn(&mut Reader<'a>) -> Result<T, CodecError>,
) -> Result<Vec<T>, CodecError> {
    let length = reader.array(field)?;
    let most = reader.rest().len() / least_bytes;
    let mut items = Vec::with_capacity(most.min(length as usize));
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
    let effects = list(reader, "effects", 4, effect)?;
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
        5 | 6 | 10 | 18 => 3,
        30 => 5,
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
        18 => Effect::KeepDictionary {
            object: reader.bytes("object")?,
            dictionary: reader.bytes("dictionary")?,
        },
        30 => Effect::SendKept {
            object: reader.bytes("object")?,
            names: list(reader, "names", 2, |reader| reader.bytes("name"))?,
            to: reader.bytes("to")?,
            metadata: reader.bytes("metadata")?,
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
        (2, 0) => Ok(Action::Forward(list(reader, "hops", 6, hop)?)),
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
    reader.array_of(4, "Hop")?;
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
        source: if reader.nil() {
            None
        } else {
            Some(reader.bytes("source")?)
        },
    })
}

fn stages<'a>(reader: &mut Reader<'a>) -> Result<StageList<'a>, CodecError> {
    let before = reader.rest();
    let stages = list(reader, "stages", 4, stage)?;
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
        (4, 2) => Ok(Stage::Compress {
            object: reader.bytes("object")?,
            dictionary: small(reader, "dictionary")?,
            ratio: small(reader, "ratio")?,
        }),
        (4, 3) => Ok(Stage::Decompress {
            object: reader.bytes("object")?,
            ratio: small(reader, "ratio")?,
            limit_bytes: small(reader, "limit_bytes")?,
        }),
        (4, 4) => Ok(Stage::Keep {
            object: reader.bytes("object")?,
            packets: reader.integer("packets")?,
            bytes: reader.integer("bytes")?,
        }),
        (_, 0..=4) => Err(CodecError::WrongLength {
            field: "Stage",
            found,
        }),
        (_, found) => Err(CodecError::UnknownTag {
            field: "Stage",
            found,
        }),
    }
}

fn small(reader: &mut Reader<'_>, field: &'static str) -> Result<u32, CodecError> {
    let value = reader.integer(field)?;
    u32::try_from(value).map_err(|_| CodecError::OutOfRange { field })
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
