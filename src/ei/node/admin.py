"""What a node answers on its admin socket (`ei.daemons.messages` says how).

    status                                ei.node-status/1
    statistics                            ei.node-statistics/1   counters of the datapath
    traces      source? connection?       ei.traces/1
    kill_worker service                   ei.done/1
    restart_worker service, is_fresh      ei.done/1              from its folder as it is now
    events      service, since            ei.events/1            of a watched service
    routes                                ei.routes/1            which peers lead to which domain
    why_route   domain                    ei.route-why/1         every way there, and its use
    directory                             ei.node-directory/1    what it knows and answers
    find        name                      ei.directory-find/1    who has a name or address
    log_level   level, part?              ei.done/1              of all, or of one part
    reload                                ei.reload/1            reads node.toml and records again
    drain       grace_s, spread_s         ei.node-drain/1        after ei.progress/1; then it stops
    member      name, is_leaving          ei.done/1              of the node's cluster
    upgrade     service, folder           ei.node-upgrade/1      of a module, while it runs
    downgrade   service                   ei.node-upgrade/1      to the version before
    stop                                  ei.done/1

`source` is a name or an address.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Annotated, Literal, Protocol

import msgspec
from msgspec import Meta

from ei.daemons.log import Level, Log
from ei.daemons.messages import PROGRESS, Answer, Request
from ei.daemons.verbs import NoArguments, arguments_of, to_answer
from ei.directory import Query, Resolution
from ei.errors import LocalError, NotFoundError
from ei.node.ceiling import MemoryStatus
from ei.node.cluster_status import ClusterStatus
from ei.node.lookups import look_up
from ei.node.node import Node
from ei.node.registry_status import RegistryStatus
from ei.node.reloading import Reloaded
from ei.node.routes import routes_of, why_route
from ei.node.service_worker import WorkerStatus
from ei.node.status import NodeStatus
from ei.node.upgrading import Upgrading
from ei.node.watching import Limits, Numbered
from ei.node.workers import Workers

VERBS = (
    "status", "statistics", "traces", "routes", "why_route", "directory", "find", "kill_worker",
    "restart_worker", "events", "log_level", "reload", "drain", "member", "upgrade", "downgrade",
    "stop",
)  # fmt: skip
WATCH_S = 0.05
"""How often somebody who waits for a drain is told how far it is."""
DONE: Answer = {"schema": "ei.done/1"}


class TracesArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which traces: of a source (name or address), a connection; all by default."""

    source: str | None = None
    connection: int | None = None


class KillWorkerArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose worker: the name of a service."""

    service: str


class RestartWorkerArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose worker, and whether without what it has stored."""

    service: str
    is_fresh: bool = False


class EventsArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of which watched service, and after which entry; 0 is all that are kept."""

    service: str
    since: int = 0


class EventsAnswer(msgspec.Struct, frozen=True):
    """What was told, the oldest first; what one event may come to; where the module is."""

    events: list[Numbered]
    limits: Limits
    folder: str


class LogLevelArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is logged from now on, by all or by one part."""

    level: Literal["debug", "info", "warn", "error"]
    part: str = ""


class FindArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whom to look up: a full name or an address."""

    name: str


class WhyRouteArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which domain: its name or number."""

    domain: str


class SayArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A control message to a peer, whatever it says: what a node in wrong hands may do.

    Who may open the admin socket may read the node's key, and could say the same without this.
    """

    to: str
    service: int
    message: str


class MemberArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which member of the cluster, by name, and whether it leaves or stays."""

    name: str
    is_leaving: bool


class UpgradeArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which service, and the folder of its new module: absolute, on the node's machine."""

    service: str
    folder: str


class DowngradeArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which service is to run the version again that ran before."""

    service: str


class DrainArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For how long at most, and over which time hosts are told."""

    grace_s: Annotated[float, Meta(ge=0, le=3_600)] = 10.0
    spread_s: Annotated[float, Meta(ge=0, le=3_600)] = 0.0


