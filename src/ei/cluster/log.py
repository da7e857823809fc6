"""A replica's log: entries in memory and on disk, and a snapshot of what older ones added up to."""

from typing import Protocol

import msgspec

from ei.cluster.entries import (
    ORIGIN,
    Entry,
    Point,
    Verdict,
    encode_header,
    recover,
)
from ei.cluster.writes import Row, State, decode_snapshot, decode_writes, encode_snapshot
from ei.errors import IntegrityError

LOG = "log"
SNAPSHOT = "snapshot"
ROTATE_BYTES = 1024 * 1024
KEPT_ENTRIES = 256


class Disk(Protocol):
    """The files of one replica. Every call may fail with `LocalError`; then all is in doubt."""

    def read(self, name: str) -> bytes | None:
        """Return what a file holds; `None` when there is none."""
        ...

    def append(self, name: str, content: bytes) -> None:
        """Write at the end of a file; safe only after `sync`."""
        ...

    def sync(self, name: str) -> None:
        """Return when all that was appended is safe."""
        ...

    def replace(self, name: str, content: bytes) -> None:
        """Put a file in the place of another: after a crash it is either. Safe when it returns."""
        ...


class LogStatistics(msgspec.Struct, frozen=True):
    """Where a log begins and ends, and what of it is applied."""

    first: int
    last: int
    applied: int
    log_bytes: int


class Log:
    """The log of one service on one member, and the state that it adds up to.

    Args:
        disk: Its files; nobody else has them.
        state: Gets what the snapshot holds. Entries follow as they are committed.
        rotate_bytes: A longer log is cut, when it is longer than two snapshots too.
        kept_entries: So many stay when it is cut: who is a little behind catches up by them.

    Attributes:
        is_whole: Whether nothing is missing that this member ever acknowledged. Only who is whole
            may own the state.
        found: What there was to be found on disk.

    Raises:
        LocalError: The disk does not answer.
    """

    def __init__(
        self,
        disk: Disk,
        state: State,
        *,
        rotate_bytes: int = ROTATE_BYTES,
        kept_entries: int = KEPT_ENTRIES,
    ) -> None:
        self._rotate_bytes = rotate_bytes
        self._kept_entries = kept_entries
        self._disk = disk
        self._state = state
        self._applied = ORIGIN
        is_read = self._read_snapshot()
        content = disk.read(LOG)
        found = recover(b"" if content is None else content)
        self.is_new = content is None and self._applied is ORIGIN and is_read
        self._entries, self._start = list(found.entries), found.start
        is_one = is_read and self._has(self._applied)
        if not is_one:
            # Snapshot and log are not of one piece: what the snapshot says is all that counts.
            self._entries, self._start = [], self._applied
        self.found = found.verdict if is_one else Verdict.DAMAGED
        if self.is_new:
            self.found = Verdict.WHOLE
        self.is_whole = found.is_whole and self.found is not Verdict.DAMAGED
        # Always: a file that could not be made safe may look so until it is written again.
        self._rewrite()

    def __repr__(self) -> str:
        return f"<Log {self._start.index}..{self.last.index} applied {self._applied.index}>"

    @property
    def last(self) -> Point:
        """Where it ends."""
        return self._entries[-1].point if self._entries else self._start

    @property
    def applied(self) -> Point:
        """Where the state is."""
        return self._applied

    def statistics(self) -> LogStatistics:
        """Return where it begins and ends."""
        return LogStatistics(
            self._start.index, self.last.index, self._applied.index, self._log_bytes
        )

    def point(self, index: int) -> Point | None:
        """Return the place of an index; `None` when it is not there any more, or not yet."""
        if index == self._start.index:
            return self._start
        at = index - self._start.index - 1
        return self._entries[at].point if 0 <= at < len(self._entries) else None

    def after(self, index: int, *, limit_bytes: int) -> list[Entry]:
        """Return entries after an index that is there, of `limit_bytes` in all but at least one."""
        found: list[Entry] = []
        for entry in self._entries[index - self._start.index :]:
            limit_bytes -= len(entry.encoded)
            if found and limit_bytes < 0:
                break
            found.append(entry)
        return found

    def tail(self, count: int) -> list[Point]:
        """Return the newest places, newest first."""
        points = [self._start, *(entry.point for entry in self._entries[-count:])]
        return points[::-1][:count]

    def add(self, entry: Entry) -> None:
        """Append the entry that follows the last; safe only after `sync`."""
        self._disk.append(LOG, entry.encoded)
        self._entries.append(entry)
        self._log_bytes += len(entry.encoded)

    def sync(self) -> None:
        """Return when all entries are safe."""
        self._disk.sync(LOG)

    def cut_after(self, index: int) -> None:
        """Take back what comes after an index: an owner of a newer epoch has another history.

        Raises:
            IntegrityError: it would take back what is committed.
        """
        if index < self._applied.index:
            raise IntegrityError(f"entries to {self._applied.index} are committed, not to {index}")
        del self._entries[index - self._start.index :]
        self._rewrite()

    def apply_to(self, index: int) -> None:
        """Let the state follow to an index, which is committed."""
        for entry in self._entries[self._applied.index - self._start.index :]:
            if entry.point.index > index:
                break
            self._state.apply(decode_writes(entry.body))
            self._applied = entry.point
        if self._log_bytes > max(self._rotate_bytes, 2 * self._snapshot_bytes):
            self._rotate()

    def set_whole(self) -> None:
        """Take note, on disk, that nothing is missing any more."""
        if not self.is_whole:
            self.is_whole, self.is_new = True, False
            self._rewrite()

    def snapshot(self) -> bytes:
        """Return the state, and where it is, as the bytes of a file."""
        return encode_snapshot(self._applied, self._state.rows())

    def restore(self, content: bytes) -> None:
        """Become what another member's snapshot says; nothing that is here counts any more.

        Raises:
            IntegrityError: it does not verify; nothing was changed.
        """
        at, rows = decode_snapshot(content)
        self.is_whole = False
        # Until the new snapshot is in place, the old files say that they do not count.
        self._rewrite()
        self._disk.replace(SNAPSHOT, content)
        self._become(at, rows, len(content))
        self._entries, self._start = [], at
        self._rewrite()

    # -- the parts ------------------------------------------------------------------------------

    def _read_snapshot(self) -> bool:
        """Load the snapshot; return whether what is there, if anything is, verifies."""
        self._snapshot_bytes = 0
        content = self._disk.read(SNAPSHOT)
        if content is None:
            return True
        try:
            at, rows = decode_snapshot(content)
        except IntegrityError:
            return False
        self._become(at, rows, len(content))
        return True

    def _become(self, at: Point, rows: list[Row], length: int) -> None:
        self._state.load(rows)
        self._applied = at
        self._snapshot_bytes = length

    def _has(self, point: Point) -> bool:
        return self.point(point.index) == point

    def _rotate(self) -> None:
        """Keep the state in the place of the entries that led to it."""
        content = self.snapshot()
        self._disk.replace(SNAPSHOT, content)
        self._snapshot_bytes = len(content)
        gone = max(0, self._applied.index - self._start.index - self._kept_entries)
        if gone:
            self._start = self._entries[gone - 1].point
            del self._entries[:gone]
        self._rewrite()

    def _rewrite(self) -> None:
        """Put the file of the log in place anew."""
        header = encode_header(self._start, is_whole=self.is_whole)
        encoded = b"".join(entry.encoded for entry in self._entries)
        self._disk.replace(LOG, header + encoded)
        self._log_bytes = len(encoded)
