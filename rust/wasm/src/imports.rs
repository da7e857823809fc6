//! What a module can import, all of it from `ei`.
//!
//! ```text
//! event(to)                                              the event's bytes, as many as `handle` was told
//! effect(from, length)                                   asks for one effect, in msgpack
//! context(to, capacity) -> length                        [now_s, unix_s, node, domain, config]
//! peers(to, capacity) -> length                          {address: round trip in seconds}
//! peer(address, to) -> 8 or -1                           round trip as f64; -1: not up
//! record(query, length, to, capacity) -> length or -1    the record or nil; -1: not answered
//! get(store, key, length, to, capacity) -> length or -1  -1: absent
//! put(store, key, length, value, length, ttl_s)          ttl_s 0: for ever
//! delete(store, key, length)
//! compare_and_put(store, key, length, value, length, expected, length, ttl_s) -> 0 or -1
//! scan(store, prefix, length)                            begins
//! next(to, capacity) -> length or -1                     [key, value]; -1: the end
//! random(to, length)
//! ```
//!
//! Numbers are i32, but for `ttl_s`, an f64. `store` is 0 for stable, 1 for ephemeral. An `expected` of
//! length -1 means that nothing is to be there. What does not fit into `capacity` is not written, and
//! its length tells how much there must be: the answer is kept for whoever asks the same once more.

use wasmi::{Caller, Engine, Error, Linker, Memory, StoreLimits, TrapCode};

use crate::host::{Host, Kept, Question};

/// The module from whose names all imports are.
pub(crate) const FROM: &str = "ei";

/// What a call of the host costs, beside one for each byte that it moves.
const CALL_FUEL: u64 = 200;

const NOTHING: i32 = -1;

/// The state of one event.
pub(crate) struct Call<H: Host> {
    pub(crate) event: Vec<u8>,
    pub(crate) host: H,
    pub(crate) effects: Effects,
    pub(crate) limits: StoreLimits,
    pub(crate) memory: Option<Memory>,
    /// Why the host refused what was asked last, which ends the event.
    pub(crate) refusal: Option<H::Error>,
    /// A walk through a store was begun.
    is_walking: bool,
    /// An entry of it that did not fit where it was to go.
    entry: Option<Vec<u8>>,
}

impl<H: Host> Call<H> {
    pub(crate) fn new(event: Vec<u8>, host: H, effects: Effects, limits: StoreLimits) -> Self {
        Self {
            event,
            host,
            effects,
            limits,
            memory: None,
            refusal: None,
            is_walking: false,
            entry: None,
        }
    }
}

/// The effects asked for so far, as one array of msgpack.
pub(crate) struct Effects {
    bytes: Vec<u8>,
    count: u32,
    most_bytes: usize,
}

impl Effects {
    const ARRAY: u8 = 0xdd;
    const HEADER_BYTES: usize = 5;

    pub(crate) fn new(most_bytes: usize) -> Self {
        let mut bytes = Vec::with_capacity(256);
        bytes.extend_from_slice(&[Self::ARRAY, 0, 0, 0, 0]);
        Self {
            bytes,
            count: 0,
            most_bytes,
        }
    }

    fn add(&mut self, effect: &[u8]) -> Result<(), Error> {
        if self.bytes.len() + effect.len() > self.most_bytes {
            let most = self.most_bytes;
            return Err(Error::new(format!("more than {most} B of effects")));
        }
        self.bytes.extend_from_slice(effect);
        self.count += 1;
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        if let Some(header) = self.bytes.get_mut(1..Self::HEADER_BYTES) {
            header.copy_from_slice(&self.count.to_be_bytes());
        }
        self.bytes
    }
}

