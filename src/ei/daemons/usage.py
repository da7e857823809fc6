"""What a process has used so far, from Linux's `/proc`."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Usage:
    """Of one process, all its threads together.

    Attributes:
        cpu_s: In user and system mode.
        memory_bytes: Resident now.
    """

    cpu_s: float
    memory_bytes: int


def usage_of(pid: int) -> Usage | None:
    """Return what process `pid` has used; `None` when there is none.

    Source: proc(5), `/proc/pid/stat`, fields 14 (utime), 15 (stime) and 24 (rss).
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The second field, the program's name in brackets, may hold anything.
    fields = stat.rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    return Usage(
        cpu_s=ticks / os.sysconf("SC_CLK_TCK"),
        memory_bytes=int(fields[21]) * os.sysconf("SC_PAGE_SIZE"),
    )
