"""`make soak`: a lab of real daemons under a changing load for a long time, in which nothing grows.

    python -m ei.lab.soak [SECONDS] [SEED] [FOLDER]

Pings, messages with receipts and streams between all hosts; workers are killed and links cut
meanwhile. After a warm-up, memory, files, threads and processes of each node, and of this program
with all hosts, are what they were; and once the load is over, nothing waits and nobody is left.
What was seen is written to the folder, for who wants to know what grew.
"""

import asyncio
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations
from pathlib import Path
from random import Random
from statistics import median
from typing import TYPE_CHECKING

import msgspec

from ei.errors import EiError
from ei.lab.catalogue import find_topology
from ei.lab.census import marked_processes, session_of
from ei.lab.load import all_pairs, carry, node_in_use, ping_pairs, send_with_receipts, until
from ei.lab.process_lab import ProcessLab
from ei.lab.promises import Promise, plainly, promise
from ei.lab.run_folder import run_folder
from ei.lab.soak_record import Sample, SoakRecord, files_of
from ei.lab.use import Use, use_of
from ei.lab.writing import write_files

if TYPE_CHECKING:
    from ei.lab.topology import Topology

SECONDS = 300.0
TOPOLOGY = "threedomains"
WARM_UP_SHARE = 1 / 3
"""Of the time: caches, pools and allocators get to their size."""
QUIET_S = 20.0
SAMPLES = 40
ROUND_S = 0.5
WORKER_S = 1.0
"""Until a worker that was killed in the last round is back."""
WHOLE_S = 10.0
"""Until those are that were killed so often that they are begun again more slowly."""
KILL_EVERY = 7
CUT_EVERY = 11
STREAM_BYTES = 200_000
STRETCH = 5
"""Rounds for which streams go between the same two hosts. Until their turn comes again their
connection has ended, and what QUIC keeps for its next 256 streams with it, 6 KiB each: if every
pair had one for ever, it would be hours until all have as much as they may (decision 272)."""
MESSAGES = 50
VICTIM = "delivery"
PORT = 7
US = "hosts"
"""This program, in which all hosts live."""

GROWTH_KIB = 8_192.0
"""Tables double until they hold as much as they may, and what a process shared with the one that it
was forked from is copied once: so much, however long it runs. A leak has no such end."""


SLOPE_KIB_PER_MIN = 100.0
SLOPE_FROM_S = 1_200.0
"""Of a shorter soak the slope says more of what settles than of what leaks."""


Progress = Callable[["Course", float], object]
"""Gets what was seen so far, and how many seconds of the soak are over."""


def _say_nothing(_course: "Course", _at_s: float) -> None:
    pass


@dataclass(slots=True)
class Course:
    """What a soak saw.

    Attributes:
        samples: After the warm-up, each at the end of a round and with all processes there.
        before, after: Use at the end of the warm-up and of the soak, each in quiet.
        waiting: Packets and copies that wait at nodes at the end.
        peers_missing: Peers that nodes had at the end of the warm-up, and have no more.
    """

    rounds: int = 0
    lost: int = 0
    faults: int = 0
    samples: list[Sample] = field(default_factory=list[Sample])
    before: Mapping[str, Use] = field(default_factory=dict[str, Use])
    after: Mapping[str, Use] = field(default_factory=dict[str, Use])
    waiting: int = 0
    peers_missing: int = 0


def growth(values: Sequence[float]) -> float:
    """Return how much the last third is above the first on average; 0 without three values."""
    third = len(values) // 3
    if not third:
        return 0.0
    return (sum(values[-third:]) - sum(values[:third])) / third


