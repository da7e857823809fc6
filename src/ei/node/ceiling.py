"""How much memory a node and its workers may hold, and who goes when they hold more.

All that a node keeps is bounded, but the sum of the bounds may be more than a machine has. So the
streams of its services get half of the ceiling, and among those the oldest of who holds most makes
room for the newest; and when node and workers together come over it, the worker that holds most is
ended: what it had in memory is lost, what is on its disk is not.
"""

import asyncio
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ei.daemons.log import Log
from ei.daemons.usage import usage_of
from ei.errors import LocalError
from ei.node.workers import Workers

MIB = 1024 * 1024
MOST_STREAM_BYTES = 1024 * MIB
LOOK_S = 0.25
AGAIN_S = 5.0
"""After one worker was ended: its memory is free by then, and nobody else's turn too early."""
CGROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def ceiling_bytes(limit_mib: int, *, machine_bytes: int) -> int:
    """Return what a node may hold, with its workers.

    Args:
        limit_mib: As configured; 0 is half of the machine.
    """
    return limit_mib * MIB if limit_mib else machine_bytes // 2


def stream_bytes(ceiling: int) -> int:
    """Return what of that all streams may hold."""
    return min(MOST_STREAM_BYTES, ceiling // 2)


def machine_bytes() -> int:
    """Return the memory of this machine, or of the control group that we are in if that is less."""
    found = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for path in CGROUP_LIMITS:
        with suppress(OSError, ValueError):  # there is none, or it is "max"
            found.append(int(path.read_text()))
    return min(found)


def resident_bytes(pid: int) -> int:
    """Return what a process has in memory, shared or not; 0 when it is gone."""
    usage = usage_of(pid)
    return 0 if usage is None else usage.memory_bytes


def held_bytes(pid: int) -> int:
    """Return what a process holds; what it shares is divided among those who do. 0 when it is gone.

    Source: proc(5), `/proc/pid/smaps_rollup`.
    """
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    found = (line.split() for line in lines)
    return next((int(words[1]) * 1024 for words in found if words[0] == "Pss:"), 0)


@dataclass(slots=True)
class Ceiling:
    """Says which worker goes. Times are monotonic.

    Attributes:
        ended: How many workers went so far.
    """

    limit_bytes: int
    ended: int = 0
    again_s: float = 0.0

    def choose(self, held: Mapping[str, int], *, own_bytes: int, now_s: float) -> str | None:
        """Return the service whose worker is to be ended; mostly none.

        Args:
            held: What the worker of each service holds.
            own_bytes: What the node itself holds.
        """
        if own_bytes + sum(held.values()) <= self.limit_bytes or now_s < self.again_s:
            return None
        heaviest = max(held, key=held.__getitem__, default=None)
        if heaviest is None or not held[heaviest]:
            return None
        self.ended += 1
        self.again_s = now_s + AGAIN_S
        return heaviest


def watch_memory(workers: Workers, ceiling: Ceiling, log: Log) -> None:
    """Look again and again, on the running loop."""
    loop = asyncio.get_running_loop()
    _ = loop.call_later(LOOK_S, lambda: watch_memory(workers, ceiling, log))
    pids = {each.service: each.pid for each in workers.status() if each.pid}
    # Shared memory is counted more than once here; what it really is takes the system far longer.
    if sum(map(resident_bytes, (os.getpid(), *pids.values()))) <= ceiling.limit_bytes:
        return
    held = {service: held_bytes(pid) for service, pid in pids.items()}
    own_bytes = held_bytes(os.getpid())
    service = ceiling.choose(held, own_bytes=own_bytes, now_s=loop.time())
    if service is None:
        return
    try:
        workers.kill(service)
    except LocalError as error:  # workers are threads of this process
        log.error("memory ceiling reached", reason=str(error))  # noqa: TRY400
        return
    log.warn(
        "memory ceiling reached",
        held_mib=(own_bytes + sum(held.values())) // MIB,
        limit_mib=ceiling.limit_bytes // MIB,
        service=service,
        action="killed",
    )
