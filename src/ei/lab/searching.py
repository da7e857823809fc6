"""Looks through processes and folders in a process of its own, so that the lab is not held up.

python -m ei.lab.searching        a `Job` as msgpack on stdin, a `Looked` on stdout
"""

import asyncio
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from ei.errors import DeniedError, LocalError
from ei.lab.canaries import Canary, Search
from ei.lab.evidence import EXCLUDED_MEMORY, files_below, read_file, read_memory, words_of
from ei.lab.knowledge import Kind, Looked, Place
from ei.sdk.knowledge import Party

EXCLUDED_LAB = (
    "the lab's own files and processes",
    "lab.json and the relays of links know all residents; no node is given them",
)
EXCLUDED_KERNEL = (
    "tables of the kernel",
    "one kernel has them for all parties of a lab; what they hold came by the links",
)


class Job(msgspec.Struct, frozen=True):
    """What is to be looked through for one party.

    Attributes:
        pids: Of its processes; those that are gone have nothing.
        folders: All files below them.
        canaries: What to look for.
    """

    party: Party
    pids: tuple[int, ...]
    folders: tuple[str, ...]
    canaries: tuple[Canary, ...]


async def searching(job: Job) -> Looked:
    """Do a job in a process of its own.

    Raises:
        LocalError: it ended early; with what it said.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ei.lab.searching"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    looked, said = await process.communicate(msgspec.msgpack.encode(job))
    if process.returncode != 0:
        last = said.decode(errors="replace").strip().rpartition("\n")[2]
        raise LocalError(f"looking at {job.party}: {last}")
    return msgspec.msgpack.decode(looked, type=Looked)


def look_through(job: Job) -> Looked:
    """Return what processes hold and what is in folders, by now."""
    search = Search(job.canaries)
    places: list[Place] = []
    missing: list[tuple[str, str]] = []
    unread = 0
    for pid in job.pids:
        try:
            for region, chunks in read_memory(pid):
                name = f"{pid} {region.name} {region.start:x}"
                places.append(searched("memory", name, chunks, search))
                unread += region.end - region.start - places[-1].size_bytes
        except ProcessLookupError:
            continue
        except DeniedError as error:
            missing.append((f"memory of {pid}", f"{error}; {error.remedy}"))
        for kind, words in words_of(pid).items():
            places.append(searched(kind, str(pid), [(0, words)], search))
    places += [
        searched("file", str(path), read_file(path), search)
        for path in files_below(map(Path, job.folders))
    ]
    not_given = (f"{unread:,} B of memory", "given back meanwhile, or without anything behind it")
    excluded = (EXCLUDED_LAB, EXCLUDED_MEMORY, EXCLUDED_KERNEL, *([not_given] if unread else []))
    return Looked(job.party, tuple(places), tuple(missing), excluded)


def searched(kind: Kind, name: str, chunks: Iterable[tuple[int, bytes]], search: Search) -> Place:
    """Return one place with what was found in it."""
    counted = _Counted(chunks)
    hits = tuple(search.find(counted))
    return Place(kind, name, counted.size_bytes, hits)


class _Counted:
    """Chunks on their way, and how much they were."""

    def __init__(self, chunks: Iterable[tuple[int, bytes]]) -> None:
        self._chunks = chunks
        self.size_bytes = 0

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        for offset, chunk in self._chunks:
            self.size_bytes += len(chunk)
            yield offset, chunk


def main() -> None:
    """Do the job on stdin."""
    job = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Job)
    _ = sys.stdout.buffer.write(msgspec.msgpack.encode(look_through(job)))


if __name__ == "__main__":
    main()
