"""Whether another version of a service starts: tried once, beside the one that runs.

It has its own jail and an empty store, and a datapath that hangs up at once; the nursery knows it
by the number of the service, negated.
"""

import asyncio
import shutil
import tempfile
from pathlib import Path

import msgspec

from ei.errors import ServiceError
from ei.node.worker_orders import ENDED_WELL, begin_trial, limit_s_of
from ei.runtime.children import Report, WorkerExited
from ei.runtime.loader import FoundService
from ei.runtime.nursery import Nursery
from ei.runtime.worker import WorkerOrder

PREFIX = "trial-"


class Trials:
    """Tries modules while the node runs.

    Args:
        nursery: Forks them; its reports are shown to `take_report`.
        folder: In which the empty stores are; exists. What a node that was killed left there is
            removed.
    """

    def __init__(self, nursery: Nursery, folder: Path) -> None:
        self._nursery = nursery
        self._folder = folder
        for left in folder.glob(f"{PREFIX}*"):
            shutil.rmtree(left, ignore_errors=True)
        self._waiting: dict[int, asyncio.Future[str]] = {}

    def __repr__(self) -> str:
        return f"<Trials of {sorted(self._waiting)}>"

    async def run(self, service: FoundService, order: WorkerOrder) -> None:
        """Start a service as its worker would, and end it again.

        Raises:
            ServiceError: it does not start: its last words.
            LocalError: the nursery is gone.
        """
        number, limit_s = service.manifest.id, limit_s_of(service.manifest)
        ended = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            with tempfile.TemporaryDirectory(dir=self._folder, prefix=PREFIX) as folder:
                trial = msgspec.structs.replace(order, store=f"{folder}/store", copies=0)
                begin_trial(self._nursery, -number, service.manifest, trial)
                cause = f"did not come to the end of its start in {limit_s:g} s"
                if (await asyncio.wait([ended], timeout=limit_s))[0]:
                    cause = ended.result()
                else:
                    self._nursery.kill_worker(-number)
                    _ = await ended
        finally:
            del self._waiting[number]
        if cause != ENDED_WELL:
            manifest = service.manifest
            raise ServiceError(
                f"{manifest.name} {manifest.version}: its worker does not start: {cause}",
                remedy=f"The version before runs on. Mend {service.folder}.",
            )

    def take_report(self, report: Report) -> bool:
        """Take note of what the nursery says; return whether it was about a trial."""
        if report.service >= 0:
            return False
        ended = self._waiting.get(-report.service)
        if isinstance(report, WorkerExited) and ended is not None and not ended.done():
            ended.set_result(report.cause)
        return True
