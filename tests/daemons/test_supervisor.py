"""A daemon dies with its supervisor."""

import asyncio
import os
import signal

import pytest

from ei.daemons.supervisor import die_with_parent, watch_supervisor
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


def test_a_process_dies_with_its_parent() -> None:
    reading, writing = os.pipe()
    parent = os.fork()
    if parent == 0:
        # A process of its own, so that its death is not the test's.
        middle = os.getpid()
        if os.fork() == 0:
            die_with_parent(middle, with_signal=signal.SIGKILL)
            _ = os.write(writing, b"x")
            _ = signal.pause()
        os.close(writing)
        _ = os.read(reading, 1)
        os._exit(0)
    os.close(writing)

    _ = os.waitpid(parent, 0)

    # The end of the file comes when the last process that holds the pipe is gone.
    assert os.read(reading, 1) == b""
    os.close(reading)


def test_a_parent_that_died_before_is_noticed() -> None:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        die_with_parent(os.getpid(), with_signal=signal.SIGKILL)
        _ = os.write(writing, b"x")
        os._exit(0)
    os.close(writing)

    _, status = os.waitpid(child, 0)

    assert os.WTERMSIG(status) == signal.SIGKILL
    assert os.read(reading, 1) == b""
    os.close(reading)
