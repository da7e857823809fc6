"""An inbox is bounded, has one reader, and ends with a reason."""

import asyncio

import pytest

from ei.errors import DeadlineError, LocalError
from ei.host.inbox import Inbox
from ei.lab.clock import run_virtual


def test_items_come_in_order_and_what_finds_it_full_is_refused() -> None:
    async def main() -> list[int]:
        inbox = Inbox[int]("number", limit_items=2)
        assert [inbox.put(number) for number in (1, 2, 3)] == [True, True, False]
        assert (len(inbox), inbox.refused) == (2, 1)
        return [await inbox.get(deadline_s=0), await inbox.get(deadline_s=0)]

    assert run_virtual(lambda _: main()) == [1, 2]


def test_a_reader_waits_for_the_next_item() -> None:
    async def main() -> int:
        inbox = Inbox[int]("number")
        _ = asyncio.get_running_loop().call_soon(inbox.put, 7)
        return await inbox.get(deadline_s=5)

    assert run_virtual(lambda _: main()) == 7


def test_a_reader_waits_no_longer_than_its_deadline() -> None:
    async def main() -> None:
        _ = await Inbox[int]("number").get(deadline_s=0.01)

    with pytest.raises(DeadlineError, match=r"within 0\.01 s there was no number"):
        run_virtual(lambda _: main())


def test_two_readers_at_once_are_refused() -> None:
    async def main() -> None:
        inbox = Inbox[int]("number")
        async with asyncio.TaskGroup() as group:
            _ = group.create_task(inbox.get(deadline_s=5))
            await asyncio.sleep(0)
            with pytest.raises(LocalError, match="two tasks wait for the same number"):
                _ = await inbox.get(deadline_s=5)
            _ = inbox.put(1)

    run_virtual(lambda _: main())


def test_what_is_left_comes_before_the_end() -> None:
    async def main() -> None:
        inbox = Inbox[int]("number")
        _ = inbox.put(1)
        inbox.close(LocalError("closed"))
        assert not inbox.put(2)
        assert await inbox.get(deadline_s=0) == 1
        _ = await inbox.get(deadline_s=1)

    with pytest.raises(LocalError, match="closed"):
        run_virtual(lambda _: main())


def test_closing_wakes_a_reader() -> None:
    async def main() -> None:
        inbox = Inbox[int]("number")
        _ = asyncio.get_running_loop().call_soon(inbox.close, LocalError("closed"))
        _ = await inbox.get(deadline_s=5)

    with pytest.raises(LocalError, match="closed"):
        run_virtual(lambda _: main())
