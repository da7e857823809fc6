"""Clients are counted while they are served, and none outlives its server."""

import asyncio

import pytest

from ei.daemons.clients import Clients
from ei.lab.clock import run_virtual


def test_a_client_counts_while_it_is_served() -> None:
    async def main() -> None:
        clients = Clients()

        with clients.serving():
            assert len(clients) == 1

        assert len(clients) == 0

    run_virtual(lambda _: main())


def test_all_are_hung_up_on_and_none_ends_as_cancelled() -> None:
    async def main() -> None:
        clients = Clients()

        async def serve() -> str:
            with clients.serving():
                await asyncio.sleep(60)
            return "over"

        async with asyncio.TaskGroup() as group:
            served = [group.create_task(serve()) for _ in range(3)]
            await asyncio.sleep(0)
            await clients.hang_up()

        assert [task.result() for task in served] == ["over"] * 3
        assert len(clients) == 0

    run_virtual(lambda _: main())


def test_those_who_leave_by_themselves_are_waited_for_and_no_longer_than_said() -> None:
    async def main() -> tuple[int, int]:
        clients = Clients()
        loop = asyncio.get_running_loop()

        async def stay(seconds: float) -> None:
            with clients.serving():
                await asyncio.sleep(seconds)

        async with asyncio.TaskGroup() as group:
            _ = group.create_task(stay(0.01))
            long = group.create_task(stay(60))
            await asyncio.sleep(0)
            began_s = loop.time()
            await clients.wait(0.1)
            left = len(clients)
            assert loop.time() - began_s == pytest.approx(0.1)
            _ = long.cancel()
        await clients.wait(60)
        return left, len(clients)

    assert run_virtual(lambda _: main()) == (1, 0)
