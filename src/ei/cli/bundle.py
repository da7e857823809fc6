"""Files for somebody else to read: without secrets, in one archive that only its owner can read."""

import io
import os
import re
import tarfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from ei.errors import ConflictError

REDACTED = "(redacted)"

SECRET = re.compile(
    r"""([\w.-]*(?:secret|passwor|passphrase|token|credential|private)[\w.-]*["']?\s*[=:]\s*)"""
    r"""("(?:[^"\\]|\\.)*"|'[^']*'|[^\s,}\]]+)""",
    re.IGNORECASE,
)
"""A key whose name says that its value is nobody's business, in TOML, JSON or a line of a log."""


@dataclass(frozen=True, slots=True)
class Part:
    """One file of the archive."""

    name: str
    text: str

    @property
    def size_bytes(self) -> int:
        """Length as it is written."""
        return len(self.text.encode())


def redacted(text: str, secrets: Collection[str]) -> str:
    """Return `text` without the values of secrets.

    Args:
        secrets: Known ones, such as private keys in hexadecimal: never there, whatever is around.
    """
    for secret in secrets:
        text = re.sub(re.escape(secret), REDACTED, text, flags=re.IGNORECASE)
    return SECRET.sub(rf'\1"{REDACTED}"', text)


def write_bundle(path: Path, parts: Sequence[Part], *, unix_s: float) -> None:
    """Write a new `.tar.gz` of mode 0600 whose files are in a folder of its name.

    Raises:
        ConflictError: the file exists.
        OSError: the system refused.
    """
    folder = path.name.removesuffix(".tar.gz")
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError as error:
        raise ConflictError(f"{path} exists, and is not overwritten") from error
    with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
        for part in parts:
            content = part.text.encode()
            member = tarfile.TarInfo(f"{folder}/{part.name}")
            member.size, member.mtime, member.mode = len(content), int(unix_s), 0o600
            archive.addfile(member, io.BytesIO(content))
