"""The bytes between the datapath and a worker: batches of events down, batches of effects up.

One message is one msgpack array. The same bytes cross a sequenced socket to a worker process and
a function call in simulation.
"""

from enum import IntEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from ei.sdk.events import NotKept, PacketArrived, PeerChanged, Started, TallyRead
from ei.sdk.packets import Address
from ei.sdk.streams import StreamEvent

MAX_BATCH_ITEMS = 64
MAX_BATCH_BYTES = 128 * 1024


class ControlReceived(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=1):
    """A `ControlArrived` whose message is still bytes."""

    sender: Address
    message: bytes


class QueryResolved(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=4):
    """A `Resolved` whose query and record are still msgpack bytes (opaque to native code)."""

    query: bytes
    record: bytes | None


class PeersMeasured(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=7):
    """Smoothed round trips in seconds, by peer; replaces what `ctx.peers` says of them."""

    rtts_s: dict[Address, float]


Item = (
    PacketArrived
    | ControlReceived
    | PeerChanged
    | QueryResolved
    | TallyRead
    | NotKept
    | Started
    | PeersMeasured
    | StreamEvent
)


class EventBatch(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Native to worker.

    Attributes:
        sequence: Counts up from 1 per (thread, worker): those of the datapath, and of streams.
        epoch: The service's revocation epoch when the batch was made.
        now_s: Monotonic time of all its events.
        unix_s: Wall clock at the same instant.
        items: 1 to 64; of the thread of streams stream events alone.
    """

    sequence: int
    epoch: int
    now_s: float
    unix_s: float
    items: Annotated[tuple[Item, ...], Meta(min_length=1, max_length=MAX_BATCH_ITEMS)]


class SendControlBytes(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=6):
    """A `SendControl` whose message is already bytes."""

    message: bytes
    to: Address


class ResolveBytes(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=9):
    """A `Resolve` whose query is already msgpack bytes."""

    query: bytes


class Outcome(IntEnum):
    """What became of the event of an answer."""

    NONE = 0
    """Not a packet."""
    ANSWERED = 1
    PASSED = 2
    HELD = 3
    """Still waiting; a later answer ends it."""
    DROPPED = 4
    """See `Answer.reason`."""


class Answer(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What one event's transaction came to.

    Attributes:
        outcome: For packets, how the accounting of law 6 goes on.
        reason: With `DROPPED`: the environment's word (`service_error`, `cpu_exceeded`,
            `hold_timeout`, `hold_full`, `no_answer`) or one of the manifest's drop reasons.
        effects: Native effects, tags 0, 3 to 6 and 9 to 11, or, to the thread of streams, 12 to
            16; at most 2_048.
    """

    outcome: Outcome
    reason: str
    effects: tuple[object, ...]


class EncodedAnswer(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """An `Answer` whose effects are bytes already; the same on the wire."""

    outcome: Outcome
    reason: str
    effects: msgspec.Raw


AnyAnswer = Answer | EncodedAnswer


class EncodedBatch(msgspec.Struct, frozen=True, array_like=True):
    """An `EffectBatch` of encoded answers; the same on the wire."""

    sequence: int
    epoch: int
    answers: tuple[EncodedAnswer, ...]


class EffectBatch(msgspec.Struct, frozen=True, array_like=True):
    """Worker to native.

    Attributes:
        sequence: Of the batch it answers; 0 when it comes by itself (timers, hold time-outs).
        epoch: Of the batch it answers, or of the newest batch seen.
        answers: One per item of the batch in order, then those of timers and released holds.
    """

    sequence: int
    epoch: int
    answers: tuple[Answer, ...]
