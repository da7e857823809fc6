"""Where a directory node keeps what hosts have registered: on disk before it says so."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from ei.errors import LimitError, ServiceError
from ei.runtime.stores.sqlite import SqliteStore
from ei.runtime.undo import UndoLog
from ei.sdk.packets import Address

LIMIT_BYTES = 64 * 1024 * 1024
"""100,000 hosts and more."""


class RegisteredStore:
    """A `Store` of `ei.directory` in one file; each write is an fsync.

    Args:
        path: Of the file; its folder exists.

    Raises:
        EiError: as `SqliteStore`.
    """

    def __init__(self, path: Path, *, limit_bytes: int = LIMIT_BYTES) -> None:
        self._file = SqliteStore(path, limit_bytes=limit_bytes)

    def __repr__(self) -> str:
        return f"<RegisteredStore {self._file!r}>"

    def load(self) -> Iterable[bytes]:
        return [envelope for _, envelope in self._file.scan(b"")]

    def keep(self, host: Address, envelope: bytes) -> None:
        undo = UndoLog()
        self._file.begin(0.0, undo)
        try:
            self._file.put(host, envelope)
            self._file.commit()
        except (LimitError, ServiceError) as error:
            undo.undo_to(0)
            raise LimitError(f"no room for an attachment: {error}") from error

    def forget(self, host: Address) -> None:
        undo = UndoLog()
        self._file.begin(0.0, undo)
        self._file.delete(host)
        with suppress(LimitError):  # what stays there does not count when it is loaded
            self._file.commit()
            return
        undo.undo_to(0)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
