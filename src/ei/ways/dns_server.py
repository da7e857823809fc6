"""The stub's sockets: UDP and TCP on one port."""

import asyncio
import errno
import socket
from contextlib import suppress
from ipaddress import IPv6Address

from ei.daemons.binding import bind_error
from ei.daemons.clients import Clients
from ei.records.endpoints import Endpoint
from ei.ways.dns_stub import Client, Stub
from ei.ways.dns_upstream import endpoint_text

IDLE_S = 10.0
"""Longest wait for the next question on a connection, and for an answer to be read."""
MOST_CONNECTIONS = 64
MOST_WAITING = 1_024
"""UDP messages whose answer is not written yet; further ones are dropped."""
MOST_AT_ONCE = 64
DATAGRAM_BYTES = 65_535
PORT_TRIES = 16


class DnsServer:
    """Serves a stub until it is closed.

    Args:
        listen: Port 0 takes one that is free for UDP and for TCP.
    """

    def __init__(self, stub: Stub, listen: Endpoint, *, idle_s: float = IDLE_S) -> None:
        self._stub = stub
        self._listen = listen
        self._idle_s = idle_s
        self._udp: socket.socket | None = None
        self._tcp: asyncio.Server | None = None
        self._tasks = set[asyncio.Task[None]]()
        self._clients = Clients()

    @property
    def endpoint(self) -> Endpoint:
        """Where it listens."""
        return self._listen

    async def open(self) -> None:
        """Start to listen.

        Raises:
            EiError: the endpoint cannot be had: why, and what to do.
        """
        for tries_left in reversed(range(PORT_TRIES)):
            try:
                await self._open()
            except OSError as error:
                is_unlucky = self._listen[1] == 0 and error.errno == errno.EADDRINUSE
                if not (is_unlucky and tries_left):
                    raise bind_error(endpoint_text(self._listen), error) from error
            else:
                return

    async def close(self) -> None:
        """Stop to listen, and hang up on whoever waits. Idempotent."""
        if self._udp is not None:
            _ = asyncio.get_running_loop().remove_reader(self._udp)
            self._udp.close()
            self._udp = None
        if self._tcp is not None:
            self._tcp.close()
            self._tcp = None
        for task in self._tasks:
            _ = task.cancel()
        await self._clients.hang_up()

    async def _open(self) -> None:
        host = str(self._listen[0])
        family = socket.AF_INET6 if isinstance(self._listen[0], IPv6Address) else socket.AF_INET
        udp = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            udp.bind((host, self._listen[1]))
            port: int = udp.getsockname()[1]
            self._tcp = await asyncio.start_server(self._serve, host, port)
        except OSError:
            udp.close()
            raise
        self._udp = udp
        self._listen = (self._listen[0], port)
        asyncio.get_running_loop().add_reader(udp, self._read, udp)

    def _read(self, udp: socket.socket) -> None:
        """Take what is there: the questions of one turn of the loop leave together."""
        with suppress(BlockingIOError, ConnectionError):
            for _ in range(MOST_AT_ONCE):
                wire, client = udp.recvfrom(DATAGRAM_BYTES)
                self.take(wire, (client[0], client[1]))

    def take(self, wire: bytes, client: Client) -> None:
        """Answer a message that came by UDP."""
        if len(self._tasks) >= MOST_WAITING:
            self._stub.counted["overflow"] += 1
            return
        # The tasks are kept here until they end, and end with the server.
        task = asyncio.get_running_loop().create_task(self._answer(wire, client))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, wire: bytes, client: Client) -> None:
        answer = await self._stub.answer(wire, client=client, is_udp=True)
        if answer and self._udp is not None:
            with suppress(OSError):  # no room, or nobody there any more: UDP promises nothing
                _ = self._udp.sendto(answer, client)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")
        try:
            with self._clients.serving():
                if len(self._clients) <= MOST_CONNECTIONS:
                    await serve_stream(
                        self._stub, reader, writer, client=(peer[0], peer[1]), idle_s=self._idle_s
                    )
        finally:
            writer.transport.abort()


async def serve_stream(
    stub: Stub,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    *,
    client: Client,
    idle_s: float = IDLE_S,
) -> None:
    """Answer the questions of a TCP connection, one after another, until it ends or idles."""
    with suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
        while True:
            async with asyncio.timeout(idle_s):
                length = int.from_bytes(await reader.readexactly(2), "big")
                wire = await reader.readexactly(length)
            answer = await stub.answer(wire, client=client, is_udp=False)
            if not answer:
                return
            async with asyncio.timeout(idle_s):
                writer.write(len(answer).to_bytes(2, "big") + answer)
                await writer.drain()
