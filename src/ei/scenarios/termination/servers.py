"""A server of the legacy Internet that does what the first line of a connection says.

give 1000        a thousand bytes, and the end
long 1000        the same of a body that is too long to be kept
take             all bytes to the end, then their SHA-256
late             the same as soon as it may answer
die 1000         a thousand bytes of a body that is longer, and is never finished
flood            bytes for as long as somebody takes them
"""

import asyncio
import hashlib
import random
import socket
import ssl
import struct
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, suppress
from functools import cache

PIECE_BYTES = 64 * 1024
NO_LINGER = struct.pack("ii", 1, 0)
"""A socket that is closed so sends a reset."""


class Server:
    """Where it listens, and what it has sent.

    Attributes:
        port: That it listens on.
        flooded_bytes: That its system has taken of floods.
        has_all: One who is answered late has said all.
        may_answer: That one may be answered.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.flooded_bytes = 0
        self.has_all = asyncio.Event()
        self.may_answer = asyncio.Event()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection."""
        with suppress(ConnectionError):
            match (await reader.readline()).split():
                case [b"give", count]:
                    writer.write(content(int(count)))
                    await writer.drain()
                case [b"take"]:
                    writer.write(await taken(reader))
                case [b"late"]:
                    digest = await taken(reader)
                    self.has_all.set()
                    _ = await self.may_answer.wait()
                    writer.write(digest)
                case [b"long", count]:
                    for piece in pieces(int(count)):
                        writer.write(piece)
                        await writer.drain()
                case [b"die", count]:
                    writer.write(content(int(count)))
                    await writer.drain()
                    # What was sent has to have left: a reset takes back what waits.
                    _ = await reader.read(1)
                    sock: socket.socket = writer.get_extra_info("socket")
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
                case [b"flood"]:
                    await self._flood(writer)
                case _:
                    pass
        writer.close()

    async def _flood(self, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(bytes(PIECE_BYTES))
            await writer.drain()
            self.flooded_bytes += PIECE_BYTES


async def taken(reader: asyncio.StreamReader) -> bytes:
    """Return the SHA-256 of all bytes to the end."""
    whole = hashlib.sha256()
    while piece := await reader.read(PIECE_BYTES):
        whole.update(piece)
    return whole.hexdigest().encode()


def pieces(count: int) -> Iterator[bytes]:
    """Yield so many bytes, of which no two pieces are alike."""
    block = content(PIECE_BYTES)
    for start in range(0, count, PIECE_BYTES):
        piece = start.to_bytes(8, "little") + block[8:]
        yield piece[: count - start]


@cache
def content(count: int) -> bytes:
    """Return so many bytes, the same each time."""
    return random.Random(count).randbytes(count)


@asynccontextmanager
async def serving(
    listener: socket.socket, *, tls: ssl.SSLContext | None = None
) -> AsyncGenerator[Server]:
    """Serve on a bound socket while the context lasts."""
    server = Server(listener.getsockname()[1])
    async with await asyncio.start_server(server.answer, sock=listener, ssl=tls):
        yield server
