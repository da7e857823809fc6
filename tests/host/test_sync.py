"""The blocking face of a host: the same calls, from any thread."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from ei.errors import DeadlineError, LocalError
from ei.host.sync import LoopThread


@pytest.fixture
def loop() -> Iterator[LoopThread]:
    made = LoopThread()
    yield made
    made.stop()


def test_a_coroutine_runs_on_the_thread_and_its_result_comes_back(loop: LoopThread) -> None:
    async def name() -> str:
        return threading.current_thread().name

    assert loop.run(name()) == "ei host"
    assert loop.call(lambda: 7) == 7


def test_an_error_comes_back_as_it_was(loop: LoopThread) -> None:
    async def fail() -> None:
        raise DeadlineError("within 1 s there was no echo")

    with pytest.raises(DeadlineError, match="no echo"):
        loop.run(fail())


def test_a_stopped_loop_says_so(loop: LoopThread) -> None:
    loop.stop()
    loop.stop()

    with pytest.raises(LocalError, match="the host is closed"):
        loop.call(lambda: 7)
    with pytest.raises(LocalError, match="the host is closed"):
        loop.run(asyncio.sleep(0))
