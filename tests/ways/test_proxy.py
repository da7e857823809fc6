"""The proxy on a real port: which of its two languages a program speaks, and how many may."""

import asyncio
import io
import socket
from collections.abc import Callable
from typing import TypeVar

import pytest
from tests.ways.conftest import Memory, Servers

from ei.daemons.log import Log
from ei.errors import ConflictError
from ei.ways.page import About
from ei.ways.proxy import Proxy, ProxyLimits, proxy_of

ResultT = TypeVar("ResultT")
PLACE = ("files.campus", 22)


async def echo(end: Memory) -> None:
    await end.write(await end.rest())
    await end.finish()


def beside(
    ask: Callable[[Proxy], ResultT],
    *,
    limits: ProxyLimits | None = None,
    listen: str = "127.0.0.1:0",
    log: Log | None = None,
) -> ResultT:
    """Return what `ask` returns, called on a thread beside a proxy."""

    async def main() -> ResultT:
        async with asyncio.TaskGroup() as group:
            proxy = Proxy(
                Servers(group, {PLACE: echo}),
                listen=listen,
                log=log or Log(io.StringIO()),
                about=lambda: About("alice.isp-a", "", domains=("campus",)),
                limits=limits,
            )
            async with proxy_of(proxy):
                return await asyncio.to_thread(ask, proxy)

    return asyncio.run(main())


def connected(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=5)


def said(proxy: Proxy, *words: bytes) -> bytes:
    """Say something, end, and return the whole answer."""
    with connected(proxy) as program, program.makefile("rb") as answer:
        program.sendall(b"".join(words))
        program.shutdown(socket.SHUT_WR)
        return answer.read()


def test_the_first_byte_tells_http_from_socks() -> None:
    def ask(proxy: Proxy) -> tuple[bytes, bytes, bytes]:
        return (
            said(proxy, b"CONNECT files.campus:22 HTTP/1.1\r\nHost: x\r\n\r\n", b"hello"),
            said(proxy, b"\x05\x01\x00\x05\x01\x00\x03\x0cfiles.campus\x00\x16", b"hello"),
            said(proxy, b"\x16\x03\x01\x02\x00"),
        )

    http, socks, tls = beside(ask)

    assert http == b"HTTP/1.1 200 Connection established\r\n\r\nhello"
    assert socks == b"\x05\x00\x05\x00\x00\x01" + bytes(6) + b"hello"
    assert tls == b""


def test_it_says_of_itself_where_it_is_and_what_it_did() -> None:
    def ask(proxy: Proxy) -> tuple[About, bytes]:
        _ = said(proxy, b"GET http://nobody.campus/ HTTP/1.1\r\nHost: x\r\n\r\n")
        return proxy.about(), said(proxy, b"GET /ei.pac HTTP/1.1\r\nHost: localhost\r\n\r\n")

    about, rules = beside(ask)

    assert (about.host, about.asked, about.refused) == ("alice.isp-a", 1, 1)
    assert about.endpoint.encode() in rules


def test_programs_beyond_the_limit_are_hung_up_on_and_the_others_served() -> None:
    def ask(proxy: Proxy) -> tuple[bytes, bytes]:
        with connected(proxy) as first:
            first.sendall(b"\x05\x01\x00")
            assert first.recv(2) == b"\x05\x00"
            with connected(proxy) as second:
                more = second.recv(1)
            first.sendall(b"\x05\x01\x00\x03\x0cfiles.campus\x00\x16")
            return more, first.recv(10)[:2]

    assert beside(ask, limits=ProxyLimits(connections=1)) == (b"", b"\x05\x00")


def test_who_says_nothing_is_hung_up_on() -> None:
    def ask(proxy: Proxy) -> bytes:
        with connected(proxy) as silent:
            return silent.recv(1)

    assert beside(ask, limits=ProxyLimits(first_s=0.05)) == b""


def test_a_program_that_breaks_off_costs_only_its_own() -> None:
    def ask(proxy: Proxy) -> bytes:
        for beginning in (b"\x05", b"GET http://files.campus", b"\x05\x01\x00\x05"):
            with connected(proxy) as program:
                program.sendall(beginning)
        return said(proxy, b"CONNECT files.campus:22 HTTP/1.1\r\nHost: x\r\n\r\n", b"on")

    assert beside(ask).endswith(b"\r\n\r\non")


def test_a_port_in_use_is_said_with_how_to_see_by_whom() -> None:
    def ask(proxy: Proxy) -> None:
        with pytest.raises(ExceptionGroup) as caught:
            beside(lambda _: None, listen=proxy.endpoint)
        assert caught.group_contains(ConflictError, match="TCP port .* is in use")

    beside(ask)


def test_who_lets_others_in_is_warned() -> None:
    lines = io.StringIO()

    beside(lambda _: None, listen="0.0.0.0:0", log=Log(lines, is_json=False))

    assert "proxy is open to others" in lines.getvalue()
