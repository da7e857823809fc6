"""The admin socket of a daemon: a Unix socket in asyncio, for the daemon's own user alone."""

import asyncio
import os
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

from ei.daemons.clients import Clients
from ei.daemons.messages import (
    MAX_PATH_BYTES,
    Answer,
    Request,
    answer_of,
    encode_line,
    parse_request,
)
from ei.errors import ConflictError, DeniedError, EiError, LocalError

MAX_REQUEST_BYTES = 1024 * 1024
MAX_CLIENTS = 64
IDLE_S = 30.0
"""Longest wait for a client: for its next request, and for it to read an answer."""

FLUSH_S = 1.0
"""Longest wait for a client to read what is left when the server hangs up."""

Handler = Callable[[Request], AsyncIterator[Answer]]
"""Answers one request: any number of `ei.progress/1` answers, then the last."""


class AdminServer:
    """Serves `handler` at `path` until it is closed.

    Args:
        path: Of the socket: mode 0600, removed at the end.
        handler: Its `EiError`s become answers; anything else it raises ends the daemon.
        idle_s: A client that makes the server wait for longer loses its place.
    """

    def __init__(self, path: Path, handler: Handler, *, idle_s: float = IDLE_S) -> None:
        self._path = path
        self._handler = handler
        self._idle_s = idle_s
        self._server: asyncio.Server | None = None
        self._clients = Clients()

    async def open(self) -> None:
        """Start to listen. A socket that nobody serves any more is replaced.

        Raises:
            ConflictError: a daemon answers there already.
            OSError: the system refused.
        """
        self._remove_stale()
        old = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(
                self._serve, path=str(self._path), limit=MAX_REQUEST_BYTES
            )
        finally:
            _ = os.umask(old)

    async def close(self) -> None:
        """Stop to listen, hang up on all clients and remove the socket. Idempotent."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        self._path.unlink(missing_ok=True)
        await self._clients.hang_up()

    def _remove_stale(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.connect(str(self._path))
            except ConnectionRefusedError:
                self._path.unlink(missing_ok=True)
            except FileNotFoundError:
                pass
            except OSError as error:
                if len(bytes(self._path)) <= MAX_PATH_BYTES:
                    raise
                raise LocalError(
                    f"the admin socket's path {self._path} exceeds {MAX_PATH_BYTES} B"
                ) from error
            else:
                raise ConflictError(f"a daemon is running: it answers at {self._path}")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with self._clients.serving(), suppress(ConnectionError):
                if len(self._clients) > MAX_CLIENTS:
                    refusal = LocalError(f"more than {MAX_CLIENTS} clients ask at once")
                    await self._say(writer, answer_of(refusal))
                elif _user_of(writer) not in {0, os.geteuid()}:
                    await self._say(writer, answer_of(DeniedError("this daemon is not yours")))
                else:
                    await self._serve_requests(reader, writer)
        finally:
            writer.close()
            with suppress(ConnectionError, TimeoutError):
                async with asyncio.timeout(FLUSH_S):
                    await writer.wait_closed()
            writer.transport.abort()

    async def _serve_requests(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while True:
            try:
                async with asyncio.timeout(self._idle_s):
                    line = await reader.readuntil(b"\n")
            except (asyncio.IncompleteReadError, TimeoutError):
                return
            except asyncio.LimitOverrunError:
                too_long = LocalError(f"a request is at most {MAX_REQUEST_BYTES} B long")
                await self._say(writer, answer_of(too_long))
                return
            try:
                async for answer in self._handler(parse_request(line)):
                    await self._say(writer, answer)
            except EiError as error:
                await self._say(writer, answer_of(error))

    async def _say(self, writer: asyncio.StreamWriter, answer: Answer) -> None:
        writer.write(encode_line(answer))
        try:
            async with asyncio.timeout(self._idle_s):
                await writer.drain()
        except TimeoutError as error:
            raise ConnectionAbortedError("the client does not read its answers") from error


def _user_of(writer: asyncio.StreamWriter) -> int:
    """Return the user at the other end, from the kernel."""
    connection: socket.socket = writer.get_extra_info("socket")
    size = struct.calcsize("3i")
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    return int(struct.unpack("3i", credentials)[1])
