"""`ei dns`: the stub as a program, looking names up at the host daemon or as a host itself."""

import asyncio
import signal
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from ei.errors import ConflictError, DeadlineError
from ei.host.client import Host
from ei.host.connect import make_host, prepare_host
from ei.records.endpoints import Endpoint
from ei.ways.access import admin_socket, is_daemon_at
from ei.ways.dns_oblivious import asking_obliviously
from ei.ways.dns_server import DnsServer
from ei.ways.dns_stub import Forward, Look, Stub
from ei.ways.dns_upstream import Upstream, check_no_loop
from ei.ways.looking import look_by_daemon, look_by_host

ATTACH_S = 5.0


async def run_dns(
    config: Path,
    *,
    listen: Endpoint,
    servers: Sequence[Endpoint],
    opened: Callable[[Endpoint, str], None],
    by_others: "Others | None" = None,
) -> None:
    """Serve names until SIGINT or SIGTERM.

    Args:
        config: `host.toml`.
        servers: Who is asked about all other names.
        opened: Told where it listens, and by whom it looks names up.
        by_others: All other names are asked for by two operators, and of no server.

    Raises:
        EiError: it cannot start: what is wrong and what to do.
    """
    check_no_loop(listen, servers)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with AsyncExitStack() as stack:
        if by_others is None:
            look, by = await stack.enter_async_context(looked_up_by(config))
            forward: Forward = Upstream(servers)
        else:
            host = await stack.enter_async_context(own_host(config))
            look, by = look_by_host(host, unix_s=time.time), host.name
            asking = asking_obliviously(host, by_others.target, unix_s=time.time)
            forward = await stack.enter_async_context(asking)
        server = DnsServer(Stub(look, forward), listen)
        await server.open()
        try:
            opened(server.endpoint, by)
            _ = await stopped.wait()
        finally:
            await server.close()


@dataclass(frozen=True, slots=True)
class Others:
    """That names are asked for by two operators.

    Attributes:
        target: Node that asks its operator's resolver; `None` takes any that may.
    """

    target: str | None = None


@asynccontextmanager
async def looked_up_by(config: Path) -> AsyncGenerator[tuple[Look, str]]:
    """Yield how to look names up, and who does.

    Where this program is the host it goes on trying to attach: other names do not wait for it.
    """
    admin = admin_socket(config)
    if await asyncio.to_thread(is_daemon_at, admin):
        yield look_by_daemon(admin), f"the host daemon at {admin}"
        return
    async with own_host(config) as host:
        yield look_by_host(host, unix_s=time.time), host.name


@asynccontextmanager
async def own_host(config: Path) -> AsyncGenerator[Host]:
    """Yield this program as a host, which goes on trying to attach.

    Raises:
        ConflictError: a daemon has its keys.
    """
    admin = admin_socket(config)
    if await asyncio.to_thread(is_daemon_at, admin):
        raise ConflictError(
            f"a host daemon at {admin} has the keys of this host, and asks nobody obliviously",
            remedy="Give this program a host.toml of its own (ei host init), or end the daemon.",
        )
    host = make_host(await asyncio.to_thread(prepare_host, config))
    try:
        async with asyncio.TaskGroup() as group:
            attaching = group.create_task(_attach(host))
            yield host
            _ = attaching.cancel()
    finally:
        host.close()


async def _attach(host: Host) -> None:
    while True:
        try:
            await host.attach(deadline_s=ATTACH_S)
        except DeadlineError:
            continue
        return
