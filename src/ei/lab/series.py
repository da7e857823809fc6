"""Many simulated runs of one scenario, on all processors: each is repeatable, so order is free."""

import multiprocessing
import os
import signal
from collections.abc import Generator, Sequence
from concurrent.futures import ProcessPoolExecutor

from ei.lab.promises import Report
from ei.lab.scenario import Scenario, load_scenario, run_in_simulation


def run_series(
    place: str, seeds: Sequence[int], *, processors: int | None = None
) -> Generator[Report]:
    """Yield the report of a run from each seed, in order, as they are ready.

    Args:
        place: Of the scenario, as `load_scenario` takes it.
        processors: Runs at a time; by default as many as this process may use.

    Raises:
        EiError: as `run_in_simulation`; runs that have not begun do not begin.
    """
    most = len(os.sched_getaffinity(0)) if processors is None else processors
    pool = ProcessPoolExecutor(
        min(most, len(seeds)),
        # A fork would copy whatever the caller has started.
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(place,),
    )
    try:
        yield from pool.map(_run, seeds)
    finally:
        pool.shutdown(cancel_futures=True)


_loaded: list[Scenario] = []
"""Of a process of the pool: the scenario, loaded once."""


def _begin(place: str) -> None:
    # Ctrl-C is for who asked for the runs.
    _ = signal.signal(signal.SIGINT, signal.SIG_IGN)
    _loaded.append(load_scenario(place))


def _run(seed: int) -> Report:
    return run_in_simulation(_loaded[0], seed=seed)
