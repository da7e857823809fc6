"""What the members of a cluster say to one another: the control messages of service 5.

Each is a msgpack array that begins with its tag. Members hear them from members only: a pipe is
authenticated, and who is no member is not heard.
"""

from collections.abc import Iterator
from typing import Annotated

import msgspec
from msgspec import Meta

from ei.cluster.entries import Point
from ei.errors import LimitError, PeerError

SERVICE = 5
PIECE_BYTES = 48 * 1024
"""A control message has up to 64 KiB."""

MAX_MESSAGE_BYTES = 20 * 1024 * 1024


class Append(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """Owner to member: what follows `before`; also its heartbeat.

    Attributes:
        service: Number of the service whose state it is.
        epoch: Of the owner.
        beat: Grows with each message to this member; its answer says to which it is one.
        start: Of the member's start that the owner knows; see `Appended`.
        before: The place after which the entries come.
        entries: In order, as on disk; may be empty.
        last: Index at which the owner's log ends.
        committed: Index up to which all of the in-sync set has the log on disk.
    """

    service: int
    epoch: int
    beat: int
    start: int
    before: Point
    entries: tuple[bytes, ...]
    last: int
    committed: int


class Appended(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """Member to owner: the answer to an `Append`.

    Attributes:
        start: A random number of each start of the member: what it said before it started anew
            does not count any more.
        index: Up to here its log is the owner's, on disk; -1 when it does not have `before`.
        tail: Without `before`: the newest places of its log, newest first.
    """

    service: int
    epoch: int
    beat: int
    start: int
    index: int
    tail: tuple[Point, ...]


class Refused(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """To an owner of the past: there is a newer epoch."""

    service: int
    epoch: int


class Piece(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """Owner to member that is too far behind: a piece of a snapshot.

    Attributes:
        transfer: Which snapshot; grows.
        offset: Of the piece.
        length: Of the whole snapshot.
    """

    service: int
    epoch: int
    start: int
    transfer: int
    offset: int
    length: int
    content: bytes


class Taken(msgspec.Struct, frozen=True, array_like=True, tag=5):
    """Member to owner: it has a snapshot up to `offset`."""

    service: int
    epoch: int
    start: int
    transfer: int
    offset: int


class Part(msgspec.Struct, frozen=True, array_like=True, tag=6):
    """A message that is longer than one control message, cut into parts.

    Attributes:
        service: Of the message.
        number: Of the part, from 0.
        count: How many there are.
    """

    service: int
    number: Annotated[int, Meta(ge=0)]
    count: Annotated[int, Meta(ge=1, le=MAX_MESSAGE_BYTES // PIECE_BYTES + 1)]
    content: bytes


Whole = Append | Appended | Refused | Piece | Taken
Message = Whole | Part

_encode = msgspec.msgpack.Encoder().encode
_messages: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)


def encode_message(message: Whole) -> Iterator[bytes]:
    """Yield the control messages that carry a message.

    Raises:
        LimitError: it is too long.
    """
    encoded = _encode(message)
    if len(encoded) <= PIECE_BYTES:
        yield encoded
        return
    if len(encoded) > MAX_MESSAGE_BYTES:
        raise LimitError(f"message of {len(encoded)} B, up to {MAX_MESSAGE_BYTES} B allowed")
    pieces = [encoded[at : at + PIECE_BYTES] for at in range(0, len(encoded), PIECE_BYTES)]
    for number, piece in enumerate(pieces):
        yield _encode(Part(message.service, number, len(pieces), piece))


class Assembly:
    """Puts the parts of one sender's messages together. They come in order, or not at all."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def take(self, encoded: bytes) -> Whole | None:
        """Take a control message; return the message that is whole with it.

        Raises:
            PeerError: it is none.
        """
        message = decode_message(encoded)
        if not isinstance(message, Part):
            self._pieces = []
            return message
        if message.number == 0:
            self._pieces = []
        if message.number != len(self._pieces):
            return None  # parts before it were lost with a pipe; its sender says it all again
        self._pieces.append(message.content)
        if len(self._pieces) < message.count:
            return None
        whole, self._pieces = b"".join(self._pieces), []
        inner = decode_message(whole)
        if isinstance(inner, Part):
            raise PeerError("a part of parts: a part of a message allowed")
        return inner


def decode_message(encoded: bytes) -> Message:
    """Return the message that a control message is.

    Raises:
        PeerError: it is none; names the field that is wrong.
    """
    try:
        return _messages.decode(encoded)
    except msgspec.MsgspecError as error:
        raise PeerError(f"not a message of a cluster: {error}") from error
