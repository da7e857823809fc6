"""Connections by a proxy: ours, and ones that misbehave."""

import asyncio
import io
from collections.abc import Callable, Coroutine
from ipaddress import ip_address
from typing import Any

import pytest
from tests.ways.conftest import Memory, Servers

from ei.daemons.log import Log
from ei.errors import DeadlineError, StreamError
from ei.ways.proxy import Proxy, proxy_of
from ei.ways.socks_dialler import SocksDialler

HERE = ip_address("127.0.0.1")


async def echo(end: Memory) -> None:
    await end.write(await end.rest())
    await end.finish()


def beside_proxy(script: Callable[[SocksDialler], Coroutine[Any, Any, None]]) -> None:
    """Run a script beside our own proxy, which leads to an echo."""

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            servers = Servers(group, {("bob.isp-b.ei", 22): echo, ("fd35::7", 22): echo})
            log = Log(io.StringIO())
            async with proxy_of(Proxy(servers, listen="127.0.0.1:0", log=log)) as proxy:
                await script(SocksDialler((HERE, proxy.port)))

    asyncio.run(main())


def test_names_and_addresses_lead_on() -> None:
    async def script(dialler: SocksDialler) -> None:
        for name in ("bob.isp-b.ei", "fd35::7"):
            end = await dialler.dial(name, 22)
            await end.write(b"hello")
            await end.finish()

            assert await end.read() == b"hello"
            assert await end.read() == b""
            await end.close()

    beside_proxy(script)


def test_what_the_proxy_refuses_is_an_error_with_the_destination() -> None:
    async def script(dialler: SocksDialler) -> None:
        with pytest.raises(StreamError, match=r"nobody\.isp-b\.ei port 22"):
            _ = await dialler.dial("nobody.isp-b.ei", 22)

    beside_proxy(script)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"", "lost"),
        (b"\5\xff", "not_allowed"),
        (b"\5\0\5\5\0\1", "refused"),
        (b"\5\0\5\x99\0\1", "lost"),
        (b"\5\0\5\0\0\1\0\0", "lost"),
    ],
    ids=repr,
)
def test_a_proxy_that_says_no_or_nonsense_is_an_error(answer: bytes, kind: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _ = await reader.read(3)
        writer.write(answer)
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(serve, str(HERE), 0)
        async with server:
            dialler = SocksDialler((HERE, server.sockets[0].getsockname()[1]))
            with pytest.raises(StreamError) as said:
                _ = await dialler.dial("bob.isp-b.ei", 22)
        assert said.value.kind == kind

    asyncio.run(main())


def test_a_proxy_that_says_nothing_costs_the_deadline() -> None:
    async def main() -> None:
        over = asyncio.Event()

        async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            _ = await over.wait()
            writer.close()

        server = await asyncio.start_server(serve, str(HERE), 0)
        async with server:
            dialler = SocksDialler((HERE, server.sockets[0].getsockname()[1]))
            with pytest.raises(DeadlineError, match="port 22"):
                _ = await dialler.dial("bob.isp-b.ei", 22, deadline_s=0.05)
            over.set()

    asyncio.run(main())
