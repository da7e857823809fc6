"""What one entry of a log does to a state, and a state as one file.

A snapshot is

    magic "EIS1" | index u64 | epoch u64 | hash 32 B | length u64 | rows | SHA-256 of all before it

little-endian; `rows` is msgpack of `length` bytes: an array of [key, value, expires_s].
"""

import hashlib
import struct
from math import inf
from typing import Protocol

import msgspec

from ei.cluster.entries import Point
from ei.errors import IntegrityError

Row = tuple[bytes, bytes, float]
"""Key, value, and the Unix time at which it expires, `inf` for never."""

_HEADER = struct.Struct("<4sQQ32sQ")
_DIGEST_BYTES = 32
MAGIC = b"EIS1"


class Writes(msgspec.Struct, frozen=True, array_like=True):
    """What a batch of events leaves behind.

    Attributes:
        unix_s: Wall clock of the batch: what expires before it has expired on every member.
        kept: Rows that are new or changed.
        gone: Keys that were deleted.
    """

    unix_s: float
    kept: list[Row]
    gone: list[bytes]


NOTHING = Writes(-inf, [], [])
"""What the entry does with which an epoch begins."""


class State(Protocol):
    """What the entries of a log add up to."""

    def apply(self, writes: Writes) -> None:
        """Do what an entry says. Doing it twice is doing it once."""
        ...

    def rows(self) -> list[Row]:
        """Return all of it."""
        ...

    def load(self, rows: list[Row]) -> None:
        """Become what another state was."""
        ...


class Rows:
    """A state in memory."""

    def __init__(self) -> None:
        self.unix_s = -inf
        self._rows: dict[bytes, tuple[bytes, float]] = {}

    def __repr__(self) -> str:
        return f"<Rows {len(self._rows)}>"

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, key: bytes) -> tuple[bytes, float] | None:
        """Return value and expiry."""
        return self._rows.get(key)

    def apply(self, writes: Writes) -> None:
        """Do what an entry says."""
        self.unix_s = max(self.unix_s, writes.unix_s)
        for key, value, expires_s in writes.kept:
            self._rows[key] = (value, expires_s)
        for key in writes.gone:
            _ = self._rows.pop(key, None)

    def rows(self) -> list[Row]:
        """Return all of it."""
        return [(key, value, expires_s) for key, (value, expires_s) in self._rows.items()]

    def load(self, rows: list[Row]) -> None:
        """Become what another state was."""
        self._rows = {key: (value, expires_s) for key, value, expires_s in rows}


_decode_writes = msgspec.msgpack.Decoder(Writes).decode
_decode_rows = msgspec.msgpack.Decoder(list[Row]).decode


def encode_writes(writes: Writes) -> bytes:
    """Return the body of an entry."""
    return msgspec.msgpack.encode(writes)


def decode_writes(body: bytes) -> Writes:
    """Return what the body of an entry says.

    Raises:
        IntegrityError: it is none.
    """
    try:
        return _decode_writes(body)
    except msgspec.MsgspecError as error:
        raise IntegrityError(f"log entry: {error}") from error


def encode_snapshot(at: Point, rows: list[Row]) -> bytes:
    """Return a state as the bytes of its file."""
    encoded = msgspec.msgpack.encode(rows)
    content = _HEADER.pack(MAGIC, at.index, at.epoch, at.hash, len(encoded)) + encoded
    return content + hashlib.sha256(content).digest()


def decode_snapshot(content: bytes) -> tuple[Point, list[Row]]:
    """Return where in the log a state was, and the state.

    Raises:
        IntegrityError: a byte is not as it was written.
    """
    signed, digest = content[:-_DIGEST_BYTES], content[-_DIGEST_BYTES:]
    if len(signed) < _HEADER.size or hashlib.sha256(signed).digest() != digest:
        raise IntegrityError(f"snapshot of {len(content)} B does not verify")
    magic, index, epoch, hash_, length = _HEADER.unpack_from(signed)
    if magic != MAGIC or length != len(signed) - _HEADER.size:
        raise IntegrityError(f"snapshot of {len(content)} B is none of this layout")
    try:
        return Point(index, epoch, hash_), _decode_rows(signed[_HEADER.size :])
    except msgspec.MsgspecError as error:
        raise IntegrityError(f"snapshot: {error}") from error
