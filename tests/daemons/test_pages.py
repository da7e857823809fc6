"""The pages of a daemon, asked by a client that shares no code with it, and by worse ones."""

import asyncio
import socket
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack, suppress
from http import HTTPStatus
from typing import TypeVar

import pytest

from ei.daemons.pages import MAX_CLIENTS, MAX_HEAD_BYTES, Page, PageServer
from ei.errors import ConflictError, LocalError

Told = TypeVar("Told")


def broken() -> Page:
    raise LocalError("the datapath has failed")


PAGES = {"/metrics": lambda: Page("ei_x 1\n"), "/broken": broken}


def run(ask: Callable[[PageServer], Told], *, patience_s: float = 10.0) -> Told:
    """Return what `ask` returns, called on a thread beside a server of these pages."""

    async def main() -> Told:
        server = PageServer("127.0.0.1:0", PAGES, patience_s=patience_s)
        await server.open()
        try:
            return await asyncio.to_thread(ask, server)
        finally:
            await server.close()

    return asyncio.run(main())


def connected(server: PageServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=5.0)


def say(server: PageServer, request: bytes) -> bytes:
    """Return all that the server answers to some bytes."""
    with connected(server) as client, client.makefile("rb") as answer:
        with suppress(ConnectionError):
            client.sendall(request)
            return answer.read()
        return b""


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ")[1])


def test_a_page_is_got_with_its_type() -> None:
    def ask(server: PageServer) -> tuple[str, str]:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics?x=1") as answer:
            return answer.read().decode(), answer.headers["Content-Type"]

    assert run(ask) == ("ei_x 1\n", "text/plain; charset=utf-8")


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/nothing", HTTPStatus.NOT_FOUND, "there are /metrics, /broken"),
        ("/broken", HTTPStatus.SERVICE_UNAVAILABLE, "the datapath has failed"),
    ],
)
def test_what_cannot_be_had_is_said(path: str, status: HTTPStatus, said: str) -> None:
    def ask(server: PageServer) -> tuple[int, str]:
        with pytest.raises(urllib.error.HTTPError) as caught:
            _ = urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}")
        with caught.value as answer:
            return answer.code, answer.read().decode().strip()

    assert run(ask) == (status, said)


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"POST /metrics HTTP/1.1\r\n\r\n", HTTPStatus.METHOD_NOT_ALLOWED),
        (b"\xff\x00\r\n\r\n", HTTPStatus.METHOD_NOT_ALLOWED),
        (b"GET\r\n\r\n", HTTPStatus.NOT_FOUND),
    ],
)
def test_what_is_no_request_is_refused(request_bytes: bytes, status: HTTPStatus) -> None:
    answer = run(lambda server: say(server, request_bytes))

    assert status_of(answer) == status


def test_head_gets_the_head_alone() -> None:
    answer = run(lambda server: say(server, b"HEAD /metrics HTTP/1.1\r\n\r\n"))

    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"Content-Length: 7" in head
    assert body == b""


def test_who_says_nothing_is_hung_up_on() -> None:
    assert run(lambda server: say(server, b"GET /met"), patience_s=0.01) == b""


def test_who_says_too_much_is_hung_up_on() -> None:
    request = b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 2 * MAX_HEAD_BYTES

    assert run(lambda server: say(server, request)) == b""


def test_there_are_places_for_so_many_and_no_more() -> None:
    def ask(server: PageServer) -> bytes:
        with ExitStack() as idle:
            for _ in range(MAX_CLIENTS):
                _ = idle.enter_context(connected(server))
            return say(server, b"GET /metrics HTTP/1.1\r\n\r\n")

    assert run(ask) == b""


def test_a_port_in_use_is_said() -> None:
    async def main() -> None:
        first = PageServer("127.0.0.1:0", PAGES)
        await first.open()
        try:
            with pytest.raises(ConflictError, match=f"TCP port {first.port} is in use"):
                await PageServer(f"127.0.0.1:{first.port}", PAGES).open()
        finally:
            await first.close()

    asyncio.run(main())


def test_a_server_that_closes_hangs_up_and_leaves_no_port() -> None:
    async def main() -> None:
        server = PageServer("127.0.0.1:0", PAGES)
        await server.open()
        port = server.port
        with connected(server) as client:
            await server.close()
            await server.close()

            with suppress(ConnectionResetError):
                assert client.recv(1) == b""
        with pytest.raises(ConnectionRefusedError):
            _ = socket.create_connection(("127.0.0.1", port))

    asyncio.run(main())


def test_without_an_endpoint_nobody_is_served() -> None:
    async def main() -> int:
        server = PageServer("", PAGES)
        await server.open()
        port = server.port
        await server.close()
        return port

    assert asyncio.run(main()) == 0
