"""What is said between hosts and nodes of the same exchange.

Live messages are packets. Their metadata is a byte of kind and the subject:

    kind u8 | subject          1 live, 2 live between nodes, 3 kept, 4 kept between nodes
    number u64 little-endian | extra length u16 | extra | data           the payload

`number` ascends with each message of a connection; of what is kept it is the position. What must
not be lost goes over a stream, in frames of `length u32 little-endian | msgpack`.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from ei.sdk import Address

LIVE, LIVE_BETWEEN, KEPT, KEPT_BETWEEN = 1, 2, 3, 4
HEAD_BYTES = 10
LENGTH_BYTES = 4
MAX_FRAME_BYTES = 65_000
MAX_DATA_BYTES = 60_000
"""Data and extra of a message that is kept."""
MAX_NAME_BYTES = 200

Filter = Annotated[str, Meta(min_length=1, max_length=200)]
Name = Annotated[str, Meta(max_length=200)]
Number = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Small = Annotated[int, Meta(ge=0, le=2**31 - 1)]


class Wish(msgspec.Struct, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True):
    """Packets that somebody wants.

    Attributes:
        filter: Of their subjects.
        is_kept: Those of messages that are kept; else those of the others.
    """

    filter: Filter
    is_kept: bool = False


class Want(
    msgspec.Struct, frozen=True, gc=False, array_like=True, tag=0, forbid_unknown_fields=True
):
    """Host or node to a node: send me these. Answered by `Wanted`.

    Attributes:
        number: Comes back.
        is_whole: What was wanted before is wanted no more.
        added, removed: Wishes.
    """

    number: Number
    is_whole: bool
    added: tuple[Wish, ...] = ()
    removed: tuple[Wish, ...] = ()


class Wanted(
    msgspec.Struct, frozen=True, gc=False, array_like=True, tag=1, forbid_unknown_fields=True
):
    """A `Want` was taken: what is published from now on comes.

    Attributes:
        number: Of the `Want`.
        refused: How many of its wishes were not taken: not well formed, or too many.
    """

    number: Number
    refused: Number = 0


class Again(
    msgspec.Struct, frozen=True, gc=False, array_like=True, tag=2, forbid_unknown_fields=True
):
    """Node to host or node: I have forgotten what you want, tell me all of it."""


MESSAGES = Want | Wanted | Again


class Hello(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The opening of a stream.

    Attributes:
        at: The node of the exchange whose log it is about; empty for the first one.
        host: Whose it is, as the first node says to another one.
    """

    at: bytes = b""
    host: bytes = b""


# -- host to node ---------------------------------------------------------------------------------


class Keep(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=0):
    """Publish, and say `Taken` when nothing will lose it any more.

    Attributes:
        sequence: Comes back.
        subject: 1 to 200 bytes.
        data, extra: Together at most 60,000 bytes.
        is_retained: Who subscribes later gets it, as the newest of its subject.
        publisher: Name of a series of messages, unique for the host.
        number: In the series. One that is not higher than the last is taken for the same again.
    """

    sequence: Number
    subject: Filter
    data: bytes
    extra: bytes = b""
    is_retained: bool = False
    publisher: Name = ""
    number: Number = 0


class Follow(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=1):
    """Read the log, from somewhere on.

    Attributes:
        id: Chosen by the host; of no other that it follows by the same stream.
        filter: Of subjects.
        credit: Messages that may come before `More`.
        name: Under which the place is remembered; empty for none.
        first: Position of the first that the host did not have yet; -1 when it had none.
        since_s: Without a place: how far back to begin, in seconds; -1 for as far as there is.
        is_retained: The newest retained message of each subject comes first.
        queue: How many may wait for credit.
        policy: What becomes of more: 0 the oldest are dropped, 1 the newest, 2 it is ended.
    """

    id: Small
    filter: Filter
    credit: Small
    name: Name = ""
    first: Annotated[int, Meta(ge=-1)] = -1
    since_s: float = 0.0
    is_retained: bool = False
    queue: Small = 10_000
    policy: Annotated[int, Meta(ge=0, le=2)] = 0


class More(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=2):
    """More messages may come.

    Attributes:
        id: As in `Follow`.
        credit: Added to what is left.
        done: All that came up to this position is dealt with; -1 for none.
    """

    id: Small
    credit: Small
    done: Annotated[int, Meta(ge=-1)] = -1


