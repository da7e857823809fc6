"""Datagrams by a proxy: to hosts, to the legacy Internet, and what becomes of them without one."""

import asyncio
import io
from collections.abc import Awaitable, Callable, Coroutine
from ipaddress import ip_address
from typing import Any, cast

import pytest
from tests.ways.conftest import Servers

from ei.daemons.log import Log
from ei.errors import DeniedError, StreamError
from ei.records.addresses import parse_address
from ei.records.endpoints import Endpoint
from ei.sdk.packets import Address
from ei.ways.legacy_datagrams import LENGTH_BYTES
from ei.ways.proxy import Proxy, proxy_of
from ei.ways.socks import read_datagram, write_datagram
from ei.ways.socks_datagrams import MAX_WAITING, Association, ProxiedHost, ProxiedPlace

HERE = ip_address("127.0.0.1")
BOB_TEXT = "fd35:8b81:4d2e:1a6c:5e1f:9a0b:7c3d:2e01"
LIMIT_S = 5.0


class Capitals(asyncio.DatagramProtocol):
    """Answers in capitals, once as a place with a name and then as the one that was sent to."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        host, port, said = read_datagram(data)
        for source in ("somebody.isp-b.ei", host):
            self._transport.sendto(write_datagram(source, port, said.upper()), addr)


async def capitals(opened: Callable[[str, int], Awaitable[None]]) -> None:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Capitals, local_addr=("127.0.0.1", 0))
    try:
        await opened("127.0.0.1", int(transport.get_extra_info("sockname")[1]))
        _ = await loop.create_future()
    finally:
        transport.close()


def beside_proxy(
    script: Callable[[Endpoint, Proxy], Coroutine[Any, Any, None]], *, carries: bool = True
) -> None:
    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            proxy = Proxy(
                Servers(group, {}),
                listen="127.0.0.1:0",
                log=Log(io.StringIO()),
                associate=capitals if carries else None,
            )
            async with proxy_of(proxy):
                await script((HERE, proxy.port), proxy)

    asyncio.run(main())


def test_what_is_sent_before_the_proxy_has_answered_is_sent_too() -> None:
    async def script(proxy: Endpoint, _: Proxy) -> None:
        carried = Association(proxy)
        assert all(carried.send("192.0.2.7", 7, b"hello") for _ in range(MAX_WAITING))
        assert not carried.send("192.0.2.7", 7, b"one more")

        got = [await carried.receive(deadline_s=LIMIT_S) for _ in range(2)]

        assert got == [("somebody.isp-b.ei", 7, b"HELLO"), ("192.0.2.7", 7, b"HELLO")]
        carried.close()

    beside_proxy(script)


def test_a_port_hears_the_hosts_that_it_sent_to_by_their_address() -> None:
    async def script(proxy: Endpoint, _: Proxy) -> None:
        bob = parse_address(BOB_TEXT)
        port = ProxiedHost(proxy, Address(bytes(16))).datagrams(5_000)
        assert port.try_send(bob, b"hello", port=9)

        got = await port.receive(deadline_s=LIMIT_S)

        assert (got.source, got.source_port, got.data) == (bob, 9, b"HELLO")
        port.close()

    beside_proxy(script)


def test_a_place_of_the_legacy_internet_is_a_stream_of_datagrams() -> None:
    async def script(proxy: Endpoint, _: Proxy) -> None:
        place = ProxiedPlace(proxy, "www.example.org", 53)
        await place.write((5).to_bytes(LENGTH_BYTES, "little") + b"hello")

        assert await place.read() == (5).to_bytes(LENGTH_BYTES, "little") + b"HELLO"
        await place.close()

    beside_proxy(script)


def test_an_association_that_is_closed_leaves_the_proxy() -> None:
    async def script(proxy: Endpoint, serving: Proxy) -> None:
        carried = Association(proxy)
        assert carried.send("192.0.2.7", 7, b"hello")
        _ = await carried.receive(deadline_s=LIMIT_S)

        carried.close()

        async with asyncio.timeout(LIMIT_S):
            while serving.about().open:  # noqa: ASYNC110 nobody tells when it has left
                await asyncio.sleep(0)
        assert not carried.send("192.0.2.7", 7, b"hello")
        _ = await carried.receive(deadline_s=LIMIT_S)  # the other answer to the first
        with pytest.raises(StreamError, match="closed"):
            _ = await carried.receive(deadline_s=LIMIT_S)

    beside_proxy(script)


def test_a_proxy_that_carries_no_datagrams_is_said() -> None:
    async def script(proxy: Endpoint, _: Proxy) -> None:
        carried = Association(proxy)

        with pytest.raises(StreamError, match="carries no datagrams"):
            _ = await carried.receive(deadline_s=LIMIT_S)

        assert not carried.send("192.0.2.7", 7, b"hello")

    beside_proxy(script, carries=False)


def test_pings_are_for_the_host_itself() -> None:
    async def script() -> None:
        host = ProxiedHost((HERE, 1), Address(bytes(16)))

        with pytest.raises(DeniedError, match="pings do not go by a proxy"):
            _ = await host.ping("bob.isp-b")

    asyncio.run(script())
