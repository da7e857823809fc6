"""Who takes part: a host that browses, its nodes, exits, and a server of the legacy Internet."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random

from ei.daemons.log import Level, Log
from ei.errors import DeniedError, EiError
from ei.host.client import Host
from ei.host.streams import Stream
from ei.lab.load import until
from ei.lab.process_lab import ProcessLab
from ei.scenarios.termination.ground import Ground
from ei.scenarios.termination.servers import Server
from ei.sdk import Address
from ei.services.relay.client import PrivateRelay, relaying
from ei.ways.dialing import HostDialler
from ei.ways.exits import ExitWish
from ei.ways.private import PrivateDialler, chooser
from ei.ways.proxy import Proxy, proxy_of

QUINCE, CAROL, BOB = "quince-7hx2v9kd4.isp-a", "carol.isp-a", "bob.isp-a"
FIRST, SECOND, BRISK = "sn1.isp-a", "sn2.isp-a", "sn3.isp-a"
"""Nodes of acme; the keys of the last one for tokens are replaced every few seconds."""
EXIT, OTHER_EXIT, SLOW_EXIT = "sn1.isp-b", "sn2.isp-b", "sn1.isp-c"
"""Nodes of others; a token is worth 1 MB/s at the last one."""
SAME_OPERATOR = "sn1.isp-a2"
READY_S = 20.0


@dataclass(frozen=True, slots=True)
class World:
    """All that takes part."""

    lab: ProcessLab
    ground: Ground
    server: Server

    @property
    def quince(self) -> Host:
        """The host that browses."""
        return self.lab.host(QUINCE)

    @asynccontextmanager
    async def relaying(
        self,
        name: str = QUINCE,
        *,
        exit: str = "",  # noqa: A002 the word of the messages
    ) -> AsyncGenerator[PrivateRelay]:
        """Open the relay of a host, by one exit or by the nearest, as `ei proxy` has it."""
        host = self.lab.host(name)
        exit_of = chooser(host, ExitWish(exit), Random(self.lab.seed))
        async with relaying(host, exit=exit_of) as relay:
            yield relay

    async def opened(self, relay: PrivateRelay, line: str, *, deadline_s: float = 5.0) -> Stream:
        """Open a stream to the server, and say what it is to do."""
        first = f"{line}\n".encode()
        return await relay.open(
            self.ground.web, self.server.port, first=first, deadline_s=deadline_s
        )

    @asynccontextmanager
    async def proxy(self, dialler: HostDialler | PrivateDialler) -> AsyncGenerator[str]:
        """Run a proxy for programs; yield where it listens."""
        log = Log(level=Level.ERROR)
        async with proxy_of(Proxy(dialler, listen="127.0.0.1:0", log=log)) as proxy:
            yield proxy.endpoint

    async def ready(self, relay: PrivateRelay) -> float | None:
        """Wait for a circuit; return the seconds it took, `None` if there was none in time."""

        async def is_ready() -> bool:
            try:
                await relay.ready(deadline_s=READY_S)
            except EiError:
                return False
            return True

        return await until(self.lab, is_ready, limit_s=READY_S, every_s=0.1)


def only(exit_node: Address) -> Callable[[frozenset[Address]], Address]:
    """Return what has a relay try one exit alone, whatever records say of it."""

    def choose(tried: frozenset[Address]) -> Address:
        if exit_node in tried:
            raise DeniedError("it was tried")
        return exit_node

    return choose
