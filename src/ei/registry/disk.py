"""Files that are there whole or not at all."""

import fcntl
import os
from collections.abc import Generator, Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Write a file, on disk when this returns: a reader sees the old one or the new one.

    Raises:
        OSError: The system refused.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    with new.open("wb") as file:
        _ = file.write(content)
        file.flush()
        os.fsync(file.fileno())
    _ = new.replace(path)


@contextmanager
def alone(folder: Path) -> Generator[None]:
    """Change a folder as the only one: others who would wait. Readers do not.

    Raises:
        OSError: The system refused.
    """
    with (folder / ".lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class FolderMap(MutableMapping[str, bytes]):
    """The files of a folder by name; each is written whole.

    Args:
        folder: Made when something is put into it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __repr__(self) -> str:
        return f"<FolderMap {self._folder}>"

    def __getitem__(self, name: str) -> bytes:
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError as error:
            raise KeyError(name) from error

    def __setitem__(self, name: str, content: bytes) -> None:
        write_whole(self._folder / name, content)

    def __delitem__(self, name: str) -> None:
        (self._folder / name).unlink()

    def __iter__(self) -> Iterator[str]:
        if self._folder.is_dir():
            yield from (path.name for path in self._folder.iterdir() if path.is_file())

    def __len__(self) -> int:
        return sum(1 for _ in self)
