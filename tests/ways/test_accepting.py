"""Connections are accepted, each served by itself, until the listener is closed."""

import asyncio
import errno
import resource
import socket
from contextlib import closing

import pytest

from ei.ways.accepting import Listener
from ei.ways.ends import TcpEnd

LIMIT_S = 5.0


async def answer(program: TcpEnd) -> None:
    await program.write(await program.read())
    await program.close()


async def ask(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"hello")
    async with asyncio.timeout(LIMIT_S):
        said = await reader.read()
    writer.close()
    return said


def test_each_connection_is_served_until_it_closes() -> None:
    async def script() -> None:
        listener = Listener("127.0.0.1", 0, answer)
        with closing(listener):
            both = await asyncio.gather(ask(listener.port), ask(listener.port))
            assert both == [b"hello", b"hello"]
            assert listener.endpoint == f"127.0.0.1:{listener.port}"
            port = listener.port
        listener.close()

        with pytest.raises(ConnectionRefusedError):
            _ = await ask(port)

    asyncio.run(script())


def test_a_place_that_is_taken_is_said_at_once() -> None:
    async def script() -> None:
        with closing(Listener("::1", 0, answer)) as first:
            assert first.endpoint == f"[::1]:{first.port}"
            with pytest.raises(OSError, match="in use") as caught:
                _ = Listener("::1", first.port, answer)

        assert caught.value.errno == errno.EADDRINUSE

    asyncio.run(script())


def test_without_a_descriptor_it_waits_until_there_is_one() -> None:
    async def script() -> bytes:
        with closing(Listener("127.0.0.1", 0, answer)) as listener:
            probe = socket.create_connection(("127.0.0.1", listener.port))
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (probe.fileno() + 1, hard))
            try:
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            probe.setblocking(False)  # noqa: FBT003 its own name
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(probe, b"late")
            async with asyncio.timeout(LIMIT_S):
                with probe:
                    return await loop.sock_recv(probe, 100)

    assert asyncio.run(script()) == b"late"
