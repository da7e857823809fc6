"""Whatever blocks ends by its deadline and says what it waited for."""

import asyncio

import pytest

from ei.errors import DeadlineError
from ei.host.deadlines import earliest, within
from ei.lab.clock import run_virtual


def test_the_first_of_several_deadlines_is_none_that_never_comes() -> None:
    assert earliest(7, None, 5, 6) == 5
    assert earliest(None, None) is None
    assert earliest() is None


def test_a_block_in_time_is_left_alone() -> None:
    async def main() -> int:
        async with within(5, "nothing"):
            return 7

    assert run_virtual(lambda _: main()) == 7


def test_the_deadline_says_what_was_waited_for() -> None:
    async def main() -> None:
        async with within(0.01, "echo from bob.isp-b"):
            _ = await asyncio.get_running_loop().create_future()

    with pytest.raises(DeadlineError, match=r"within 0\.01 s there was no echo from bob\.isp-b"):
        run_virtual(lambda _: main())


def test_an_inner_deadline_is_not_taken_for_the_outer() -> None:
    async def main() -> None:
        async with within(5, "outer"), within(0.01, "inner"):
            _ = await asyncio.get_running_loop().create_future()

    with pytest.raises(DeadlineError, match="inner"):
        run_virtual(lambda _: main())


def test_another_time_out_is_passed_on() -> None:
    async def main() -> None:
        async with within(5, "outer"):
            raise TimeoutError("of somebody else")

    with pytest.raises(TimeoutError, match="of somebody else"):
        run_virtual(lambda _: main())
