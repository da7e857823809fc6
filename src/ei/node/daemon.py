"""`ei node run`: the shell of a service node.

    main thread   asyncio: notices of the engine, reports of the nursery, admin socket, metrics,
                  signals
    engine        native threads: all sockets, every packet
    nursery       a process, forked before the engine's threads start; the parent of all workers

A packet never touches the main thread.
"""

import asyncio
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from ei._core import Engine
from ei.daemons.known_records import keep_seen, load_records
from ei.daemons.log import Log, log_of
from ei.daemons.pages import PageServer
from ei.daemons.server import AdminServer
from ei.daemons.service_manager import ServiceManager
from ei.daemons.startup import explained
from ei.daemons.supervisor import watch_supervisor
from ei.directory import Query, Resolution
from ei.errors import EiError, LocalError
from ei.node.admin import NodeAdmin, RunningStatus
from ei.node.ceiling import Ceiling, ceiling_bytes, machine_bytes, watch_memory
from ei.node.clustering import begin_membership, join_cluster
from ei.node.engine import make_engine
from ei.node.follower import follower_of
from ei.node.keeping import LOOK_S, Keeper
from ei.node.node import Node
from ei.node.notices import CheckpointHeard, DatapathFailed, PeerMoved, WorkerFailed
from ei.node.prepare import PreparedNode, prepare_node
from ei.node.probes import probes
from ei.node.registered import RegisteredStore
from ei.node.reloading import Reloaded, read_again
from ei.node.running_bundles import running_bundles_of
from ei.node.running_modules import RunningModules
from ei.node.starting import start_nursery
from ei.node.streaming import start_streams
from ei.node.telling import telling_of
from ei.node.upgrading import upgrading_of
from ei.node.watching import Watching
from ei.node.workers import Workers
from ei.records.record_set import RecordSet
from ei.runtime.loader import FoundService
from ei.runtime.nursery import Nursery

LOG_PARTS = ("pipes", "workers", "records", "cluster", "telemetry", "registry")
DRAIN_STEP_S = 0.02
LAST_WORD_S = 0.2
"""From the end of a drain to that of the node: whoever asked for it gets the answer."""


def run_node(path: Path, *, supervisor_fd: int | None = None, log: Log | None = None) -> None:
    """Run the node of a `node.toml` until SIGTERM, SIGINT or the verb `stop`.

    Must be called while the process has one thread.

    Args:
        supervisor_fd: Reading end of a pipe: the node stops at its end of file.

    Raises:
        EiError: it cannot start, or cannot go on: what is wrong and what to do.
    """
    log = log_of(os.environ) if log is None else log
    nursery = start_nursery(path)
    try:
        prepared = prepare_node(path)
        with explained("cannot make the state directory"):
            prepared.state.mkdir(mode=0o700, exist_ok=True)
        engine = make_engine(prepared.config, prepared.keys, prepared.address)
        try:
            daemon = NodeDaemon(prepared, engine=engine, nursery=nursery, log=log)
            asyncio.run(daemon.run(supervisor_fd=supervisor_fd))
        finally:
            engine.stop()
    finally:
        if nursery is not None:
            nursery.close()