/// All that can be imported.
pub(crate) fn imports<H: Host>(engine: &Engine) -> Result<Linker<Call<H>>, Error> {
    let mut linker = Linker::new(engine);
    linker
        .func_wrap(FROM, "event", event::<H>)?
        .func_wrap(FROM, "effect", effect::<H>)?
        .func_wrap(
            FROM,
            "context",
            |mut caller: Caller<'_, Call<H>>, to: i32, capacity: i32| {
                let (memory, call) = parts(&mut caller, capacity)?;
                let answer = ask(call, Question::Context)?;
                fill(memory, to, capacity, answer.as_deref())
            },
        )?
        .func_wrap(
            FROM,
            "peers",
            |mut caller: Caller<'_, Call<H>>, to: i32, capacity: i32| {
                let (memory, call) = parts(&mut caller, capacity)?;
                let answer = ask(call, Question::Peers)?;
                fill(memory, to, capacity, answer.as_deref())
            },
        )?
        .func_wrap(
            FROM,
            "peer",
            |mut caller: Caller<'_, Call<H>>, address: i32, to: i32| {
                let (memory, call) = parts(&mut caller, 0)?;
                let answer = ask(call, Question::Peer(slice(memory, address, 16)?))?;
                fill(memory, to, 8, answer.as_deref())
            },
        )?
        .func_wrap(FROM, "record", record::<H>)?
        .func_wrap(FROM, "get", get::<H>)?
        .func_wrap(FROM, "put", put::<H>)?
        .func_wrap(FROM, "delete", delete::<H>)?
        .func_wrap(FROM, "compare_and_put", compare_and_put::<H>)?
        .func_wrap(FROM, "scan", scan::<H>)?
        .func_wrap(FROM, "next", next::<H>)?
        .func_wrap(FROM, "random", random::<H>)?;
    Ok(linker)
}

fn event<H: Host>(mut caller: Caller<'_, Call<H>>, to: i32) -> Result<(), Error> {
    let length = i32::try_from(caller.data().event.len()).unwrap_or(i32::MAX);
    let (memory, call) = parts(&mut caller, length)?;
    fill(memory, to, length, Some(&call.event)).map(drop)
}

fn effect<H: Host>(mut caller: Caller<'_, Call<H>>, from: i32, length: i32) -> Result<(), Error> {
    let (memory, call) = parts(&mut caller, length)?;
    call.effects.add(slice(memory, from, length)?)
}

fn record<H: Host>(
    mut caller: Caller<'_, Call<H>>,
    query: i32,
    length: i32,
    to: i32,
    capacity: i32,
) -> Result<i32, Error> {
    let (memory, call) = parts(&mut caller, capacity)?;
    let answer = ask(call, Question::Record(slice(memory, query, length)?))?;
    fill(memory, to, capacity, answer.as_deref())
}

fn get<H: Host>(
    mut caller: Caller<'_, Call<H>>,
    store: i32,
    key: i32,
    length: i32,
    to: i32,
    capacity: i32,
) -> Result<i32, Error> {
    let (memory, call) = parts(&mut caller, capacity)?;
    let answer = ask(
        call,
        Question::Get(kept(store)?, slice(memory, key, length)?),
    )?;
    fill(memory, to, capacity, answer.as_deref())
}

fn put<H: Host>(
    mut caller: Caller<'_, Call<H>>,
    store: i32,
    key: i32,
    key_length: i32,
    value: i32,
    value_length: i32,
    ttl_s: f64,
) -> Result<(), Error> {
    let (memory, call) = parts(&mut caller, value_length)?;
    let put = Question::Put {
        kept: kept(store)?,
        key: slice(memory, key, key_length)?,
        value: slice(memory, value, value_length)?,
        ttl_s: lifetime(ttl_s),
    };
    ask(call, put).map(drop)
}

fn delete<H: Host>(
    mut caller: Caller<'_, Call<H>>,
    store: i32,
    key: i32,
    length: i32,
) -> Result<(), Error> {
    let (memory, call) = parts(&mut caller, length)?;
    ask(
        call,
        Question::Delete(kept(store)?, slice(memory, key, length)?),
    )
    .map(drop)
}

