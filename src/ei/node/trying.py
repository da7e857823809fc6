"""Whether the modules of strangers start: each once, in its jail, with an empty store.

A new process begins the workers, as a node's own does: a worker has the memory of whoever forks it,
and a fork copies no threads.
"""

import select
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path

from ei.errors import ServiceError
from ei.node.prepare import PreparedNode, prepare_node
from ei.node.worker_orders import ENDED_WELL, PATIENCE_S, begin_trial, limit_s_of, order_of
from ei.runtime.children import WorkerExited
from ei.runtime.loader import FoundService, LoadedService
from ei.runtime.nursery import Nursery


def try_modules(prepared: PreparedNode, patience_s: float = PATIENCE_S) -> None:
    """Start each service that was read but not loaded, as its node would, and end it again.

    Args:
        patience_s: More than the CPU time of its tier one may take to start, as it may also wait.

    Raises:
        ServiceError: one does not start; its last words.
        OSError: no process or descriptor is left.
    """
    if not _unloaded(prepared):
        return
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        causes = process.submit(_try_all, prepared.path, patience_s).result()
    for service in _unloaded(prepared):
        cause = causes[service.manifest.name]
        if cause != ENDED_WELL:
            raise ServiceError(
                f"{service.manifest.name}: its worker does not start: {cause}",
                remedy=f"Mend {service.folder}, or take it out of services in {prepared.path}.",
            )


def _unloaded(prepared: PreparedNode) -> list[FoundService]:
    return [each for each in prepared.services if not isinstance(each, LoadedService)]


def _try_all(path: Path, patience_s: float) -> dict[str, str]:
    """Return how the worker of each ended, by name."""
    prepared = prepare_node(path)
    with closing(Nursery.start()) as nursery, tempfile.TemporaryDirectory() as folder:
        return {
            each.manifest.name: _try(prepared, each, nursery, Path(folder), patience_s)
            for each in _unloaded(prepared)
        }


def _try(
    prepared: PreparedNode,
    service: FoundService,
    nursery: Nursery,
    folder: Path,
    patience_s: float,
) -> str:
    """Return how the worker ended, whose datapath hangs up at once."""
    config, manifest = prepared.config, service.manifest
    order = order_of(
        service,
        node=prepared.address,
        store=folder,
        config=config.config,
        is_jailed=config.jail == "closed",
        trusted=config.trusted_services,
    )
    begin_trial(nursery, manifest.id, manifest, order)
    limit_s = limit_s_of(manifest, patience_s)
    cause = _end_within(limit_s, nursery)
    if cause is None:
        nursery.kill_worker(manifest.id)
        _ = _end_within(patience_s, nursery)
        cause = f"did not come to the end of its start in {limit_s:g} s"
    return cause


def _end_within(limit_s: float, nursery: Nursery) -> str | None:
    """Return how the one worker ended; `None` when it did not in that time."""
    until_s = time.monotonic() + limit_s
    while select.select([nursery], [], [], max(0.0, until_s - time.monotonic()))[0]:
        for report in nursery.take_reports():
            if isinstance(report, WorkerExited):
                return report.cause
    return None