class Unfollow(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=3):
    """No more. A place that has a name stays."""

    id: Small


class Forget(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=4):
    """Forget the place of this name, and say `Forgotten`."""

    name: Name


class Still(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=5):
    """I am still here: to be said when nothing else was for long."""


Asked = Keep | Follow | More | Unfollow | Forget | Still


# -- node to host ---------------------------------------------------------------------------------


class Welcome(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=0):
    """The first frame.

    Attributes:
        node: The one at which the stream ends.
        log: What its log is known by: drawn when it began. Another member of a cluster goes on
            with the same; one that is begun anew on an empty disk is another.
        nodes: All of the exchange.
    """

    node: Address
    log: Address
    nodes: tuple[Address, ...]


class Taken(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=1):
    """What became of a `Keep`.

    Attributes:
        sequence: Of the `Keep`.
        position: In the log; -1 when it is not there.
        word: Why not; empty when it is.
    """

    sequence: Number
    position: int
    word: str = ""


class Record(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A message as the log has it.

    Attributes:
        subject: Of it.
        host: Who published it, proven.
        unix_s: When, by the clock of the node.
        data, extra: Of it.
        is_retained: It was to be retained.
        publisher, number: The series it is of.
    """

    subject: str
    host: bytes
    unix_s: float
    data: bytes
    extra: bytes = b""
    is_retained: bool = False
    publisher: str = ""
    number: int = 0


class Told(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=2):
    """A message.

    Attributes:
        id: Of what is followed.
        position: In the log.
        record: Encoded `Record`.
        lost: How many before it were dropped or are not in the log any more, at most.
        is_from_before: It comes since it was retained.
    """

    id: int
    position: int
    record: bytes
    lost: int = 0
    is_from_before: bool = False


class Following(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=5):
    """The answer to `Follow`: all from here on will come.

    Attributes:
        id: Of what is followed.
        next: The first position that may come.
    """

    id: int
    next: int


class Caught(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=3):
    """All that was retained has come."""

    id: int


class Forgotten(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=6):
    """The place of a name is not there any more."""

    name: str


class Ended(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=4):
    """Nothing more comes.

    Attributes:
        id: Of what was followed.
        word: `slow_consumer`, `bad_filter` or `too_many`.
    """

    id: int
    word: str


Said = Welcome | Taken | Told | Following | Caught | Ended | Forgotten

asked: msgspec.msgpack.Decoder[Asked] = msgspec.msgpack.Decoder(Asked)
said: msgspec.msgpack.Decoder[Said] = msgspec.msgpack.Decoder(Said)
hello: msgspec.msgpack.Decoder[Hello] = msgspec.msgpack.Decoder(Hello)
record: msgspec.msgpack.Decoder[Record] = msgspec.msgpack.Decoder(Record)


def write_frame(message: Asked | Said) -> bytes:
    """Return a frame."""
    encoded = msgspec.msgpack.encode(message)
    return len(encoded).to_bytes(LENGTH_BYTES, "little") + encoded


def cut_frame(received: bytes | bytearray, start: int = 0) -> tuple[bytes, int] | None:
    """Return the next frame's message and where it ends; `None`: more bytes are needed.

    Raises:
        ValueError: It is too long.
    """
    if len(received) - start < LENGTH_BYTES:
        return None
    begin = start + LENGTH_BYTES
    length = int.from_bytes(received[start:begin], "little")
    if length > MAX_FRAME_BYTES:
        raise ValueError(f"a frame of {length} B: at most {MAX_FRAME_BYTES} allowed")
    if len(received) < begin + length:
        return None
    return bytes(received[begin : begin + length]), begin + length


def write_payload(number: int, extra: bytes, data: bytes) -> bytes:
    """Return the payload of a packet."""
    return number.to_bytes(8, "little") + len(extra).to_bytes(2, "little") + extra + data


def read_payload(payload: bytes) -> tuple[int, bytes, bytes] | None:
    """Return number, extra and data; `None` when the payload is none."""
    end = HEAD_BYTES + int.from_bytes(payload[8:HEAD_BYTES], "little")
    if len(payload) < end or len(payload) < HEAD_BYTES:
        return None
    return int.from_bytes(payload[:8], "little"), payload[HEAD_BYTES:end], payload[end:]
