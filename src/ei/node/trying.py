"""Whether the modules of strangers start: each once, in its jail, with an empty store."""

import select
import tempfile
from contextlib import closing
from pathlib import Path

from ei.errors import ServiceError
from ei.node.prepare import PreparedNode
from ei.node.workers import layers_of
from ei.runtime.children import WorkerExited
from ei.runtime.loader import FoundService, LoadedService
from ei.runtime.nursery import Nursery
from ei.runtime.randomness import SEED_BYTES
from ei.runtime.worker import WorkerOrder, socket_pair

ENDED_WELL = "exit 0"


def try_modules(prepared: PreparedNode) -> None:
    """Start each service that was read but not loaded, as its node would, and end it again.

    Raises:
        ServiceError: one does not start; its last words.
        LocalError: this process has several threads.
        OSError: no process or descriptor is left.
    """
    unloaded = [each for each in prepared.services if not isinstance(each, LoadedService)]
    if not unloaded:
        return
    with closing(Nursery.start()) as nursery, tempfile.TemporaryDirectory() as folder:
        for service in unloaded:
            cause = _try(prepared, service, nursery, Path(folder))
            if cause != ENDED_WELL:
                raise ServiceError(
                    f"{service.manifest.name}: its worker does not start: {cause}",
                    remedy=f"Mend {service.folder}, or take it out of services in {prepared.path}.",
                )


def _try(prepared: PreparedNode, service: FoundService, nursery: Nursery, folder: Path) -> str:
    """Return how the worker ended, whose datapath hangs up at once."""
    config, manifest = prepared.config, service.manifest
    order = WorkerOrder(
        folder=str(service.folder),
        node=prepared.address,
        seed=bytes(SEED_BYTES),
        store=str(folder / f"{manifest.name}.sqlite"),
        config=config.config.get(manifest.name, {}),
        layers=layers_of(service, config.trusted_services) if config.jail == "closed" else (),
        is_trusted=manifest.name in config.trusted_services,
    )
    pairs = [socket_pair() for _ in range(1 + ("streams" in manifest.capabilities))]
    nursery.start_worker(manifest.id, order, [theirs for _, theirs in pairs])
    for ours, theirs in pairs:
        theirs.close()
        ours.close()
    while True:
        _ = select.select([nursery], [], [])
        for report in nursery.take_reports():
            if isinstance(report, WorkerExited):
                return report.cause
