"""The files of one replica: in a folder that belongs to one process at a time."""

import errno
import fcntl
import os
from pathlib import Path

from ei.errors import ConflictError, LimitError, LocalError


class FolderDisk:
    """Files in a folder, safe when it says so.

    Args:
        folder: Made when it is not there; its parent exists.

    Raises:
        ConflictError: Another process has it.
        LocalError: The system does not let us have it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[str, int] = {}
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise _failure(folder, error) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._lock)
            raise ConflictError(f"{folder}: another process has it open") from error

    def __repr__(self) -> str:
        return f"<FolderDisk {self._folder}>"

    def read(self, name: str) -> bytes | None:
        """Return what a file holds."""
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _failure(self._folder / name, error) from error

    def append(self, name: str, content: bytes) -> None:
        """Write at the end of a file."""
        try:
            _write(self._descriptor(name), content)
        except OSError as error:
            raise _failure(self._folder / name, error) from error

    def sync(self, name: str) -> None:
        """Return when all that was appended is safe.

        A sync that failed is not to be tried again: the system forgets what it could not write.
        """
        try:
            os.fdatasync(self._descriptor(name))
        except OSError as error:
            raise _failure(self._folder / name, error) from error

    def replace(self, name: str, content: bytes) -> None:
        """Put a file in the place of another, and make that safe."""
        path, made = self._folder / name, self._folder / f"{name}.new"
        try:
            descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                _write(descriptor, content)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            _ = made.replace(path)
            self._sync_folder()
        except OSError as error:
            made.unlink(missing_ok=True)
            raise _failure(path, error) from error
        if (old := self._open.pop(name, None)) is not None:
            os.close(old)

    def close(self) -> None:
        """Let go of the folder. Idempotent."""
        if self._lock >= 0:
            for descriptor in (*self._open.values(), self._lock):
                os.close(descriptor)
            self._open.clear()
            self._lock = -1

    def _descriptor(self, name: str) -> int:
        if name not in self._open:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
            self._open[name] = os.open(self._folder / name, flags, 0o600)
        return self._open[name]

    def _sync_folder(self) -> None:
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def _failure(path: Path, error: OSError) -> LocalError:
    if error.errno in FULL:
        return LimitError(
            f"{path}: the disk is full; what was not acknowledged may be lost",
            remedy="Free space on the disk of the node's state folder.",
        )
    return LocalError(f"{path}: {error.strerror}; what is on the disk is in doubt")


def _write(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
