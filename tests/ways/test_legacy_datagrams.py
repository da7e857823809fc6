"""Datagrams to the legacy Internet, over streams in memory."""

import asyncio
import io
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from tests.ways.conftest import Memory, Run, joined

from ei.daemons.log import Log
from ei.errors import DeniedError, EiError
from ei.ways.legacy_datagrams import IDLE_S, MAX_PLACES, MAX_WAITING, LegacyDatagrams

PLACE = ("192.0.2.1", 53)


class World:
    """What a program sends to. `ends` are those of the streams that were opened."""

    def __init__(self, group: asyncio.TaskGroup, refusal: EiError | None = None) -> None:
        self.ends: list[Memory] = []
        self.got: list[tuple[str, int, bytes]] = []
        self.lines = io.StringIO()
        self._refusal = refusal
        self.datagrams = LegacyDatagrams(
            self._dial,
            lambda host, port, data: self.got.append((host, port, data)),
            group,
            log=Log(self.lines, is_json=False),
        )

    async def _dial(self, host: str, port: int) -> Memory:
        if self._refusal is not None:
            raise self._refusal
        near, far = joined()
        self.ends.append(far)
        return near


def in_world(
    run: Run[Any],
    script: Callable[[World], Coroutine[Any, Any, None]],
    refusal: EiError | None = None,
) -> None:
    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            await script(World(group, refusal))
            await asyncio.sleep(IDLE_S + 1)

    run(main)


def test_datagrams_to_a_place_share_a_stream_and_keep_their_edges_both_ways(run: Run[Any]) -> None:
    async def script(world: World) -> None:
        assert world.datagrams.send(*PLACE, b"one")
        assert world.datagrams.send(*PLACE, b"")
        await asyncio.sleep(1)
        [end] = world.ends
        assert await end.read() == b"\x03\x00one\x00\x00"

        for piece in (b"\x02", b"\x00a", b"b\x01\x00c\x00\x00\x05\x00ha"):
            await end.write(piece)
        await asyncio.sleep(1)

        assert world.got == [(*PLACE, b"ab"), (*PLACE, b"c"), (*PLACE, b"")]

    in_world(run, script)


def test_a_place_on_which_nothing_moves_is_forgotten(run: Run[Any]) -> None:
    async def script(world: World) -> None:
        assert world.datagrams.send(*PLACE, b"one")
        await asyncio.sleep(IDLE_S - 1)
        assert world.datagrams.send(*PLACE, b"two")
        await asyncio.sleep(IDLE_S - 1)
        assert len(world.datagrams) == 1

        await asyncio.sleep(2)

        assert len(world.datagrams) == 0
        assert world.ends[0].other.code is not None

    in_world(run, script)


def test_a_place_that_is_refused_is_said_and_tried_again_later(run: Run[Any]) -> None:
    async def script(world: World) -> None:
        assert world.datagrams.send(*PLACE, b"one")
        await asyncio.sleep(1)

        assert len(world.datagrams) == 0
        assert "to=192.0.2.1:53 reason=not allowed" in world.lines.getvalue()
        assert world.datagrams.send(*PLACE, b"two")

    in_world(run, script, DeniedError("not allowed"))


@pytest.mark.parametrize("way", ["end", "reset"])
def test_a_place_that_ends_its_stream_is_opened_anew(run: Run[Any], way: str) -> None:
    async def script(world: World) -> None:
        assert world.datagrams.send(*PLACE, b"one")
        await asyncio.sleep(1)
        if way == "end":
            await world.ends[0].finish()
        else:
            world.ends[0].abort()
        await asyncio.sleep(1)

        assert world.datagrams.send(*PLACE, b"two")
        await asyncio.sleep(1)

        assert await world.ends[1].read() == b"\x03\x00two"

    in_world(run, script)


def test_places_and_what_waits_for_one_have_bounds(run: Run[Any]) -> None:
    async def script(world: World) -> None:
        taken = [world.datagrams.send(*PLACE, b"x") for _ in range(MAX_WAITING + 5)]
        assert sum(taken) == MAX_WAITING
        others = [world.datagrams.send(f"192.0.2.{n}", 54, b"x") for n in range(MAX_PLACES + 5)]
        assert sum(others) == MAX_PLACES - 1
        assert not world.datagrams.send(*PLACE, bytes(65_508))

    in_world(run, script)
