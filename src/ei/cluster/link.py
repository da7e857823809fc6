"""What a member's daemon and the worker with a replica say to each other, over a stream socket.

Each message is `length u32`, little-endian, and so many bytes of msgpack.
"""

import struct
from collections.abc import Iterator

import msgspec

from ei.cluster.copies import CopyStatistics
from ei.cluster.keeper import Standing
from ei.cluster.ownership import Ownership
from ei.errors import LocalError
from ei.sdk.packets import Address

_LENGTH = struct.Struct("<I")
MAX_FRAME_BYTES = 64 * 1024 * 1024


class See(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """Down: what etcd has, who is a member, and who is not to be reached."""

    record: Ownership | None
    members: frozenset[Address]
    lost: frozenset[Address]


class Hear(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """Down: a control message of service 5."""

    sender: Address
    message: bytes


class Resign(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """Down: own the state no more; another is about to."""


class Say(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """Up: send a control message of service 5."""

    to: Address
    message: bytes


class Stand(msgspec.Struct, frozen=True, array_like=True, tag=5):
    """Up: how the replica stands."""

    standing: Standing
    copies: tuple[CopyStatistics, ...]
    refused: dict[str, int]


Down = See | Hear | Resign
Up = Say | Stand

_encode = msgspec.msgpack.Encoder().encode


def encode_frame(message: Down | Up) -> bytes:
    """Return a message with its length."""
    encoded = _encode(message)
    return _LENGTH.pack(len(encoded)) + encoded


class Frames:
    """Cuts what comes out of a stream socket into messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, received: bytes) -> Iterator[bytes]:
        """Yield the messages that are whole with what was received.

        Raises:
            LocalError: one is too long to be one.
        """
        self._buffer += received
        at = 0
        while len(self._buffer) - at >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer, at)
            if length > MAX_FRAME_BYTES:
                raise LocalError(f"frame of {length} B, up to {MAX_FRAME_BYTES} B allowed")
            end = at + _LENGTH.size + length
            if len(self._buffer) < end:
                break
            yield bytes(self._buffer[at + _LENGTH.size : end])
            at = end
        del self._buffer[:at]


downs: msgspec.msgpack.Decoder[Down] = msgspec.msgpack.Decoder(Down)
ups: msgspec.msgpack.Decoder[Up] = msgspec.msgpack.Decoder(Up)
