"""The workers of a node: started, watched, killed when slow, started again with back-off."""

import asyncio
import os
import socket
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from ei.daemons.log import Log
from ei.daemons.usage import usage_of
from ei.errors import LocalError, NotFoundError
from ei.node.giving_way import LOOK_S, GivingWay, let_give_way, look_at
from ei.node.inline import start_inline
from ei.node.watching import Limits, Watching, limits_of
from ei.runtime.backoff import Backoff
from ei.runtime.children import Report, WorkerExited, WorkerJailed, WorkerStarted
from ei.runtime.jail import LAYERS, OF_OURS, OF_TRUSTED, OPEN, Jail
from ei.runtime.loader import FoundService, is_ours
from ei.runtime.nursery import Nursery
from ei.runtime.randomness import SEED_BYTES
from ei.runtime.worker import WorkerOrder, socket_pair
from ei.sdk.packets import Address

STORES = {False: "sqlite", True: "replica"}
"""Endings of stable stores: a file here alone, or a folder with a copy of what others have."""


class WorkerStatus(msgspec.Struct, frozen=True):
    """One service's worker.

    Attributes:
        pid: 0 while none runs.
        state: `waiting` to be started again; `failing` when five in a row have died.
        starts: How often it was started.
        last_end: Why the last one ended; empty when none did.
        jail: How it is kept in; `None` until that is known.
        cpu_s, memory_bytes: Used by the process, since it began and now; `None` without one.
        is_watched: Who writes the service is told of its events.
    """

    service: str
    pid: int
    state: Literal["starting", "running", "waiting", "failing"]
    starts: int
    last_end: str
    jail: Jail | None = None
    cpu_s: float | None = None
    memory_bytes: int | None = None
    is_watched: bool = False


class WorkerSockets(Protocol):
    """What an engine does with workers."""

    def attach_worker(self, service: int, sockets: list[int]) -> None: ...
    def detach_worker(self, service: int) -> None: ...


class Replicas(Protocol):
    """What a member of a cluster does with workers."""

    def copies_of(self, service: int) -> int: ...
    def attach(self, service: int, link: socket.socket) -> None: ...


class _Worker:
    """One service."""

    def __init__(self, loaded: FoundService, order: WorkerOrder) -> None:
        self.loaded = loaded
        self.order = order
        self.backoff = Backoff()
        self.giving_way = None if order.is_trusted else GivingWay()
        self.pid = 0
        self.state: Literal["starting", "running", "waiting", "failing"] = "waiting"
        self.starts = 0
        self.last_end = ""
        self.jail: Jail | None = None
        self.planned: asyncio.TimerHandle | None = None
        self.renews: Literal["", "kept", "fresh"] = ""

    @property
    def name(self) -> str:
        """Name of the service."""
        return self.loaded.manifest.name

    @property
    def number(self) -> int:
        """Number of the service."""
        return self.loaded.manifest.id


