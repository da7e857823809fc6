"""Cores that stay awake, so that their waking up is not taken for what is measured.

Waking a sleeping core of a virtual machine takes 10 to 500 µs and leaves its caches cold. A process
of the lowest priority per core prevents that: whoever has work to do pushes it aside at once.

`python -m ei.bench.awake CPU` is such a process; it ends with its standard input.
"""

import os
import select
import sys
import tempfile
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ei._core import spin
from ei.bench.children import Child, python

LOOK_UP_S = 0.05


@contextmanager
def awake_cores() -> Generator[None]:
    """Keep all cores awake until the block ends."""
    with tempfile.TemporaryDirectory(prefix="ei-bench-") as folder, ExitStack() as children:
        for cpu in sorted(os.sched_getaffinity(0)):
            command = python("ei.bench.awake")
            child = Child(f"awake {cpu}", command, cpu=cpu, log=Path(folder) / f"{cpu}.log")
            _ = children.enter_context(child)
            _ = child.hear(deadline_s=5.0)
        yield


def stay_awake() -> None:
    """Use what nobody else wants of this process's core, until the standard input ends."""
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    _ = sys.stdout.write("{}\n")
    _ = sys.stdout.flush()
    while not select.select([sys.stdin], [], [], 0.0)[0]:
        spin(LOOK_UP_S)


if __name__ == "__main__":
    stay_awake()
