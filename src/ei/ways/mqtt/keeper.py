"""The disk of the gateway: what is saved is synced before anything that rests on it leaves.

All that waits while the disk is busy is written together, by one sync.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from ei.errors import EiError, LimitError, ServiceError
from ei.runtime.stores.sqlite import SqliteStore
from ei.runtime.undo import UndoLog
from ei.ways.mqtt.session import Write


class Keeper(Protocol):
    """Where sessions are kept."""

    async def save(self, *writes: Write) -> None:
        """Return when all of it is on the disk; writes take effect in the order of the calls.

        Raises:
            EiError: they are not; none of them.
        """
        ...

    def note(self, *writes: Write) -> None:
        """Have it written with the next; until then it may be lost."""
        ...

    async def replace(self, beginnings: Sequence[bytes], writes: Sequence[Write]) -> None:
        """Delete all that begins so, and write, both or neither.

        Raises:
            EiError: as `save`.
        """
        ...


@dataclass(frozen=True, slots=True)
class _Piece:
    """What is written together or not at all."""

    writes: tuple[Write, ...]
    beginnings: tuple[bytes, ...] = ()
    saved: asyncio.Future[None] | None = None


class DiskKeeper:
    """Keeps sessions in a file of SQLite, by a thread of its own.

    Args:
        path: Of the file; its folder exists.
        limit_bytes: Of all that is kept.
    """

    def __init__(self, path: Path, *, limit_bytes: int) -> None:
        self._path = path
        self._limit_bytes = limit_bytes
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ei mqtt disk")
        self._store: SqliteStore | None = None
        self._waiting: list[_Piece] = []
        self._news = asyncio.Event()
        self._commits = 0

    def __repr__(self) -> str:
        return f"<DiskKeeper {self._path}, {self._commits} commits>"

    async def open(self) -> list[tuple[bytes, bytes]]:
        """Open the file, or make it; return what it has.

        Raises:
            ConfigError, ConflictError, LimitError, LocalError: as `SqliteStore`.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._open)

    async def close(self) -> None:
        """Write what waits, and let go of the file. Nobody saves any more."""
        if self._store is not None:
            await self._write()
            await asyncio.get_running_loop().run_in_executor(self._thread, self._store.close)
        self._thread.shutdown(wait=False)

    async def run(self) -> None:
        """Write until this is cancelled."""
        while True:
            _ = await self._news.wait()
            await self._write()

    async def save(self, *writes: Write) -> None:
        """Write, and return when it is synced."""
        await self._put(writes, ())

    async def replace(self, beginnings: Sequence[bytes], writes: Sequence[Write]) -> None:
        """Delete and write, and return when it is synced."""
        await self._put(writes, beginnings)

    def note(self, *writes: Write) -> None:
        """Write with the next."""
        self._waiting.append(_Piece(writes))
        self._news.set()

    async def _put(self, writes: Sequence[Write], beginnings: Sequence[bytes]) -> None:
        saved = asyncio.get_running_loop().create_future()
        self._waiting.append(_Piece(tuple(writes), tuple(beginnings), saved))
        self._news.set()
        await saved

    async def _write(self) -> None:
        pieces, self._waiting = self._waiting, []
        self._news.clear()
        commit = partial(self._commit, pieces)
        results = await asyncio.shield(
            asyncio.get_running_loop().run_in_executor(self._thread, commit)
        )
        for piece, failure in zip(pieces, results, strict=True):
            if piece.saved is None or piece.saved.done():
                continue
            if failure is None:
                piece.saved.set_result(None)
            else:
                piece.saved.set_exception(failure)

    # -- in the thread ----------------------------------------------------------------------------

    def _open(self) -> list[tuple[bytes, bytes]]:
        self._store = SqliteStore(self._path, limit_bytes=self._limit_bytes)
        return list(self._store.scan(b""))

    def _commit(self, pieces: Sequence[_Piece]) -> list[EiError | None]:
        """Write pieces by one sync; return for each why it is not written, if so."""
        store = self._store
        if store is None:
            raise AssertionError("it was opened")
        undo = UndoLog()
        store.begin(0.0, undo)
        results: list[EiError | None] = []
        for piece in pieces:
            mark = len(undo.steps)
            try:
                _apply(store, piece)
                results.append(None)
            except ServiceError as error:
                undo.undo_to(mark)
                results.append(LimitError(f"no room for sessions of MQTT: {error}"))
        try:
            store.commit()
        except EiError as error:
            undo.undo_to(0)
            return [error] * len(pieces)
        self._commits += 1
        return results


def _apply(store: SqliteStore, piece: _Piece) -> None:
    for beginning in piece.beginnings:
        for key, _ in list(store.scan(beginning)):
            store.delete(key)
    for key, value in piece.writes:
        if value is None:
            store.delete(key)
        else:
            store.put(key, value)
