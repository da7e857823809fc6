"""The blocking face of a host: the same calls, from any thread."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from ei.errors import DeadlineError, LocalError, NotFoundError
from ei.host import client
from ei.host.sync import Host, LoopThread

if TYPE_CHECKING:
    from tests.host.conftest import World

    from ei._core import Datapath


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


def test_whoever_waits_when_the_loop_stops_is_told(loop: LoopThread) -> None:
    began = threading.Event()
    said: list[str] = []

    async def forever() -> None:
        began.set()
        _ = await asyncio.Event().wait()

    def wait() -> None:
        try:
            loop.run(forever())
        except LocalError as error:
            said.append(str(error))

    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    assert began.wait(10)
    loop.stop()
    waiting.join(10)

    assert said == ["the host is closed"]


def test_an_answer_that_came_before_the_loop_stopped_is_given(loop: LoopThread) -> None:
    news = asyncio.Event()
    waits = threading.Event()
    got: list[bool] = []

    async def until_news() -> bool:
        waits.set()
        return await news.wait()

    waiting = threading.Thread(target=lambda: got.append(loop.run(until_news())), daemon=True)
    waiting.start()
    assert waits.wait(10)
    loop.call(news.set)
    loop.stop()
    waiting.join(10)

    assert got == [True]


class Void:
    """A transport on which nothing ever arrives."""

    endpoint = "192.0.2.1:1"
    overflows = 0

    def now_ns(self) -> int:
        return 0

    def unix_offset_ns(self) -> int:
        return 0

    def open(self, datapath: "Datapath", on_received: Callable[[], None]) -> None:
        pass

    def receive(self, datapath: "Datapath", now_ns: int) -> int:
        return 0

    def flush(self, datapath: "Datapath") -> int:
        return len(datapath.take_datagrams())

    def close(self) -> None:
        pass


def test_whoever_opens_a_stream_is_told_when_another_thread_closes_the_host(
    world: "World", loop: LoopThread
) -> None:
    host = Host(client.Host(world.hosts["alice"], Void()), loop)
    said: list[str] = []

    def open_stream() -> None:
        try:
            _ = host.open_stream("bob.isp-a", 80, deadline_s=600)
        except LocalError as error:
            said.append(str(error))

    opening = threading.Thread(target=open_stream, daemon=True)
    opening.start()
    while opening.is_alive() and loop.call(lambda: len(asyncio.all_tasks())) < 2:
        pass  # it has not begun; each look lets it go on
    host.close()
    opening.join(10)

    assert said == ["the host alice.isp-a was closed"]


def test_a_service_that_the_node_does_not_offer_is_said_to_who_blocks(
    world: "World", loop: LoopThread
) -> None:
    host = Host(client.Host(world.hosts["alice"], Void()), loop)

    with pytest.raises(NotFoundError, match=r"sn1\.isp-a does not offer service 32"):
        _ = host.open_service_stream(32, opening=b"what for")

    host.close()


def test_what_a_host_opened_can_be_closed_after_it(world: "World", loop: LoopThread) -> None:
    host = Host(client.Host(world.hosts["alice"], Void()), loop)

    with host.datagrams(7), host.call(17), host.accept_streams(80):
        host.close()

    host.close()
