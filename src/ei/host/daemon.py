"""`ei host run`: a host as a process of its own, with an admin socket.

Ways in for other programs run beside it, in the same process: `ei proxy`, `ei gateway`.
"""

import asyncio
import os
import signal
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from importlib import metadata
from pathlib import Path
from random import SystemRandom

from ei._core import monotonic_ns
from ei.daemons.known_records import keep_seen, load_records
from ei.daemons.log import Log, log_of
from ei.daemons.open_files import open_as_many_as_allowed
from ei.daemons.pages import PageServer
from ei.daemons.server import AdminServer
from ei.daemons.startup import explained
from ei.daemons.supervisor import watch_supervisor
from ei.errors import DeadlineError, EiError
from ei.host.admin import HostAdmin, Verb
from ei.host.client import Host
from ei.host.connect import SEEN_FILE, PreparedHost, make_host, prepare_host
from ei.host.dns import ask_dns
from ei.host.metrics import host_pages
from ei.host.verbs_files import FileVerbs
from ei.host.verbs_find import FindVerbs
from ei.host.verbs_ping import PingVerbs
from ei.host.verbs_traffic import TrafficVerbs
from ei.records.expiry import DAY_S, ExpiryWarnings
from ei.records.record_set import RecordSet
from ei.runtime.garbage import collect_seldom

ATTACH_S = 5.0
LOOK_S = 60.0

Beside = Callable[[Host, Log], AbstractAsyncContextManager[Mapping[str, Verb]]]
"""What runs beside a host, from its start to its end; gives the admin verbs that it answers."""


@asynccontextmanager
async def _nothing(_host: Host, _log: Log) -> AsyncGenerator[Mapping[str, Verb]]:
    yield {}


def run_host(
    path: Path,
    *,
    supervisor_fd: int | None = None,
    log: Log | None = None,
    metrics: str = "",
    beside: Beside = _nothing,
) -> None:
    """Run the host of a `host.toml` until SIGTERM, SIGINT or the verb `stop`.

    Args:
        supervisor_fd: Reading end of a pipe: the host stops at its end of file.
        metrics: Endpoint of `/metrics`, `/healthz` and `/readyz`; empty serves none.
        beside: What runs with it; it ends first.

    Raises:
        EiError: it cannot start: what is wrong and what to do.
    """
    prepared = prepare_host(path)
    host = make_host(prepared)
    _ = open_as_many_as_allowed()
    collect_seldom()
    try:
        log = log_of(os.environ) if log is None else log
        pages = PageServer(
            metrics, host_pages(host.status, version=metadata.version("extensible-internet"))
        )
        asyncio.run(_run(prepared, host, supervisor_fd, log, pages, beside=beside))
    finally:
        host.close()


async def _run(  # noqa: PLR0913 all that a daemon is made of
    prepared: PreparedHost,
    host: Host,
    supervisor_fd: int | None,
    log: Log,
    pages: PageServer,
    *,
    beside: Beside,
) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    if supervisor_fd is not None:
        watch_supervisor(supervisor_fd, stopped.set)
    _take_note(prepared, prepared.records, log)
    records = prepared.records
    reloaded = asyncio.Event()

    def reload() -> None:
        nonlocal records
        records = load_records(
            prepared.folder, prepared.config, unix_s=time.time(), known=host.records.lists
        )
        host.update(records)
        reloaded.set()
        _take_note(prepared, records, log)
        log.info("reloaded", names=len(records.names))

    def reload_or_tell() -> None:
        try:
            reload()
        except EiError as error:
            log.error("not reloaded", reason=str(error), remedy=error.remedy)  # noqa: TRY400

    loop.add_signal_handler(signal.SIGHUP, reload_or_tell)
    async with asyncio.TaskGroup() as group:
        admin = HostAdmin(
            host,
            ping=PingVerbs(host, monotonic_ns),
            find=FindVerbs(host, time.time),
            files=FileVerbs(host, monotonic_ns),
            traffic=TrafficVerbs(host, group, monotonic_ns),
            reload=reload,
            stop=stopped.set,
            log=log,
        )
        server = AdminServer(prepared.folder / prepared.config.admin_socket, admin.answer)
        with explained("cannot open the admin socket"):
            await server.open()
        try:
            await pages.open()
            background = [
                group.create_task(_attach(host, log)),
                group.create_task(_tell_expiring(host, log)),
                group.create_task(_follow_dns(prepared, host, log, reloaded, lambda: records)),
            ]
            async with beside(host, log) as verbs:
                admin.add(verbs)
                _ = await stopped.wait()
            for task in background:
                _ = task.cancel()
        finally:
            await pages.close()
            await server.close()
            # Closing ends what still receives; what still sends or repeats is ended here.
            host.close()
        _cancel_others()
    log.info("host stopped", name=host.name)


async def _attach(host: Host, log: Log) -> None:
    """Attach; without any node go on trying, and say so."""
    while True:
        try:
            await host.attach(deadline_s=ATTACH_S)
        except DeadlineError as error:
            log.warn("not attached", reason=str(error))
        else:
            log.info("host runs", name=host.name, status=host.status().summary)
            return


async def _follow_dns(
    prepared: PreparedHost,
    host: Host,
    log: Log,
    reloaded: asyncio.Event,
    records: Callable[[], RecordSet],
) -> None:
    """Ask the DNS again when its answer has grown old, or the records are new."""
    located = prepared.located
    while located is not None:
        if located.trouble:
            log.warn("the DNS and the records differ", reason=located.trouble)
        with suppress(TimeoutError):
            async with asyncio.timeout(located.ttl_s):
                _ = await reloaded.wait()
        reloaded.clear()
        located = await asyncio.to_thread(
            ask_dns, prepared.config, records(), random=SystemRandom(), present=host.nodes
        )
        if located is not None and located.nodes and located.nodes != host.nodes:
            host.update(records(), nodes=located.nodes)
            names = [host.records.name_of(node) for node in located.nodes]
            log.info("other nodes by the DNS", nodes=names)


async def _tell_expiring(host: Host, log: Log) -> None:
    """Say what ends soon, as often as is right."""
    warnings = ExpiryWarnings()
    while True:
        unix_s = time.time()
        for each in warnings.due(host.status().expiring, unix_s=unix_s):
            days = max(0.0, (each.expires_unix_s - unix_s) / DAY_S)
            log.warn("expires soon", what=each.what, days=round(days, 1), renew=each.renew)
        await asyncio.sleep(LOOK_S)


def _take_note(prepared: PreparedHost, records: RecordSet, log: Log) -> None:
    for refusal in records.refused:
        log.warn("record refused", record=refusal.record, reason=refusal.reason)
    try:
        keep_seen(prepared.folder / SEEN_FILE, records)
    except (OSError, EiError) as error:
        # They are known until this process ends; only a start with old records could miss them.
        log.error("lists not kept", reason=str(error))  # noqa: TRY400


def _cancel_others() -> None:
    current = asyncio.current_task()
    for task in asyncio.all_tasks():
        if task is not current:
            _ = task.cancel()
