"""Flood: 20,000 spoofed handshakes a second cost those who talk nothing, and a new host gets in."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import msgspec

from ei.errors import LocalError
from ei.host.connect import connect
from ei.lab.lab import Lab
from ei.lab.load import attach_fully
from ei.lab.process_lab import ProcessLab
from ei.lab.promises import Promise, promise, unsupported
from ei.lab.soak import growth
from ei.lab.use import use_of
from ei.scenarios.drain.load import Seen, Size, load
from ei.scenarios.flood.flooder import Flooded

BACKENDS = ("processes",)
NODE = "sn1.isp-a"
PAIRS = (("alice", "bob"), ("carol", "dave"))
NEWCOMER = "erin.isp-a"
SECONDS = 30.0
CALM_S = 5.0
FLOOD_PER_S = 20_000
REACHED = 0.98
"""Of the flood, at least: with less there is no figure."""
MODULE = "ei.scenarios.flood.flooder"
SIZE = Size(rate_pps=2_000, piece_bytes=10_000, every_s=0.0, duration_s=0.0)
KEPT = 0.95
COMES_S = 2.0
COME_EVERY_S = 3.0
PATIENCE_S = 10.0
WARM_UP_S = 2.0
"""Until the node has seen as many sources as it remembers."""
SAMPLE_S = 0.25
GROWTH_KIB = 4_096.0
"""Seven bytes for each address of the flood: nothing is kept of any. The decisions of the load, one
for each receipt, are about 0.7 MiB of it."""


NOTHING = Flooded(0, 0.0)


@dataclass(slots=True)
class Course:
    """What was seen beside the load.

    Attributes:
        comings_s: How long each newcomer took until its pipe was up.
        memory_kib: Of the node and its workers, since the warm-up.
        refused, answered: Initiations that the node took for no handshake, and handshakes.
    """

    flooded: Flooded = NOTHING
    comings_s: list[float] = field(default_factory=list[float])
    memory_kib: list[float] = field(default_factory=list[float])
    refused: int = 0
    answered: int = 0


class _Handshakes(msgspec.Struct, frozen=True):
    answered: int
    refused: int


class _Statistics(msgspec.Struct, frozen=True):
    handshakes: _Handshakes


async def run(lab: Lab) -> AsyncIterator[Promise]:
    """Measure for 5 s without the flood, and for 30 s within it."""
    async for each in run_for(lab, seconds=SECONDS):
        yield each


async def run_for(lab: Lab, *, seconds: float) -> AsyncIterator[Promise]:
    """Do so with a flood of so many seconds."""
    if not isinstance(lab, ProcessLab):
        yield unsupported("flows keep their rate under a flood", ">=", KEPT)
        return
    # It comes from elsewhere, later.
    lab.host(NEWCOMER).close()
    calm = await load(lab, PAIRS, SIZE, meanwhile=lambda: lab.sleep(CALM_S))
    course = Course()
    seen = await load(lab, PAIRS, SIZE, meanwhile=lambda: _flooded(lab, course, seconds))
    for each in judge(course, seen, calm=calm):
        yield each


def judge(course: Course, seen: Seen, *, calm: Seen) -> list[Promise]:
    """Hold what was seen against what is promised."""
    per_s = course.flooded.per_s
    is_valid = per_s >= REACHED * FLOOD_PER_S and course.refused >= REACHED * course.flooded.sent
    reached = course.refused / course.flooded.seconds if course.flooded.seconds else 0.0
    return [
        promise("spoofed initiations", round(per_s), ">=", REACHED * FLOOD_PER_S, unit="/s"),
        promise("of them reached the node", round(reached), ">=", REACHED * per_s, unit="/s"),
        promise(
            "established flows keep of their rate",
            round(kept(seen) / kept(calm), 4) if kept(calm) else 0.0,
            ">=",
            KEPT,
            baseline=1.0,
            is_valid=is_valid and seen.rate_pps >= KEPT * SIZE.rate_pps,
        ),
        promise("SHA-256 of an established stream", seen.received_digest, "==", seen.sent_digest),
        promise(
            f"a new host connects, the slowest of {len(course.comings_s)}",
            max(course.comings_s, default=None),
            "<=",
            COMES_S,
            unit="s",
            is_valid=is_valid and bool(course.comings_s),
        ),
        promise(
            "growth of the node's memory under the flood",
            round(growth(course.memory_kib)),
            "<=",
            GROWTH_KIB,
            unit="KiB",
            is_valid=is_valid,
        ),
    ]


def kept(seen: Seen) -> float:
    """Return which part of the messages that were sent came."""
    return 1 - (seen.lost + seen.refused) / seen.sent if seen.sent else 0.0


async def _flooded(lab: ProcessLab, course: Course, seconds: float) -> None:
    """Flood the node; meanwhile let a host come again and again, and watch the node's memory."""
    before = await _handshakes(lab)
    key = lab.keys_of(NODE).pipe_key.hex()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", MODULE, lab.endpoint(NODE), key, str(FLOOD_PER_S), str(seconds),
        stdout=asyncio.subprocess.PIPE, env=os.environ,
    )  # fmt: skip
    try:
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(_watch(lab, course))
            coming = group.create_task(_come(lab, course, seconds))
            said, _ = await process.communicate()
            _ = watching.cancel()
            await coming
    finally:
        if process.returncode is None:
            process.kill()
            _ = await process.wait()
    if process.returncode:
        raise LocalError(f"the flood ended with {process.returncode}")
    course.flooded = msgspec.json.decode(said, type=Flooded)
    after = await _handshakes(lab)
    course.refused = after.refused - before.refused
    course.answered = after.answered - before.answered


async def _come(lab: ProcessLab, course: Course, seconds: float) -> None:
    """Let a host come, each time from another port and as if it had just been started."""
    ends_s = lab.now_s() + seconds
    path = lab.host_file(NEWCOMER)
    while True:
        await lab.sleep(COME_EVERY_S)
        if lab.now_s() > ends_s - COME_EVERY_S:
            return
        began_s = lab.now_s()
        host = connect(path)
        try:
            await attach_fully(host, deadline_s=PATIENCE_S)
        finally:
            host.close()
        course.comings_s.append(round(lab.now_s() - began_s, 3))


async def _watch(lab: ProcessLab, course: Course) -> None:
    pid = (await lab.pids())[NODE]
    await lab.sleep(WARM_UP_S)
    while True:
        course.memory_kib.append(use_of([pid]).memory_kib)
        await lab.sleep(SAMPLE_S)


async def _handshakes(lab: Lab) -> _Handshakes:
    return msgspec.convert(await lab.statistics(NODE), _Statistics).handshakes
