"""Programs that speak SOCKS 5 to the proxy, in memory."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
from tests.ways.conftest import Memory, Run, Scene, Server, Servers, joined

from ei.errors import DeadlineError, EiError, NotFoundError, StreamError
from ei.ways.socks_proxy import Associate, SocksClient

Script = Callable[[Scene], Awaitable[None]]
GREETING = b"\x05\x01\x00"
TO_SSH = b"\x05\x01\x00\x03\x0cfiles.campus\x00\x16"
PLACE = ("files.campus", 22)


def proxied(
    run: Run[Any],
    script: Script,
    places: dict[tuple[str, int], Server | EiError] | None = None,
    associate: Associate | None = None,
) -> None:
    """Run a program against a proxy in memory."""

    async def main() -> None:
        counts: Counter[str] = Counter()
        async with asyncio.TaskGroup() as group:
            program, near = joined()
            servers = Servers(group, places or {})
            client = SocksClient(
                near,
                servers,
                associate=associate,
                head_s=10,
                idle_s=300,
                count=lambda word: counts.update([word]),
            )
            serving = group.create_task(_serve(client, near))
            await script(Scene(program, servers, counts))
            _ = serving.cancel()

    run(main)


async def _serve(client: SocksClient, near: Memory) -> None:
    with suppress(ExceptionGroup, StreamError):
        await client.serve(await near.read())
        await near.finish()


async def echo(end: Memory) -> None:
    await end.write(b"first ")
    await end.write(await end.rest())
    await end.finish()


def test_a_connection_carries_bytes_both_ways_also_those_sent_early(run: Run[Any]) -> None:
    async def script(scene: Scene) -> None:
        await scene.program.write(GREETING + TO_SSH + b"early")
        said = await scene.program.until(b"first ")
        assert said == b"\x05\x00" + b"\x05\x00\x00\x01" + bytes(6) + b"first "
        await scene.program.finish()

        assert await scene.program.rest() == b"early"
        assert scene.counts == {"asked": 1}
        assert scene.servers.dialled == [PLACE]

    proxied(run, script, {PLACE: echo})


def test_a_greeting_may_come_byte_by_byte(run: Run[Any]) -> None:
    async def script(scene: Scene) -> None:
        for byte in GREETING + TO_SSH:
            await scene.program.write(bytes((byte,)))
            await asyncio.sleep(0.01)

        assert (await scene.program.until(b"first "))[3] == 0

    proxied(run, script, {PLACE: echo})


@pytest.mark.parametrize(
    ("error", "reply"),
    [
        (StreamError("it refuses", kind="refused"), 5),
        (StreamError("the operator does not allow it", kind="not_allowed"), 2),
        (NotFoundError("no record"), 4),
        (DeadlineError("no answer"), 4),
    ],
)
def test_a_refusal_says_why_by_its_number(run: Run[Any], error: EiError, reply: int) -> None:
    async def script(scene: Scene) -> None:
        await scene.program.write(GREETING + TO_SSH)

        assert (await scene.program.rest())[2:] == bytes((5, reply, 0, 1)) + bytes(6)
        assert scene.counts == {"asked": 1, "refused": 1}

    proxied(run, script, {PLACE: error})


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (b"\x05\x01\x02", b"\x05\xff"),
        (GREETING + b"\x05\x02\x00\x01\x7f\0\0\x01\0\x50", b"\x05\x00\x05\x07"),
        (GREETING + b"\x05\x03\x00\x01\x7f\0\0\x01\0\x50", b"\x05\x00\x05\x07"),
        (GREETING + b"\x05\x01\x00\x09\x7f\0\0\x01\0\x50", b"\x05\x00\x05\x08"),
        (GREETING + b"\x05\x01\x00\x01\x7f\0\0\x01\0\x00", b"\x05\x00\x05\x05"),
        (b"\x05\x01\x00\x04\x01\x00\x01\x7f\0\0\x01\0\x50", b"\x05\x00\x05\x01"),
    ],
)
def test_what_is_not_spoken_here_is_refused(run: Run[Any], said: bytes, answer: bytes) -> None:
    async def script(scene: Scene) -> None:
        await scene.program.write(said)

        assert (await scene.program.rest()).startswith(answer)
        assert scene.servers.dialled == []

    proxied(run, script)


def test_who_takes_too_long_is_hung_up_on(run: Run[Any]) -> None:
    async def script(scene: Scene) -> None:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        await scene.program.write(b"\x05")

        assert await scene.program.rest() == b""
        assert loop.time() - began_s == pytest.approx(10)

    proxied(run, script)


def test_datagrams_are_carried_until_the_connection_ends(run: Run[Any]) -> None:
    ended: list[bool] = []

    async def associate(opened: Callable[[str, int], Awaitable[None]]) -> None:
        try:
            await opened("127.0.0.1", 513)
            _ = await asyncio.Event().wait()
        finally:
            ended.append(True)

    async def script(scene: Scene) -> None:
        await scene.program.write(GREETING + b"\x05\x03\x00\x01" + bytes(6))
        assert (
            await scene.program.until(b"\x02\x01")
            == b"\x05\x00\x05\x00\x00\x01\x7f\0\0\x01\x02\x01"
        )
        assert ended == []
        await scene.program.finish()

        assert await scene.program.rest() == b""
        assert ended == [True]

    proxied(run, script, associate=associate)
