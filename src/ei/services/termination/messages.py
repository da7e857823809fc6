"""The first bytes of a stream to termination, and the first that come back.

    there   length u16 little-endian | opening | the host's bytes ...
    back    length u16 little-endian | status  | the other end's bytes ...

Opening and status are msgpack arrays; fields are only ever appended. The host may send its bytes
behind the opening at once. After a status that is not `open` the node sends nothing more.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from ei.sdk import Address, AtHost, Legacy

LENGTH_BYTES = 2
MAX_STATUS_BYTES = 1_024
MAX_DETAIL = 400

Node = Annotated[Address, Meta(min_length=16, max_length=16)]


class Opening(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What a stream is for.

    Attributes:
        to: Where it goes on to.
        exit: The node that is to continue it; `None` leaves that to the first node.
        is_told: Whoever sends this has said already that it is open: no status is to come, and what
            cannot be opened is reset.
    """

    to: Legacy | AtHost
    exit: Node | None = None
    is_told: bool = False


class Status(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What became of an opening; said once, before all bytes.

    Attributes:
        word: Empty when it is open; else a reason of `StreamClosed`, or `bad_opening`.
        detail: A sentence for people.
    """

    word: str
    detail: Annotated[str, Meta(max_length=MAX_DETAIL)] = ""


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
