"""How much memory a node and its workers may hold, and who goes when they hold more.

All that a node keeps is bounded, but the sum of the bounds may be more than a machine has. So the
streams of its services get half of the ceiling, and among those the oldest of who holds most makes
room for the newest. When node and workers together come over it, no more streams are let in, and
what is kept to be sent again is given up; if that is not enough, the worker that holds most is
ended: what it had in memory is lost, what is on its disk is not.
"""

import asyncio
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from ei.daemons.log import Log
from ei.daemons.usage import usage_of
from ei.errors import LocalError
from ei.node.workers import Workers

MIB = 1024 * 1024
MOST_STREAM_BYTES = 1024 * MIB
LOOK_S = 0.25
TELL_EVERY_S = 5.0
"""What the status shows is as old at most: below the ceiling it is not asked for more often."""
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


class MemoryStatus(msgspec.Struct, frozen=True):
    """What a node and its workers hold, of what they may.

    Attributes:
        held_bytes: 5 s ago or later; what several share counts once.
        is_tight: It is over the limit: no stream is let in.
        given_up: How often something was. `kept`: what was kept to be sent again or resumed.
            `worker`: all that a worker had in memory.
        forgotten_bytes: What was kept and given up.
    """

    held_bytes: int
    limit_bytes: int
    is_tight: bool
    given_up: dict[str, int]
    forgotten_bytes: int


class Tightening(Protocol):
    """What is asked of an engine."""

    def set_tight(self, is_tight: bool) -> int: ...  # noqa: FBT001 its name says what it is


@dataclass(slots=True)
class Ceiling:
    """Says what goes. Times are monotonic.

    Attributes:
        held_bytes: When it was looked at last.
        is_tight: It was more than the limit then.
        tightened: How often it came to that.
        ended: How many workers went so far.
        forgotten_bytes: What was kept and given up.
    """

    limit_bytes: int
    held_bytes: int = 0
    is_tight: bool = False
    tightened: int = 0
    ended: int = 0
    forgotten_bytes: int = 0
    again_s: float = 0.0
    looked_s: float = -TELL_EVERY_S

    def status(self) -> MemoryStatus:
        """Return what is shown."""
        given_up = {"kept": self.tightened, "worker": self.ended}
        return MemoryStatus(
            self.held_bytes, self.limit_bytes, self.is_tight, given_up, self.forgotten_bytes
        )

    def choose(self, held: Mapping[str, int], *, own_bytes: int, now_s: float) -> str | None:
        """Return the service whose worker is to be ended; mostly none.

        Over the limit the first thing is to be tight; the next time the heaviest worker goes.

        Args:
            held: What the worker of each service holds.
            own_bytes: What the node itself holds.
        """
        self.looked_s = now_s
        self.held_bytes = own_bytes + sum(held.values())
        was_tight, self.is_tight = self.is_tight, self.held_bytes > self.limit_bytes
        if not was_tight and self.is_tight:
            self.tightened += 1
        if not (was_tight and self.is_tight) or now_s < self.again_s:
            return None
        heaviest = max(held, key=held.__getitem__, default=None)
        if heaviest is None or not held[heaviest]:
            return None
        self.ended += 1
        self.again_s = now_s + AGAIN_S
        return heaviest


def watch_memory(workers: Workers, engine: Tightening, ceiling: Ceiling, log: Log) -> None:
    """Look again and again, on the running loop."""
    loop = asyncio.get_running_loop()
    _ = loop.call_later(LOOK_S, lambda: watch_memory(workers, engine, ceiling, log))
    pids = {each.service: each.pid for each in workers.status() if each.pid}
    # Shared memory is counted more than once here; what it really is takes the system far longer.
    is_below = sum(map(resident_bytes, (os.getpid(), *pids.values()))) <= ceiling.limit_bytes
    if is_below and not ceiling.is_tight and loop.time() < ceiling.looked_s + TELL_EVERY_S:
        return
    was_tight = ceiling.is_tight
    held = {service: held_bytes(pid) for service, pid in pids.items()}
    service = ceiling.choose(held, own_bytes=held_bytes(os.getpid()), now_s=loop.time())
    if was_tight != ceiling.is_tight:
        _tighten(engine, ceiling, log)
    if service is None:
        return
    try:
        workers.kill(service)
    except LocalError as error:  # workers are threads of this process
        log.error("memory ceiling reached", reason=str(error))  # noqa: TRY400
        return
    log.warn(
        "memory ceiling reached",
        held_mib=ceiling.held_bytes // MIB,
        limit_mib=ceiling.limit_bytes // MIB,
        service=service,
        action="killed",
    )


def _tighten(engine: Tightening, ceiling: Ceiling, log: Log) -> None:
    try:
        ceiling.forgotten_bytes += engine.set_tight(ceiling.is_tight)
    except RuntimeError as error:  # its threads are busy or have ended, and that is told elsewhere
        log.error("memory not tightened", reason=str(error))  # noqa: TRY400
        return
    told = {"held_mib": ceiling.held_bytes // MIB, "limit_mib": ceiling.limit_bytes // MIB}
    if ceiling.is_tight:
        log.warn("memory is tight", **told, action="streams refused, what is kept given up")
    else:
        log.info("memory is there again", **told)
