"""The stable store of a service whose state has copies on several members.

What a batch writes is in memory at once, as in any store; `commit` gives it to the replica and
returns when all of the in-sync set has it on disk.
"""

from typing import Protocol

from ei.cluster.writes import Row, Rows, Writes
from ei.runtime.stores.memory import Entry, MemoryStore
from ei.runtime.undo import UndoLog


class Commits(Protocol):
    """What a store asks of the replica below it."""

    def commit(self, writes: Writes) -> None:
        """Return when all of the in-sync set has this.

        Raises:
            RefusedError: It is refused, and nothing was done.
            LocalError: Nobody can say yet whether it will stay.
        """
        ...

    def confirm(self) -> None:
        """Return when it is sure that nobody else owns the state yet.

        Raises:
            LocalError: It is not.
        """
        ...


class ReplicatedStore(MemoryStore):
    """A store in memory, as long as this member owns the state.

    Args:
        rows: What the state is now.
        commits: Where writes go.
    """

    def __init__(self, rows: Rows, commits: Commits, *, limit_bytes: int) -> None:
        super().__init__(limit_bytes=limit_bytes)
        self._rows = rows
        self._commits = commits
        self._touched: set[bytes] = set()
        self._swept: set[bytes] = set()
        for key, value, expires_s in rows.rows():
            self._set(key, (value, expires_s))
        self._touched.clear()
        self._begun_s = rows.unix_s

    def __repr__(self) -> str:
        return super().__repr__().replace("MemoryStore", "ReplicatedStore")

    def begin(self, now_s: float, undo: UndoLog) -> None:
        """Open a batch at Unix time `now_s`.

        A wall clock that was set back, or another member's, stands still: what expired stays so.
        """
        self._begun_s = max(self._begun_s, self._rows.unix_s, now_s)
        super().begin(self._begun_s, undo)
        self._swept |= self._touched
        self._touched.clear()

    def commit(self) -> None:
        """Keep the batch on all of the in-sync set; without writes, see that it may be answered."""
        writes = self._writes()
        if writes is None:
            self._commits.confirm()
        else:
            self._commits.commit(writes)
            self._swept.clear()
        self._touched.clear()

    def _writes(self) -> Writes | None:
        kept: list[Row] = []
        gone: list[bytes] = []
        for key in self._touched:
            entry = self._entries.get(key)
            if entry != self._rows.get(key):
                if entry is None:
                    gone.append(key)
                else:
                    kept.append((key, *entry))
        if not kept and not gone:
            return None
        # What has expired goes along: on its own it is no reason to write.
        gone += [key for key in self._swept if key not in self._entries]
        return Writes(self._begun_s, sorted(kept), sorted(set(gone)))

    def _set(self, key: bytes, entry: Entry | None) -> None:
        self._touched.add(key)
        super()._set(key, entry)
