//! What a service may ask for: every effect is checked here again, since a module shares its process
//! with the environment that checked it first.

use crate::cache::Question;
use crate::cache::ServiceIndex;
use crate::codec;
use crate::control::MAX_MESSAGE_BYTES;
use crate::decide::{NewAction, NewDecision, NewHop};
use crate::packet::Packet;
use crate::pipes::{PeerIndex, Pipes};
use crate::stages::Name;
use crate::wire::{Address, Header, Protection};

use super::services::RunningService;

/// Longest payload (`Packet.payload` in `ei/sdk/packets.py`).
const MAX_PAYLOAD_BYTES: usize = 65_000;
/// Longest metadata.
const MAX_METADATA_BYTES: usize = 255;
/// Longest tag, and longest name of an object.
const MAX_NAME_BYTES: usize = 64;
/// Most stages of a decision.
const MAX_STAGES: usize = 8;
/// Most hops of a decision, whatever the manifest says.
const MAX_HOPS: usize = 1_024;
/// Longest lifetime of a decision.
const MAX_TTL_S: f64 = 3_600.0;
/// Highest rate and burst of a meter.
const MAX_RATE: u64 = 1 << 40;
/// Highest cap of how much a payload may be longer than its frame.
const MAX_RATIO: u32 = 1_000;
/// Most packets and bytes of one history.
const MAX_KEPT_PACKETS: u64 = 1 << 16;
const MAX_KEPT_BYTES: u64 = 1 << 26;
/// Most packets of one `SendKept`.
const MAX_KEPT_NAMES: usize = 256;
/// Most that one `Count` adds.
const MAX_AMOUNT: u64 = 1 << 32;
/// Longest query.
const MAX_QUERY_BYTES: usize = 1_024;

/// The effect is not allowed (`effect_refused`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused;

/// A packet of a service, as it would leave, on account of one that came at `arrived_ns`.
pub(super) fn packet<'a>(
    asked: &codec::Packet<'a>,
    arrived_ns: u64,
) -> Result<Packet<'a>, Refused> {
    let is_small =
        asked.metadata.len() <= MAX_METADATA_BYTES && asked.payload.len() <= MAX_PAYLOAD_BYTES;
    if !is_small {
        return Err(Refused);
    }
    let source = address(asked.source)?;
    let protection = u8::try_from(asked.protection)
        .ok()
        .and_then(Protection::from_byte);
    Ok(Packet {
        header: Header {
            hop_limit: u8::try_from(asked.hop_limit).map_err(|_| Refused)?,
            class: u16::try_from(asked.traffic_class).map_err(|_| Refused)?,
            service: u32::try_from(asked.service).map_err(|_| Refused)?,
            connection: asked.connection,
            payload_bytes: asked.payload.len() as u16,
            protection: protection.ok_or(Refused)?,
            source: Some(source),
            metadata: asked.metadata,
            is_traced: asked.is_traced,
        },
        ingress: address(asked.ingress)?,
        source,
        payload: asked.payload,
        is_covered: asked.is_covered,
        egress: egress(asked.egress)?,
        arrived_ns,
    })
}

/// A decision of the service at `index`.
pub(super) fn decision<'a>(
    asked: &'a codec::Decision<'a>,
    index: ServiceIndex,
    service: &RunningService,
    pipes: &Pipes,
    epoch: u64,
) -> Result<NewDecision<'a>, Refused> {
    let key = &asked.key;
    if key.metadata.len() > MAX_METADATA_BYTES {
        return Err(Refused);
    }
    let number = u32::try_from(key.service).map_err(|_| Refused)?;
    stages(&asked.stages)?;
    Ok(NewDecision {
        service: index,
        question: Question {
            service: if number == 0 {
                service.config.number
            } else {
                number
            },
            ingress: address(key.ingress)?,
            source: address(key.source)?,
            connection: key.connection,
            metadata: key.metadata,
            egress: egress(key.egress)?,
        },
        action: action(&asked.action, service, pipes)?,
        ttl_ns: ttl_ns(asked.ttl_s)?,
        tag: tag(asked.tag)?,
        stages: &asked.stages.stages,
        epoch,
    })
}

fn action<'a>(
    asked: &codec::Action<'a>,
    service: &RunningService,
    pipes: &Pipes,
) -> Result<NewAction<'a>, Refused> {
    match asked {
        codec::Action::Pass => Ok(NewAction::Pass),
        codec::Action::Discard(reason) => {
            service.word(reason).map(NewAction::Discard).ok_or(Refused)
        }
        codec::Action::Forward(hops) => {
            if hops.is_empty() || hops.len() > service.config.max_hops.min(MAX_HOPS) {
                return Err(Refused);
            }
            let hops: Result<_, _> = hops.iter().map(|asked| hop(asked, pipes)).collect();
            hops.map(NewAction::Forward)
        }
    }
}

