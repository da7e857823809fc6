"""The stable store: SQLite, one transaction and one fsync for each batch of events.

What a batch writes stays in an overlay in memory until `commit`, so that a raise costs no I/O and
readers of the same batch see it. docs/decisions names why SQLite.
"""

import errno
import sqlite3
from collections.abc import Iterator
from heapq import merge
from math import inf
from operator import itemgetter
from pathlib import Path

from ei.errors import ConfigError, ConflictError, LimitError, LocalError
from ei.runtime.stores.transactions import (
    StoreStatistics,
    check_entry,
    end_of_prefix,
    too_full,
)
from ei.runtime.undo import UndoLog
from ei.sdk.manifest import ENTRY_BYTES

MAGIC = 0x45_49_53_54
"""`EIST`, at byte 68 of the file (SQLite's application_id)."""

LAYOUT_VERSION = 1
"""At byte 60 of the file (SQLite's user_version)."""

_LAYOUT = (
    # expires_s is Unix time; NULL is never.
    """CREATE TABLE entries (
        key BLOB PRIMARY KEY, value BLOB NOT NULL, expires_s REAL
    ) WITHOUT ROWID""",
    "CREATE INDEX expiries ON entries (expires_s) WHERE expires_s IS NOT NULL",
    f"PRAGMA application_id = {MAGIC}",
    f"PRAGMA user_version = {LAYOUT_VERSION}",
)

CHECKPOINT_PAGES = 500
"""So many pages of the log are copied into the file at once, while a commit waits for it. SQLite's
own 1,000 keep it waiting twice as long, for a tenth more commits."""

_PAGE_ROWS = 256
"""Rows that a scan takes at a time: no statement stays open while a handler runs."""

Entry = tuple[bytes, float]
"""Value and the Unix time at which it expires, `inf` for never."""


