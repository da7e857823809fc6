"""The driver calls the stack when it must, and not after it was closed."""

import asyncio
from typing import TYPE_CHECKING

from ei.host.driver import Driver
from ei.host.events import HostEvent
from ei.lab.clock import VirtualClock, run_virtual

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.host.conftest import World

    from ei._core import Datapath
    from ei.host.stack import Stack


class Silence:
    """A transport that keeps what is sent, and delivers nothing."""

    endpoint = "192.0.2.1:1"
    overflows = 0

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.flushed: list[float] = []
        self.is_closed = False

    def now_ns(self) -> int:
        return self._clock.now_ns

    def unix_offset_ns(self) -> int:
        return 0

    def open(self, datapath: "Datapath", on_received: "Callable[[], None]") -> None:
        pass

    def receive(self, datapath: "Datapath", now_ns: int) -> int:
        return 0

    def flush(self, datapath: "Datapath") -> int:
        sent = len(datapath.take_datagrams())
        self.flushed += [self._clock.now_ns / 1e9] * sent
        return sent

    def close(self) -> None:
        self.is_closed = True


class Arriving(Silence):
    """A transport to which so many datagrams come at each look."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(clock)
        self.counts: list[int] = []
        self.arrived: Callable[[], None] = _never

    def open(self, datapath: "Datapath", on_received: "Callable[[], None]") -> None:
        self.arrived = on_received

    def receive(self, datapath: "Datapath", now_ns: int) -> int:
        return self.counts.pop(0)


def test_who_got_few_datagrams_does_not_look_for_more_at_once(
    make_world: "Callable[[dict[str, tuple[str, ...]]], World]",
) -> None:
    stack: Stack = make_world({"alice": ("sn1",)}).hosts["alice"]

    async def main(clock: VirtualClock) -> list[list[int]]:
        transport = Arriving(clock)
        driver = Driver(stack, transport, _ignore)
        driver.open()
        left: list[list[int]] = []
        for counts in ([1, 9], [256, 40, 2, 9]):
            transport.counts = counts
            transport.arrived()
            left.append(transport.counts)
        driver.close()
        return left

    assert run_virtual(main) == [[9], [9]]


def test_calls_to_nodes_are_repeated_until_it_is_closed(
    make_world: "Callable[[dict[str, tuple[str, ...]]], World]",
) -> None:
    stack: Stack = make_world({"alice": ("sn1",)}).hosts["alice"]

    async def main(clock: VirtualClock) -> tuple[Silence, int]:
        transport = Silence(clock)
        driver = Driver(stack, transport, _ignore)
        driver.open()
        await asyncio.sleep(3)
        before = len(transport.flushed)
        driver.close()
        driver.close()
        await asyncio.sleep(10)
        return transport, before

    transport, before = run_virtual(main)

    assert before >= 3
    assert len(transport.flushed) == before
    assert transport.is_closed


def test_what_was_sent_in_a_row_leaves_together(
    make_world: "Callable[[dict[str, tuple[str, ...]]], World]",
) -> None:
    stack: Stack = make_world({"alice": ("sn1",)}).hosts["alice"]

    async def main(clock: VirtualClock) -> list[float]:
        transport = Silence(clock)
        driver = Driver(stack, transport, _ignore)
        driver.touched()  # not open: nothing happens
        driver.open()
        began = len(transport.flushed)
        for _ in range(5):
            driver.touched()
        assert len(transport.flushed) == began
        await asyncio.sleep(0)
        driver.close()
        return transport.flushed

    _ = run_virtual(main)


def _ignore(_event: HostEvent) -> None:
    """Take no note."""


def _never() -> None:
    raise AssertionError("it was not opened")
