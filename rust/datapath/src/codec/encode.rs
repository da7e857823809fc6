//! The worker's side of `EffectBatch`, for services written in Rust: tests, benchmarks, tools.

use super::effects::{Action, Answer, Decision, Effect, EffectBatch, Hop, Key, Packet, Stage};
use super::{StageList, msgpack::Writer};

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
    writer.array(3);
    writer.bytes(hop.to);
    match hop.metadata {
        Some(metadata) => writer.bytes(metadata),
        None => writer.nil(),
    }
    match hop.connection {
        Some(connection) => writer.integer(connection),
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
        }
    }
}
