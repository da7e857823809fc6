"""Reads what somebody has in his hands who has a process: its memory, its words, its files."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from ei.errors import DeniedError

CHUNK_BYTES = 4 * 1024 * 1024
REGION = re.compile(
    r"(?P<start>[0-9a-f]+)-(?P<end>[0-9a-f]+) (?P<rights>\S+) \S+ \S+ (?P<inode>\d+)\s*(?P<name>.*)"
)
"""A line of /proc/PID/maps, proc(5)."""
KERNELS = ("[vvar]", "[vvar_vclock]", "[vsyscall]", "[vdso]")
Words = Literal["environment", "command line"]
FILES_OF_WORDS: Mapping[Words, str] = {"environment": "environ", "command line": "cmdline"}
EXCLUDED_MEMORY = (
    "memory that maps files of the installation unchanged",
    "code, which is the same in every process and on disk",
)


class Region(NamedTuple):
    """A part of the memory of a process; `name` as the kernel has it, such as `[heap]`."""

    start: int
    end: int
    name: str


def regions_of(maps: str) -> list[Region]:
    """Return what a process can have written, of /proc/PID/maps. Pure.

    What maps a file without being writable is that file; what is the kernel's cannot be read.
    """
    regions: list[Region] = []
    for line in maps.splitlines():
        found = REGION.fullmatch(line)
        if found is None or found["name"] in KERNELS or found["rights"][0] != "r":
            continue
        if found["inode"] != "0" and "w" not in found["rights"]:
            continue
        name = found["name"] or "anonymous"
        regions.append(Region(int(found["start"], 16), int(found["end"], 16), name))
    return regions


def read_memory(pid: int) -> Iterator[tuple[Region, Iterator[tuple[int, bytes]]]]:
    """Yield the regions of a living process, each with its chunks: offset in the region, bytes.

    Less than the region comes where the kernel gives no more, such as of a file that was cut.

    The process runs on meanwhile: what it frees and what it fills may both be seen.

    Raises:
        DeniedError: this user may not read it.
        ProcessLookupError: it is gone.
    """
    place = Path(f"/proc/{pid}")
    try:
        maps = (place / "maps").read_text()
        memory = (place / "mem").open("rb", buffering=0)
    except FileNotFoundError as error:
        raise ProcessLookupError(f"process {pid} is gone") from error
    except PermissionError as error:
        raise DeniedError(
            f"the memory of process {pid} is not for this user",
            remedy="Run it as root, or allow it: sysctl kernel.yama.ptrace_scope=0",
        ) from error
    with memory:
        for region in regions_of(maps):
            yield region, _chunks(memory.fileno(), region)


def _chunks(descriptor: int, region: Region) -> Iterator[tuple[int, bytes]]:
    at = region.start
    while at < region.end:
        try:
            chunk = os.pread(descriptor, min(CHUNK_BYTES, region.end - at), at)
        except OSError:  # a guard page, or gone since
            return
        if not chunk:
            return
        yield at - region.start, chunk
        at += len(chunk)


def read_file(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield a file as chunks: offset, bytes; nothing when it is gone."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        at = 0
        while chunk := file.read(CHUNK_BYTES):
            yield at, chunk
            at += len(chunk)


def files_below(folders: Iterable[Path]) -> list[Path]:
    """Return all regular files below some folders, in order; links are not followed."""
    found = (path for folder in folders for path in folder.rglob("*"))
    return sorted(path for path in found if path.is_file() and not path.is_symlink())


def words_of(pid: int) -> dict[Words, bytes]:
    """Return the environment and the command line of a process; empty when it is gone."""
    words: dict[Words, bytes] = {}
    for kind, name in FILES_OF_WORDS.items():
        try:
            words[kind] = Path(f"/proc/{pid}/{name}").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            words[kind] = b""
    return words
