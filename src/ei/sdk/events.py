"""Everything that can happen to a service."""

import msgspec

from ei.sdk.packets import Address, Packet
from ei.sdk.records import Query, Record
from ei.sdk.streams import StreamEvent


class PacketArrived(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=0):
    """The decision cache had no answer for this packet."""

    packet: Packet


class ControlArrived(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """A peer (a host, or the same service on another node) sent a control message.

    Attributes:
        sender: Peer whose pipe delivered it.
        message: One of the Structs that the service declares in `messages`.
    """

    sender: Address
    message: object


class TimerFired(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=2):
    """A timer armed with `SetTimer` is due."""

    key: bytes


class PeerChanged(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=3):
    """A peer's pipe came up or went down."""

    peer: Address
    is_up: bool


class Resolved(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=4):
    """A query was answered; `record` is `None` when there is no such record."""

    query: Query
    record: Record | None


class TallyRead(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=5):
    """The counts of a `Tally` object since it was made."""

    object: bytes
    packets: int
    payload_bytes: int


class NotKept(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=30):
    """Packets of a `SendKept` that the history does not hold, or no longer.

    Attributes:
        object: Name of the history.
        names: Of the packets, 1 to 256.
        to: Who lacks them.
    """

    object: bytes
    names: tuple[bytes, ...]
    to: Address


class Started(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=6):
    """The first event of every instance: the ephemeral store is empty, no timer is armed."""


Event = (
    PacketArrived
    | ControlArrived
    | TimerFired
    | PeerChanged
    | Resolved
    | TallyRead
    | NotKept
    | Started
    | StreamEvent
)
