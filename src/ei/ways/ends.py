"""One face for both kinds of byte streams: those of hosts, and TCP connections of programs."""

import asyncio
import socket
import struct
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Protocol

from ei.errors import StreamError
from ei.host.deadlines import within
from ei.host.joints import Carried
from ei.host.stream_codes import ABORTED
from ei.host.streams import READ_BYTES

PATIENCE_S = 24 * 3_600.0
"""Longest wait of a stream; who reads and writes here watches the time himself."""
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


class ByteStream(Protocol):
    """What streams have in common, whether or not they outlive a node; see `ei.host.streams`."""

    async def read(self, max_bytes: int = READ_BYTES, *, deadline_s: float) -> bytes:
        """As `Stream.read`."""
        ...

    async def write(self, data: bytes, *, deadline_s: float) -> None:
        """As `Stream.write`."""
        ...

    async def finish(self, *, deadline_s: float) -> None:
        """As `Stream.finish`."""
        ...

    async def carry(self, connection: socket.socket, *, idle_s: float) -> None:
        """As `Stream.carry`."""
        ...

    def carried(self) -> Carried:
        """As `Stream.carried`."""
        ...

    def part(self, *, is_reset: bool) -> None:
        """As `Stream.part`."""
        ...

    async def refusal(self) -> None:
        """As `Stream.refusal`."""
        ...

    def abort(self, code: int = ABORTED) -> None:
        """As `Stream.abort`."""
        ...


class StreamEnd:
    """A stream with a host, or with a service at a node.

    Args:
        is_settled: The other end has said that it takes it, as termination does.
    """

    def __init__(self, stream: ByteStream, *, is_settled: bool = False) -> None:
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

    @property
    def stream(self) -> ByteStream:
        """The stream itself."""
        return self._stream


class TcpEnd:
    """A TCP connection. Nothing of it waits here: all that came and went is with the system.

    Args:
        connection: It belongs to the end from now on.
    """

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)  # noqa: FBT003 its own name
        self._connection = connection

    async def read(self, max_bytes: int = READ_BYTES) -> bytes:
        """Return what is there."""
        try:
            return await asyncio.get_running_loop().sock_recv(self._connection, max_bytes)
        except OSError as error:
            raise _broken(error) from error

    async def write(self, data: bytes) -> None:
        """Return when the system has all of it."""
        try:
            await asyncio.get_running_loop().sock_sendall(self._connection, data)
        except OSError as error:
            raise _broken(error) from error

    async def finish(self) -> None:
        """Send the end behind what was written."""
        try:
            self._connection.shutdown(socket.SHUT_WR)
        except OSError as error:
            raise _broken(error) from error

    async def settle(self) -> None:
        """It is open already."""

    async def close(self) -> None:
        """The system sends what it has; see `close(2)`."""
        self._connection.close()

    def abort(self, code: int = ABORTED) -> None:
        """Reset it: what was cut off must not look complete."""
        with suppress(OSError):
            self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        self._connection.close()

    def probe(self, after_s: int) -> None:
        """Have the system ask whether the other machine is there, when it is silent for so long."""
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, after_s)

    def give(self) -> socket.socket:
        """Return the connection for somebody else to use; this end is of no use after it."""
        return self._connection


async def connect_tcp(host: str, port: int, *, deadline_s: float) -> TcpEnd:
    """Connect to a server of the legacy Internet.

    Raises:
        StreamError: `refused`, or `unreachable` for another reason of the system.
        DeadlineError: it does not answer.
    """
    async with within(deadline_s, f"answer from {host} port {port}"):
        try:
            connection = await _connected(host, port)
        except ConnectionRefusedError as error:
            text = f"{host} port {port} refuses connections"
            raise StreamError(text, kind="refused") from error
        except TimeoutError:
            raise
        except OSError as error:
            text = f"{host} port {port}: {error.strerror or error}"
            raise StreamError(text, kind="unreachable") from error
    return TcpEnd(connection)


async def _connected(host: str, port: int) -> socket.socket:
    """Connect to the first address of a host that answers."""
    loop = asyncio.get_running_loop()
    refused: OSError | None = None
    for family, kind, protocol, _, place in await loop.getaddrinfo(
        host, port, type=socket.SOCK_STREAM
    ):
        connection = socket.socket(family, kind, protocol)
        try:
            connection.setblocking(False)  # noqa: FBT003 its own name
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await loop.sock_connect(connection, place)
        except OSError as error:
            connection.close()
            refused = refused or error
        except BaseException:
            connection.close()
            raise
        else:
            return connection
    raise refused or OSError("no address")


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
