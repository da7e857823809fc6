"""TCP connections of a program in its namespace, each carried to where it wanted to go."""

import asyncio
import errno
import select
import socket
from collections.abc import Callable
from contextlib import suppress

from ei.errors import EiError
from ei.ways.dialing import Dialler
from ei.ways.dns_server import serve_stream
from ei.ways.dns_stub import Stub
from ei.ways.dns_upstream import DNS_PORT
from ei.ways.enclosing import original_destination
from ei.ways.ends import TcpEnd
from ei.ways.names import to_address
from ei.ways.pump import pump
from ei.ways.stand_ins import StandIns

MOST_CONNECTIONS = 1_024
IDLE_S = 3_600.0
TIRED_S = 0.1
"""Pause when the system has no descriptor left."""
SETTLE_S = 2.0
"""Longest wait, after the program's end, for what it has written last."""


class RunRelay:
    """Serves the listening sockets of a namespace until it is cancelled.

    Args:
        told: Gets one sentence for each connection that came to nothing.
    """

    def __init__(
        self, dialler: Dialler, *, names: StandIns, stub: Stub, told: Callable[[str], None]
    ) -> None:
        self._dialler = dialler
        self._names = names
        self._stub = stub
        self._told = told
        self._room = asyncio.Semaphore(MOST_CONNECTIONS)
        self._carried = 0
        self._changed = asyncio.Event()

    async def serve(self, listening: socket.socket) -> None:
        """Accept and carry connections; beyond the limit they wait to be accepted."""
        listening.setblocking(False)  # noqa: FBT003 its own name
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group:
            while True:
                _ = await self._room.acquire()
                try:
                    connection, _ = await loop.sock_accept(listening)
                except OSError as error:
                    self._room.release()
                    if error.errno not in {errno.EMFILE, errno.ENFILE, errno.ECONNABORTED}:
                        raise
                    await asyncio.sleep(TIRED_S)
                    continue
                self._carried += 1
                self._changed.set()
                group.create_task(self._carry(connection)).add_done_callback(self._ended)

    async def settle(self, *listening: socket.socket) -> None:
        """Return when nothing is left to carry: the program has ended, its bytes may not have."""
        with suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_S):
                while self._carried or select.select(listening, (), (), 0)[0]:
                    self._changed.clear()
                    _ = await self._changed.wait()

    def _ended(self, _task: asyncio.Task[None]) -> None:
        self._carried -= 1
        self._room.release()
        self._changed.set()

    async def _carry(self, connection: socket.socket) -> None:
        try:
            place, port = original_destination(connection)
        except OSError:  # it was made to our own socket
            connection.close()
            return
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if port == DNS_PORT and to_address(place) is None:
            reader, writer = await asyncio.open_connection(sock=connection)
            await serve_stream(self._stub, reader, writer, client=(place, port))
            with suppress(OSError):
                writer.close()
            return
        own = TcpEnd(connection)
        name = self._names.name_of(place) or place
        try:
            other = await self._dialler.dial(name, port)
        except EiError as error:
            own.abort()
            self._told(f"{name} port {port}: {error}")
            return
        pumped = await pump(own, other, idle_s=IDLE_S)
        if pumped.text:
            self._told(f"{name} port {port}: {pumped.text}")
