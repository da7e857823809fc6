"""The port: clients wait for a broker, more than allowed are hung up on, all are told."""

import asyncio
import io
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from random import Random

import pytest
from tests.ways.mqtt.memory import MemoryBus, MemoryKeeper

from ei.daemons.log import Log
from ei.daemons.messages import Request
from ei.errors import ConflictError
from ei.ways.mqtt.broker import Broker
from ei.ways.mqtt.limits import MqttLimits
from ei.ways.mqtt.server import MqttServer, listening

CONNECT = bytes.fromhex("100f00044d515454050200000000026162")
LIMITS = MqttLimits(connections=2, first_s=0.2)
Script = Callable[[MqttServer, Callable[[], None]], Awaitable[None]]


def served(script: Script, limits: MqttLimits = LIMITS) -> MqttServer:
    async def main() -> MqttServer:
        log = Log(io.StringIO())
        server = MqttServer("gate.isp-a", listen="127.0.0.1:0", limits=limits, log=log)
        async with asyncio.TaskGroup() as group:

            def make_ready() -> None:
                server.serve_by(
                    Broker(
                        MemoryBus(),
                        MemoryKeeper(),
                        group,
                        name="gate.isp-a",
                        limits=limits,
                        random=Random(1).randbytes,
                        unix_s=lambda: 0.0,
                        log=log,
                    )
                )

            async with listening(server):
                await script(server, make_ready)
        return server

    return asyncio.run(main())


async def opened(server: MqttServer) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", int(server.endpoint.rpartition(":")[2]))


def test_clients_wait_for_pubsub_and_are_told_of_the_end() -> None:
    read: list[asyncio.StreamReader] = []

    async def script(server: MqttServer, make_ready: Callable[[], None]) -> None:
        assert server.status().connections == 0
        reader, writer = await opened(server)
        writer.write(CONNECT)
        make_ready()
        assert (await reader.readexactly(4))[0] == 0x20
        async for answer in server.answer(Request("mqtt", {})):
            assert b'"connections": 1' in str(answer).replace("'", '"').encode()
        read.append(reader)
        task = asyncio.get_running_loop().create_task(server.close())
        rest = await reader.read()
        assert b"\xe0" in rest
        writer.close()
        await task
        await server.close()

    _ = served(script)
    assert read


def test_without_pubsub_a_client_is_hung_up_on() -> None:
    async def script(server: MqttServer, _ready: Callable[[], None]) -> None:
        reader, writer = await opened(server)
        writer.write(CONNECT)

        with suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()

    assert "0 open" in repr(served(script))


def test_more_than_allowed_are_hung_up_on_and_counted() -> None:
    async def script(server: MqttServer, make_ready: Callable[[], None]) -> None:
        make_ready()
        pairs = [await opened(server) for _ in range(3)]

        assert await pairs[2][0].read() == b""
        assert server.status().endings == {"busy": 1}
        for _, writer in pairs:
            writer.close()

    _ = served(script)


def test_a_port_that_somebody_has_is_a_conflict() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"

        async def main() -> None:
            log = Log(io.StringIO())
            await MqttServer("gate", listen=listen, limits=LIMITS, log=log).open()

        with pytest.raises(ConflictError, match="TCP"):
            asyncio.run(main())


@pytest.mark.slow
def test_strangers_who_send_anything_are_hung_up_on_and_a_client_goes_on() -> None:
    random = Random(7)

    async def stranger(server: MqttServer) -> None:
        reader, writer = await opened(server)
        with suppress(OSError, TimeoutError):
            head = random.choice([b"", CONNECT, CONNECT, b"\x10", b"\x30"])
            writer.write(head + random.randbytes(random.randrange(2_000)))
            await writer.drain()
            if random.random() < 0.5:
                writer.write_eof()
            async with asyncio.timeout(0.3):
                _ = await reader.read()
        writer.close()

    async def script(server: MqttServer, make_ready: Callable[[], None]) -> None:
        make_ready()
        reader, writer = await opened(server)
        writer.write(CONNECT.replace(b"ab", b"me"))
        assert (await reader.readexactly(2))[0] == 0x20
        for _ in range(10):
            _ = await asyncio.gather(*(stranger(server) for _ in range(50)))
            writer.write(b"\xc0\x00")
            while await reader.readexactly(1) != b"\xd0":
                pass
            assert await reader.readexactly(1) == b"\x00"

        writer.write(b"\xe0\x00")
        assert await reader.read() == b""
        writer.close()
        endings = server.status().endings
        assert {"malformed", "silent", "lost"} <= endings.keys()
        assert sum(endings.values()) > 400

    _ = served(script, MqttLimits(first_s=0.2))
