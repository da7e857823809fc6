"""Scale: a thousand domains find their ways, and their ten thousand hosts one another.

Each size is an internet of its own, in a process of its own: routers and directories as nodes run
them, on a virtual clock, joined by control channels that are delays. Datapaths are left out: they
carry the same messages, and would hide what these cost.
"""

import multiprocessing
import os
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ProcessPoolExecutor
from math import log2

from ei.lab.lab import Lab
from ei.lab.promises import Promise, promise, unsupported
from ei.scenarios.scale.measuring import Measured, measure

SIZES = (250, 500, 1_000)
HOSTS_PER_DOMAIN = 10
CUTS = 3
CONVERGED_LIMIT_S = 30.0
CUT_LIMIT_S = 5.0
SEARCH_LIMIT_S = 1.0


async def run(lab: Lab) -> AsyncIterator[Promise]:
    """Measure each size, and the smallest once more with every signature verified everywhere."""
    if lab.backend != "simulation":
        yield unsupported(
            f"{SIZES[-1]} domains: each reaches each", "==", SIZES[-1] * (SIZES[-1] - 1)
        )
        return
    context = multiprocessing.get_context("spawn")
    # A process is used once: its memory is measured. The largest first: it takes longest.
    with ProcessPoolExecutor(
        min(os.cpu_count() or 1, 4), mp_context=context, max_tasks_per_child=1
    ) as pool:
        begun = {
            size: pool.submit(
                measure,
                size,
                seed=lab.seed,
                hosts_per_domain=HOSTS_PER_DOMAIN,
                cuts=CUTS,
                has_memo=True,
            )
            for size in sorted(SIZES, reverse=True)
        }
        alone = pool.submit(
            measure, SIZES[0], seed=lab.seed, hosts_per_domain=0, cuts=0, has_memo=False
        )
        before: Measured | None = None
        for size in SIZES:
            measured = begun[size].result()
            for each in promises_of(measured, before):
                yield each
            before = measured
        yield promise_alone(alone.result(), begun[SIZES[0]].result())


def promises_of(measured: Measured, before: Measured | None) -> Iterator[Promise]:
    """Hold one size against its limits; what grows, against the size before."""
    size = measured.domains
    name = f"{size} domains"
    pairs = size * (size - 1)
    yield promise(f"{name}: each reaches each", measured.routes, "==", pairs, unit="pairs")
    yield promise(f"{name}: converged", measured.converged_s, "<=", CONVERGED_LIMIT_S, unit="s")
    yield promise(f"{name}: refused", measured.refused, "==", 0, unit="announcements")
    if before is not None:
        yield from _growth(measured, before)
    yield promise(f"{name}: slowest cut", max(measured.cuts_s), "<=", CUT_LIMIT_S, unit="s")
    hosts = measured.hosts
    yield promise(f"{name}: hosts found by name", measured.found, "==", hosts, unit="hosts")
    yield promise(f"{name}: slowest search", measured.slowest_s, "<=", SEARCH_LIMIT_S, unit="s")
    yield promise(f"{name}: packets that arrive", measured.arrived, "==", hosts, unit="packets")
    after = measured.arrived_after_cuts
    yield promise(f"{name}: packets that arrive after cuts", after, "==", hosts, unit="packets")
    yield promise(f"{name}: ways with a valley", measured.valleys, "==", 0, unit="ways")


def _growth(measured: Measured, before: Measured) -> Iterator[Promise]:
    """Hold what a domain takes against n log n of what it took in the smaller internet."""
    few, many = before.domains, measured.domains
    most = many * log2(many) / (few * log2(few))
    for what, took, took_before, unit in (
        ("control messages", measured.messages, before.messages, "messages"),
        ("bytes", measured.bytes, before.bytes, "B"),
        ("memory", measured.memory_bytes, before.memory_bytes, "B"),
    ):
        yield promise(
            f"{many} domains: {what} a domain, {few} as baseline",
            took / many,
            "<=",
            most * took_before / few,
            unit=unit,
            baseline=took_before / few,
        )


def promise_alone(alone: Measured, shared: Measured) -> Promise:
    """Hold a run in which every domain verifies every signature itself against one in which not."""
    return promise(
        f"{alone.domains} domains, nothing remembered: signatures a domain verifies",
        alone.verified / alone.domains,
        "==",
        (shared.verified + shared.verified_before) / shared.domains,
        unit="signatures",
        baseline=shared.verified / shared.domains,
    )
