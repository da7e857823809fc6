"""What a module that dies again and again costs: itself what its `fail` says, and nobody else."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise

from ei.errors import DeadlineError
from ei.host.client import Host
from ei.lab.load import gather_bounded, send_with_receipts, until
from ei.lab.process_lab import ProcessLab
from ei.lab.promises import Promise, promise
from ei.runtime.backoff import FIRST_S, LONGEST_S, OPENS_AFTER
from ei.scenarios.hostile.ground import (
    ALICE,
    ECHO,
    MALLORY,
    tell,
    until_running,
    worker_of,
)

SERVICE = "crashing"
TRAPS = 1_000
TRAPS_PER_S = 100.0
LOOK_S = 0.01
START_S = 0.5
"""How long a start may take, until the process is there."""

ASKED = 20
ASK_S = 0.5
DOWN_LIMIT_S = 10.0
BACK_LIMIT_S = 2 * LONGEST_S
PORT = 11


@dataclass(slots=True)
class Trapped:
    """What was seen while a module was sent traps.

    Attributes:
        started_s: When its worker was seen to have been started.
        states: All in which it was seen.
        asked, answered: Of another service meanwhile.
    """

    started_s: list[float] = field(default_factory=list[float])
    states: set[str] = field(default_factory=set[str])
    asked: int = 0
    answered: int = 0

    @property
    def waits_s(self) -> list[float]:
        """From one start to the next."""
        return [later - earlier for earlier, later in pairwise(self.started_s)]


async def trap(lab: ProcessLab) -> AsyncIterator[Promise]:
    """A thousand traps in ten seconds end a worker seven times, and another service answers all."""
    _ = await until_running(lab, [SERVICE])
    seen, is_over = Trapped(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        _ = group.create_task(_look(lab, seen, is_over))
        _ = group.create_task(_ask(lab, seen, is_over))
        began_s = lab.now_s()
        for number in range(TRAPS):
            tell(lab.host(MALLORY), SERVICE, b"crash")
            await lab.sleep(max(0.0, began_s + (number + 1) / TRAPS_PER_S - lab.now_s()))
        took_s = lab.now_s() - began_s
        is_over.set()
    for each in judge(seen, took_s=took_s):
        yield each


def judge(seen: Trapped, *, took_s: float) -> Sequence[Promise]:
    """Hold what was seen against what is promised."""
    most = OPENS_AFTER + took_s / LONGEST_S + 1
    waits_s = seen.waits_s
    return [
        promise(
            f"starts of a worker that is sent {TRAPS:_} traps",
            len(seen.started_s),
            "<=",
            most,
            unit="starts",
            baseline=TRAPS,
            is_valid=took_s <= 2 * TRAPS / TRAPS_PER_S,
        ),
        promise(
            "it waits after its first death",
            round(waits_s[0], 3) if waits_s else None,
            "<=",
            FIRST_S + START_S,
            unit="s",
        ),
        promise(
            f"it waits after {OPENS_AFTER} deaths in a row",
            round(max(waits_s, default=0.0), 2),
            ">=",
            LONGEST_S - LOOK_S,
            unit="s",
        ),
        promise("its circuit opens", "failing" in seen.states, "==", limit=True),
        promise(
            f"of {seen.asked} questions to another service meanwhile, answered",
            seen.answered,
            "==",
            seen.asked,
            unit="answers",
            is_valid=seen.asked > 0,
        ),
    ]


async def _look(lab: ProcessLab, seen: Trapped, is_over: asyncio.Event) -> None:
    starts = 0
    while not is_over.is_set():
        worker = await worker_of(lab, SERVICE)
        seen.states.add(worker.state)
        if worker.starts != starts:
            starts = worker.starts
            seen.started_s.append(lab.now_s())
        await lab.sleep(LOOK_S)


async def _ask(lab: ProcessLab, seen: Trapped, is_over: asyncio.Event) -> None:
    while not is_over.is_set():
        seen.asked += 1
        seen.answered += await answered(lab.host(ALICE), 1)
        await lab.sleep(LOOK_S)


async def answered(host: Host, count: int) -> int:
    """Ask echo on new connections, which no decision knows; return how many answers came."""

    async def ask() -> bool:
        with host.call(ECHO) as channel:
            try:
                _ = await channel.ask(b"there?", deadline_s=ASK_S)
            except DeadlineError:
                return False
        return True

    return sum(await gather_bounded([ask() for _ in range(count)]))


FRONTS = (
    ("closed", "crashing", "carol", 0),
    ("open", "looping", "oscar", ASKED),
    ("bypass", "bloating", "pat", ASKED),
)
"""A node, named after what the manifest says of the service that stands before echo there; a host;
how many of its questions are answered while that service is down."""

GUARDED, SENDER, GUARD_NODE = "grace", "oscar", "open"


async def fail(lab: ProcessLab) -> AsyncIterator[Promise]:
    """A service that is down is in the way of packets, or is not, as its manifest says."""
    for node, service, name, wanted in FRONTS:
        host = lab.host(name)
        _ = await until_running(lab, [service, "echo"], node)
        up = await answered(host, ASKED)
        guarded = await delivered(lab) if node == GUARD_NODE else 0
        await _bring_down(lab, node, service)
        down = await answered(host, ASKED)
        unguarded = await delivered(lab) if node == GUARD_NODE else 0
        is_down = (await worker_of(lab, service, node)).state == "failing"
        yield promise(
            f"fail = {node}: of {ASKED} packets that go on while the service is down",
            down,
            "==",
            wanted,
            unit="packets",
            baseline=up,
            is_valid=up == ASKED and is_down,
        )
        if node == GUARD_NODE:
            yield promise(
                f"a guard does not fail {node}: of {ASKED} packets that reach its host meanwhile",
                unguarded,
                "==",
                0,
                unit="packets",
                baseline=guarded,
                is_valid=guarded == ASKED and is_down,
            )
        if not wanted:
            back_s = await until(lab, partial(_all_answer, host), limit_s=BACK_LIMIT_S)
            yield promise(f"fail = {node}: all go on again", back_s, "<=", BACK_LIMIT_S, unit="s")


async def _bring_down(lab: ProcessLab, node: str, service: str) -> None:
    """Kill a worker as often as it comes, until its node takes it for failing."""

    async def is_failing() -> bool:
        worker = await worker_of(lab, service, node)
        if worker.pid:
            await lab.kill_worker(node, service)
        return worker.state == "failing"

    _ = await until(lab, is_failing, limit_s=DOWN_LIMIT_S)


async def _all_answer(host: Host) -> bool:
    return await answered(host, ASKED) == ASKED


async def delivered(lab: ProcessLab) -> int:
    """Send to the host with a guard, each time on a new connection; return how many came."""
    sender, to = lab.host(SENDER), lab.host(GUARDED)
    with to.datagrams(PORT):
        receipts = await send_with_receipts(
            sender, to.name, port=PORT, count=ASKED, deadline_s=ASK_S
        )
    return sum(receipt.outcome == "delivered" for receipt in receipts)
