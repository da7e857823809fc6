"""How this process gets on the service layer: by a host daemon that runs, or as a host itself.

The keys of a `host.toml` can have one pipe to a node: two processes with them would take it from
each other. So where a daemon has them, it is asked; connections of others it carries as a proxy.
"""

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom

import msgspec

from ei.daemons.client import ask
from ei.daemons.log import Level, Log
from ei.errors import ConflictError, DeadlineError, EiError, LocalError
from ei.host.client import Host
from ei.host.config import load_host_config
from ei.host.connect import PreparedHost, make_host, prepare_host
from ei.records.addresses import format_address, parse_address
from ei.records.endpoints import Endpoint, parse_endpoint
from ei.sdk.packets import Address
from ei.ways.dialing import Dialler, HostDialler
from ei.ways.dns_stub import Forward, Look
from ei.ways.dns_upstream import Upstream, system_servers
from ei.ways.exits import ExitWish
from ei.ways.legacy_datagrams import DialDatagrams
from ei.ways.looking import look_by_daemon, look_by_host
from ei.ways.page import PrivateSeen
from ei.ways.private import PrivateDialler, ask_nobody, look_for_nobody, private_way
from ei.ways.socks_dialler import SocksDialler


@dataclass(frozen=True, slots=True)
class Access:
    """What opens connections and looks names up.

    Attributes:
        forward: Asks about names that are not ours.
        dial_datagrams: Opens a stream of datagrams to a server; `None` where the proxy does.
        host: This process as a host, for datagrams to others; `None` where a daemon is it, or
            where they would not be private.
        proxy: Of the daemon.
        address: Of the host whose daemon it is.
    """

    dialler: Dialler
    look: Look
    forward: Forward
    dial_datagrams: DialDatagrams | None = None
    host: Host | None = None
    proxy: Endpoint | None = None
    address: Address | None = None


class OwnDoor:
    """A way on: this process as a host; nothing is open yet.

    Attributes:
        name: Of the host.
        address: Its own, as text.
        is_private: All goes by two operators, or not at all.
    """

    def __init__(self, prepared: PreparedHost, wish: ExitWish | None = None) -> None:
        self._prepared = prepared
        self._wish = wish
        self.name = prepared.identity.name
        self.address = format_address(prepared.identity.address)
        self.is_private = wish is not None

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[Access]:
        """Attach.

        Raises:
            DeadlineError: no node answers.
            DeniedError: it is to be private, and there are no two operators.
        """
        host = make_host(self._prepared)
        try:
            try:
                await host.attach()
            except DeadlineError as error:
                raise DeadlineError(str(error), remedy="See what is wrong: ei doctor") from error
            async with self._access(host) as access:
                yield access
        finally:
            host.close()

    @asynccontextmanager
    async def _access(self, host: Host) -> AsyncGenerator[Access]:
        if self._wish is None:
            dialler, look = HostDialler(host), look_by_host(host, unix_s=time.time)
            yield Access(dialler, look, system_upstream(), dialler.dial_datagrams, host)
            return
        log = Log(level=Level.ERROR)  # the program's own words are what is to be seen
        async with private_way(host, self._wish, random=SystemRandom(), log=log) as relay:
            private = PrivateDialler(relay, lambda: host.records)
            yield Access(private, look_for_nobody, ask_nobody, private.dial_datagrams)


class DaemonDoor:
    """A way on: `ei proxy` runs as the host. Attributes as those of `OwnDoor`."""

    def __init__(
        self, name: str, address: str, admin: Path, proxy: Endpoint, *, is_private: bool = False
    ) -> None:
        self._admin = admin
        self._proxy = proxy
        self.name = name
        self.address = address
        self.is_private = is_private

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[Access]:
        """Nothing is to be opened."""
        look: Look = look_for_nobody if self.is_private else look_by_daemon(self._admin)
        forward: Forward = ask_nobody if self.is_private else system_upstream()
        dialler, address = SocksDialler(self._proxy), parse_address(self.address)
        yield Access(dialler, look, forward, proxy=self._proxy, address=address)


Door = OwnDoor | DaemonDoor


class _Who(msgspec.Struct, frozen=True):
    name: str
    address: str


class _Listens(msgspec.Struct, frozen=True):
    endpoint: str
    private: PrivateSeen | None = None


def admin_socket(config: Path) -> Path:
    """Return the admin socket that a `host.toml` names.

    Raises:
        ConfigError: what is wrong with the file.
    """
    return config.resolve().parent / load_host_config(config).admin_socket


def is_daemon_at(admin: Path) -> bool:
    """Return whether a daemon answers there."""
    try:
        _ = ask(admin, "status")
    except EiError:
        return False
    return True


def system_upstream() -> Forward:
    """Return what asks the DNS servers of this machine."""
    return Upstream(system_servers())


def find_door(config: Path, wish: ExitWish | None = None) -> Door:
    """Return the way on for the host of a `host.toml`.

    Args:
        wish: Of an exit, for a way by two operators; `None` asks for no such way.

    Raises:
        ConflictError: its daemon runs without a proxy, or with one that is not as private.
        EiError: what is wrong and what to do.
    """
    admin = admin_socket(config)
    if not is_daemon_at(admin):
        return OwnDoor(prepare_host(config), wish)
    who = msgspec.convert(ask(admin, "status"), _Who)
    try:
        listens = msgspec.convert(ask(admin, "proxy"), _Listens)
    except LocalError as error:
        raise ConflictError(
            f"{who.name} runs as a daemon that carries nothing for other programs",
            remedy=f"Run it with a proxy in the place of ei host run: ei proxy --config {config}",
        ) from error
    is_private = listens.private is not None
    if wish is not None and (not is_private or wish != ExitWish()):
        is_what = "goes by an exit of its own choice" if is_private else "is not private"
        raise ConflictError(
            f"{who.name} runs as ei proxy, which {is_what}",
            remedy="End it, or run it as wanted: ei proxy --private [--exit NODE] [--near ...]",
        )
    endpoint = parse_endpoint(listens.endpoint)
    return DaemonDoor(who.name, who.address, admin, endpoint, is_private=is_private)
