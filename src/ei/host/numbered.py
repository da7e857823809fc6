"""Numbered packets: what was lost, doubled or reordered, and how long each one took.

    number u64 | sent_ns u64 | zeros up to the asked length        little-endian

`sent_ns` is the sender's monotonic clock: latencies are true between processes of one machine.
"""

import struct

import msgspec

LAYOUT = struct.Struct("<QQ")
HEADER_BYTES = LAYOUT.size
MAX_NUMBER = 2**22
"""Numbers that a collector tells apart; 512 KiB as bits."""


def encode_numbered(number: int, sent_ns: int, length_bytes: int) -> bytes:
    """Return the payload of packet `number`, at least 16 bytes long."""
    return LAYOUT.pack(number, sent_ns).ljust(length_bytes, b"\0")


class Collected(msgspec.Struct, frozen=True):
    """What arrived.

    Attributes:
        packets: All, copies included.
        distinct: Numbers that came at least once.
        duplicates: Packets whose number had come before.
        reordered: Packets that came after one with a larger number.
        highest: Largest number, -1 before the first packet.
        foreign: Packets that are not numbered.
        latency_us: Power of two to the packets that took less, and at least half of it.
        max_latency_us: Of the slowest.
    """

    packets: int
    payload_bytes: int
    distinct: int
    duplicates: int
    reordered: int
    highest: int
    foreign: int
    latency_us: dict[int, int]
    max_latency_us: int


class Collector:
    """Counts numbered packets of one sender."""

    def __init__(self) -> None:
        self._seen = bytearray(MAX_NUMBER // 8)
        self._packets = 0
        self._bytes = 0
        self._distinct = 0
        self._reordered = 0
        self._highest = -1
        self._foreign = 0
        self._latencies: dict[int, int] = {}
        self._max_us = 0

    def take(self, payload: bytes, now_ns: int) -> None:
        """Count one payload; any bytes."""
        self._packets += 1
        self._bytes += len(payload)
        number = MAX_NUMBER
        sent_ns = 0
        if len(payload) >= HEADER_BYTES:
            number, sent_ns = LAYOUT.unpack_from(payload)
        if number >= MAX_NUMBER:
            self._foreign += 1
            return
        mask = 1 << number % 8
        self._distinct += not self._seen[number // 8] & mask
        self._seen[number // 8] |= mask
        self._reordered += number < self._highest
        self._highest = max(self._highest, number)
        latency_us = max(0, now_ns - sent_ns) // 1_000
        self._max_us = max(self._max_us, latency_us)
        bucket = 1 << latency_us.bit_length()
        self._latencies[bucket] = self._latencies.get(bucket, 0) + 1

    def statistics(self) -> Collected:
        """Return what arrived so far."""
        return Collected(
            packets=self._packets,
            payload_bytes=self._bytes,
            distinct=self._distinct,
            duplicates=self._packets - self._foreign - self._distinct,
            reordered=self._reordered,
            highest=self._highest,
            foreign=self._foreign,
            latency_us=dict(sorted(self._latencies.items())),
            max_latency_us=self._max_us,
        )
