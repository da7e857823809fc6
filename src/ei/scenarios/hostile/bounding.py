"""How much a module gets of memory and of all that it may ask for, however often it asks."""

from collections.abc import AsyncIterator
from contextlib import suppress

from ei.daemons.usage import usage_of
from ei.errors import DeadlineError
from ei.lab.load import until
from ei.lab.process_lab import ProcessLab
from ei.lab.promises import Promise, promise
from ei.scenarios.hostile.ground import (
    MALLORY,
    MANIFESTS,
    NODE,
    counts_of,
    tell,
    until_running,
    worker_of,
)
from ei.sdk.tiers import MIB, TIERS

STORMS = (b"endless", b"million", b"timers", b"randomness")
REFUSALS = ("service_error", "cpu_exceeded")
ANSWER_S = 2.0
LAST_S = 0.5
LOOK_S = 0.005
WATCH_S = 1.5
DAEMON_LIMIT_MIB = 4.0


async def bound(lab: ProcessLab) -> AsyncIterator[Promise]:
    """Storms come to nothing, each counted; memory ends at what the tier allows."""
    for part in (storm, bloat):
        async for each in part(lab):
            yield each


async def storm(lab: ProcessLab) -> AsyncIterator[Promise]:
    """Let a module ask for too much of everything."""
    _ = await until_running(lab, ["storming"])
    before = (await counts_of(lab, "storming")).dropped
    mallory = lab.host(MALLORY)

    async def all_refused() -> bool:
        dropped = (await counts_of(lab, "storming")).dropped
        refused = sum(dropped.get(word, 0) - before.get(word, 0) for word in REFUSALS)
        return refused == len(STORMS)

    with mallory.listen(MANIFESTS["storming"].id) as heard:
        for way in STORMS:
            tell(mallory, "storming", way)
        refused_s = await until(lab, all_refused, limit_s=ANSWER_S)
        came = 0
        with suppress(DeadlineError):
            while True:
                _ = await heard.receive(deadline_s=LAST_S)
                came += 1
    name = "effects without end, a million, timers without end, 2^40 random bits: all are refused"
    yield promise(name, refused_s, "<=", ANSWER_S, unit="s")
    yield promise("packets that came of it", came, "==", 0, unit="packets")


async def bloat(lab: ProcessLab) -> AsyncIterator[Promise]:
    """Let a module take memory for good."""
    _ = await until_running(lab, ["bloating"])
    pid = (await worker_of(lab, "bloating")).pid
    daemon = (await lab.pids())[NODE]
    own_mib, daemon_mib = memory_mib(pid), memory_mib(daemon)
    most_mib, most_of_daemon_mib = own_mib, daemon_mib
    tell(lab.host(MALLORY), "bloating", b"keep")
    ends_s = lab.now_s() + WATCH_S
    while lab.now_s() < ends_s:
        await lab.sleep(LOOK_S)
        most_mib = max(most_mib, memory_mib(pid))
        most_of_daemon_mib = max(most_of_daemon_mib, memory_mib(daemon))
    yield promise(
        "memory of a worker that takes all it gets, beside what it had",
        round(most_mib - own_mib, 1),
        "<=",
        TIERS[MANIFESTS["bloating"].tier].memory_mib,
        unit="MiB",
        is_valid=most_mib > own_mib,
    )
    yield promise(
        "memory that the node's daemon takes meanwhile",
        round(most_of_daemon_mib - daemon_mib, 1),
        "<=",
        DAEMON_LIMIT_MIB,
        unit="MiB",
    )


def memory_mib(pid: int) -> float:
    """Return what a process has of memory; 0 when it is gone."""
    usage = usage_of(pid)
    return 0.0 if usage is None else usage.memory_bytes / MIB
