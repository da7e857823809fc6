"""The static directory: one file of signed records, the same for every node and host that reads it.

    ["ei-records", 1, [envelope, envelope, ...]]      msgpack

The file itself needs no protection: each envelope is signed. One that was cut short is noticed,
since msgpack says how many envelopes follow.
"""

import fcntl
import os
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec

from ei.errors import ConfigError, IntegrityError

MAX_FILE_BYTES = 256 * 1024 * 1024


class _File(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    magic: Literal["ei-records"]
    version: Literal[1]
    envelopes: list[bytes]


def encode_records(envelopes: Iterable[bytes]) -> bytes:
    """Return the content of a record file."""
    return msgspec.msgpack.encode(_File("ei-records", 1, list(envelopes)))


def decode_records(content: bytes) -> list[bytes]:
    """Return the envelopes of a record file, not verified.

    Raises:
        IntegrityError: cut short, damaged, or no such file at all.
    """
    try:
        return msgspec.msgpack.decode(content, type=_File).envelopes
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise IntegrityError(f"not a record file of version 1: {error}") from error


def write_records(path: Path, envelopes: Iterable[bytes]) -> None:
    """Write a record file: a reader sees the old one or the new one, whole.

    Raises:
        OSError: the system refused.
    """
    new = path.with_name(f".{path.name}.new")
    with new.open("wb") as file:
        _ = file.write(encode_records(envelopes))
        file.flush()
        os.fsync(file.fileno())
    _ = new.replace(path)


@contextmanager
def locked(path: Path) -> Generator[None]:
    """Change a record file as the only one: others who would change it wait. Readers do not.

    Raises:
        OSError: the system refused.
    """
    with path.with_name(f".{path.name}.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def read_records(path: Path) -> list[bytes]:
    """Return the envelopes in a record file, not verified.

    Raises:
        ConfigError: there is none, it cannot be read, or it is larger than 256 MiB.
        IntegrityError: damaged.
    """
    try:
        if (size := path.stat().st_size) > MAX_FILE_BYTES:
            raise ConfigError(f"{path} has {size} B, allowed are {MAX_FILE_BYTES} B")
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read the records {path}: {error.strerror}") from error
    try:
        return decode_records(content)
    except IntegrityError as error:
        raise IntegrityError(f"{path}: {error}") from error
