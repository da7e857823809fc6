"""CPU time of processes, with what the kernel did for them."""

import os
import resource
from collections.abc import Collection
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def used_s(leaders: Collection[int]) -> float:
    """Return the CPU time of these processes and their sessions, and of children that ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    ticks = 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "stat").read_text()
            except OSError:  # it has just ended
                continue
            ticks += ticks_of(int(entry.name), text, leaders)
    return ended.ru_utime + ended.ru_stime + ticks / TICKS


def ticks_of(pid: int, stat: str, leaders: Collection[int]) -> int:
    """Return the CPU ticks of a process by its `stat` (proc(5)), if it or its session is meant."""
    fields = stat.rpartition(")")[2].split()
    if pid not in leaders and int(fields[3]) not in leaders:
        return 0
    return int(fields[11]) + int(fields[12])
