"""A group of members behind one subscription; `test_client` has clients as members."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack

import pytest
from tests.ways.mqtt.memory import MemoryBus

from ei.errors import LimitError
from ei.lab.clock import VirtualClock, run_virtual
from ei.ways.mqtt.shared import MAX_OPEN, Group

Script = Callable[[MemoryBus, Group, asyncio.TaskGroup], Coroutine[None, None, None]]


def in_group(script: Script) -> None:
    async def main(_clock: VirtualClock) -> None:
        bus = MemoryBus()
        async with asyncio.TaskGroup() as tasks:
            await script(bus, Group(bus, "jobs", name="crew", queue=10), tasks)

    run_virtual(main)


async def keep(bus: MemoryBus, count: int) -> None:
    for number in range(count):
        await bus.keep("jobs", b"%d" % number, b"")


def test_what_a_member_leaves_behind_the_others_get() -> None:
    async def script(bus: MemoryBus, group: Group, tasks: asyncio.TaskGroup) -> None:
        async with AsyncExitStack() as stack, group.joined(tasks) as stays:
            leaves = await stack.enter_async_context(group.joined(tasks))
            await keep(bus, 4)
            got = [await leaves.receive() for _ in range(2)]
            leaves.acknowledge(got[0])

            await stack.aclose()

            rest = [await stays.receive() for _ in range(3)]
        assert len({each.mark for each in (*rest, got[0])}) == 4

    in_group(script)


def test_a_member_that_acknowledges_nothing_does_not_hold_up_the_others() -> None:
    async def script(bus: MemoryBus, group: Group, tasks: asyncio.TaskGroup) -> None:
        async with group.joined(tasks) as stuck, group.joined(tasks) as works:
            await keep(bus, 3 * MAX_OPEN)
            got = 0
            while got < 2 * MAX_OPEN:
                works.acknowledge(await works.receive())
                got += 1
            assert not stuck.has_room

    in_group(script)


def test_the_subscription_ends_with_the_last_member_and_its_place_stays() -> None:
    async def script(bus: MemoryBus, group: Group, tasks: asyncio.TaskGroup) -> None:
        async with group.joined(tasks) as member:
            await keep(bus, 2)
            member.acknowledge(await member.receive())
        await asyncio.sleep(0)

        async with group.joined(tasks) as member:
            assert (await member.receive()).message.payload == b"1"

    in_group(script)


def test_a_group_that_pubsub_refuses_is_refused_to_each() -> None:
    async def script(bus: MemoryBus, group: Group, tasks: asyncio.TaskGroup) -> None:
        bus.failure = LimitError("too many")
        for _ in range(2):
            with pytest.raises(LimitError):
                async with group.joined(tasks):
                    pass

    in_group(script)


def test_a_group_whose_only_member_leaves_before_it_is_there_is_given_up() -> None:
    async def script(bus: MemoryBus, group: Group, tasks: asyncio.TaskGroup) -> None:
        bus.opening = asyncio.Event()

        async def join() -> None:
            async with group.joined(tasks):
                pass

        joining = tasks.create_task(join())
        await asyncio.sleep(1)
        _ = joining.cancel()
        await asyncio.sleep(1)

        assert len(asyncio.all_tasks()) == 1

    in_group(script)
