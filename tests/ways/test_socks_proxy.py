"""Programs that speak SOCKS 5 to the proxy, in memory."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ways.conftest import Leaving, Memory, Scene, Script, Server, Servers, at_proxy

from ei.errors import DeadlineError, EiError, NotFoundError, StreamError
from ei.ways.socks_proxy import Associate, SocksClient

GREETING = b"\x05\x01\x00"
TO_SSH = b"\x05\x01\x00\x03\x0cfiles.campus\x00\x16"
PLACE = ("files.campus", 22)


def proxied(
    script: Script,
    places: dict[tuple[str, int], Server | EiError] | None = None,
    associate: Associate | None = None,
) -> None:
    """Run a program against a proxy in memory."""

    def make(near: Memory, servers: Servers, count: Callable[[str], object]) -> SocksClient:
        return SocksClient(near, servers, associate=associate, head_s=10, idle_s=300, count=count)

    at_proxy(script, make, places)


async def echo(end: Memory) -> None:
    await end.write(b"first ")
    await end.write(await end.rest())
    await end.finish()


def test_a_connection_carries_bytes_both_ways_also_those_sent_early() -> None:
    async def script(scene: Scene) -> None:
        await scene.program.write(GREETING + TO_SSH + b"early")
        said = await scene.program.until(b"first ")
        assert said == b"\x05\x00" + b"\x05\x00\x00\x01" + bytes(6) + b"first "
        await scene.program.finish()

        assert await scene.program.rest() == b"early"
        assert scene.counts == {"asked": 1}
        assert scene.servers.dialled == [PLACE]

    proxied(script, {PLACE: echo})


def test_a_program_that_leaves_before_its_connection_is_there_leaves_none() -> None:
    diallers: list[Leaving] = []

    async def serve(end: Memory) -> None:
        _ = await end.rest()

    def make(near: Memory, servers: Servers, count: Callable[[str], object]) -> SocksClient:
        diallers.append(Leaving(near, servers))
        return SocksClient(near, diallers[0], associate=None, head_s=10, idle_s=300, count=count)

    async def script(scene: Scene) -> None:
        await scene.program.write(GREETING + TO_SSH)
        await asyncio.sleep(1)

        assert [end.code is not None for end in diallers[0].ends] == [True]

    at_proxy(script, make, {PLACE: serve})


def test_a_greeting_may_come_byte_by_byte() -> None:
    async def script(scene: Scene) -> None:
        for byte in GREETING + TO_SSH:
            await scene.program.write(bytes((byte,)))
            await asyncio.sleep(0.01)

        assert (await scene.program.until(b"first "))[3] == 0

    proxied(script, {PLACE: echo})


@pytest.mark.parametrize(
    ("error", "reply"),
    [
        (StreamError("it refuses", kind="refused"), 5),
        (StreamError("the operator does not allow it", kind="not_allowed"), 2),
        (NotFoundError("no record"), 4),
        (DeadlineError("no answer"), 4),
    ],
)
def test_a_refusal_says_why_by_its_number(error: EiError, reply: int) -> None:
    async def script(scene: Scene) -> None:
        await scene.program.write(GREETING + TO_SSH)

        assert (await scene.program.rest())[2:] == bytes((5, reply, 0, 1)) + bytes(6)
        assert scene.counts == {"asked": 1, "refused": 1}

    proxied(script, {PLACE: error})


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
def test_what_is_not_spoken_here_is_refused(said: bytes, answer: bytes) -> None:
    async def script(scene: Scene) -> None:
        await scene.program.write(said)

        assert (await scene.program.rest()).startswith(answer)
        assert scene.servers.dialled == []

    proxied(script)


def test_who_takes_too_long_is_hung_up_on() -> None:
    async def script(scene: Scene) -> None:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        await scene.program.write(b"\x05")

        assert await scene.program.rest() == b""
        assert loop.time() - began_s == pytest.approx(10)

    proxied(script)


def test_datagrams_are_carried_until_the_connection_ends() -> None:
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

    proxied(script, associate=associate)


@given(
    st.lists(
        st.sampled_from(
            [GREETING, TO_SSH, b"\x05", b"\x00", b"\x03", b"\x01\xff", b"\x05\x01\x00\x04", b"abc"]
        ),
        min_size=1,
        max_size=8,
    )
)
def test_whatever_programs_say_the_proxy_ends_in_order(pieces: list[bytes]) -> None:
    async def script(scene: Scene) -> None:
        with suppress(StreamError):
            for piece in pieces:
                await scene.program.write(piece)
            await scene.program.finish()
            _ = await scene.program.rest()
        assert len(scene.servers.dialled) <= 1

    proxied(script, {PLACE: echo})
