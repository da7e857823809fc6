"""Everything a service can ask its node to do. Asking is all it can do."""

import msgspec

from ei.sdk.decisions import Decision
from ei.sdk.packets import Address, Packet
from ei.sdk.records import Query
from ei.sdk.stages import Stage


class SendPacket(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=0):
    """Put `packet` on the pipe to peer `to`, after the same stages as a decision would run."""

    packet: Packet
    to: Address
    stages: tuple[Stage, ...] = ()


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
    timeout_s: float = 1.0


class InstallDecision(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=3):
    """Answer later packets like this one in the datapath."""

    decision: Decision


class RevokeDecisions(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=4):
    """Forget every cached decision of this service that was installed with `tag`."""

    tag: bytes


class PassPacket(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=5):
    """Hand `packet` on to the next service of the chain."""

    packet: Packet
    stages: tuple[Stage, ...] = ()


class SendControl(msgspec.Struct, frozen=True, array_like=True, tag=6):
    """Deliver `message` to the same service at the peer `to`, reliably and in order.

    Attributes:
        message: One of the Structs that the service declares in `messages`; at most 64 KiB.
        to: A peer.
    """

    message: object
    to: Address


class SetTimer(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=7):
    """Arm the timer `key`, replacing an earlier one of the same key.

    Attributes:
        key: 0 to 64 bytes.
        after_s: From this event, 0 to a year; it takes a millisecond at least.
    """

    key: bytes
    after_s: float


class CancelTimer(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=8):
    """Disarm the timer `key`; no effect when it is not armed."""

    key: bytes


class Resolve(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=9):
    """Ask the directory; the answer comes as `Resolved` and in `ctx.records`."""

    query: Query


class Count(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=10):
    """Add `amount` (0 to 2^32) to the counter `name` (a word from the manifest)."""

    name: str
    amount: int = 1


class ReadTally(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=11):
    """Ask for the counts of a `Tally` object; the answer comes as `TallyRead`."""

    object: bytes


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
)