class DrainAnswer(msgspec.Struct, frozen=True):
    """How a drain ended: `left` are the names of peers that had not moved in time."""

    moved: int
    left: tuple[str, ...]
    waiting: int
    took_s: float


class ReloadAnswer(msgspec.Struct, frozen=True):
    """What a reload came to: how many names are known, what does not count, what has to wait."""

    names: int
    refused: dict[str, str]
    needs_restart: tuple[str, ...]


class RunningStatus(msgspec.Struct, frozen=True):
    """A node as its daemon sees it.

    Attributes:
        telemetry: Requests to a collector, by result.
        memory: `None` where nobody watches it.
        registry: The one that it follows; `None` for none.
    """

    pid: int
    uptime_s: float
    endpoints: tuple[str, ...]
    node: NodeStatus
    workers: tuple[WorkerStatus, ...]
    cluster: ClusterStatus | None = None
    telemetry: dict[str, int] = {}
    memory: MemoryStatus | None = None
    registry: RegistryStatus | None = None


class Running(Protocol):
    """What the verbs need of the daemon."""

    @property
    def node(self) -> Node: ...
    @property
    def workers(self) -> Workers: ...
    @property
    def upgrading(self) -> Upgrading: ...
    @property
    def log(self) -> Log: ...
    def status(self) -> RunningStatus: ...
    def statistics(self) -> dict[str, object]: ...
    def find(self, query: Query) -> Resolution | None: ...
    def reload(self) -> Reloaded: ...
    def drain(self, *, grace_s: float, spread_s: float) -> None: ...
    async def set_leaving(self, name: str, *, is_leaving: bool) -> None: ...
    def stop(self) -> None: ...


