"""The worker of one service, as its node knows it, and as it shows it."""

import asyncio
import socket
from typing import Literal, Protocol

import msgspec

from ei.daemons.usage import usage_of
from ei.node.giving_way import GivingWay, let_give_way, look_at
from ei.runtime.backoff import Backoff
from ei.runtime.jail import Jail
from ei.runtime.loader import FoundService
from ei.runtime.worker import WorkerOrder


class WorkerStatus(msgspec.Struct, frozen=True):
    """One service's worker.

    Attributes:
        pid: 0 while none runs.
        state: `waiting` to be started again; `failing` when five in a row have died; `halted` until
            there is another version.
        starts: How often it was started.
        last_end: Why the last one ended; empty when none did.
        jail: How it is kept in; `None` until that is known.
        digest: Of the package that it runs; empty where its folder is none.
        cpu_s, memory_bytes: Used by the process, since it began and now; `None` without one.
        is_watched: Who writes the service is told of its events.
    """

    service: str
    pid: int
    state: Literal["starting", "running", "waiting", "failing", "halted"]
    starts: int
    last_end: str
    jail: Jail | None = None
    cpu_s: float | None = None
    memory_bytes: int | None = None
    digest: str = ""
    is_watched: bool = False


class WorkerSockets(Protocol):
    """What an engine does with workers."""

    def attach_worker(self, service: int, sockets: list[int]) -> None: ...
    def pause_worker(self, service: int) -> int: ...
    def detach_worker(self, service: int) -> None: ...


class Replicas(Protocol):
    """What a member of a cluster does with workers."""

    def copies_of(self, service: int) -> int: ...
    def attach(self, service: int, link: socket.socket) -> None: ...


Version = tuple[FoundService, WorkerOrder, str]
"""What a worker runs: the module, what it is told, its digest."""


class ServiceWorker:
    """One service."""

    def __init__(self, loaded: FoundService, order: WorkerOrder, digest: str) -> None:
        self.loaded = loaded
        self.order = order
        self.digest = digest
        self.before: Version | None = None
        self.since_s = 0.0
        self.gone: asyncio.Future[None] | None = None
        self.planned: asyncio.TimerHandle | None = None
        self.renews: Literal["", "kept", "fresh"] = ""
        self.giving_way = None if order.is_trusted else GivingWay()
        self.backoff = Backoff()
        self.pid = 0
        self.state: Literal["starting", "running", "waiting", "failing", "halted"] = "waiting"
        self.halted = ""
        self.starts = 0
        self.last_end = ""
        self.jail: Jail | None = None

    @property
    def name(self) -> str:
        """Name of the service."""
        return self.loaded.manifest.name

    @property
    def number(self) -> int:
        """Number of the service."""
        return self.loaded.manifest.id

    @property
    def is_there(self) -> bool:
        """Whether there is a process or thread, or one was ordered."""
        return self.state in {"starting", "running"}

    def started(self, pid: int) -> None:
        """Take note that its process has begun."""
        self.pid, self.state = pid, "running"
        if self.giving_way is not None and self.giving_way.is_so:
            let_give_way(pid, is_so=True)

    def look(self, now_s: float) -> None:
        """Have it give way or not, if it runs and is a stranger's."""
        if self.giving_way is not None and self.pid:
            look_at(self.giving_way, self.pid, now_s)

    def status(self, *, is_process: bool, is_watched: bool) -> WorkerStatus:
        """Return how it is."""
        # A worker that is a thread has used what the whole node has.
        usage = usage_of(self.pid) if is_process and self.pid else None
        return WorkerStatus(
            self.name,
            self.pid,
            self.state,
            self.starts,
            self.last_end,
            self.jail,
            cpu_s=None if usage is None else usage.cpu_s,
            memory_bytes=None if usage is None else usage.memory_bytes,
            digest=self.digest,
            is_watched=is_watched,
        )