class SqliteStore:
    """A store in one file, which it locks against every other process."""

    def __init__(self, path: Path, *, limit_bytes: int, lock_timeout_s: float = 2.0) -> None:
        """Open or make the file.

        Args:
            path: Of the file; its folder exists.
            limit_bytes: What the manifest grants.
            lock_timeout_s: How long to wait for a dying worker to let go of it.

        Raises:
            ConfigError: It is not a store of this project, or of a layout unknown here.
            ConflictError: Another process has it.
            LimitError: The disk is full.
            LocalError: The system does not let us open it.
        """
        self._path = path
        self._limit_bytes = limit_bytes
        self._file = _open(path, lock_timeout_s)
        self._now_s = 0.0
        self._written: dict[bytes, Entry | None] = {}
        self._undo = UndoLog()
        self._entries, lengths = self._file.execute(
            "SELECT count(*), coalesce(sum(length(key) + length(value)), 0) FROM entries"
        ).fetchone()
        self._used_bytes: int = lengths + self._entries * ENTRY_BYTES
        self._discounted_s = -inf
        self._next_expiry_s = self._earliest_expiry_s()

    def __repr__(self) -> str:
        return f"<SqliteStore {self._path} {self._used_bytes}/{self._limit_bytes} B>"

    # -- Store ----------------------------------------------------------------------------------

    def get(self, key: bytes) -> bytes | None:
        entry = self._find(key)
        return None if entry is None else entry[0]

    def put(self, key: bytes, value: bytes, *, ttl_s: float | None = None) -> None:
        check_entry(key, value, ttl_s)
        replaced = self._find(key)
        freed = 0 if replaced is None else _size_bytes(key, replaced[0])
        used_bytes = self._used_bytes - freed + _size_bytes(key, value)
        if used_bytes > self._limit_bytes:
            raise too_full(used_bytes, self._limit_bytes)
        entry = (value, inf if ttl_s is None else self._now_s + ttl_s)
        self._write(key, entry, self._entries + (replaced is None), used_bytes)

    def delete(self, key: bytes) -> None:
        replaced = self._find(key)
        if replaced is not None:
            used_bytes = self._used_bytes - _size_bytes(key, replaced[0])
            self._write(key, None, self._entries - 1, used_bytes)

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        overlaid = sorted((key, None) for key in self._written if key.startswith(prefix))
        last = None
        for key, stored in merge(overlaid, self._stored(prefix), key=itemgetter(0)):
            entry = self._written.get(key, stored)
            if key != last and entry is not None and entry[1] > self._now_s:
                yield key, entry[0]
            last = key

    def compare_and_put(
        self, key: bytes, value: bytes, *, expected: bytes | None, ttl_s: float | None = None
    ) -> bool:
        if self.get(key) != expected:
            return False
        self.put(key, value, ttl_s=ttl_s)
        return True

    # -- transactions ---------------------------------------------------------------------------

    def begin(self, now_s: float, undo: UndoLog) -> None:
        """Open a batch at Unix time `now_s`.

        A wall clock that was set back stands still here, so that what expired stays expired.
        """
        self._undo = undo
        self._now_s = max(self._now_s, now_s)
        if self._next_expiry_s <= self._now_s:
            self._discount_expired()

    def commit(self) -> None:
        if not self._written:
            return
        try:
            self._save()
        except sqlite3.Error as error:
            self._file.rollback()
            raise commit_failure(self._path, error) from error
        self._written.clear()

    def statistics(self) -> StoreStatistics:
        return StoreStatistics(self._entries, self._used_bytes, self._limit_bytes)

    def close(self) -> None:
        """Let go of the file. What was not committed is forgotten."""
        self._file.close()

    # -- the parts ------------------------------------------------------------------------------

    def _find(self, key: bytes) -> Entry | None:
        if key in self._written:
            entry = self._written[key]
        else:
            row = self._file.execute(
                "SELECT value, expires_s FROM entries WHERE key = ?", (key,)
            ).fetchone()
            entry = None if row is None else _entry(*row)
        return None if entry is None or entry[1] <= self._now_s else entry

    def _write(self, key: bytes, entry: Entry | None, entries: int, used_bytes: int) -> None:
        if key in self._written:
            before = self._written[key]
            self._undo.add(self._set, key, before, self._entries, self._used_bytes)
        else:
            self._undo.add(self._unset, key, self._entries, self._used_bytes)
        self._set(key, entry, entries, used_bytes)

    def _set(self, key: bytes, entry: Entry | None, entries: int, used_bytes: int) -> None:
        self._written[key] = entry
        self._entries, self._used_bytes = entries, used_bytes

    def _unset(self, key: bytes, entries: int, used_bytes: int) -> None:
        del self._written[key]
        self._entries, self._used_bytes = entries, used_bytes

    def _stored(self, prefix: bytes) -> Iterator[tuple[bytes, Entry]]:
        end = end_of_prefix(prefix)
        bounds = "" if end is None else " AND key < ?"
        first, relation = prefix, ">="
        while True:
            rows = self._file.execute(
                f"SELECT key, value, expires_s FROM entries WHERE key {relation} ?{bounds}"  # noqa: S608 made of literals
                f" ORDER BY key LIMIT {_PAGE_ROWS}",
                (first,) if end is None else (first, end),
            ).fetchall()
            for key, value, expires_s in rows:
                yield key, _entry(value, expires_s)
            if len(rows) < _PAGE_ROWS:
                return
            first, relation = rows[-1][0], ">"

    def _save(self) -> None:
        kept = [(k, e[0], None if e[1] == inf else e[1]) for k, e in self._written.items() if e]
        gone = [(key,) for key, entry in self._written.items() if not entry]
        _ = self._file.execute("BEGIN IMMEDIATE")
        _ = self._file.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?, ?)", kept)
        _ = self._file.executemany("DELETE FROM entries WHERE key = ?", gone)
        _ = self._file.execute("DELETE FROM entries WHERE expires_s <= ?", (self._now_s,))
        _ = self._file.execute("COMMIT")
        for _, _, expires_s in kept:
            if expires_s is not None and expires_s < self._next_expiry_s:
                self._next_expiry_s = expires_s

    def _discount_expired(self) -> None:
        """Stop counting rows that expired since this was last done; a later commit deletes them."""
        entries, lengths = self._file.execute(
            "SELECT count(*), coalesce(sum(length(key) + length(value)), 0) FROM entries"
            " WHERE expires_s > ? AND expires_s <= ?",
            (self._discounted_s, self._now_s),
        ).fetchone()
        self._entries -= entries
        self._used_bytes -= lengths + entries * ENTRY_BYTES
        self._discounted_s = self._now_s
        self._next_expiry_s = self._earliest_expiry_s()

    def _earliest_expiry_s(self) -> float:
        (earliest_s,) = self._file.execute(
            "SELECT min(expires_s) FROM entries WHERE expires_s > ?", (self._discounted_s,)
        ).fetchone()
        return inf if earliest_s is None else earliest_s


