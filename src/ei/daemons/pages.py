"""A few pages over HTTP, for programs that watch a daemon: GET and HEAD, one a connection.

Anybody who reaches the port may read them: it belongs on the loopback, or behind a firewall.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus

from ei.daemons.binding import bind_error
from ei.daemons.clients import Clients
from ei.errors import EiError
from ei.records.endpoints import parse_endpoint

MAX_HEAD_BYTES = 16 * 1024
MAX_CLIENTS = 16
PATIENCE_S = 10.0
"""Longest life of a connection; Prometheus itself gives up after 10 s."""


@dataclass(frozen=True, slots=True)
class Page:
    """What one request is answered with."""

    text: str
    status: HTTPStatus = HTTPStatus.OK
    content_type: str = "text/plain; charset=utf-8"


class PageServer:
    """Serves pages until it is closed.

    Args:
        bind: Endpoint; port 0 takes any, and an empty one serves nobody.
        pages: Path to what makes the page; its `EiError`s become status 503.
        patience_s: A client that takes longer is hung up on.
    """

    def __init__(
        self, bind: str, pages: Mapping[str, Callable[[], Page]], *, patience_s: float = PATIENCE_S
    ) -> None:
        self._bind = bind
        self._pages = pages
        self._patience_s = patience_s
        self._server: asyncio.Server | None = None
        self._clients = Clients()

    @property
    def port(self) -> int:
        """TCP port on which it listens; 0 while it does not."""
        return int(self._server.sockets[0].getsockname()[1]) if self._server is not None else 0

    async def open(self) -> None:
        """Start to listen.

        Raises:
            EiError: the endpoint cannot be had: why, and what to do.
        """
        if not self._bind:
            return
        address, port = parse_endpoint(self._bind)
        try:
            self._server = await asyncio.start_server(
                self._serve, host=str(address), port=port, limit=MAX_HEAD_BYTES
            )
        except OSError as error:
            raise bind_error(self._bind, error, protocol="TCP") from error

    async def close(self) -> None:
        """Stop to listen and hang up on all clients. Idempotent."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        await self._clients.hang_up()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with self._clients.serving(), suppress(OSError, TimeoutError):
                async with asyncio.timeout(self._patience_s):
                    writer.write(await self._answer(reader))
                    await writer.drain()
                    writer.close()
                    await writer.wait_closed()
        finally:
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader) -> bytes:
        # A client too many, or one that says too much, is hung up on: an answer before all was read
        # would be lost with the connection.
        if len(self._clients) > MAX_CLIENTS:
            return b""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return b""
        method, _, rest = head.partition(b"\r\n")[0].decode("latin-1").partition(" ")
        if method not in {"GET", "HEAD"}:
            status = HTTPStatus.METHOD_NOT_ALLOWED
            return _response(Page("allowed are GET and HEAD\n", status))
        page = self._page(rest.partition(" ")[0].partition("?")[0])
        return _response(page, has_body=method == "GET")

    def _page(self, path: str) -> Page:
        make = self._pages.get(path)
        if make is None:
            return Page(f"there are {', '.join(self._pages)}\n", HTTPStatus.NOT_FOUND)
        try:
            return make()
        except EiError as error:
            return Page(f"{error}\n", HTTPStatus.SERVICE_UNAVAILABLE)


def _response(page: Page, *, has_body: bool = True) -> bytes:
    body = page.text.encode()
    head = [
        f"HTTP/1.1 {page.status.value} {page.status.phrase}",
        f"Content-Type: {page.content_type}",
        f"Content-Length: {len(body)}",
        "Allow: GET, HEAD",
        "Connection: close",
    ]
    return "\r\n".join([*head, "", ""]).encode() + (body if has_body else b"")
