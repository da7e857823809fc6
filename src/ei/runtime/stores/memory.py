"""A store in memory: bounded, expiring, transactional. Its cost per write is that of the write."""

from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from math import inf

from ei.runtime.stores.key_order import KeyOrder
from ei.runtime.stores.transactions import (
    StoreStatistics,
    check_entry,
    end_of_prefix,
    too_full,
)
from ei.runtime.undo import UndoLog
from ei.sdk.manifest import ENTRY_BYTES

Entry = tuple[bytes, float]
"""Value and the time at which it expires, `inf` for never."""


class MemoryStore:
    """A dict of bytes with a size limit and expiry. Writes go in at once, and into the undo log."""

    def __init__(self, *, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._now_s = -inf
        self._used_bytes = 0
        self._entries: dict[bytes, Entry] = {}
        self._order = KeyOrder()
        self._expiries: list[tuple[float, bytes]] = []
        self._undo = UndoLog()

    def __repr__(self) -> str:
        return (
            f"<MemoryStore {len(self._entries)} entries {self._used_bytes}/{self._limit_bytes} B>"
        )

    # -- Store ----------------------------------------------------------------------------------

    def get(self, key: bytes) -> bytes | None:
        entry = self._entries.get(key)
        return None if entry is None or entry[1] <= self._now_s else entry[0]

    def put(self, key: bytes, value: bytes, *, ttl_s: float | None = None) -> None:
        check_entry(key, value, ttl_s)
        replaced = self._entries.get(key)
        more_bytes = len(key) + ENTRY_BYTES if replaced is None else -len(replaced[0])
        used_bytes = self._used_bytes + more_bytes + len(value)
        if used_bytes > self._limit_bytes:
            raise too_full(used_bytes, self._limit_bytes)
        self._undo.add(self._set, key, replaced)
        self._set(key, (value, inf if ttl_s is None else self._now_s + ttl_s))

    def delete(self, key: bytes) -> None:
        replaced = self._entries.get(key)
        if replaced is not None:
            self._undo.add(self._set, key, replaced)
            self._set(key, None)

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        for key in self._order.between(prefix, end_of_prefix(prefix)):
            value = self.get(key)
            if value is not None:
                yield key, value

    def compare_and_put(
        self, key: bytes, value: bytes, *, expected: bytes | None, ttl_s: float | None = None
    ) -> bool:
        if self.get(key) != expected:
            return False
        self.put(key, value, ttl_s=ttl_s)
        return True

    # -- transactions ---------------------------------------------------------------------------

    def begin(self, now_s: float, undo: UndoLog) -> None:
        """Open a batch at time `now_s`, and sweep what expired before it."""
        self._now_s = now_s
        self._undo = undo
        while self._expiries and self._expiries[0][0] <= now_s:
            expires_s, key = heappop(self._expiries)
            entry = self._entries.get(key)
            if entry is not None and entry[1] == expires_s:
                self._set(key, None)
        if len(self._expiries) > 2 * len(self._entries) + 64:
            # Entries that are written again before they expire leave their old expiry behind.
            self._expiries = [(e, key) for key, (_, e) in self._entries.items() if e < inf]
            heapify(self._expiries)

    def commit(self) -> None:
        """Nothing is left to do: writes went in at once."""

    def statistics(self) -> StoreStatistics:
        return StoreStatistics(len(self._entries), self._used_bytes, self._limit_bytes)

    def waste(self) -> int:
        """Return how many expiries are kept beyond one for each entry."""
        return len(self._expiries) - len(self._entries)

    # -- the parts ------------------------------------------------------------------------------

    def _set(self, key: bytes, entry: Entry | None) -> None:
        """Keep or forget an entry; the order of keys, the expiries and the size follow."""
        replaced = self._entries.get(key)
        if entry is None:
            if replaced is not None:
                del self._entries[key]
                self._order.remove(key)
                self._used_bytes -= len(key) + ENTRY_BYTES + len(replaced[0])
            return
        value, expires_s = entry
        self._entries[key] = entry
        if replaced is None:
            self._order.add(key)
            self._used_bytes += len(key) + ENTRY_BYTES + len(value)
        else:
            self._used_bytes += len(value) - len(replaced[0])
        if expires_s < inf:
            heappush(self._expiries, (expires_s, key))
