"""Packets that wait for the answer of a query: bounded, fairly shared, part of transactions.

The share is by source, and when all is full by ingress pipe: at a host's first node that is the
host, elsewhere it is the node before, which answers for the sources behind it.
"""

from heapq import heapify, heappop, heappush
from typing import TypeVar

import msgspec

from ei.runtime.undo import UndoLog
from ei.sdk import Address, PacketArrived, Query

K = TypeVar("K")

MAX_PACKETS_PER_QUERY = 64
MAX_BYTES_PER_SOURCE = 64 * 1024
MAX_BYTES = 1024 * 1024
MAX_TIMES = 2

_PACKET_BYTES = 256
"""Counted beside metadata and payload."""


class Held(msgspec.Struct, frozen=True):
    """One held packet.

    Attributes:
        event: Will be delivered again.
        query: What it waits for.
        deadline_s: Then it is dropped.
        times: How often it was held, 1 or 2.
        origin: Which datapath thread waits for its answer.
        number: Counts up; the order in which packets come back.
    """

    event: PacketArrived
    query: Query
    deadline_s: float
    times: int
    origin: int
    number: int

    @property
    def size_bytes(self) -> int:
        packet = self.event.packet
        return len(packet.payload) + len(packet.metadata) + _PACKET_BYTES


class Holds:
    """The held packets of one service; `undo` learns how to take each change back."""

    def __init__(self, undo: UndoLog) -> None:
        self._undo = undo
        self._number = 0
        self._bytes = 0
        self._by_number: dict[int, Held] = {}
        self._by_query: dict[Query, dict[int, Held]] = {}
        self._by_ingress: dict[Address, dict[int, Held]] = {}
        self._source_bytes: dict[Address, int] = {}
        self._ingress_bytes: dict[Address, int] = {}
        self._deadlines: list[tuple[float, int]] = []

    def __len__(self) -> int:
        return len(self._by_number)

    def __repr__(self) -> str:
        return f"<Holds {len(self)} packets {self._bytes}/{MAX_BYTES} B>"

    def is_waiting_for(self, query: Query) -> bool:
        """Whether packets wait for `query`, hence whether it was asked."""
        return query in self._by_query

    def add(
        self, event: PacketArrived, query: Query, *, deadline_s: float, times: int, origin: int
    ) -> tuple[Held, list[Held]]:
        """Hold a packet for the `times`-th time.

        Returns:
            It, and those that were pushed out to keep the bounds: itself, when its query or its
            source holds too many, or it was held `MAX_TIMES` before; or, when all is full, the
            newest of the ingress pipe that holds most.
        """
        self._number += 1
        held = Held(event, query, deadline_s, times, origin, self._number)
        self._change(held, is_added=True)
        pushed_out: list[Held] = []
        if (
            times > MAX_TIMES
            or len(self._by_query[query]) > MAX_PACKETS_PER_QUERY
            or self._source_bytes[event.packet.source] > MAX_BYTES_PER_SOURCE
        ):
            pushed_out.append(held)
            self._change(held, is_added=False)
        while self._bytes > MAX_BYTES:
            heaviest = max(self._ingress_bytes, key=lambda peer: self._ingress_bytes[peer])
            newest = next(reversed(self._by_ingress[heaviest].values()))
            pushed_out.append(newest)
            self._change(newest, is_added=False)
        return held, pushed_out

    def release(self, query: Query) -> list[Held]:
        """Let go of the packets that wait for `query`, in the order in which they came."""
        released = sorted(self._by_query.get(query, {}).values(), key=lambda held: held.number)
        for held in released:
            self._change(held, is_added=False)
        return released

    def take_expired(self, now_s: float) -> list[Held]:
        """Let go of the packets that have waited too long."""
        expired: list[Held] = []
        deadline_s = self.next_deadline_s()
        while deadline_s is not None and deadline_s <= now_s:
            held = self._by_number[self._deadlines[0][1]]
            self._change(held, is_added=False)
            expired.append(held)
            deadline_s = self.next_deadline_s()
        return expired

    def next_deadline_s(self) -> float | None:
        """Return when `take_expired` will have something, `None` for never."""
        while self._deadlines:
            deadline_s, number = self._deadlines[0]
            if number in self._by_number:
                return deadline_s
            _ = heappop(self._deadlines)
        return None

    def waiting(self) -> list[Held]:
        """Return the packets that wait, in the order in which they came."""
        return sorted(self._by_number.values(), key=lambda held: held.number)

    def waste(self) -> int:
        """Return how many deadlines are kept that no packet waits for any more."""
        return len(self._deadlines) - len(self._by_number)

    # -- the parts ------------------------------------------------------------------------------

    def _change(self, held: Held, *, is_added: bool) -> None:
        if is_added:
            self._undo.add(self._remove, held)
            self._insert(held)
        else:
            self._undo.add(self._insert, held)
            self._remove(held)

    def _insert(self, held: Held) -> None:
        self._by_number[held.number] = held
        self._by_query.setdefault(held.query, {})[held.number] = held
        self._by_ingress.setdefault(held.event.packet.ingress, {})[held.number] = held
        heappush(self._deadlines, (held.deadline_s, held.number))
        if len(self._deadlines) > 2 * len(self._by_number) + 64:
            # Packets that were let go before their deadline leave it behind.
            self._deadlines = [(kept.deadline_s, kept.number) for kept in self._by_number.values()]
            heapify(self._deadlines)
        self._count(held, held.size_bytes)

    def _remove(self, held: Held) -> None:
        del self._by_number[held.number]
        _remove_from(self._by_query, held.query, held.number)
        _remove_from(self._by_ingress, held.event.packet.ingress, held.number)
        self._count(held, -held.size_bytes)

    def _count(self, held: Held, size_bytes: int) -> None:
        packet = held.event.packet
        self._bytes += size_bytes
        for counts, holder in (
            (self._source_bytes, packet.source),
            (self._ingress_bytes, packet.ingress),
        ):
            counts[holder] = counts.get(holder, 0) + size_bytes
            if not counts[holder]:
                del counts[holder]


def _remove_from(index: dict[K, dict[int, Held]], key: K, number: int) -> None:
    del index[key][number]
    if not index[key]:
        del index[key]
