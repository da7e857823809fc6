"""One face for both kinds of byte streams: those of hosts, and TCP connections of programs."""

import asyncio
import socket
import struct
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Protocol

from ei.errors import StreamError
from ei.host.deadlines import within
from ei.host.stream_codes import ABORTED
from ei.host.streams import READ_BYTES, Stream

PATIENCE_S = 24 * 3_600.0
"""Longest wait of a stream; who reads and writes here watches the time himself."""
BUFFER_BYTES = 64 * 1024
"""Of a TCP connection: half of what waits here at most before it is read no further."""
FLUSH_S = 5.0
"""Longest wait for a program to take what is left for it."""
NO_LINGER = struct.pack("ii", 1, 0)
"""For SO_LINGER: closing resets."""


class End(Protocol):
    """Bytes in order, both ways. Whatever breaks it is a `StreamError`."""

    async def read(self, max_bytes: int = READ_BYTES) -> bytes:
        """Return what is there, at least one byte; `b""` at the end of the other's direction."""
        ...

    async def write(self, data: bytes) -> None:
        """Return when there is room for more."""
        ...

    async def finish(self) -> None:
        """End the own direction; the other one stays."""
        ...

    async def settle(self) -> None:
        """Return once the other end has had the time to refuse what was just opened."""
        ...

    async def close(self) -> None:
        """Let go of it, after both directions have ended."""
        ...

    def abort(self, code: int = ABORTED) -> None:
        """Give it up, both ways, at once. Idempotent."""
        ...


class Connect(Protocol):
    """Connects to a server, as `connect_tcp` does."""

    async def __call__(self, host: str, port: int, *, deadline_s: float) -> End:
        """Return the connection."""
        ...


class StreamEnd:
    """A stream with a host, or with a service at a node.

    Args:
        is_settled: The other end has said that it takes it, as termination does.
    """

    def __init__(self, stream: Stream, *, is_settled: bool = False) -> None:
        self._stream = stream
        self._is_settled = is_settled

    async def read(self, max_bytes: int = READ_BYTES) -> bytes:
        """Return what is there."""
        return await self._stream.read(max_bytes, deadline_s=PATIENCE_S)

    async def write(self, data: bytes) -> None:
        """Return when the window has taken all of it."""
        await self._stream.write(data, deadline_s=PATIENCE_S)

    async def finish(self) -> None:
        """Return when the other end's stack has all of it."""
        await self._stream.finish(deadline_s=PATIENCE_S)

    async def settle(self) -> None:
        """Wait as the handshake of TCP does."""
        if not self._is_settled:
            await self._stream.refusal()

    async def close(self) -> None:
        """Nothing is left to do."""

    def abort(self, code: int = ABORTED) -> None:
        """Tell the other end why."""
        self._stream.abort(code)


class TcpEnd:
    """A TCP connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self, max_bytes: int = READ_BYTES) -> bytes:
        """Return what is there."""
        try:
            return await self._reader.read(max_bytes)
        except OSError as error:
            raise _broken(error) from error

    async def write(self, data: bytes) -> None:
        """Return when the system has most of it."""
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError as error:
            raise _broken(error) from error

    async def finish(self) -> None:
        """Send the end behind what was written."""
        try:
            self._writer.write_eof()
        except OSError as error:
            raise _broken(error) from error

    async def settle(self) -> None:
        """It is open already."""

    async def close(self) -> None:
        """Wait a little for what is left to be taken."""
        self._writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(FLUSH_S):
                await self._writer.wait_closed()
        self._writer.transport.abort()

    def abort(self, code: int = ABORTED) -> None:
        """Reset it: what was cut off must not look complete."""
        connection: socket.socket | None = self._writer.get_extra_info("socket")
        if connection is not None:
            with suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        self._writer.transport.abort()


async def connect_tcp(host: str, port: int, *, deadline_s: float) -> TcpEnd:
    """Connect to a server of the legacy Internet.

    Raises:
        StreamError: `refused`, or `unreachable` for another reason of the system.
        DeadlineError: it does not answer.
    """
    async with within(deadline_s, f"answer from {host} port {port}"):
        try:
            reader, writer = await asyncio.open_connection(host, port, limit=BUFFER_BYTES)
        except ConnectionRefusedError as error:
            text = f"{host} port {port} refuses connections"
            raise StreamError(text, kind="refused") from error
        except TimeoutError:
            raise
        except OSError as error:
            text = f"{host} port {port}: {error.strerror or error}"
            raise StreamError(text, kind="unreachable") from error
    return TcpEnd(reader, writer)


def _broken(error: OSError) -> StreamError:
    return StreamError(f"the connection broke: {error.strerror or error}", kind="lost")


@contextmanager
def given_up_on_error(end: End) -> Generator[None]:
    """Give an end up when the block does not come to its end."""
    try:
        yield
    except BaseException:
        end.abort()
        raise


async def part(end: End) -> None:
    """Let go of an end from which all that matters has come; it has a moment to end by itself."""
    with suppress(StreamError, TimeoutError), given_up_on_error(end):
        async with asyncio.timeout(FLUSH_S):
            await end.finish()
            while await end.read():
                pass
            await end.close()
