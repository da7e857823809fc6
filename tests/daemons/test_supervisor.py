"""A daemon dies with its supervisor."""

import asyncio
import os

import pytest

from ei.daemons.supervisor import watch_supervisor
from ei.errors import LocalError


def test_the_end_of_the_pipe_is_the_end_of_the_supervisor() -> None:
    async def main() -> int:
        gone = asyncio.Event()
        calls = 0

        def on_gone() -> None:
            nonlocal calls
            calls += 1
            gone.set()

        reading, writing = os.pipe()
        watch_supervisor(reading, on_gone)
        _ = os.write(writing, b"still here")
        await asyncio.sleep(0)
        os.close(writing)
        async with asyncio.timeout(5):
            _ = await gone.wait()
        os.close(reading)
        return calls

    assert asyncio.run(main()) == 1


def test_a_descriptor_that_was_not_handed_down_is_said() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    os.close(writing)

    async def main() -> None:
        watch_supervisor(reading, lambda: None)

    with pytest.raises(LocalError, match=f"descriptor {reading} of the supervisor"):
        asyncio.run(main())