fn hop<'a>(asked: &codec::Hop<'a>, pipes: &Pipes) -> Result<NewHop<'a>, Refused> {
    if asked
        .metadata
        .is_some_and(|metadata| metadata.len() > MAX_METADATA_BYTES)
    {
        return Err(Refused);
    }
    Ok(NewHop {
        peer: peer(asked.to, pipes)?,
        address: address(asked.to)?,
        metadata: asked.metadata,
        connection: asked.connection,
        source: asked.source.map(address).transpose()?,
    })
}

/// Stages of a decision or packet.
pub(super) fn stages(asked: &codec::StageList<'_>) -> Result<(), Refused> {
    let is_allowed = |stage: &codec::Stage<'_>| match stage {
        codec::Stage::Meter {
            object,
            rate_bytes_per_s,
            burst_bytes,
        } => {
            is_object(object)
                && (1..=MAX_RATE).contains(rate_bytes_per_s)
                && (1..=MAX_RATE).contains(burst_bytes)
        }
        codec::Stage::Tally { object } => is_object(object),
        codec::Stage::Compress { object, ratio, .. } => {
            is_object(object) && (1..=MAX_RATIO).contains(ratio)
        }
        codec::Stage::Decompress {
            object,
            ratio,
            limit_bytes,
        } => {
            is_object(object)
                && (1..=MAX_RATIO).contains(ratio)
                && (1..=MAX_PAYLOAD_BYTES as u32).contains(limit_bytes)
        }
        codec::Stage::Keep {
            object,
            packets,
            bytes,
        } => {
            is_object(object)
                && (1..=MAX_KEPT_PACKETS).contains(packets)
                && (1..=MAX_KEPT_BYTES).contains(bytes)
        }
    };
    let are_allowed = asked.stages.len() <= MAX_STAGES && asked.stages.iter().all(is_allowed);
    if are_allowed { Ok(()) } else { Err(Refused) }
}

/// What is to be sent again, and to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept<'a> {
    pub(super) object: &'a [u8],
    pub(super) names: Vec<Name>,
    pub(super) to: Address,
    pub(super) metadata: &'a [u8],
}

/// What a service wants to be sent again.
pub(super) fn kept<'a>(
    asked_object: &'a [u8],
    names: &[&[u8]],
    to: &[u8],
    metadata: &'a [u8],
) -> Result<Kept<'a>, Refused> {
    if names.len() > MAX_KEPT_NAMES || metadata.len() > MAX_METADATA_BYTES {
        return Err(Refused);
    }
    let names: Result<_, _> = names.iter().map(|name| (*name).try_into()).collect();
    Ok(Kept {
        object: object(asked_object)?,
        names: names.map_err(|_| Refused)?,
        to: address(to)?,
        metadata,
    })
}

/// A known peer.
pub(super) fn peer(asked: &[u8], pipes: &Pipes) -> Result<PeerIndex, Refused> {
    pipes.find(&address(asked)?).ok_or(Refused)
}

/// A tag.
pub(super) fn tag(asked: &[u8]) -> Result<&[u8], Refused> {
    if asked.len() <= MAX_NAME_BYTES {
        Ok(asked)
    } else {
        Err(Refused)
    }
}

/// The name of a stage's object.
pub(super) fn object(asked: &[u8]) -> Result<&[u8], Refused> {
    if is_object(asked) {
        Ok(asked)
    } else {
        Err(Refused)
    }
}

/// A query.
pub(super) fn query(asked: &[u8]) -> Result<&[u8], Refused> {
    if asked.len() <= MAX_QUERY_BYTES {
        Ok(asked)
    } else {
        Err(Refused)
    }
}

/// A control message.
pub(super) fn message(asked: &[u8]) -> Result<&[u8], Refused> {
    if asked.len() <= MAX_MESSAGE_BYTES {
        Ok(asked)
    } else {
        Err(Refused)
    }
}

/// How much to count.
pub(super) fn amount(asked: u64) -> Result<u64, Refused> {
    if asked <= MAX_AMOUNT {
        Ok(asked)
    } else {
        Err(Refused)
    }
}

/// 16 bytes.
pub(super) fn address(asked: &[u8]) -> Result<Address, Refused> {
    asked.try_into().map(Address).map_err(|_| Refused)
}

fn egress(asked: &[u8]) -> Result<Option<Address>, Refused> {
    if asked.is_empty() {
        Ok(None)
    } else {
        address(asked).map(Some)
    }
}

fn is_object(name: &[u8]) -> bool {
    (1..=MAX_NAME_BYTES).contains(&name.len())
}

fn ttl_ns(ttl_s: f64) -> Result<u64, Refused> {
    // False for what is not a number, too.
    if ttl_s > 0.0 && ttl_s <= MAX_TTL_S {
        // Rounded up: a lifetime above zero is never none.
        Ok((ttl_s * 1e9).ceil() as u64)
    } else {
        Err(Refused)
    }
}