#[expect(clippy::too_many_arguments, reason = "they are the import's")]
fn compare_and_put<H: Host>(
    mut caller: Caller<'_, Call<H>>,
    store: i32,
    key: i32,
    key_length: i32,
    value: i32,
    value_length: i32,
    expected: i32,
    expected_length: i32,
    ttl_s: f64,
) -> Result<i32, Error> {
    let (memory, call) = parts(&mut caller, value_length)?;
    let expected = match expected_length {
        NOTHING => None,
        length => Some(slice(memory, expected, length)?),
    };
    let put = Question::CompareAndPut {
        kept: kept(store)?,
        key: slice(memory, key, key_length)?,
        value: slice(memory, value, value_length)?,
        expected,
        ttl_s: lifetime(ttl_s),
    };
    Ok(ask(call, put)?.map_or(NOTHING, |_| 0))
}

fn scan<H: Host>(
    mut caller: Caller<'_, Call<H>>,
    store: i32,
    prefix: i32,
    length: i32,
) -> Result<(), Error> {
    let (memory, call) = parts(&mut caller, length)?;
    call.entry = None;
    call.is_walking = true;
    ask(
        call,
        Question::Scan(kept(store)?, slice(memory, prefix, length)?),
    )
    .map(drop)
}

fn next<H: Host>(mut caller: Caller<'_, Call<H>>, to: i32, capacity: i32) -> Result<i32, Error> {
    let (memory, call) = parts(&mut caller, capacity)?;
    let entry = match call.entry.take() {
        Some(entry) => Some(entry),
        None if !call.is_walking => None,
        None => ask(call, Question::Next)?,
    };
    let length = fill(memory, to, capacity, entry.as_deref())?;
    if length > capacity {
        call.entry = entry;
    }
    Ok(length)
}

fn random<H: Host>(mut caller: Caller<'_, Call<H>>, to: i32, length: i32) -> Result<(), Error> {
    let (memory, call) = parts(&mut caller, length)?;
    let room = slice(memory, to, length)?.len();
    let drawn = ask(call, Question::Random(room))?;
    fill(memory, to, length, drawn.as_deref()).map(drop)
}

/// The memory of a module and the state of its event, paid for by fuel.
fn parts<'a, H: Host>(
    caller: &'a mut Caller<'_, Call<H>>,
    bytes: i32,
) -> Result<(&'a mut [u8], &'a mut Call<H>), Error> {
    let Some(memory) = caller.data().memory else {
        return Err(Error::new("asks before its memory is there"));
    };
    let cost = CALL_FUEL + u64::from(bytes.max(0).unsigned_abs());
    let left = caller.get_fuel()?.saturating_sub(cost);
    caller.set_fuel(left)?;
    Ok(memory.data_and_store_mut(caller))
}

fn ask<H: Host>(call: &mut Call<H>, question: Question<'_>) -> Result<Option<Vec<u8>>, Error> {
    call.host.ask(question).map_err(|error| {
        call.refusal = Some(error);
        Error::new("refused")
    })
}

fn kept(store: i32) -> Result<Kept, Error> {
    match store {
        0 => Ok(Kept::Stable),
        1 => Ok(Kept::Ephemeral),
        _ => Err(Error::new(format!(
            "store {store}: 0 (stable) or 1 (ephemeral) allowed"
        ))),
    }
}

fn lifetime(ttl_s: f64) -> Option<f64> {
    (ttl_s != 0.0).then_some(ttl_s)
}

fn slice(memory: &[u8], at: i32, length: i32) -> Result<&[u8], Error> {
    let at = offset(at);
    at.checked_add(offset(length))
        .and_then(|end| memory.get(at..end))
        .ok_or_else(|| Error::from(TrapCode::MemoryOutOfBounds))
}

/// Writes an answer, if it fits; returns its length.
fn fill(memory: &mut [u8], to: i32, capacity: i32, answer: Option<&[u8]>) -> Result<i32, Error> {
    let Some(answer) = answer else {
        return Ok(NOTHING);
    };
    if answer.len() <= offset(capacity) {
        let to = offset(to);
        to.checked_add(answer.len())
            .and_then(|end| memory.get_mut(to..end))
            .ok_or_else(|| Error::from(TrapCode::MemoryOutOfBounds))?
            .copy_from_slice(answer);
    }
    i32::try_from(answer.len()).map_err(|_| Error::new("an answer of 2 GiB"))
}

/// Addresses and lengths are unsigned.
fn offset(number: i32) -> usize {
    number.cast_unsigned() as usize
}
