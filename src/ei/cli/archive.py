"""Files for somebody else to read: without secrets, in one archive that only its owner can read."""

import io
import os
import re
import tarfile
import tomllib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from ei.errors import ConflictError

REDACTED = "(redacted)"
SURE_LENGTH = 8
"""Of a text that is not to be anywhere, however it is quoted; shorter ones are parts of words."""

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


def without_what_services_are_told(config: str) -> str:
    """Return a `node.toml` without the texts of its `[config]`, which services alone understand."""
    try:
        told = tomllib.loads(config).get("config")
    except ValueError:  # what is wrong with it, the report is about
        return config
    for text in sorted(_texts(told), key=len, reverse=True):
        for quote in ('"', "'"):
            config = config.replace(f"{quote}{text}{quote}", f"{quote}{REDACTED}{quote}")
        if len(text) >= SURE_LENGTH:
            config = config.replace(text, REDACTED)
    return config


def _texts(told: object) -> Iterator[str]:
    match told:
        case str():
            yield told
        case dict():
            for each in cast("dict[str, object]", told).values():
                yield from _texts(each)
        case list():
            for each in cast("list[object]", told):
                yield from _texts(each)
        case _:
            pass


def write_archive(path: Path, parts: Sequence[Part], *, unix_s: float) -> None:
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
