"""An origin of HTTP that counts what it is asked, and answers when it is let."""

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

HERE = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Page:
    """What is said at one path.

    Attributes:
        body: Content.
        fields: Lines of the head, beside the length.
        echoes: A field of the request whose value is added to the body, as careless origins do.
    """

    body: bytes
    fields: tuple[str, ...] = ("cache-control: max-age=60",)
    echoes: str = ""


@dataclass(slots=True)
class Origin:
    """What it says, and what it was asked.

    Attributes:
        port: That it listens on.
        pages: By path.
        asked: How often, by path.
        gate: Answers wait until it is open.
    """

    port: int
    pages: dict[str, Page] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def url(self, path: str) -> str:
        """Return the URL of a path."""
        return f"http://{HERE}:{self.port}{path}"

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer what comes by one connection."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                first, *lines = head.split("\r\n")
                path = first.split(" ")[1]
                self.asked[path] += 1
                _ = await self.gate.wait()
                writer.write(_said(self.pages.get(path, Page(b"nothing")), lines))
                await writer.drain()
        writer.close()


def _said(page: Page, lines: list[str]) -> bytes:
    echoed = [line.partition(": ")[2] for line in lines if line.startswith(f"{page.echoes}: ")]
    body = page.body + "".join(echoed).encode()
    head = ("HTTP/1.1 200 OK", f"content-length: {len(body)}", *page.fields, "", "")
    return "\r\n".join(head).encode() + body


@asynccontextmanager
async def serving() -> AsyncGenerator[tuple[Origin, Callable[[], None]]]:
    """Serve on a free port while the context lasts, or until what is returned is called."""
    listener = socket.create_server((HERE, 0))
    origin = Origin(listener.getsockname()[1])
    origin.gate.set()
    open_writers: set[asyncio.StreamWriter] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_writers.add(writer)
        await origin.answer(reader, writer)
        open_writers.discard(writer)

    server = await asyncio.start_server(answer, sock=listener)

    def stop() -> None:
        server.close()
        for writer in open_writers:
            writer.transport.abort()

    try:
        yield origin, stop
    finally:
        stop()
