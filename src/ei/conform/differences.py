"""The first difference between two records of one story, in words."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import cast

import msgspec

from ei.conform.drawing import ADDRESSES
from ei.conform.playing import Heard, Record
from ei.runtime.batches import Answer, EffectBatch, Outcome, ResolveBytes, SendControlBytes
from ei.runtime.rehearsal import Reply
from ei.sdk import (
    CloseStream,
    Count,
    InstallDecision,
    KeepDictionary,
    OpenStream,
    PassPacket,
    ReadStream,
    ReadTally,
    RevokeDecisions,
    SendKept,
    SendPacket,
    SpliceStreams,
    StartTls,
    WriteStream,
)

NativeEffect = (
    SendPacket
    | InstallDecision
    | RevokeDecisions
    | PassPacket
    | SendControlBytes
    | ResolveBytes
    | Count
    | ReadTally
    | KeepDictionary
    | SendKept
    | OpenStream
    | ReadStream
    | WriteStream
    | CloseStream
    | SpliceStreams
    | StartTls
)
"""What leaves an environment."""

EVENTS = "to events"
"""The name of the answers that are an event's own."""

MOST_SHOWN = 120
_NAMES = {repr(each)[2:-1]: each[6:].rstrip(b"\0").decode() for each in ADDRESSES}


class _Read(msgspec.Struct, frozen=True, array_like=True):
    """An `EffectBatch` whose effects have types."""

    sequence: int
    epoch: int
    answers: tuple["_ReadAnswer", ...]


class _ReadAnswer(msgspec.Struct, frozen=True, array_like=True):
    outcome: Outcome
    reason: str
    effects: tuple[NativeEffect, ...]


_BATCHES = msgspec.msgpack.Decoder(_Read)


def effects_in(reply: bytes) -> Iterator[NativeEffect]:
    """Yield the effects of an `EffectBatch`, in order."""
    for answer in _BATCHES.decode(reply).answers:
        yield from answer.effects


def first_difference(seen: Record, expected: Record) -> tuple[int, str] | None:
    """Return the number of the event at which two records part, and how; `None` if they do not.

    Both have the same batches.
    """
    for one, other in zip(seen.heard, expected.heard, strict=True):
        if one.replies != other.replies:
            return one.sent.first, said_of(one, said_otherwise(one.replies, other.replies))
    if seen.state != expected.state:
        return _last_of(seen.heard), "all effects agree, but the state in the end does not"
    return None


def said_of(heard: Heard, said: str) -> str:
    """Say which event something is about."""
    if not heard.sent.first:
        return f"what is due before the next event: {said}"
    return f"{type(heard.sent.items[0]).__name__}: {said}"


def said_otherwise(seen: Sequence[Reply], expected: Sequence[Reply]) -> str:
    """Say how the replies to one batch differ."""
    for (one_to, one), (other_to, other) in zip(seen, expected, strict=False):
        if one_to != other_to:
            return f"a reply to thread {one_to}, where one to {other_to} was expected"
        if one != other:
            return _difference(
                _BATCHES.decode(one).answers, _BATCHES.decode(other).answers, "answer"
            )
    return f"{len(seen)} replies, where {len(expected)} were expected"


def answers_in_order(record: Record) -> dict[str, list[Answer]]:
    """Return the answers to each event, and all others by thread, whatever batches they came in."""
    answers: dict[str, list[Answer]] = {EVENTS: []}
    for heard in record.heard:
        for place, (to, reply) in enumerate(heard.replies):
            said = msgspec.msgpack.decode(reply, type=EffectBatch).answers
            count = len(heard.sent.items) if place == 0 else 0
            answers[EVENTS] += said[:count] if heard.sent.first else ()
            answers.setdefault(f"to thread {to}", []).extend(said[count:])
    return answers


def shown(value: object) -> str:
    """Return a value for people: short, and addresses of the corpus by name."""
    text = repr(value)
    for address, name in _NAMES.items():
        text = text.replace(f"b'{address}'", name).replace(f'b"{address}"', name)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."


def _difference(seen: object, expected: object, at: str) -> str:
    """Go down to the first part that differs."""
    said = f"{at.removesuffix(': ')} is {shown(seen)}, where {shown(expected)} was expected"
    if isinstance(seen, msgspec.Struct) and type(seen) is type(expected):
        kind = "" if isinstance(seen, _ReadAnswer) else f"{type(seen).__name__}."
        name = f"{at}{kind}" if at.endswith(": ") else f"{at}."
        for field in seen.__struct_fields__:
            one, other = getattr(seen, field), getattr(expected, field)
            if one != other:
                return _difference(one, other, f"{name}{field}")
    if isinstance(seen, tuple) and isinstance(expected, tuple):
        parts = zip_longest(cast("tuple[object, ...]", seen), cast("tuple[object, ...]", expected))
        for number, (one, other) in enumerate(parts, 1):
            if one != other:
                return _difference(one, other, f"{at} {number}: ")
    return said


def _last_of(heard: Sequence[Heard]) -> int:
    """Return the number of the last event."""
    return max((each.sent.first + len(each.sent.items) - 1 for each in heard), default=0)