class NodeAdmin:
    """Answers requests about a running node."""

    def __init__(self, running: Running) -> None:
        self._running = running

    async def answer(self, request: Request) -> AsyncIterator[Answer]:
        """Answer one request.

        Raises:
            LocalError: no such verb, or wrong arguments; else as the verb.
        """
        if request.verb == "drain":
            async for answer in self._drain(request):
                yield answer
            return
        slow: dict[str, Callable[[Request], Awaitable[Answer]]] = {
            "member": self._member,
            "find": self._find,
            "upgrade": self._upgrade,
            "downgrade": self._downgrade,
        }
        if request.verb in slow:
            yield await slow[request.verb](request)
            return
        verbs: dict[str, Callable[[Request], Answer]] = {
            "status": self._status,
            "statistics": self._statistics,
            "traces": self._traces,
            "routes": self._routes,
            "why_route": self._why_route,
            "directory": self._directory,
            "kill_worker": self._kill_worker,
            "restart_worker": self._restart_worker,
            "events": self._events,
            "say": self._say,
            "log_level": self._log_level,
            "reload": self._reload,
            "stop": self._stop,
        }
        if request.verb not in verbs:
            raise LocalError(f"no verb {request.verb!r}; allowed: {', '.join(VERBS)}")
        yield verbs[request.verb](request)

    def _status(self, request: Request) -> Answer:
        _ = arguments_of(request, NoArguments)
        return to_answer(self._running.status(), schema="ei.node-status/1")

    def _statistics(self, request: Request) -> Answer:
        _ = arguments_of(request, NoArguments)
        return {"schema": "ei.node-statistics/1", "statistics": self._running.statistics()}

    def _traces(self, request: Request) -> Answer:
        wanted = arguments_of(request, TracesArguments)
        records = self._running.node.records
        source = None if wanted.source is None else records.find(wanted.source)
        found = self._running.node.traces.find(records, source=source, connection=wanted.connection)
        return {"schema": "ei.traces/1", "traces": msgspec.to_builtins(found)}

    def _routes(self, request: Request) -> Answer:
        _ = arguments_of(request, NoArguments)
        node = self._running.node
        domain = node.config.name.partition(".")[2]
        return to_answer(routes_of(node.control.router, domain), schema="ei.routes/1")

    def _directory(self, request: Request) -> Answer:
        _ = arguments_of(request, NoArguments)
        statistics = self._running.node.control.directory.statistics()
        return {
            "schema": "ei.node-directory/1",
            "statistics": msgspec.to_builtins(statistics),
        }

    async def _find(self, request: Request) -> Answer:
        wanted = arguments_of(request, FindArguments)
        found = await look_up(wanted.name, self._running.find, self._running.node.records)
        return to_answer(found, schema="ei.directory-find/1")

    def _why_route(self, request: Request) -> Answer:
        wanted = arguments_of(request, WhyRouteArguments)
        node = self._running.node
        why = why_route(node.control.router, node.records, wanted.domain)
        return to_answer(why, schema="ei.route-why/1")

    def _say(self, request: Request) -> Answer:
        wanted = arguments_of(request, SayArguments)
        node = self._running.node
        node.say(node.records.find(wanted.to), wanted.service, bytes.fromhex(wanted.message))
        return DONE

    def _kill_worker(self, request: Request) -> Answer:
        wanted = arguments_of(request, KillWorkerArguments)
        self._running.workers.kill(wanted.service)
        return DONE

    def _restart_worker(self, request: Request) -> Answer:
        wanted = arguments_of(request, RestartWorkerArguments)
        self._running.workers.restart(wanted.service, is_fresh=wanted.is_fresh)
        return DONE

    def _events(self, request: Request) -> Answer:
        wanted = arguments_of(request, EventsArguments)
        workers = self._running.workers
        watching = workers.watching
        if wanted.service not in watching:
            raise NotFoundError(
                f"{wanted.service!r} is not watched here",
                remedy=f'Say in node.toml: watched_services = ["{wanted.service}"]; then restart.',
            )
        events = watching.since(wanted.service, wanted.since)
        folder = str(workers.folder(wanted.service))
        answer = EventsAnswer(events, workers.limits(wanted.service), folder)
        return to_answer(answer, schema="ei.events/1")

    def _log_level(self, request: Request) -> Answer:
        wanted = arguments_of(request, LogLevelArguments)
        log = self._running.log
        if wanted.part and wanted.part not in log.parts:
            raise LocalError(f"no part {wanted.part!r}; allowed: {', '.join(sorted(log.parts))}")
        (log.part(wanted.part) if wanted.part else log).level = Level[wanted.level.upper()]
        return DONE

    def _reload(self, request: Request) -> Answer:
        _ = arguments_of(request, NoArguments)
        found = self._running.reload()
        records = self._running.node.records
        answer = ReloadAnswer(
            names=len(records.names),
            refused={refusal.record: refusal.reason for refusal in records.refused},
            needs_restart=found.needs_restart,
        )
        return to_answer(answer, schema="ei.reload/1")

    async def _member(self, request: Request) -> Answer:
        wanted = arguments_of(request, MemberArguments)
        await self._running.set_leaving(wanted.name, is_leaving=wanted.is_leaving)
        return DONE

    async def _upgrade(self, request: Request) -> Answer:
        wanted = arguments_of(request, UpgradeArguments)
        upgraded = await self._running.upgrading.upgrade(wanted.service, Path(wanted.folder))
        return to_answer(upgraded, schema="ei.node-upgrade/1")

    async def _downgrade(self, request: Request) -> Answer:
        wanted = arguments_of(request, DowngradeArguments)
        upgraded = await self._running.upgrading.go_back(wanted.service)
        return to_answer(upgraded, schema="ei.node-upgrade/1")

    async def _drain(self, request: Request) -> AsyncIterator[Answer]:
        wanted = arguments_of(request, DrainArguments)
        self._running.drain(grace_s=wanted.grace_s, spread_s=wanted.spread_s)
        node = self._running.node
        while (ended := node.draining.outcome) is None:
            if (status := node.draining.status()) is not None:
                yield to_answer(status, schema=PROGRESS)
            await asyncio.sleep(WATCH_S)
        left = tuple(map(node.records.name_of, ended.left))
        answer = DrainAnswer(ended.moved, left, ended.waiting, ended.took_s)
        yield to_answer(answer, schema="ei.node-drain/1")

    def _stop(self, request: Request) -> Answer:
        _ = arguments_of(request, NoArguments)
        self._running.stop()
        return DONE