class NodeDaemon:
    """One running node."""

    def __init__(
        self, prepared: PreparedNode, *, engine: Engine, nursery: Nursery | None, log: Log
    ) -> None:
        config = prepared.config
        self._prepared, self._sites = prepared, start_streams(engine, prepared)
        self._engine = engine
        self._nursery = nursery
        self._started_s = time.monotonic()
        self._stopped = asyncio.Event()
        self._failure: EiError | None = None
        self._planned: asyncio.TimerHandle | None = None
        self._manager = ServiceManager(os.environ)
        self.log = log
        for part in LOG_PARTS:
            _ = log.part(part)
        self._registered = RegisteredStore(prepared.state / "directory.sqlite")
        self.node = Node(
            config,
            keys=prepared.keys,
            records=prepared.records,
            manifests=[service.manifest for service in prepared.services],
            bundles=prepared.bundles,
            datapath=engine,
            store=self._registered,
        )
        self._telling = telling_of(config, log.part("telemetry"))
        self._ceiling = Ceiling(
            ceiling_bytes(config.memory_limit_mib, machine_bytes=machine_bytes())
        )
        kept = log.part("records")
        self._keeper = Keeper(prepared, self.node, self._sites, log=kept, reload=self.reload)
        self.membership = join_cluster(prepared, self.node, engine=engine, log=log.part("cluster"))
        self.workers = Workers(
            prepared.services,
            node=prepared.address,
            state=prepared.state,
            config=config.config,
            threads=config.threads,
            engine=engine,
            nursery=nursery,
            log=log.part("workers"),
            is_jailed=config.jail == "closed",
            trusted=config.trusted_services,
            on_version=self._on_version,
            replicas=self.membership,
            watching=Watching(config.watched_services),
        )
        self.upgrading = upgrading_of(prepared, self.node, self.workers, log.part("workers"))
        told = log.part("registry")
        self._running = (
            RunningModules(self.node, self.workers, self.upgrading),
            running_bundles_of(prepared, self.node, self.upgrading, now_s=time.monotonic, log=told),
        )
        self._follower = follower_of(prepared, self.node, self._running, self._fail, told)

    async def run(self, *, supervisor_fd: int | None) -> None:
        """Run until `stop`.

        Raises:
            EiError: it cannot go on.
        """
        config = self._prepared.config
        server = AdminServer(self._prepared.folder / config.admin_socket, NodeAdmin(self).answer)
        pages = PageServer(config.metrics_bind, probes(self.status, time.time))
        self._watch(supervisor_fd)
        self._take_note(self._prepared.records)
        self.node.start(unix_s=time.time())
        self._look()
        for each in self._running:
            each.begin()
        self.workers.start()
        self._engine.start()
        watch_memory(self.workers, self._engine, self._ceiling, self.log.part("workers"))
        self._follower.use(config.registry)
        being = begin_membership(self.membership, self._fail)
        with explained("cannot open the admin socket"):
            await server.open()
        try:
            await pages.open()
            if self._telling is not None:
                self._telling.open()
                self._tell()
            self.log.info("node runs", name=config.name, endpoints=self._engine.endpoints)
            self._plan()
            self._manager.say("READY=1", f"STATUS={config.name} runs")
            self._say_alive()
            _ = await self._stopped.wait()
        finally:
            self._manager.say("STOPPING=1")
            being.end()
            self._follower.end()
            self.node.close()
            if self._telling is not None:
                self._telling.close()
            await pages.close()
            await server.close()
            self.workers.stop()
            self._registered.close()
        if self._failure is not None:
            raise self._failure
        self.log.info("node stopped", name=config.name)

    # -- verbs ------------------------------------------------------------------------------------

    def status(self) -> RunningStatus:
        """Return what `ei status` shows."""
        return RunningStatus(
            pid=os.getpid(),
            uptime_s=round(time.monotonic() - self._started_s, 3),
            endpoints=tuple(self._engine.endpoints),
            node=self._sites.add_to(self.node.status(), unix_s=time.time()),
            workers=self.workers.status(),
            telemetry={} if self._telling is None else self._telling.statistics(),
            cluster=None if self.membership is None else self.membership.status(),
            memory=self._ceiling.status(),
            registry=self._follower.status(),
        )

    def statistics(self) -> dict[str, object]:
        """Return the datapath's counters."""
        return self._engine.statistics()

    def find(self, query: Query) -> Resolution | None:
        """Ask the directory; `None` until it knows."""
        found = self.node.control.find(query, now_s=time.monotonic(), unix_s=time.time())
        self._plan()
        return found

    def reload(self) -> Reloaded:
        """Read `node.toml` and the records again; on any error the old ones stay.

        Raises:
            EiError: what is wrong.
        """
        found = read_again(self._prepared.path, self.node.config)
        records = load_records(
            self._prepared.folder,
            found.config,
            unix_s=time.time(),
            known=self.node.records.lists,
        )
        self._sites.use(found.sites)
        self.node.update(records, found.config)
        self._follower.use(found.config.registry)
        self._plan()
        self._take_note(records)
        self.log.info("reloaded", names=len(records.names))
        if found.needs_restart:
            self.log.warn("some keys need a restart", keys=list(found.needs_restart))
        return found

    def drain(self, *, grace_s: float, spread_s: float) -> None:
        """Begin to stop without losing anything; at its end the node stops.

        Raises:
            ConflictError: it drains already.
        """
        now_s = asyncio.get_running_loop().time()
        self.node.drain(now_s, grace_s=grace_s, spread_s=spread_s)
        if self.membership is not None:
            self.membership.drain()
        name = self._prepared.config.name
        self.log.info("node drains", name=name, grace_s=grace_s, spread_s=spread_s)
        self._manager.say(f"STATUS={name} drains")
        self._step_drain()

    async def set_leaving(self, name: str, *, is_leaving: bool) -> None:
        """Let a member leave the cluster, or come back.

        Raises:
            NotFoundError: no member has that name.
            LocalError: this node is in no cluster.
            UnreachableError: etcd does not answer.
        """
        if self.membership is None:
            raise LocalError(
                "this node is in no cluster", remedy="Say [cluster] in its node.toml; then restart."
            )
        await self.membership.set_leaving(name, is_leaving=is_leaving)

    def stop(self) -> None:
        """Stop. Idempotent."""
        self._stopped.set()

    # -- what happens -----------------------------------------------------------------------------

    def _watch(self, supervisor_fd: int | None) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload_or_tell)
        loop.add_reader(self._engine.notice_fd(), self._on_notices)
        if self._nursery is not None:
            loop.add_reader(self._nursery.fileno(), self._on_reports, self._nursery)
        if supervisor_fd is not None:
            watch_supervisor(supervisor_fd, self._on_supervisor)

    def _on_notices(self) -> None:
        for notice in self.node.handle_notices(now_s=time.monotonic(), unix_s=time.time()):
            match notice:
                case DatapathFailed(reason=reason):
                    self._fail(LocalError(f"the datapath has failed: {reason}"))
                case PeerMoved(peer=peer, name=name, is_up=is_up):
                    if self.membership is not None:
                        self.membership.peer_changed(peer, is_up=is_up)
                    self.log.part("pipes").info("peer up" if is_up else "peer down", peer=name)
                case CheckpointHeard(sender=sender, checkpoint=checkpoint):
                    self._follower.hear(sender, checkpoint)
                case WorkerFailed(service=service, kind="worker_slow"):
                    self.log.part("workers").warn("worker slow", service=service, action="killed")
                    self._kill_slow(service)
                case WorkerFailed(service=service):
                    # Its death comes as a report of the nursery, with the reason; this is only
                    # the end of its sockets.
                    self.log.part("workers").debug("worker hung up", service=service)
        self._plan()

    def _step_drain(self) -> None:
        loop = asyncio.get_running_loop()
        owned = 0 if self.membership is None else self.membership.owned
        ended = self.node.step_drain(loop.time(), owned=owned)
        if ended is None:
            _ = loop.call_later(DRAIN_STEP_S, self._step_drain)
            return
        names = [self.node.records.name_of(peer) for peer in ended.left]
        tell = self.log.warn if names or ended.waiting else self.log.info
        tell("node drained", moved=ended.moved, left=names, waiting=ended.waiting)
        self.node.close()
        _ = loop.call_later(LAST_WORD_S, self.stop)

    def _plan(self) -> None:
        """Let directory and routing do what they have to, when it is due."""
        due_s = self.node.next_deadline_s()
        if self._planned is not None:
            if self._planned.when() == due_s:
                return
            self._planned.cancel()
        self._planned = asyncio.get_running_loop().call_at(due_s, self._poll)

    def _poll(self) -> None:
        self._planned = None
        self.node.poll(now_s=time.monotonic(), unix_s=time.time())
        self._plan()

    def _tell(self) -> None:
        config = self._prepared.config.telemetry
        if self._telling is not None and config is not None:
            traces = self.node.traces.find(self.node.records)
            self._telling.tell(self.status(), traces, unix_s=time.time())
            _ = asyncio.get_running_loop().call_later(config.every_s, self._tell)

    def _say_alive(self) -> None:
        """Say so while the threads answer, too: a node whose datapath hangs is to be restarted."""
        if (every_s := self._manager.alive_every_s) is None:
            return
        # That a thread has failed, which ends the node, comes as a notice.
        with suppress(RuntimeError):
            _ = self._engine.statistics()
            self._manager.say("WATCHDOG=1")
        _ = asyncio.get_running_loop().call_later(every_s, self._say_alive)

    def _on_version(self, service: FoundService, why: str) -> None:
        if why:
            self.upgrading.note(service, why)
        self.node.renew(service.manifest, now_s=time.monotonic())

    def _fail(self, error: EiError) -> None:
        self._failure = self._failure or error
        self.stop()

    def _kill_slow(self, service: str) -> None:
        try:
            self.workers.kill(service)
        except LocalError as error:
            # Our own log: the traceback says nothing here.
            self.log.error("slow worker stays", service=service, reason=str(error))  # noqa: TRY400

    def _on_reports(self, nursery: Nursery) -> None:
        try:
            for report in nursery.take_reports():
                self.workers.take_report(report)
        except LocalError as error:
            # Without a nursery no service can be started again: better to be restarted as a whole.
            self._fail(error)

    def _on_supervisor(self) -> None:
        self.log.info("supervisor gone")
        self.stop()

    def _look(self) -> None:
        self._keeper.look(unix_s=time.time())
        self.node.traces.collect()
        _ = asyncio.get_running_loop().call_later(LOOK_S, self._look)

    def _reload_or_tell(self) -> None:
        try:
            _ = self.reload()
        except EiError as error:
            self.log.error(  # noqa: TRY400
                "not reloaded", reason=str(error), remedy=error.remedy
            )

    def _take_note(self, records: RecordSet) -> None:
        for refusal in records.refused:
            self.log.part("records").warn(
                "record refused", record=refusal.record, reason=refusal.reason
            )
        try:
            keep_seen(self._prepared.seen, records)
        except (OSError, EiError) as error:
            # They are known until this process ends; only a start with old records could miss them.
            self.log.error("lists not kept", reason=str(error))  # noqa: TRY400
