"""What processes take of the system: memory, files, threads.

Memory is what they have touched and what is of no file, each page counted in every process that has
it, also while a fork shares it with others. So it stays as it is when

- another program that has the same libraries begins or ends: a page of a file is private to the
  only one that has it, which came to 6 MiB,
- a page that forks share is copied, by and by: in a node to 30 KiB a minute,
- a worker is killed, and the next one has copied less yet: 1.5 MiB.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Use:
    """What one node, with its workers, or one program takes of the system.

    Attributes:
        memory_of: Of `memory_kib`, that of each process by its number.
    """

    memory_kib: int
    files: int
    threads: int
    processes: int
    memory_of: dict[int, int] = field(default_factory=dict[int, int], compare=False)


def use_of(pids: Iterable[int]) -> Use:
    """Return what these processes take together; what has ended meanwhile takes nothing."""
    memory_of: dict[int, int] = {}
    files, threads = 0, 0
    for pid in pids:
        folder = Path(f"/proc/{pid}")
        with suppress(OSError):
            memory_kib = _anonymous_kib((folder / "smaps_rollup").read_text())
            of_it = [len(list((folder / what).iterdir())) for what in ("fd", "task")]
            memory_of[pid] = memory_kib
            files, threads = files + of_it[0], threads + of_it[1]
    return Use(sum(memory_of.values()), files, threads, len(memory_of), memory_of)


def _anonymous_kib(smaps: str) -> int:
    lines = (line.split() for line in smaps.splitlines()[1:])
    return next(int(words[1]) for words in lines if words[0] == "Anonymous:")
