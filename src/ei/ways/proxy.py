"""`ei proxy`: HTTP and SOCKS 5 on one port, for programs that can use a proxy.

The first byte tells which: SOCKS begins with its version, 5, and HTTP with a letter. Whoever
reaches the port speaks with the host's name and keys: it belongs on the loopback.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import msgspec

from ei.daemons.clients import Clients
from ei.daemons.log import Log
from ei.errors import StreamError
from ei.records.endpoints import parse_endpoint
from ei.ways.accepting import Listener, listen
from ei.ways.dialing import Dialler
from ei.ways.ends import TcpEnd
from ei.ways.http_proxy import Cache, HttpClient, HttpLimits
from ei.ways.page import About
from ei.ways.socks import VERSION
from ei.ways.socks_proxy import Associate, SocksClient

DEFAULT_LISTEN = "127.0.0.1:8118"


class ProxyLimits(msgspec.Struct, frozen=True):
    """What programs may take.

    Attributes:
        connections: At a time; more are hung up on.
        first_s: From the connection to its first byte.
        head_s: From there to the end of what is asked for.
        kept_s: Between two requests.
        idle_s: So long a server may say nothing in its answer to a request.
        tunnel_s: Without a byte either way for so long any other connection is given up.
        grace_s: At the end, what is open may go on for so long.
    """

    connections: int = 1_024
    first_s: float = 60.0
    head_s: float = 10.0
    kept_s: float = 60.0
    idle_s: float = 300.0
    tunnel_s: float = 3_600.0
    grace_s: float = 2.0


class Proxy:
    """Serves programs until it is closed; see `proxy_of`.

    Args:
        listen: Endpoint; port 0 takes any.
        cache: Where requests for the servers of some names go, see `HttpClient`.
        about: What it shows of itself, but for its counts.
        associate: Carries datagrams of SOCKS; `None` refuses them.
    """

    def __init__(  # noqa: PLR0913 all but three have a default
        self,
        dialler: Dialler,
        *,
        listen: str,
        log: Log,
        cache: Cache | None = None,
        about: Callable[[], About] | None = None,
        associate: Associate | None = None,
        limits: ProxyLimits | None = None,
    ) -> None:
        self._dialler = dialler
        self._listen = listen
        self._log = log
        self._cache = cache
        self._look = about
        self._associate = associate
        self._limits = limits or ProxyLimits()
        self._listener: Listener | None = None
        self._clients = Clients()
        self._counts: Counter[str] = Counter()
        self.endpoint = listen

    @property
    def port(self) -> int:
        """TCP port on which it listens."""
        return parse_endpoint(self.endpoint)[1]

    def about(self) -> About:
        """Return what it shows of itself."""
        seen = About("", self.endpoint) if self._look is None else self._look()
        return msgspec.structs.replace(
            seen,
            endpoint=self.endpoint,
            open=len(self._clients),
            asked=self._counts["asked"],
            refused=self._counts["refused"],
        )

    def __repr__(self) -> str:
        return f"<Proxy {self.endpoint}: {len(self._clients)} open>"

    async def open(self) -> None:
        """Start to listen.

        Raises:
            EiError: the endpoint cannot be had: why, and what to do.
        """
        self._listener = listen(self._listen, self._serve, what="proxy", log=self._log)
        self.endpoint = self._listener.endpoint

    async def close(self) -> None:
        """Take no new connections; what is open may go on for a moment. Idempotent."""
        if self._listener is None:
            return
        self._listener.close()
        self._listener = None
        await self._clients.wait(self._limits.grace_s)
        await self._clients.hang_up()

    async def _serve(self, program: TcpEnd) -> None:
        try:
            with self._clients.serving():
                if len(self._clients) > self._limits.connections:
                    self._log.warn("too many connections", allowed=self._limits.connections)
                    return
                try:
                    await self._answer(program)
                except* StreamError as lost:
                    self._log.debug("program left", reason=str(lost.exceptions[0]))
        finally:
            await program.close()

    async def _answer(self, program: TcpEnd) -> None:
        try:
            async with asyncio.timeout(self._limits.first_s):
                first = await program.read()
        except TimeoutError:
            return
        if not first:
            return
        count = self._count
        if first[0] == VERSION:
            await SocksClient(
                program,
                self._dialler,
                associate=self._associate,
                head_s=self._limits.head_s,
                idle_s=self._limits.tunnel_s,
                count=count,
            ).serve(first)
        elif first[:1].isalpha():
            limits = self._limits
            await HttpClient(
                program,
                self._dialler,
                cache=self._cache,
                about=self.about,
                own_port=self.port,
                limits=HttpLimits(limits.head_s, limits.kept_s, limits.idle_s, limits.tunnel_s),
                count=count,
                log=self._log,
            ).serve(first)
        else:
            self._log.debug("neither HTTP nor SOCKS 5", first=first[:1].hex())

    def _count(self, word: str) -> None:
        self._counts[word] += 1


@asynccontextmanager
async def proxy_of(proxy: Proxy) -> AsyncGenerator[Proxy]:
    """Serve programs while the block runs.

    Raises:
        EiError: as `Proxy.open`.
    """
    await proxy.open()
    try:
        yield proxy
    finally:
        await proxy.close()
