"""`ei gateway publish`: servers that know nothing of us, offered under the name of a host.

Each stream that another host opens to a published port becomes a TCP connection to the server, from
this machine. The server sees the gateway's address; who opened the stream is in the log.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

import msgspec

from ei.daemons.log import Log
from ei.daemons.messages import Answer, Request
from ei.daemons.verbs import NoArguments, arguments_of, to_answer
from ei.errors import DeadlineError, LocalError, StreamError
from ei.host.client import Host
from ei.host.stream_codes import BUSY, SERVER_REFUSED, SERVER_SILENT
from ei.host.streams import Stream, StreamListener
from ei.sdk.packets import Address
from ei.ways.ends import PATIENCE_S, Connect, StreamEnd, connect_tcp
from ei.ways.pump import Pumped, pump

CONNECT_S = 5.0
IDLE_S = 3_600.0
MAX_CONNECTIONS = 1_024
GRACE_S = 10.0


class Published(msgspec.Struct, frozen=True):
    """One server that is offered.

    Attributes:
        label: What people call it, such as `web`.
        port: On which the host accepts streams for it.
        server, server_port: Where it listens.
    """

    label: str
    port: int
    server: str
    server_port: int


class GatewayLimits(msgspec.Struct, frozen=True):
    """What a gateway allows.

    Attributes:
        connections: At a time, to all servers together; more are refused, and one host has at most
            as many as are free beside its own.
        idle_s: Without a byte either way for so long a connection is given up.
        connect_s: A server that takes longer to answer is not there.
        grace_s: At the end, what is open may go on for so long.
    """

    connections: int = MAX_CONNECTIONS
    idle_s: float = IDLE_S
    connect_s: float = CONNECT_S
    grace_s: float = GRACE_S


class GatewayStatus(msgspec.Struct, frozen=True):
    """A gateway at one moment.

    Attributes:
        open: Connections now.
        endings: Connections since the start, by how they ended: `ended`, or the word of what broke
            them; `refused`, `unreachable` and `busy` never reached the server.
    """

    name: str
    published: tuple[Published, ...]
    open: int
    endings: dict[str, int]
    in_bytes: int
    out_bytes: int


class Gateway:
    """Serves the streams of a host from its servers; made by `gateway_of`."""

    def __init__(  # noqa: PLR0913 as `gateway_of`
        self,
        host: Host,
        published: Sequence[Published],
        group: asyncio.TaskGroup,
        *,
        limits: GatewayLimits,
        connect: Connect,
        log: Log,
    ) -> None:
        self._host = host
        self._connect = connect
        self._published = tuple(published)
        self._group = group
        self._limits = limits
        self._log = log
        self._tasks: set[asyncio.Task[None]] = set()
        self._of_peer: Counter[Address] = Counter()
        self._listeners: list[StreamListener] = []
        self._endings: Counter[str] = Counter()
        self._in_bytes = 0
        self._out_bytes = 0

    def status(self) -> GatewayStatus:
        """Return what is published, and counts."""
        return GatewayStatus(
            name=self._host.name,
            published=self._published,
            open=len(self._tasks),
            endings=dict(self._endings),
            in_bytes=self._in_bytes,
            out_bytes=self._out_bytes,
        )

    def __repr__(self) -> str:
        return f"<Gateway {self._host.name}: {len(self._tasks)} open>"

    def open(self) -> None:
        """Accept streams from now on.

        Raises:
            ConflictError: the same port twice.
        """
        for each in self._published:
            limit = self._limits.connections
            listener = self._host.accept_streams(each.port, limit_items=limit)
            self._listeners.append(listener)
            _ = self._group.create_task(self._accept(listener, each))
            server = f"{each.server}:{each.server_port}"
            self._log.info("published", label=each.label, port=each.port, server=server)

    async def drain(self) -> None:
        """Accept no more, and let what is open go on for a while."""
        for listener in self._listeners:
            listener.close()
        if self._tasks:
            self._log.info("draining", open=len(self._tasks), grace_s=self._limits.grace_s)
            _ = await asyncio.wait(self._tasks, timeout=self._limits.grace_s)
        for task in self._tasks:
            _ = task.cancel()

    async def answer(self, request: Request) -> AsyncIterator[Answer]:
        """Answer the admin verb `gateway`."""
        _ = arguments_of(request, NoArguments)
        yield to_answer(self.status(), schema="ei.gateway-status/1")

    async def _accept(self, listener: StreamListener, published: Published) -> None:
        while True:
            try:
                stream = await listener.accept(deadline_s=PATIENCE_S)
            except DeadlineError:
                continue
            except LocalError:
                return  # it was closed
            if not self._has_room(stream.peer):
                stream.abort(BUSY)
                self._endings["busy"] += 1
                self._log.warn("too many connections", allowed=self._limits.connections)
                continue
            task = self._group.create_task(self._serve(stream, published))
            self._tasks.add(task)
            self._of_peer[stream.peer] += 1
            task.add_done_callback(partial(self._over, stream.peer))

    def _has_room(self, peer: Address) -> bool:
        """Whether a host may have one more: at most as many as stay free for others."""
        free = self._limits.connections - len(self._tasks)
        return self._of_peer[peer] < free

    def _over(self, peer: Address, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._of_peer[peer] -= 1
        if not self._of_peer[peer]:
            del self._of_peer[peer]

    async def _serve(self, stream: Stream, published: Published) -> None:
        who = self._host.records.name_of(stream.peer)
        server = f"{published.server}:{published.server_port}"
        end = StreamEnd(stream)
        try:
            behind = await self._connect(
                published.server, published.server_port, deadline_s=self._limits.connect_s
            )
        except (StreamError, DeadlineError) as error:
            is_refused = isinstance(error, StreamError) and error.kind == "refused"
            self._endings["refused" if is_refused else "unreachable"] += 1
            self._log.warn("no connection", server=server, peer=who, reason=str(error))
            end.abort(SERVER_REFUSED if is_refused else SERVER_SILENT)
            return
        except asyncio.CancelledError:
            end.abort(SERVER_SILENT)
            raise
        self._end(who, published, await pump(end, behind, idle_s=self._limits.idle_s))

    def _end(self, who: str, published: Published, came: Pumped) -> None:
        self._endings[came.ending] += 1
        self._in_bytes += came.there_bytes
        self._out_bytes += came.back_bytes
        self._log.debug(
            "connection over",
            label=published.label,
            peer=who,
            ending=came.ending,
            in_bytes=came.there_bytes,
            out_bytes=came.back_bytes,
            reason=came.text,
        )


@asynccontextmanager
async def gateway_of(
    host: Host,
    published: Sequence[Published],
    *,
    limits: GatewayLimits,
    connect: Connect = connect_tcp,
    log: Log,
) -> AsyncGenerator[Gateway]:
    """Publish servers while the block runs; what is open then may go on for a while.

    Args:
        connect: How servers are connected to.

    Raises:
        ConflictError: the same port twice.
    """
    async with asyncio.TaskGroup() as group:
        gateway = Gateway(host, published, group, limits=limits, connect=connect, log=log)
        gateway.open()
        yield gateway
        await gateway.drain()
