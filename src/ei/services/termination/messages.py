"""The first bytes of a stream to termination, and the first that come back.

    there   length u16 little-endian | opening | the host's bytes ...
    back    length u16 little-endian | status  | the other end's bytes ...

Opening and status are msgpack arrays; fields are only ever appended. The host may send its bytes
behind the opening at once. After a status that is not `open` the node sends nothing more.

A host whose stream was lost on the way opens another one that takes its place: the same opening,
and how many bytes of the other end it has. The status says how many of the host's were taken over;
each side then goes on at its first byte that the other has not.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from ei.sdk import Address, AtHost, Legacy

LENGTH_BYTES = 2
MAX_STATUS_BYTES = 1_024
MAX_DETAIL = 400
SESSION_BYTES = 16

Node = Annotated[Address, Meta(min_length=16, max_length=16)]
Session = Annotated[bytes, Meta(min_length=SESSION_BYTES, max_length=SESSION_BYTES)]
Offset = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Opening(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What a stream is for.

    Attributes:
        to: Where it goes on to.
        exit: The node that is to continue it; `None` leaves that to the first node.
        is_told: Whoever sends this has said already that it is open: no status is to come, and what
            cannot be opened is reset.
        session: 16 random bytes of the host, by which another stream can take the place of this
            one; `None`: none will.
        has: Of a stream that takes a place: how many bytes of the other end the host has. `None`:
            it is the first.
    """

    to: Legacy | AtHost
    exit: Node | None = None
    is_told: bool = False
    session: Session | None = None
    has: Offset | None = None


class Status(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What became of an opening; said once, before all bytes.

    Attributes:
        word: Empty when it is open; else a reason of `StreamClosed`, or `bad_opening`.
        detail: A sentence for people.
        exit: The node that went on to the other end, if another stream can take the place of this.
        taken: How many of the host's bytes it has taken over, by all streams of the session.
    """

    word: str
    detail: Annotated[str, Meta(max_length=MAX_DETAIL)] = ""
    exit: Node | None = None
    taken: Offset = 0


OPEN = Status("")


def write_opening(opening: Opening) -> bytes:
    """Return the bytes, without the length before them."""
    return msgspec.msgpack.encode(opening)


def read_opening(opening: bytes) -> Opening:
    """Return what the bytes of an opening say.

    Raises:
        ValueError: They are none; names the field that is wrong.
    """
    try:
        return msgspec.msgpack.decode(opening, type=Opening)
    except msgspec.MsgspecError as error:
        raise ValueError(f"not an opening of termination: {error}") from error


def write_status(status: Status) -> bytes:
    """Return the bytes, with the length before them."""
    encoded = msgspec.msgpack.encode(status)
    return len(encoded).to_bytes(LENGTH_BYTES, "little") + encoded


def read_status(received: bytes) -> tuple[Status, int] | None:
    """Return the status with which the bytes begin, and how many it took; `None`: more are needed.

    Raises:
        ValueError: They are none.
    """
    if len(received) < LENGTH_BYTES:
        return None
    end = LENGTH_BYTES + int.from_bytes(received[:LENGTH_BYTES], "little")
    if end > LENGTH_BYTES + MAX_STATUS_BYTES:
        raise ValueError(f"a status of {end - LENGTH_BYTES} B: at most {MAX_STATUS_BYTES} allowed")
    if len(received) < end:
        return None
    try:
        return msgspec.msgpack.decode(received[LENGTH_BYTES:end], type=Status), end
    except msgspec.MsgspecError as error:
        raise ValueError(f"not a status of termination: {error}") from error
