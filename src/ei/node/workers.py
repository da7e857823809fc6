"""The workers of a node: started, watched, killed when slow, started again with back-off.

Another version of a service takes over while packets wait:

    try it beside the one that runs ─▶ pause that one ─▶ it answers what it has, and ends
                                                          └─▶ the new one opens the same store
"""

import asyncio
import os
import socket
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

import msgspec

from ei.daemons.log import Log
from ei.daemons.startup import explained
from ei.errors import LocalError, NotFoundError
from ei.node.giving_way import LOOK_S
from ei.node.inline import start_inline
from ei.node.service_worker import Replicas, ServiceWorker, Version, WorkerSockets, WorkerStatus
from ei.node.shelf import digest_of_folder
from ei.node.trials import Trials
from ei.node.watching import Limits, Watching, limits_of
from ei.node.worker_ends import WorkerEnds, open_ends, pause
from ei.node.worker_orders import order_of
from ei.runtime.backoff import Backoff
from ei.runtime.children import Report, WorkerExited, WorkerJailed, WorkerStarted
from ei.runtime.jail import OPEN
from ei.runtime.loader import FoundService
from ei.runtime.nursery import Nursery
from ei.runtime.randomness import SEED_BYTES
from ei.runtime.worker import WorkerOrder
from ei.sdk.packets import Address

LEAVE_S = 1.0
"""A worker that is to make room answers what it has within this, and ends within this; then it is
killed, and what it had is lost with its reason."""
PROBATION_S = 10.0
"""A version whose worker dies sooner after it took over gives way to the one before."""


