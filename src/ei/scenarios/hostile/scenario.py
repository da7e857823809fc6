"""Hostile modules of strangers: cut, bounded, kept in, and noticed by nobody else."""

from collections.abc import AsyncIterator

from ei.lab.lab import Lab
from ei.lab.process_lab import ProcessLab
from ei.lab.promises import Promise, promise, unsupported
from ei.runtime.jail import LAYERS
from ei.scenarios.hostile import bounding, cutting, failing, keeping, neighbours
from ei.scenarios.hostile.ground import START_LIMIT_S, STRANGERS, until_running, worker_of

BACKENDS = ("processes",)
FAILS_ON_PURPOSE = True


async def run(lab: Lab) -> AsyncIterator[Promise]:
    """Show all of it."""
    name = "workers of strangers whose jail is closed"
    if not isinstance(lab, ProcessLab):
        yield unsupported(name, "==", len(STRANGERS), unit="workers")
        return
    ready_s = await until_running(lab, STRANGERS)
    yield promise("all workers run", ready_s, "<=", START_LIMIT_S, unit="s")
    jails = [(await worker_of(lab, service)).jail for service in STRANGERS]
    closed = sum(jail is not None and jail.layers == LAYERS for jail in jails)
    if closed < len(STRANGERS):
        yield unsupported(name, "==", len(STRANGERS), unit="workers")
        return
    yield promise(name, closed, "==", len(STRANGERS), unit="workers")
    for part in (
        failing.trap, failing.fail, cutting.cut, bounding.bound, keeping.keep, neighbours.notice,
    ):  # fmt: skip
        async for each in part(lab):
            yield each
