"""Keys in files that only their owner can read: mode 0600, and one with a laxer mode is refused.

The content:

    ei-key 1
    identity <private key, 64 hexadecimal digits>
    pipe <private key, 64 hexadecimal digits>
    checksum <first 16 hexadecimal digits of SHA-256 over the lines above>
"""

import hashlib
import os
import stat
from pathlib import Path

from ei.errors import ConfigError, ConflictError, DeniedError, IntegrityError
from ei.records.keys import Keys

MAGIC = "ei-key 1"
MODE = 0o600
MAX_FILE_BYTES = 4_096


def write_keys(path: Path, keys: Keys) -> None:
    """Write a new key file of mode 0600; it is on disk when this returns.

    Raises:
        ConflictError: the file exists; keys are never overwritten.
        OSError: the system refused.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, MODE)
    except FileExistsError as error:
        remedy = f"Keep it, or move it away first: mv {path} {path}.old"
        raise ConflictError(
            f"{path} exists, and keys are never overwritten", remedy=remedy
        ) from error
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        _ = file.write(_text(keys))
        file.flush()
        os.fsync(file.fileno())


def read_keys(path: Path) -> Keys:
    """Read a key file.

    Raises:
        ConfigError: there is none, or it cannot be read.
        DeniedError: others may read or write it, or it is another user's; with the command that
            cures it.
        IntegrityError: it is damaged.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except PermissionError as error:
        remedy = f"Give it to the user that runs this: chown {os.geteuid()} {path}"
        raise DeniedError(f"may not read {path}", remedy=remedy) from error
    except OSError as error:
        remedy = "ei node init and ei host init write new keys."
        raise ConfigError(f"no key file {path}: {error.strerror}", remedy=remedy) from error
    with os.fdopen(descriptor, "rb") as file:
        _check_owner(path, os.fstat(file.fileno()))
        return _parse(path, file.read(MAX_FILE_BYTES))


def _check_owner(path: Path, status: os.stat_result) -> None:
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        raise DeniedError(
            f"{path} has mode {mode:04o}: others may use this key; allowed is {MODE:04o}",
            remedy=f"If nobody else has read it: chmod 600 {path}",
        )
    if status.st_uid != os.geteuid():
        raise DeniedError(
            f"{path} belongs to user {status.st_uid}, not to {os.geteuid()} who runs this",
            remedy=f"chown {os.geteuid()} {path}",
        )


def _parse(path: Path, content: bytes) -> Keys:
    lines = content.decode("ascii", errors="replace").splitlines()
    words = [line.split(" ") for line in lines]
    match words:
        case [["ei-key", "1"], ["identity", identity], ["pipe", pipe], ["checksum", _]]:
            pass
        case [["ei-key", version], *_] if version != "1":
            raise ConfigError(f"{path} is a key file of version {version}; this program reads 1")
        case _:
            raise IntegrityError(
                f"{path} is not a key file, or damaged: want 4 lines, {MAGIC!r} first"
            )
    try:
        keys = Keys(bytes.fromhex(identity), bytes.fromhex(pipe))
    except ValueError as error:
        raise IntegrityError(f"{path} is damaged: {error}") from error
    if _text(keys).encode() != content:
        raise IntegrityError(f"{path} is damaged: its checksum does not fit its keys")
    return keys


def _text(keys: Keys) -> str:
    lines = f"{MAGIC}\nidentity {keys.identity_secret.hex()}\npipe {keys.pipe_secret.hex()}\n"
    return f"{lines}checksum {hashlib.sha256(lines.encode()).hexdigest()[:16]}\n"