class Workers:
    """One worker for each service.

    Args:
        services: To be run.
        node: Address of the node.
        state: Folder of the stable stores; exists.
        config: Overrides by service name.
        threads: Datapath threads, each with its own socket to each worker; the streams have one
            more to those that want streams.
        engine: Where workers are attached.
        nursery: Forks them; `None` runs each on a thread of this process, for small nodes that
            trust their services.
        is_jailed: Whether workers are kept in.
        trusted: Services of others that run as well where a layer of the jail is missing.
        on_version: Told which version of a service runs from now on, before its worker starts: the
            datapath has to know; and why, if the one before it takes its place again.
        replicas: Where workers with a replica are attached; `None` in no cluster.
        watching: Keeps what workers of watched services tell.
    """

    def __init__(  # noqa: PLR0913 all that a worker is made of
        self,
        services: Sequence[FoundService],
        *,
        node: Address,
        state: Path,
        config: Mapping[str, dict[str, object]],
        threads: int,
        engine: WorkerSockets,
        nursery: Nursery | None,
        log: Log,
        is_jailed: bool = True,
        trusted: Collection[str] = (),
        on_version: Callable[[FoundService, str], object] = lambda _service, _why: None,
        replicas: Replicas | None = None,
        watching: Watching | None = None,
    ) -> None:
        self._order_of = partial(
            order_of,
            node=node,
            store=state,
            config=config,
            is_jailed=is_jailed,
            trusted=frozenset(trusted),
        )
        self._on_version = on_version
        self._trials = None if nursery is None else Trials(nursery, state)
        self._open = partial(open_ends, threads=threads, has_replicas=replicas is not None)
        self._replicas = replicas
        self.watching = Watching(()) if watching is None else watching
        self._engine = engine
        self._nursery = nursery
        self._log = log
        self._is_stopping = False
        self._workers = {
            loaded.manifest.id: ServiceWorker(
                loaded,
                self._order_of(loaded, copies=self._copies_of(loaded)),
                digest_of_folder(loaded.folder),
            )
            for loaded in services
        }

    def status(self) -> tuple[WorkerStatus, ...]:
        """Return the workers in the order of the configuration."""
        is_process = self._nursery is not None
        return tuple(
            each.status(is_process=is_process, is_watched=each.name in self.watching)
            for each in self._workers.values()
        )

    def start(self) -> None:
        """Start all workers, on the running loop."""
        for worker in self._workers.values():
            self._start(worker)
        if self._nursery is not None:
            self._look()

    def stop(self) -> None:
        """Start none any more."""
        self._is_stopping = True
        self.watching.close()

    def kill(self, service: str) -> None:
        """Kill a worker; it is started again as after any death.

        Raises:
            NotFoundError: no such service runs here.
            LocalError: workers are threads here, which nobody can kill.
        """
        self._killing().kill_worker(self._find(service).number)

    def restart(self, service: str, *, is_fresh: bool = False) -> None:
        """Start the worker of a service anew, from its folder as it is now; no death is counted.

        Args:
            service: Its name.
            is_fresh: Without what it has stored.

        Raises:
            NotFoundError, LocalError: as `kill`.
        """
        worker, nursery = self._find(service), self._killing()
        worker.backoff = Backoff()
        worker.renews = "fresh" if is_fresh else "kept"
        if worker.is_there:
            nursery.kill_worker(worker.number)
        else:
            self._renew(worker)

    def limits(self, service: str) -> Limits:
        """Return what one event of a service may come to.

        Raises:
            NotFoundError: no such service runs here.
        """
        return limits_of(self._find(service).loaded.manifest)

    def folder(self, service: str) -> Path:
        """Return where a service is; raises as `limits`."""
        return self._find(service).loaded.folder

    async def replace(self, service: FoundService) -> None:
        """Let another version of a service take over, or its files as they are now; or the first.

        It is tried first, beside the one that runs. Packets wait from the last batch of the old one
        to the first of the new one, as many as the service's queue takes; its stable store is
        handed over, and streams of it end.

        Raises:
            ServiceError, LimitError: it does not start, no descriptor is left; nothing has changed.
            LocalError: it cannot be begun after all; the version before is begun again.
        """
        order = self._order_of(service, copies=self._copies_of(service))
        if self._trials is not None:
            await self._trials.run(service, order)
        digest = await asyncio.to_thread(digest_of_folder, service.folder)
        worker = self._workers.get(service.manifest.id)
        if worker is None:
            self._begin(ServiceWorker(service, order, digest))
            return
        with ExitStack() as unused:
            # A descriptor that is missing is missed before the one that runs has to stop.
            with explained(f"cannot begin {worker.name} {service.manifest.version}"):
                ends = self._open(service.manifest, order, unused)
            await pause(self._engine, worker.number, limit_s=LEAVE_S)
            before, halted = (worker.loaded, worker.order, worker.digest), worker.halted
            worker.loaded, worker.order, worker.digest = service, order, digest
            worker.before, worker.halted = None, ""
            _ = self._on_version(service, "")
            cause = await self._take_over(worker, ends, unused)
        if not cause:
            worker.before = None if halted else before
            return
        (worker.loaded, worker.order, worker.digest), worker.halted = before, halted
        _ = self._on_version(worker.loaded, "")
        self._ended(worker, cause)
        raise LocalError(
            f"{worker.name} {service.manifest.version} {cause}",
            remedy="The version before runs again. Try once more.",
        )

    def halt(self, service: str, why: str) -> None:
        """Run a service no more, until `replace` says another version of it.

        Raises:
            NotFoundError: no such service runs here.
        """
        worker = self._find(service)
        if worker.planned is not None:
            worker.planned.cancel()
        worker.before = worker.planned = None
        worker.halted = worker.last_end = why
        if not worker.is_there:
            worker.state = "halted"
        self._engine.detach_worker(worker.number)
        loop = asyncio.get_running_loop()
        _ = loop.call_later(LEAVE_S, self._kill_halted, worker, worker.starts)

    def take_report(self, report: Report) -> None:
        """Take note of what the nursery says."""
        if self._trials is not None and self._trials.take_report(report):
            return
        worker = self._workers[report.service]
        match report:
            case WorkerStarted(pid=pid):
                worker.started(pid)
                self._log.info("worker started", service=worker.name, pid=pid)
            case WorkerJailed(jail=jail):
                worker.jail = jail
                if worker.name in self.watching:
                    self.watching.running(worker.name, report.pid, jail)
                if jail.missing and worker.order.layers:
                    self._log.warn("jail has gaps", service=worker.name, missing=jail.missing)
            case WorkerExited(pid=pid, cause=cause):
                if worker.renews:
                    self._renew(worker)
                    return
                self._log.warn("worker ended", service=worker.name, pid=pid, cause=cause)
                self._ended(worker, cause)

    def _look(self) -> None:
        """Look at the workers of strangers, as long as there are some."""
        loop = asyncio.get_running_loop()
        strangers = [each for each in self._workers.values() if each.giving_way is not None]
        for worker in strangers:
            worker.look(loop.time())
        if strangers and not self._is_stopping:
            _ = loop.call_later(LOOK_S, self._look)

    def _find(self, service: str) -> ServiceWorker:
        for worker in self._workers.values():
            if worker.name == service:
                return worker
        names = ", ".join(worker.name for worker in self._workers.values())
        raise NotFoundError(f"no service {service!r} runs here; there are: {names}")

    def _killing(self) -> Nursery:
        """Return who can kill workers."""
        if self._nursery is None:
            raise LocalError('workers = "inline": a thread cannot be killed')
        return self._nursery

    def _copies_of(self, service: FoundService) -> int:
        return 0 if self._replicas is None else self._replicas.copies_of(service.manifest.id)

    # -- one worker -------------------------------------------------------------------------------

    def _start(self, worker: ServiceWorker) -> None:
        with ExitStack() as unused:
            if cause := self._launch(worker, unused):
                self._ended(worker, cause)

    def _launch(
        self, worker: ServiceWorker, unused: ExitStack, ends: WorkerEnds | None = None
    ) -> str:
        """Start a worker, on sockets that are attached or on new ones; return why not, if not."""
        if self._is_stopping or worker.halted:
            return ""
        loop = asyncio.get_running_loop()
        worker.starts += 1
        worker.state = "starting"
        worker.planned = None
        worker.backoff.started(loop.time())
        try:
            if ends is None:
                ends = self._open(worker.loaded.manifest, worker.order, unused)
                ends.attach(worker.number, self._engine, self._replicas)
            theirs = list(ends.theirs)
            is_watched = worker.name in self.watching and self._nursery is not None
            order = msgspec.structs.replace(
                worker.order, seed=os.urandom(SEED_BYTES), is_watched=is_watched
            )
            if is_watched:
                theirs.append(unused.enter_context(self.watching.open(worker.name)))
            if self._nursery is None:
                self._start_inline(worker, order, theirs)
                _ = unused.pop_all()
            else:
                self._nursery.start_worker(worker.number, order, theirs)
        except (OSError, RuntimeError, LocalError) as error:
            # No descriptors, no thread: there may be some the next time.
            return self._not_started(worker, error)
        return ""

    def _not_started(self, worker: ServiceWorker, error: Exception) -> str:
        cause = f"cannot be started: {getattr(error, 'strerror', None) or error}"
        self._log.error("worker not started", service=worker.name, cause=cause)
        return cause

    def _begin(self, worker: ServiceWorker) -> None:
        """Run a service that did not run yet."""
        self._workers[worker.number] = worker
        _ = self._on_version(worker.loaded, "")
        worker.since_s = asyncio.get_running_loop().time()
        self._start(worker)

    def _renew(self, worker: ServiceWorker) -> None:
        """Start a worker again that does not run, at once."""
        if worker.planned is not None:
            worker.planned.cancel()
        if worker.renews == "fresh":
            store = Path(worker.order.store)
            for path in store.parent.glob(f"{store.name}*"):
                path.unlink()
        worker.pid, worker.jail, worker.renews = 0, None, ""
        self._start(worker)

    async def _take_over(self, worker: ServiceWorker, ends: WorkerEnds, unused: ExitStack) -> str:
        """Hang up on the worker that runs, and start the version that is to; return why not."""
        loop = asyncio.get_running_loop()
        if worker.planned is not None:
            worker.planned.cancel()
        gone = worker.gone = loop.create_future()
        if not worker.is_there:
            gone.set_result(None)
        cause = ""
        try:
            ends.attach(worker.number, self._engine, self._replicas)
        except (OSError, RuntimeError) as error:
            cause = self._not_started(worker, error)
            self._engine.detach_worker(worker.number)
        if not (await asyncio.wait([gone], timeout=LEAVE_S))[0] and self._nursery is not None:
            self._nursery.kill_worker(worker.number)
        await gone
        worker.gone, worker.since_s = None, loop.time()
        return cause or self._launch(worker, unused, ends)

    def _ended(self, worker: ServiceWorker, cause: str) -> None:
        worker.pid, worker.last_end, worker.jail = 0, cause, None
        if worker.gone is not None:
            if not worker.gone.done():
                worker.gone.set_result(None)
            return
        if worker.halted:
            worker.state, worker.last_end = "halted", worker.halted
            return
        loop = asyncio.get_running_loop()
        if worker.before is not None and loop.time() - worker.since_s < PROBATION_S:
            self._go_back(worker, worker.before, cause)
            return
        again_s = worker.backoff.died(loop.time())
        worker.state = "failing" if worker.backoff.is_open else "waiting"
        worker.planned = loop.call_at(again_s, self._start, worker)
        if worker.name in self.watching:
            self.watching.died(worker.name, cause, again_s=again_s - loop.time())

    def _kill_halted(self, worker: ServiceWorker, starts: int) -> None:
        """Kill a worker that is to run no more, and that does not leave."""
        is_same = worker.halted and worker.is_there and worker.starts == starts
        if is_same and self._nursery is not None:
            with suppress(LocalError):  # the nursery is gone, and with it all workers
                self._nursery.kill_worker(worker.number)

    def _go_back(self, worker: ServiceWorker, before: Version, cause: str) -> None:
        """Start the version before at once: the new one has not lived."""
        version = worker.loaded.manifest.version
        self._log.error("version gives way", service=worker.name, version=version, cause=cause)
        worker.loaded, worker.order, worker.digest = before
        worker.before = None
        _ = self._on_version(worker.loaded, f"{version}: {cause}")
        self._start(worker)

    def _start_inline(
        self, worker: ServiceWorker, order: WorkerOrder, sockets: list[socket.socket]
    ) -> None:
        loop = asyncio.get_running_loop()

        def on_end(cause: str) -> None:
            with suppress(RuntimeError):  # the loop is closed: the node has stopped
                _ = loop.call_soon_threadsafe(self._ended, worker, cause)

        start_inline(order, sockets, on_end)
        worker.pid, worker.state, worker.jail = os.getpid(), "running", OPEN
