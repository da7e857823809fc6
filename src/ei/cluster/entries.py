"""Entries of a replica's log, chained by a running hash: one hash names all that came before.

The same bytes are on the disks of all members and in the messages between them:

    length u32 | epoch u64 | index u64 | check u32 | hash 32 B | body

little-endian. `length` is that of the body, `check` the CRC-32 of the 20 bytes before it, and
`hash` SHA-256 over the hash before, the 20 bytes, and the body. The log's file begins with the
place after which its first entry comes:

    magic "EIL1" | is_whole u8 | 0 0 0 | index u64 | epoch u64 | hash 32 B | check u32

A write that a crash has torn ends within an entry, or in zeros: what it was to say was never
acknowledged. Anything else that does not verify is damage, and never taken for a torn write.
"""

import hashlib
import struct
from enum import Enum
from zlib import crc32

import msgspec

from ei.errors import IntegrityError

_PLACE = struct.Struct("<IQQ")
_CHECK = struct.Struct("<I")
_HEADER = struct.Struct("<4sB3xQQ32s")
HASH_BYTES = 32
HEAD_BYTES = _PLACE.size + _CHECK.size + HASH_BYTES
HEADER_BYTES = _HEADER.size + _CHECK.size
MAGIC = b"EIL1"
MAX_BODY_BYTES = 16 * 1024 * 1024


class Point(msgspec.Struct, frozen=True, array_like=True):
    """A place in a log: the entry there, and by its hash all before it."""

    index: int
    epoch: int
    hash: bytes


ORIGIN = Point(0, 0, bytes(HASH_BYTES))
"""Before the first entry of all."""


class Entry(msgspec.Struct, frozen=True):
    """One entry; `encoded` is all of its bytes."""

    point: Point
    body: bytes
    encoded: bytes


class Verdict(Enum):
    """What the end of a log's file shows."""

    WHOLE = "whole"
    TORN = "torn"
    """A crash tore the last write; nothing that was acknowledged is missing."""
    DAMAGED = "damaged"
    """Something that was on disk is not what it was; what it was, only others can say."""


class Recovered(msgspec.Struct, frozen=True):
    """What a log's file holds, as far as it verifies."""

    is_whole: bool
    start: Point
    entries: tuple[Entry, ...]
    verdict: Verdict


def make_entry(before: Point, epoch: int, body: bytes) -> Entry:
    """Make the entry that follows `before`."""
    place = _PLACE.pack(len(body), epoch, before.index + 1)
    digest = hashlib.sha256(before.hash + place + body).digest()
    encoded = place + _CHECK.pack(crc32(place)) + digest + body
    return Entry(Point(before.index + 1, epoch, digest), body, encoded)


def read_entry(encoded: bytes, before: Point) -> Entry:
    """Read one entry that another member has sent.

    Raises:
        IntegrityError: it is none, is changed, or does not follow `before`.
    """
    if len(encoded) < HEAD_BYTES:
        raise IntegrityError(f"log entry of {len(encoded)} B, at least {HEAD_BYTES} B allowed")
    place, body = encoded[: _PLACE.size], encoded[HEAD_BYTES:]
    length, epoch, index = _PLACE.unpack(place)
    made = make_entry(before, epoch, body)
    if length != len(body) or index != before.index + 1 or made.encoded != encoded:
        raise IntegrityError(
            f"log entry {index} of {len(body)} B does not verify after entry {before.index}"
        )
    return made


def encode_header(start: Point, *, is_whole: bool) -> bytes:
    """Return the beginning of a log's file."""
    header = _HEADER.pack(MAGIC, is_whole, start.index, start.epoch, start.hash)
    return header + _CHECK.pack(crc32(header))


def recover(content: bytes) -> Recovered:
    """Read a log's file after whatever has happened to it."""
    header = content[: _HEADER.size]
    if len(content) < HEADER_BYTES or content[_HEADER.size : HEADER_BYTES] != _CHECK.pack(
        crc32(header)
    ):
        # It is put in place as a whole, never written to: so this is no torn write.
        return _NOTHING
    magic, is_whole, index, epoch, digest = _HEADER.unpack(header)
    if magic != MAGIC:
        return _NOTHING
    start = before = Point(index, epoch, digest)
    entries: list[Entry] = []
    verdict = Verdict.WHOLE
    rest = HEADER_BYTES
    while rest < len(content) and verdict is Verdict.WHOLE:
        entry, verdict = _next(content, rest, before)
        if entry is not None:
            entries.append(entry)
            before = entry.point
            rest += len(entry.encoded)
    return Recovered(is_whole=bool(is_whole), start=start, entries=tuple(entries), verdict=verdict)


_NOTHING = Recovered(is_whole=False, start=ORIGIN, entries=(), verdict=Verdict.DAMAGED)


def _next(content: bytes, at: int, before: Point) -> tuple[Entry | None, Verdict]:
    """Read the entry at `at`; without one, say what is there instead."""
    rest = len(content) - at
    if not any(memoryview(content)[at:]):
        # A file that grew before what it was to hold was written. No flip makes this of an entry.
        return None, Verdict.TORN
    if rest < HEAD_BYTES:
        # No flip changes a file's length, so this end was never safe on disk.
        return None, Verdict.TORN
    place = content[at : at + _PLACE.size]
    if content[at + _PLACE.size : at + _PLACE.size + _CHECK.size] != _CHECK.pack(crc32(place)):
        return None, Verdict.DAMAGED
    length = _PLACE.unpack(place)[0]
    if rest < HEAD_BYTES + length:
        return None, Verdict.TORN
    try:
        entry = read_entry(content[at : at + HEAD_BYTES + length], before)
    except IntegrityError:
        return None, Verdict.DAMAGED
    return entry, Verdict.WHOLE
