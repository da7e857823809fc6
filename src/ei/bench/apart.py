"""Measured in a process of its own, whose memory holds nothing else.

`python -m ei.bench.NAME ARGUMENT...` measures and says what it found as a line of JSON.
"""

import gc
import resource
import subprocess
import sys
from pathlib import Path
from typing import TypeVar

import msgspec

from ei.bench.children import python
from ei.errors import LocalError

FoundT = TypeVar("FoundT")
RUN_LIMIT_S = 1_800.0


def measured_apart(module: str, *arguments: int | str, of: type[FoundT]) -> FoundT:
    """Run a module of this package, and return what it says.

    Raises:
        LocalError: It failed; with what it said last.
    """
    command = python(f"ei.bench.{module}", *map(str, arguments))
    done = subprocess.run(command, check=False, capture_output=True, timeout=RUN_LIMIT_S)
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise LocalError(f"{module} ended: {said[-1] if said else done.returncode}")
    return msgspec.json.decode(done.stdout, type=of)


def say(found: object) -> None:
    """Say what was found."""
    _ = sys.stdout.write(msgspec.json.encode(found).decode() + "\n")


def memory_bytes() -> int:
    """Return what of this process is in memory, once what nobody holds is given up."""
    _ = gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()
