"""A module's folder as bytes: the same ones wherever, whenever and by whomever they are made.

A package is a tar archive that `tar tf` lists: headers of POSIX ustar without times, owners and
modes, names sorted, nothing compressed. Of all archives with these files only that one counts, so a
package and its folder are one thing.
"""

import hashlib
import os
import re
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from ei.errors import ConfigError, ConflictError, IntegrityError

MAX_PACKAGE_BYTES = 16 * 2**20
MAX_FILES = 1_000
MAX_PATH = 100
MANIFESTS = {"manifest.toml": "module", "bundle.toml": "bundle"}
"""What a folder must have one of, and the kind of release that it makes."""

LEFT_OUT = frozenset({"__pycache__", "build", "dist", "node_modules", "target"})
LEFT_OUT_ENDINGS = (".eim", ".pyc", ".signed.json")
"""What builds make, and what is made of packages; names that begin with a dot are left out too."""

PART = re.compile(r"[A-Za-z0-9_+-][A-Za-z0-9._+-]*")
BLOCK = 512
SIZE_FIELD = slice(124, 135)
END = bytes(2 * BLOCK)


def pack(folder: Path) -> bytes:
    """Return the package of a folder.

    Raises:
        ConfigError: It cannot be one: which file, what was seen and what is allowed.
    """
    files: dict[str, bytes] = {}
    left = MAX_PACKAGE_BYTES
    for path in _files(folder):
        name = path.relative_to(folder).as_posix()
        if (why := _why_not(name)) is not None:
            raise ConfigError(f"{path}: {why}")
        if len(files) == MAX_FILES:
            raise ConfigError(
                f"{folder}: more than {MAX_FILES} files, allowed are {MAX_FILES}",
                remedy=f"What is made by builds may be in {', '.join(sorted(LEFT_OUT))}.",
            )
        with path.open("rb") as file:
            files[name] = file.read(left + 1)
        left -= len(files[name]) + 2 * BLOCK
        if left < 0:
            raise ConfigError(f"{folder}: more than the allowed {MAX_PACKAGE_BYTES} B in {path}")
    if not MANIFESTS.keys() & files.keys():
        raise ConfigError(
            f"{folder}: neither {' nor '.join(MANIFESTS)} is there, one is required",
            remedy="ei module new NAME writes a folder that has one.",
        )
    return _archive(files)


def unpack(data: bytes) -> Mapping[str, bytes]:
    """Return the files of a package: path below its folder to content.

    Raises:
        IntegrityError: Not the one package that these files have; `word` is `package`.
    """
    try:
        files = dict(_members(data))
    except ValueError as error:
        raise _not_a_package(str(error)) from error
    if _archive(files) != data:
        raise _not_a_package("packed again, its files make other bytes")
    if not MANIFESTS.keys() & files.keys():
        raise _not_a_package(f"it has neither {' nor '.join(MANIFESTS)}")
    return files


def kind_of(files: Mapping[str, bytes]) -> str:
    """Return what kind of release these files make: `module` or `bundle`."""
    return next(kind for name, kind in MANIFESTS.items() if name in files)


def digest_of(data: bytes) -> str:
    """Return how a package, or a file beside it, is named: `sha256:` and 64 digits."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def write_files(files: Mapping[str, bytes], folder: Path) -> None:
    """Write the files of a package into a new folder, which is there when it is whole, on disk.

    Raises:
        ConflictError: The folder exists.
        OSError: The system refused.
    """
    if folder.exists():
        raise ConflictError(f"{folder} exists, and is not overwritten")
    made = folder.with_name(f".{folder.name}.new")
    for name, content in files.items():
        path = made / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            _ = file.write(content)
            file.flush()
            os.fsync(file.fileno())
    _ = made.rename(folder)


def _files(folder: Path) -> Iterator[Path]:
    try:
        inside = sorted(folder.iterdir())
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be read: {error.strerror}") from error
    for path in inside:
        if (
            path.name in LEFT_OUT
            or path.name.startswith(".")
            or path.name.endswith(LEFT_OUT_ENDINGS)
        ):
            continue
        if path.is_symlink() or not (path.is_dir() or path.is_file()):
            raise ConfigError(f"{path}: a link or special file, plain files and folders allowed")
        if path.is_dir():
            yield from _files(path)
        else:
            yield path


def _why_not(name: str) -> str | None:
    if len(name) > MAX_PATH:
        return f"a path of {len(name)} characters, {MAX_PATH} allowed"
    for part in name.split("/"):
        if PART.fullmatch(part) is None:
            return f"the name {part!r} seen, letters, digits and ._+- allowed, no dot first"
    return None


def _archive(files: Mapping[str, bytes]) -> bytes:
    parts: list[bytes] = []
    for name in sorted(files):
        content = files[name]
        header = tarfile.TarInfo(name)
        header.size = len(content)
        parts.append(header.tobuf(tarfile.USTAR_FORMAT, "ascii", "strict"))
        parts.append(content + bytes(-len(content) % BLOCK))
    return b"".join([*parts, END])


def _members(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Read what `_archive` writes; what else may be in an archive is left to its comparison."""
    if len(data) > MAX_PACKAGE_BYTES:
        raise ValueError(f"it has {len(data)} B, allowed are {MAX_PACKAGE_BYTES}")
    position = 0
    for _ in range(MAX_FILES + 1):
        if data[position : position + 1] in {b"\0", b""}:
            return
        name = data[position : position + MAX_PATH].rstrip(b"\0").decode("ascii")
        size = int(data[position : position + BLOCK][SIZE_FIELD], 8)
        if (why := _why_not(name)) is not None or size < 0:
            raise ValueError(why or f"a file of {size} B")
        position += BLOCK
        yield name, data[position : position + size]
        position += size + -size % BLOCK
    raise ValueError(f"it has more than {MAX_FILES} files")


def _not_a_package(why: str) -> IntegrityError:
    return IntegrityError(f"not a package: {why}", word="package")
