"""`ei run`: a program that knows nothing of us, on the service layer.

In a namespace of its own it has no other way out. Where the system gives none, it is told of a
proxy by the variables that many programs heed.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ei.daemons.log import Level, Log
from ei.daemons.open_files import open_as_many_as_allowed
from ei.errors import DeniedError
from ei.runtime.garbage import collect_seldom
from ei.ways.access import Access, DaemonDoor, Door, find_door
from ei.ways.dns_stub import Stub
from ei.ways.dns_upstream import endpoint_text
from ei.ways.enclosing import enclose
from ei.ways.ends import End
from ei.ways.exits import ExitWish
from ei.ways.launching import Launched, NotRun, launch
from ei.ways.legacy_datagrams import DialDatagrams
from ei.ways.proxy import Proxy, proxy_of
from ei.ways.run_packets import Far, RunPackets
from ei.ways.run_relay import RunRelay
from ei.ways.signals import passed_on
from ei.ways.socks_datagrams import ProxiedHost, ProxiedPlace
from ei.ways.stand_ins import StandIns

Wanted = Literal["auto", "namespace", "proxy"]
Mode = Literal["namespace", "proxy"]
MOST_TOLD = 5
HERE = "localhost,127.0.0.1,::1"


@dataclass(frozen=True, slots=True)
class Running:
    """How a program runs.

    Attributes:
        host: Name of the host that it speaks as.
        why_not: Why it is not in a namespace.
        is_by_daemon: A daemon is that host, and not this process.
        is_private: What goes by the service layer goes by two operators.
    """

    mode: Mode
    host: str
    why_not: str = ""
    is_by_daemon: bool = False
    is_private: bool = False

    @property
    def uncovered(self) -> str:
        """What does not go by the service layer, in words."""
        if self.mode == "namespace" and self.is_private:
            return "what the program tells servers of itself; pings and names of .ei are refused"
        if self.mode == "namespace":
            what = "pings" if self.is_by_daemon else "pings to the legacy Internet"
            return f"{what}, servers on this machine's own addresses"
        return "UDP, pings, and programs that heed no proxy variables: they go straight, as ever"


def run_command(  # noqa: PLR0913 what it takes to run
    command: Sequence[str],
    *,
    config: Path,
    wanted: Wanted,
    environ: Mapping[str, str],
    began: Callable[[Running], None],
    told: Callable[[str], None],
    wish: ExitWish | None = None,
) -> int | NotRun:
    """Run a program to its end; return its exit code, or 128 and the signal that ended it.

    Args:
        config: `host.toml`.
        environ: Its PATH is where `ip` and `nft` are looked for.
        began: Told how it runs, before it does.
        told: Gets a sentence for each of the first destinations that cannot be reached.
        wish: Of an exit: all goes by two operators, in a namespace unless another mode is wanted.

    Raises:
        DeniedError: there is no namespace, and one is wanted; or there are no two operators.
        EiError: there is no way to the service layer: what is wrong and what to do.
    """
    door = find_door(config, wish)
    if wish is not None and wanted == "auto":
        wanted = "namespace"  # by a proxy's variables a program may go straight
    launched, running = _launch(command, door, wanted, environ)
    _ = open_as_many_as_allowed()
    collect_seldom()
    try:
        with passed_on(launched.send):
            return asyncio.run(_Run(launched, running, door, began, _few(told)).run())
    finally:
        launched.close()


def _launch(
    command: Sequence[str], door: Door, wanted: Wanted, environ: Mapping[str, str]
) -> tuple[Launched, Running]:
    why_not = "--mode proxy"
    is_by_daemon = isinstance(door, DaemonDoor)
    if wanted != "proxy":
        try:
            launched = launch(command, lambda: enclose(door.address, environ=environ))
        except DeniedError as error:
            if wanted == "namespace":
                raise
            why_not = str(error)
        else:
            running = Running("namespace", door.name, "", is_by_daemon, door.is_private)
            return launched, running
    return launch(command), Running("proxy", door.name, why_not, is_by_daemon, door.is_private)


class _Run:
    """One program, from its launch to its end."""

    def __init__(
        self,
        launched: Launched,
        running: Running,
        door: Door,
        began: Callable[[Running], None],
        told: Callable[[str], None],
    ) -> None:
        self._launched = launched
        self._running = running
        self._door = door
        self._began = began
        self._told = told
        self._is_ended = asyncio.Event()
        self._has_begun = False

    async def run(self) -> int | NotRun:
        """Attach, let it go, serve it until it ends."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._launched.pidfd, self._is_ended.set)
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(self._serve())
            _ = await self._is_ended.wait()
            _ = loop.remove_reader(self._launched.pidfd)
            if not self._has_begun:  # Ctrl-C while there is no node yet
                _ = serving.cancel()
        code = self._launched.wait()
        not_run = None if serving.cancelled() else serving.result()
        return code if not_run is None else not_run

    async def _serve(self) -> NotRun | None:
        async with self._door.open() as access:
            serve = self._enclosed if self._running.mode == "namespace" else self._proxied
            async with serve(access) as variables:
                self._has_begun = True
                self._began(self._running)
                not_run = self._launched.go(variables)
                _ = await self._is_ended.wait()
                return not_run

    @asynccontextmanager
    async def _enclosed(self, access: Access) -> AsyncGenerator[Mapping[str, str | None]]:
        *listening, packets = self._launched.sockets
        names = StandIns()
        stub = Stub(access.look, access.forward, invent=names.invent)
        relay = RunRelay(access.dialler, names=names, stub=stub, told=self._told)
        far = _far(access, names)
        beside = RunPackets(packets, far=far, stub=stub, told=self._told)
        async with asyncio.TaskGroup() as group:
            serving = [group.create_task(relay.serve(each)) for each in listening]
            serving.append(group.create_task(beside.serve()))
            try:
                # A proxy of the machine's is nowhere to be reached from inside.
                yield dict.fromkeys(proxy_variables(""))
                beside.drain()
                await relay.settle(*listening)
            finally:
                for task in serving:
                    _ = task.cancel()

    @asynccontextmanager
    async def _proxied(self, access: Access) -> AsyncGenerator[Mapping[str, str | None]]:
        if access.proxy is not None:
            yield proxy_variables(endpoint_text(access.proxy))
            return
        log = Log(level=Level.ERROR)  # the program's own words are what is to be seen
        async with proxy_of(Proxy(access.dialler, listen="127.0.0.1:0", log=log)) as proxy:
            yield proxy_variables(proxy.endpoint)