def order_of(  # noqa: PLR0913 all that a worker is told
    service: FoundService,
    *,
    node: Address,
    store: Path,
    config: Mapping[str, dict[str, object]],
    is_jailed: bool,
    trusted: Collection[str],
    copies: int = 0,
) -> WorkerOrder:
    """Return what a worker is told, but for its seed.

    Args:
        service: What it runs.
        node: Address of the node.
        store: Folder of the stable stores.
        config: Overrides by service name.
        is_jailed: Whether it is kept in.
        trusted: Services of others that run as well where a layer of the jail is missing.
        copies: Of its state, in a cluster.
    """
    name = service.manifest.name
    of_others = OF_TRUSTED if name in trusted else LAYERS
    layers = OF_OURS if is_ours(service.folder) else of_others
    return WorkerOrder(
        folder=str(service.folder),
        node=node,
        seed=b"",
        store=str(store / f"{name}.{'replica' if copies else 'sqlite'}"),
        config=config.get(name, {}),
        copies=copies,
        layers=layers if is_jailed else (),
        is_trusted=name in trusted or is_ours(service.folder),
    )


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
        replicas: Replicas | None = None,
        watching: Watching | None = None,
    ) -> None:
        self._threads = threads
        self._replicas = replicas
        self.watching = Watching(()) if watching is None else watching
        self._engine = engine
        self._nursery = nursery
        self._log = log
        self._is_stopping = False
        self._workers = {
            loaded.manifest.id: _Worker(
                loaded,
                order_of(
                    loaded,
                    node=node,
                    store=state,
                    config=config,
                    is_jailed=is_jailed,
                    trusted=trusted,
                    copies=copies,
                ),
            )
            for loaded in services
            for copies in (0 if replicas is None else replicas.copies_of(loaded.manifest.id),)
        }

    def status(self) -> tuple[WorkerStatus, ...]:
        """Return the workers in the order of the configuration."""
        return tuple(map(self._status, self._workers.values()))

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
        worker, nursery = self._find(service)
        nursery.kill_worker(worker.number)

    def restart(self, service: str, *, is_fresh: bool = False) -> None:
        """Start the worker of a service anew, from its folder as it is now; no death is counted.

        Args:
            service: Its name.
            is_fresh: Without what it has stored.

        Raises:
            NotFoundError, LocalError: as `kill`.
        """
        worker, nursery = self._find(service)
        worker.backoff = Backoff()
        worker.renews = "fresh" if is_fresh else "kept"
        if worker.state in {"starting", "running"}:
            nursery.kill_worker(worker.number)
        else:
            self._renew(worker)

    def limits(self, service: str) -> Limits:
        """Return what one event of a service may come to.

        Raises:
            NotFoundError: no such service runs here.
        """
        worker, _ = self._find(service)
        return limits_of(worker.loaded.manifest)

    def folder(self, service: str) -> Path:
        """Return where a service is; raises as `limits`."""
        worker, _ = self._find(service)
        return worker.loaded.folder

    def take_report(self, report: Report) -> None:
        """Take note of what the nursery says."""
        worker = self._workers[report.service]
        match report:
            case WorkerStarted(pid=pid):
                worker.pid, worker.state = pid, "running"
                if worker.giving_way is not None and worker.giving_way.is_so:
                    let_give_way(pid, is_so=True)
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

    def _status(self, worker: _Worker) -> WorkerStatus:
        # A worker that is a thread has used what the whole node has.
        usage = usage_of(worker.pid) if self._nursery is not None and worker.pid else None
        return WorkerStatus(
            worker.name,
            worker.pid,
            worker.state,
            worker.starts,
            worker.last_end,
            worker.jail,
            cpu_s=None if usage is None else usage.cpu_s,
            memory_bytes=None if usage is None else usage.memory_bytes,
            is_watched=worker.name in self.watching,
        )

    def _look(self) -> None:
        """Look at the workers of strangers, as long as there are some."""
        loop = asyncio.get_running_loop()
        strangers = [each for each in self._workers.values() if each.giving_way is not None]
        for worker in strangers:
            if worker.giving_way is not None and worker.pid:
                look_at(worker.giving_way, worker.pid, loop.time())
        if strangers and not self._is_stopping:
            _ = loop.call_later(LOOK_S, self._look)

    def _find(self, service: str) -> tuple[_Worker, Nursery]:
        """Return a worker, and who can kill it."""
        for worker in self._workers.values():
            if worker.name == service:
                if self._nursery is None:
                    raise LocalError('workers = "inline": a thread cannot be killed')
                return worker, self._nursery
        names = ", ".join(worker.name for worker in self._workers.values())
        raise NotFoundError(f"no service {service!r} runs here; there are: {names}")

    # -- one worker -------------------------------------------------------------------------------

    def _start(self, worker: _Worker) -> None:
        if self._is_stopping:
            return
        worker.planned = None
        worker.starts += 1
        worker.state = "starting"
        worker.backoff.started(asyncio.get_running_loop().time())
        try:
            self._launch(worker)
        except (OSError, RuntimeError, LocalError) as error:
            # No descriptors, no thread: there may be some the next time.
            cause = f"cannot be started: {getattr(error, 'strerror', None) or error}"
            self._log.error("worker not started", service=worker.name, cause=cause)
            self._ended(worker, cause)

    def _renew(self, worker: _Worker) -> None:
        """Start a worker again that does not run, at once."""
        if worker.planned is not None:
            worker.planned.cancel()
        if worker.renews == "fresh":
            store = Path(worker.order.store)
            for path in store.parent.glob(f"{store.name}*"):
                path.unlink()
        worker.pid, worker.jail, worker.renews = 0, None, ""
        self._start(worker)

    def _launch(self, worker: _Worker) -> None:
        is_watched = worker.name in self.watching and self._nursery is not None
        order = msgspec.structs.replace(
            worker.order, seed=os.urandom(SEED_BYTES), is_watched=is_watched
        )
        with ExitStack() as unused:
            has_streams = "streams" in worker.loaded.manifest.capabilities
            pairs = [
                tuple(unused.enter_context(end) for end in socket_pair())
                for _ in range(self._threads + has_streams)
            ]
            # What the last one left unanswered was dropped when its sockets were hung up.
            self._engine.detach_worker(worker.number)
            self._engine.attach_worker(worker.number, [ours.detach() for ours, _ in pairs])
            theirs = [their for _, their in pairs]
            if order.copies and self._replicas is not None:
                link, end = (unused.enter_context(each) for each in socket.socketpair())
                self._replicas.attach(worker.number, socket.socket(fileno=link.detach()))
                theirs.append(end)
            if is_watched:
                theirs.append(unused.enter_context(self.watching.open(worker.name)))
            if self._nursery is None:
                self._start_inline(worker, order, theirs)
                _ = unused.pop_all()
            else:
                self._nursery.start_worker(worker.number, order, theirs)

    def _ended(self, worker: _Worker, cause: str) -> None:
        loop = asyncio.get_running_loop()
        again_s = worker.backoff.died(loop.time())
        worker.pid, worker.last_end, worker.jail = 0, cause, None
        worker.state = "failing" if worker.backoff.is_open else "waiting"
        worker.planned = loop.call_at(again_s, self._start, worker)
        if worker.name in self.watching:
            self.watching.died(worker.name, cause, again_s=again_s - loop.time())

    def _start_inline(
        self, worker: _Worker, order: WorkerOrder, sockets: list[socket.socket]
    ) -> None:
        loop = asyncio.get_running_loop()

        def on_end(cause: str) -> None:
            with suppress(RuntimeError):  # the loop is closed: the node has stopped
                _ = loop.call_soon_threadsafe(self._ended, worker, cause)

        start_inline(order, sockets, on_end)
        worker.pid, worker.state, worker.jail = os.getpid(), "running", OPEN
