"""The stub on real sockets of this machine."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import Any

import pytest
from tests.ways.messages import asked, question, read, records

from ei.errors import ConflictError
from ei.records.addresses import parse_address
from ei.sdk.packets import Address
from ei.ways.dns_server import DnsServer
from ei.ways.dns_stub import Stub
from ei.ways.dns_upstream import Upstream
from ei.ways.dns_zone import Known, Looked

AT = "fd35:0:1:9c1b::7"
HERE = ip_address("127.0.0.1")


async def look(_wanted: str | Address) -> Looked:
    return Known("bob.isp-b", parse_address(AT), 60.0)


@asynccontextmanager
async def served(*, idle_s: float = 5.0) -> AsyncGenerator[DnsServer]:
    """A stub without an upstream."""
    server = DnsServer(Stub(look, Upstream([])), (HERE, 0), idle_s=idle_s)
    await server.open()
    try:
        yield server
    finally:
        await server.close()


async def ask_tcp(port: int, *wires: bytes) -> list[bytes]:
    """Ask all at once, then read all answers."""
    reader, writer = await asyncio.open_connection(str(HERE), port)
    try:
        for wire in wires:
            writer.write(len(wire).to_bytes(2, "big") + wire)
        await writer.drain()
        return [
            await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
            for _ in wires
        ]
    finally:
        writer.transport.abort()


def run(script: Coroutine[Any, Any, None]) -> None:
    asyncio.run(script)


def test_udp_and_tcp_are_answered_on_one_port() -> None:
    async def script() -> None:
        async with served() as server:
            endpoint, wire = server.endpoint, asked("bob.isp-b.ei.")
            by_udp = await Upstream([endpoint])(question("bob.isp-b.ei."), is_udp=True)
            [by_tcp, again] = await ask_tcp(endpoint[1], wire, asked("bob.isp-b.ei."))

            for answer in (by_udp, by_tcp, again):
                assert records(read(answer)) == [f"bob.isp-b.ei. 60 IN AAAA {AT}"]

    run(script())


def test_a_connection_that_says_nothing_or_half_is_hung_up_on() -> None:
    async def script() -> None:
        async with served(idle_s=0.05) as server:
            for beginning in (b"", b"\0", b"\0\x20abc"):
                reader, writer = await asyncio.open_connection(str(HERE), server.endpoint[1])
                writer.write(beginning)

                assert await reader.read() == b""
                writer.close()

    run(script())


def test_a_port_that_is_in_use_is_named() -> None:
    async def script() -> None:
        async with served() as server:
            other = DnsServer(Stub(look, Upstream([])), server.endpoint)

            with pytest.raises(ConflictError, match=str(server.endpoint[1])):
                await other.open()
            await other.close()

    run(script())


def test_who_waits_is_hung_up_on_when_it_closes() -> None:
    async def script() -> None:
        async with served() as server:
            reader, writer = await asyncio.open_connection(str(HERE), server.endpoint[1])
            [_] = await ask_tcp(server.endpoint[1], asked("bob.isp-b.ei."))

            await server.close()
            await server.close()

            assert await reader.read() == b""
            writer.close()

    run(script())