def _far(access: Access, names: StandIns) -> Far | None:
    if access.dial_datagrams is not None:
        return Far(access.host, _by_name(access.dial_datagrams, names))
    if access.proxy is None or access.address is None:
        return None
    proxy = access.proxy

    async def dial(host: str, port: int) -> End:
        return ProxiedPlace(proxy, host, port)

    return Far(ProxiedHost(proxy, access.address), _by_name(dial, names))


def _by_name(dial: DialDatagrams, names: StandIns) -> DialDatagrams:
    async def dial_named(host: str, port: int) -> End:
        return await dial(names.name_of(host) or host, port)

    return dial_named


def proxy_variables(endpoint: str) -> dict[str, str]:
    """Return what tells programs of a proxy."""
    http, socks = f"http://{endpoint}", f"socks5h://{endpoint}"
    found = {"http_proxy": http, "https_proxy": http, "ftp_proxy": http}
    found |= {"all_proxy": socks, "no_proxy": HERE}
    return found | {name.upper(): value for name, value in found.items()}


def _few(told: Callable[[str], None]) -> Callable[[str], None]:
    """Return what tells each sentence once, and only the first few."""
    said = set[str]()

    def tell(text: str) -> None:
        if text not in said and len(said) < MOST_TOLD:
            said.add(text)
            told(text)

    return tell
