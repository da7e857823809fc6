"""How this process gets on the service layer: by a host daemon that runs, or as a host itself.

The keys of a `host.toml` can have one pipe to a node: two processes with them would take it from
each other. So where a daemon has them, it is asked; connections of others it carries as a proxy.
"""

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ei.daemons.client import ask
from ei.errors import ConflictError, DeadlineError, EiError, LocalError
from ei.host.client import Host
from ei.host.config import load_host_config
from ei.host.connect import PreparedHost, make_host, prepare_host
from ei.records.addresses import format_address, parse_address
from ei.records.endpoints import Endpoint, parse_endpoint
from ei.sdk.packets import Address
from ei.ways.dialing import Dialler, HostDialler
from ei.ways.dns_stub import Look
from ei.ways.looking import look_by_daemon, look_by_host
from ei.ways.socks_dialler import SocksDialler


@dataclass(frozen=True, slots=True)
class Access:
    """What opens connections and looks names up.

    Attributes:
        host: This process as a host; `None` where a daemon is it.
        proxy: Of the daemon.
        address: Of the host whose daemon it is.
    """

    dialler: Dialler
    look: Look
    host: Host | None = None
    proxy: Endpoint | None = None
    address: Address | None = None


class OwnDoor:
    """A way on: this process as a host; nothing is open yet.

    Attributes:
        name: Of the host.
        address: Its own, as text.
    """

    def __init__(self, prepared: PreparedHost) -> None:
        self._prepared = prepared
        self.name = prepared.identity.name
        self.address = format_address(prepared.identity.address)

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[Access]:
        """Attach.

        Raises:
            DeadlineError: no node answers.
        """
        host = make_host(self._prepared)
        try:
            try:
                await host.attach()
            except DeadlineError as error:
                raise DeadlineError(str(error), remedy="See what is wrong: ei doctor") from error
            yield Access(HostDialler(host), look_by_host(host, unix_s=time.time), host=host)
        finally:
            host.close()


class DaemonDoor:
    """A way on: `ei proxy` runs as the host. Attributes as those of `OwnDoor`."""

    def __init__(self, name: str, address: str, admin: Path, proxy: Endpoint) -> None:
        self._admin = admin
        self._proxy = proxy
        self.name = name
        self.address = address

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[Access]:
        """Nothing is to be opened."""
        dialler, look = SocksDialler(self._proxy), look_by_daemon(self._admin)
        yield Access(dialler, look, proxy=self._proxy, address=parse_address(self.address))


Door = OwnDoor | DaemonDoor


class _Who(msgspec.Struct, frozen=True):
    name: str
    address: str


class _Listens(msgspec.Struct, frozen=True):
    endpoint: str


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


def find_door(config: Path) -> Door:
    """Return the way on for the host of a `host.toml`.

    Raises:
        ConflictError: its daemon runs, without a proxy.
        EiError: what is wrong and what to do.
    """
    admin = admin_socket(config)
    if not is_daemon_at(admin):
        return OwnDoor(prepare_host(config))
    who = msgspec.convert(ask(admin, "status"), _Who)
    try:
        listens = msgspec.convert(ask(admin, "proxy"), _Listens)
    except LocalError as error:
        raise ConflictError(
            f"{who.name} runs as a daemon that carries nothing for other programs",
            remedy=f"Run it with a proxy in the place of ei host run: ei proxy --config {config}",
        ) from error
    return DaemonDoor(who.name, who.address, admin, parse_endpoint(listens.endpoint))
