"""What happens to a host, as its stack tells it."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from ei.directory.messages import Query
from ei.sdk.packets import Address


class AttachmentChanged(msgspec.Struct, frozen=True):
    """The pipe to one of the host's nodes came up or went down."""

    node: Address
    is_up: bool


class ContactLearned(msgspec.Struct, frozen=True):
    """The directory answered, or will not: then `reason` says why, and nothing was learned."""

    query: Query
    reason: str = ""


class DatagramReceived(msgspec.Struct, frozen=True, gc=False):
    """A datagram whose source is proven. `number` is set when the source wants a receipt."""

    source: Address
    source_port: int
    port: int
    data: bytes
    number: int | None


Word = Literal["delivered", "durable", "dropped"]
"""What a destination can say: somebody took it, somebody keeps it for good, nobody took it."""


class ReceiptReceived(msgspec.Struct, frozen=True, gc=False):
    """The destination's own statement about the datagram `number`."""

    source: Address
    number: int
    word: Word


class StatementReceived(msgspec.Struct, frozen=True, gc=False):
    """A node has said what became of a packet; `number` is that of the question."""

    number: int


class EchoReceived(msgspec.Struct, frozen=True, gc=False):
    """An answer to `ping`, received at `now_ns`."""

    source: Address
    number: int
    data: bytes
    now_ns: int


class PacketReceived(msgspec.Struct, frozen=True, gc=False):
    """A packet of a service other than delivery, as the service sent it.

    Attributes:
        node: Whose pipe delivered it.
        source: The host or node that it speaks for: a claim, unless its payload proves it.
        protection: As in `ei.sdk.packets.Protection`.
    """

    node: Address
    service: int
    source: Address
    connection: int
    metadata: bytes
    payload: bytes
    protection: int
    is_traced: bool


class ControlReceived(msgspec.Struct, frozen=True, gc=False):
    """A control message of a service at one of the host's nodes."""

    node: Address
    service: int
    message: bytes


class StreamConnected(msgspec.Struct, frozen=True):
    """A stream connection is up, whoever opened it: both ends have proved their keys."""

    peer: Address
    connection: int


class StreamLost(msgspec.Struct, frozen=True):
    """A stream connection is gone, its streams with it; what they received can still be read.

    Attributes:
        kind: Such as `timed_out`, `refused`, `wrong_identity`.
        text: One sentence.
    """

    peer: Address
    connection: int
    kind: str
    text: str


class StreamArrived(msgspec.Struct, frozen=True):
    """The peer opened a stream for `port`."""

    peer: Address
    connection: int
    stream: int
    port: int


Movement = Literal["readable", "writable", "finished", "reset", "stopped", "joined", "broke"]
MOVEMENTS: Mapping[str, Movement] = {
    "readable": "readable",
    "writable": "writable",
    "stream_finished": "finished",
    "stream_reset": "reset",
    "stream_stopped": "stopped",
    "joint_ended": "joined",
    "joint_broke": "broke",
}
"""By the word of the native side."""


class StreamMoved(msgspec.Struct, frozen=True, gc=False):
    """Something about one stream.

    Attributes:
        what: `readable` or `writable`: worth a try. `finished`: the peer has everything.
            `reset`: the peer gave up sending. `stopped`: the peer wants no more. `joined`: all
            went between stream and connection, both ways. `broke`: the connection did.
        code: The peer's, of `reset` and `stopped`; of `broke` the system's, 0 for the stream's end.
    """

    peer: Address
    connection: int
    stream: int
    what: Movement
    code: int


class StreamsAvailable(msgspec.Struct, frozen=True):
    """The peer allows more streams."""

    peer: Address
    connection: int


HostEvent = (
    AttachmentChanged
    | ContactLearned
    | DatagramReceived
    | ReceiptReceived
    | StatementReceived
    | EchoReceived
    | PacketReceived
    | ControlReceived
    | StreamConnected
    | StreamLost
    | StreamArrived
    | StreamMoved
    | StreamsAvailable
)
