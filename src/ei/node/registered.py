"""Where a directory node keeps what hosts have registered: on disk before it says so.

An fsync takes milliseconds, so what was registered at the same time is written by one commit.
"""

from collections.abc import Iterable
from pathlib import Path

from ei.errors import LimitError, ServiceError
from ei.runtime.stores.sqlite import SqliteStore
from ei.runtime.undo import UndoLog
from ei.sdk.packets import Address

LIMIT_BYTES = 64 * 1024 * 1024
"""100,000 hosts and more."""


class RegisteredStore:
    """A `Store` of `ei.directory` in one file.

    Args:
        path: Of the file; its folder exists.

    Raises:
        EiError: as `SqliteStore`.
    """

    def __init__(self, path: Path, *, limit_bytes: int = LIMIT_BYTES) -> None:
        self._file = SqliteStore(path, limit_bytes=limit_bytes)
        self._begin()

    def __repr__(self) -> str:
        return f"<RegisteredStore {self._file!r}>"

    def load(self) -> Iterable[bytes]:
        return [envelope for _, envelope in self._file.scan(b"")]

    def keep(self, host: Address, envelope: bytes) -> None:
        try:
            self._file.put(host, envelope)
        except ServiceError as error:
            raise LimitError(f"no room for an attachment: {error}") from error

    def forget(self, host: Address) -> None:
        self._file.delete(host)

    def commit(self) -> None:
        try:
            self._file.commit()
        except LimitError:
            self._undo.undo_to(0)
            raise
        finally:
            self._begin()

    def _begin(self) -> None:
        self._undo = UndoLog()
        self._file.begin(0.0, self._undo)  # nothing expires: the directory sees to that

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