def commit_failure(path: Path, error: sqlite3.Error) -> LocalError:
    """Return what to say of a commit that failed, and the remedy where there is one."""
    consequence = "nothing of this batch was acknowledged"
    if error.sqlite_errorname == "SQLITE_FULL":
        return _full_disk(path, consequence)
    return LocalError(f"{path}: {error}; {consequence}")


def open_failure(path: Path, error: sqlite3.Error | OSError) -> LocalError:
    """Return what to say of a file that cannot be opened, and the remedy where there is one."""
    consequence = "the store cannot be opened"
    if isinstance(error, OSError):
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            return _full_disk(path, consequence)
        return LocalError(f"{path}: cannot be opened: {error.strerror}")
    match error.sqlite_errorname:
        case "SQLITE_FULL":
            return _full_disk(path, consequence)
        case "SQLITE_BUSY":
            return ConflictError(f"{path}: another process has it open")
        case _:
            return ConfigError(f"{path}: not a store: {error}")


def _full_disk(path: Path, consequence: str) -> LimitError:
    return LimitError(
        f"{path}: the disk is full; {consequence}",
        remedy="Free space on the disk of the node's state folder.",
    )


def _open(path: Path, lock_timeout_s: float) -> sqlite3.Connection:
    """Open a store file, or make one that nobody else may read."""
    try:
        path.touch(mode=0o600)
        file = sqlite3.connect(path, timeout=lock_timeout_s, isolation_level=None)
        try:
            _prepare(file, path)
        except BaseException:
            file.close()
            raise
    except (OSError, sqlite3.Error) as error:
        raise open_failure(path, error) from error
    return file


def _prepare(file: sqlite3.Connection, path: Path) -> None:
    """Lock the file, set how safe its commits are, check or make its layout."""
    # Exclusive: two owners of one service's state would be worse than none.
    _ = file.execute("PRAGMA locking_mode = EXCLUSIVE")
    _ = file.execute("PRAGMA journal_mode = WAL")
    # FULL: the log is on disk before COMMIT returns (law 3).
    _ = file.execute("PRAGMA synchronous = FULL")
    # What is opened or drawn once, now: a jailed worker opens no file later.
    _ = file.execute("PRAGMA temp_store = MEMORY")
    _ = file.execute("SELECT randomblob(1)").fetchone()
    _ = file.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    _ = file.execute("BEGIN IMMEDIATE")
    (magic,) = file.execute("PRAGMA application_id").fetchone()
    (version,) = file.execute("PRAGMA user_version").fetchone()
    (tables,) = file.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if (magic, version, tables) == (0, 0, 0):
        for statement in _LAYOUT:
            _ = file.execute(statement)
    elif magic != MAGIC:
        raise ConfigError(f"{path}: not a store: magic {magic:#x} seen, {MAGIC:#x} allowed")
    elif version != LAYOUT_VERSION:
        raise ConfigError(f"{path}: layout {version} seen, {LAYOUT_VERSION} allowed")
    # The first write to the log opens the folder, to have the log's name on disk as well.
    _ = file.execute(f"PRAGMA user_version = {LAYOUT_VERSION}")
    _ = file.execute("COMMIT")


def _entry(value: bytes, expires_s: float | None) -> Entry:
    return value, inf if expires_s is None else expires_s


def _size_bytes(key: bytes, value: bytes) -> int:
    return len(key) + len(value) + ENTRY_BYTES
