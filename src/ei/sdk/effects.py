"""Everything a service can ask its node to do. Asking is all it can do."""

from typing import Annotated

import msgspec
from msgspec import Meta

from ei.sdk.decisions import Decision, Tag
from ei.sdk.packets import Metadata, Packet, Peer
from ei.sdk.records import Query
from ei.sdk.stages import ObjectName, Stages
from ei.sdk.streams import StreamEffect

PacketName = Annotated[bytes, Meta(min_length=8, max_length=8)]
TimerKey = Annotated[bytes, Meta(max_length=64)]


class SendPacket(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=0):
    """Put `packet` on the pipe to peer `to`, after the same stages as a decision would run."""

    packet: Packet
    to: Peer
    stages: Stages = ()


class DropPacket(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=1):
    """Refuse the packet of this event, counted under `reason` (a word from the manifest)."""

    reason: str


class HoldPacket(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=2):
    """Keep the packet of this event until `until` is resolved, then handle it again.

    Attributes:
        until: The query; it is asked if nobody asked it yet.
        timeout_s: Then the packet is dropped (`hold_timeout`), above 0 and up to 5.
    """

    until: Query
    timeout_s: Annotated[float, Meta(gt=0, le=5)] = 1.0


class InstallDecision(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=3):
    """Answer later packets like this one in the datapath."""

    decision: Decision


class RevokeDecisions(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=4):
    """Forget every cached decision of this service that was installed with `tag`."""

    tag: Tag


class PassPacket(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=5):
    """Hand `packet` on to the next service of the chain."""

    packet: Packet
    stages: Stages = ()


class SendControl(msgspec.Struct, frozen=True, array_like=True, tag=6):
    """Deliver `message` to the same service at the peer `to`, reliably and in order.

    Attributes:
        message: One of the Structs that the service declares in `messages`; at most 64 KiB.
        to: A peer.
    """

    message: object
    to: Peer


class SetTimer(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=7):
    """Arm the timer `key`, replacing an earlier one of the same key.

    Attributes:
        key: 0 to 64 bytes.
        after_s: From this event, 0 to a year; it takes a millisecond at least.
    """

    key: TimerKey
    after_s: Annotated[float, Meta(ge=0, le=366 * 24 * 3_600)]


class CancelTimer(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=8):
    """Disarm the timer `key`; no effect when it is not armed."""

    key: TimerKey


class Resolve(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=9):
    """Ask the directory; the answer comes as `Resolved` and in `ctx.records`."""

    query: Query


class Count(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=10):
    """Add `amount` (0 to 2^32) to the counter `name` (a word from the manifest)."""

    name: str
    amount: Annotated[int, Meta(ge=0, le=2**32)] = 1


class ReadTally(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=11):
    """Ask for the counts of a `Tally` object; the answer comes as `TallyRead`."""

    object: ObjectName


class KeepDictionary(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=18):
    """Let the stages `Compress` and `Decompress` that name `object` use a dictionary.

    An object keeps the three with the highest numbers. It takes effect before the decisions of the
    same event.

    Attributes:
        object: Name of the dictionaries, 1 to 64 bytes.
        dictionary: As `zstd --train` writes it, with a number, 8 bytes to 32 KiB.
    """

    object: ObjectName
    dictionary: Annotated[bytes, Meta(min_length=8, max_length=32_768)]


class SendKept(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=30):
    """Send packets that a `Keep` object holds to a peer once more; `NotKept` tells the others.

    Attributes:
        object: Name of the history.
        names: Of the packets: the first 8 bytes of their payloads; at most 256.
        to: A peer.
        metadata: In the place of the packets' own.
    """

    object: ObjectName
    names: Annotated[tuple[PacketName, ...], Meta(max_length=256)]
    to: Peer
    metadata: Metadata


Effect = (
    SendPacket
    | DropPacket
    | HoldPacket
    | InstallDecision
    | RevokeDecisions
    | PassPacket
    | SendControl
    | SetTimer
    | CancelTimer
    | Resolve
    | Count
    | ReadTally
    | KeepDictionary
    | SendKept
    | StreamEffect
)