def slope_per_min(points: Sequence[tuple[float, float]]) -> float:
    """Return the slope of the last two thirds of (seconds, value), the median of all pairs.

    One sample that is far off moves it little (Theil and Sen); 0 without two points.
    """
    settled = points[len(points) // 3 :]
    slopes = [
        (later - value) / (later_s - at_s) * 60
        for (at_s, value), (later_s, later) in combinations(settled, 2)
        if later_s > at_s
    ]
    return median(slopes) if slopes else 0.0


def judge(course: Course, *, seconds: float) -> list[Promise]:
    """Hold what a soak saw against what is promised."""
    growths = {
        name: growth([each.uses[name].memory_kib for each in course.samples])
        for name in course.after
    }
    worst = max(growths, key=growths.__getitem__, default="")
    is_valid = course.rounds >= seconds / 10 and len(course.samples) > 2  # noqa: PLR2004 thirds
    rows = [
        promise(
            f"growth of memory, at most ({worst})",
            round(growths.get(worst, 0.0)),
            "<=",
            GROWTH_KIB,
            unit="KiB",
            is_valid=is_valid,
        )
    ]
    if seconds >= SLOPE_FROM_S:
        rows.append(_judge_slope(course, is_valid=is_valid))
    for what in ("files", "threads", "processes"):
        more = {name: getattr(use, what) - getattr(course.before[name], what)
                for name, use in course.after.items()}  # fmt: skip
        worst = max(more, key=more.__getitem__)
        rows.append(
            promise(f"{what} more than before ({worst})", more[worst], "<=", 0, is_valid=is_valid)
        )
    return [
        *rows,
        promise("packets and copies that wait in quiet", course.waiting, "==", 0, unit="packets"),
        promise("peers that nodes have lost", course.peers_missing, "==", 0, unit="peers"),
    ]


def _judge_slope(course: Course, *, is_valid: bool) -> Promise:
    slopes = {
        name: slope_per_min([(each.at_s, each.uses[name].memory_kib) for each in course.samples])
        for name in course.after
    }
    worst = max(slopes, key=slopes.__getitem__, default="")
    return promise(
        f"slope of memory, at most ({worst})",
        round(slopes.get(worst, 0.0), 1),
        "<=",
        SLOPE_KIB_PER_MIN,
        unit="KiB/min",
        is_valid=is_valid,
    )


async def soak(  # noqa: PLR0913 what to run, and who is told
    topology: "Topology",
    *,
    seconds: float,
    seed: int,
    quiet_s: float = QUIET_S,
    environ: Mapping[str, str] = os.environ,
    on_progress: Progress = _say_nothing,
) -> Course:
    """Run a lab of `topology` under load for so long; return what was seen.

    Args:
        quiet_s: Longest wait for quiet, before and after.
        on_progress: Told after each round.

    Raises:
        EiError: the lab did not start.
    """
    # One thread, there from the first call on: a pool adds one, up to its size, whenever a call
    # comes before the thread of the last is free again, which would look like a leak.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(max_workers=1))
    lab = ProcessLab(topology, seed=seed, environ=environ)
    course = Course()
    random = Random(seed)
    try:
        await lab.open()
        run_id = run_folder(f"run-{os.getpid()}", environ).read().run_id
        began_s = lab.now_s()

        async def load_for(so_long_s: float) -> None:
            until_s = lab.now_s() + so_long_s
            while lab.now_s() < until_s:
                await _try_round(lab, random, course)
                _ = on_progress(course, lab.now_s() - began_s)

        await load_for(seconds * WARM_UP_SHARE)
        peers = await _be_quiet(lab, set(), quiet_s)
        course.before = await _uses(lab, run_id)
        while (at_s := lab.now_s() - began_s) < seconds:
            uses = await _whole_uses(lab, run_id, course.before)
            course.samples.append(Sample(at_s, course.rounds, uses))
            await load_for(seconds * (1 - WARM_UP_SHARE) / SAMPLES)
        course.peers_missing = len(peers - await _be_quiet(lab, peers, quiet_s))
        course.after = await _uses(lab, run_id)
        course.waiting = await _waiting(lab)
    finally:
        await lab.close()
    return course


async def _whole_uses(lab: ProcessLab, run_id: str, before: Mapping[str, Use]) -> dict[str, Use]:
    """Return what is in use once all processes are there: a killed worker comes back."""
    uses: dict[str, Use] = {}

    async def is_whole() -> bool:
        uses.update(await _uses(lab, run_id))
        return all(uses[name].processes >= use.processes for name, use in before.items())

    _ = await until(lab, is_whole, limit_s=WHOLE_S, every_s=WORKER_S / 2)
    return uses


async def _try_round(lab: ProcessLab, random: Random, course: Course) -> None:
    course.rounds += 1
    try:
        await _round(lab, random, course)
    except* EiError:
        # A worker was killed, or a link cut, under it.
        course.lost += 1
    await lab.sleep(ROUND_S)


async def _round(lab: ProcessLab, random: Random, course: Course) -> None:
    names = list(lab.hosts)
    pairs = all_pairs(names)
    pings = await ping_pairs(lab, pairs)
    course.lost += sum(ping.round_trip_s is None for ping in pings)
    source, to = random.sample(names, 2)
    if course.rounds % KILL_EVERY == 0:
        course.faults += 1
        await lab.kill_worker(random.choice(list(lab.topology.nodes)), VICTIM)
    if course.rounds % CUT_EVERY == 0:
        course.faults += 1
        node = node_in_use(lab.host(to))
        await lab.cut(to, node)
        await lab.sleep(ROUND_S)
        await lab.heal(to, node)
    with lab.host(to).datagrams(PORT):
        _ = await send_with_receipts(lab.host(source), to, port=PORT, count=MESSAGES)
    source, to = pairs[course.rounds // STRETCH % len(pairs)]
    _ = await carry(lab.host(source), lab.host(to), random.randbytes(STREAM_BYTES))


async def _be_quiet(
    lab: ProcessLab, wanted: set[tuple[str, str]], limit_s: float
) -> set[tuple[str, str]]:
    """Wait until nothing waits and these peers are up; return those that are."""

    async def is_quiet() -> bool:
        return not await _waiting(lab) and wanted <= await _peers(lab)

    _ = await until(lab, is_quiet, limit_s=limit_s)
    await lab.sleep(WORKER_S)
    return await _peers(lab)


async def _waiting(lab: ProcessLab) -> int:
    counts = [await lab.statistics(name) for name in lab.topology.nodes]
    return sum(
        msgspec.convert(count[what], int)
        for count in counts
        for what in ("waiting", "copies_waiting")
    )


async def _peers(lab: ProcessLab) -> set[tuple[str, str]]:
    return {
        (name, peer.name)
        for name in lab.topology.nodes
        for peer in (await lab.node_status(name)).peers
        if peer.is_up
    }


async def _uses(lab: ProcessLab, run_id: str) -> dict[str, Use]:
    uses = {US: use_of([os.getpid()])}
    marked = marked_processes(run_id)
    for name, pid in (await lab.pids()).items():
        uses[name] = use_of([each for each in marked if session_of(each) == pid])
    return uses


def show_progress(course: Course, at_s: float, *, seconds: float) -> None:
    """Rewrite a line of a terminal: how far it is, and who has grown most by now."""
    text = f"{at_s:.0f} of {seconds:.0f} s, {course.rounds} rounds"
    if course.samples:
        first, last = course.samples[0].uses, course.samples[-1].uses
        more = {name: last[name].memory_kib - use.memory_kib for name, use in first.items()}
        most = max(more, key=more.__getitem__)
        text += f", {most} has {more[most]:+} KiB since it was warm"
    _ = sys.stderr.write(f"\r\x1b[K{text}")
    _ = sys.stderr.flush()


def main(arguments: list[str]) -> int:
    """Run the soak; return 1 unless all promises are kept."""
    seconds = float(arguments[0]) if arguments else SECONDS
    seed = int(arguments[1]) if len(arguments) > 1 else 1
    is_watched = sys.stderr.isatty()
    course = asyncio.run(
        soak(
            find_topology(TOPOLOGY),
            seconds=seconds,
            seed=seed,
            on_progress=partial(show_progress, seconds=seconds) if is_watched else _say_nothing,
        )
    )
    if is_watched:
        _ = sys.stderr.write("\r\x1b[K")
    rows = judge(course, seconds=seconds)
    _ = sys.stdout.write(plainly(rows))
    summary = {"rounds": course.rounds, "lost": course.lost, "faults": course.faults}
    _ = sys.stdout.write(f"{seconds:g} s with seed {seed}: {json.dumps(summary)}\n")
    if len(arguments) > 2:  # noqa: PLR2004 a place to write to
        record = SoakRecord(
            topology=TOPOLOGY,
            seconds=seconds,
            seed=seed,
            rounds=course.rounds,
            lost=course.lost,
            faults=course.faults,
            samples=tuple(course.samples),
            promises=tuple(rows),
        )
        try:
            write_files(Path(arguments[2]), files_of(record), _say_written)
        except EiError as error:
            _ = sys.stderr.write(f"{error}. {error.remedy}\n")
            return error.exit_code
    return 0 if all(row.status == "ok" for row in rows) else 1


def _say_written(path: Path) -> None:
    _ = sys.stdout.write(f"wrote {path}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
