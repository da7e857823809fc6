"""Virtual time: an asyncio loop whose clock jumps to the next thing that happens.

Ordinary asyncio programs run on it unchanged, repeatably, and as fast as they compute. The loop is
asyncio's own; only its clock, its timers and its selector are ours. What happens outside the
program (arrivals of datagrams, deadlines of datapaths) is an event of `VirtualClock`, ordered by
(time, link, sequence); timers of the program come before events of the same instant.

So whatever happens at one node or host comes in an order that does not depend on what others do
meanwhile: a simulation may be dealt to several processes (see `ei.lab.shares`).
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Mapping
from contextvars import Context
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple

from ei._core import VirtualUnderlay
from ei.errors import LocalError

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike

Ts = TypeVarTuple("Ts")
ResultT = TypeVar("ResultT")

START_NS = 1_000_000_000
"""Not 0, so that "never" and "at the start" cannot be confused."""

TIMER_RANK = 0
"""Timers of the program come before events of the same instant, which have that of their link."""

FOREVER_NS = 2**63
FEW_CANCELLED = 1_024
MAX_STANDSTILL = 1_000_000
"""Events in a row without the clock moving; 10_000 hosts have some 20_000 at their start."""


class SimulationStuckError(LocalError):
    """The program waits for something that can no longer happen, or never ends."""


class VirtualClock(selectors.BaseSelector):
    """Time, and the events that are still to come.

    In the place of the loop's selector: where a real loop waits for the network, this one lets the
    network happen.

    Args:
        limit_s: Virtual seconds after which a run is taken to be endless.
    """

    def __init__(self, *, limit_s: float = 86_400.0) -> None:
        self.now_ns = START_NS
        self.underlay = VirtualUnderlay()
        self.is_program_woken = False
        self.failure: BaseException | None = None
        self._limit_ns = START_NS + round(limit_s * 1e9)
        self._cancelled = 0
        self._horizon_ns = FOREVER_NS
        self._meet: Meet | None = None
        self._files: dict[FileDescriptorLike, selectors.SelectorKey] = {}

    def at(self, when_ns: int, callback: Callable[[int], object], *, link: int = 0) -> None:
        """Call `callback(now_ns)` at `when_ns` (at once when that is past), in order of `link`."""
        self.underlay.push(when_ns, link + 1, callback)

    def share(self, meet: Meet) -> None:
        """Let time pass only as far as `meet` says, which is asked whenever it gets there."""
        self._horizon_ns, self._meet = self.now_ns, meet

    def set_timer(self, when_ns: int, timer: Timer) -> None:
        """Run a timer of the program at `when_ns`, before what else happens then."""
        self.underlay.push(when_ns, TIMER_RANK, timer)

    def note_cancelled(self) -> None:
        """A timer was cancelled; once most of what waits is, it is thrown away."""
        self._cancelled += 1
        if self._cancelled > max(FEW_CANCELLED, len(self.underlay) // 2):
            self._cancelled = 0
            self.underlay.retain(lambda item: not (isinstance(item, Timer) and item.cancelled()))

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Let time pass until the program has something to do; none when `timeout` is 0."""
        if self.failure is not None:
            raise self.failure
        if timeout is not None and timeout <= 0.0:
            return []
        self.is_program_woken = False
        pop = self.underlay.pop
        while not self.is_program_woken:
            entry = pop(min(self._horizon_ns, self._limit_ns), MAX_STANDSTILL)
            if entry is None:
                self._wait()
                continue
            when_ns, callback = entry
            if isinstance(callback, Timer) and callback.cancelled():
                self._cancelled -= 1
                continue
            self.now_ns = max(when_ns, self.now_ns)
            _ = callback(self.now_ns)
        return []

    @property
    def now_s(self) -> float:
        """Virtual monotonic time in seconds."""
        return self.now_ns / 1e9

    @property
    def events(self) -> int:
        """How many there were: arrivals, deadlines of nodes and what else was put in."""
        return self.underlay.events

    def _wait(self) -> None:
        """Ask until when time may pass."""
        if self.underlay.standstill > MAX_STANDSTILL:
            raise SimulationStuckError(
                f"{MAX_STANDSTILL} events at {self.now_s:.9f} s: the clock does not move"
            )
        earliest_ns = self.underlay.earliest_ns()
        if earliest_ns is not None and earliest_ns >= self._limit_ns:
            raise SimulationStuckError(
                f"not ended after {(self._limit_ns - START_NS) / 1e9:g} s of virtual time: "
                f"{_waiting()}"
            )
        if self._meet is None:
            raise SimulationStuckError(
                f"nothing can happen any more at {self.now_s:.6f} s, but {_waiting()}"
            )
        self._horizon_ns = self._meet(earliest_ns)

    # What a selector must also offer: the loop registers its own wake-up socket.

    def register(
        self, fileobj: FileDescriptorLike, events: int, data: object = None
    ) -> selectors.SelectorKey:
        """Remember a file; in virtual time it never becomes ready."""
        number = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        key = selectors.SelectorKey(fileobj, number, events, data)
        self._files[fileobj] = key
        return key

    def unregister(self, fileobj: FileDescriptorLike) -> selectors.SelectorKey:
        """Forget a file."""
        return self._files.pop(fileobj)

    def get_map(self) -> Mapping[FileDescriptorLike, selectors.SelectorKey]:
        """Return what is registered."""
        return self._files


class Timer(asyncio.TimerHandle):
    """A timer of the program."""

    _loop: VirtualLoop

    def __call__(self, _now_ns: int) -> None:
        """Let the loop run it next."""
        _ = self._loop.call_soon(self._run_unless_cancelled)

    def cancel(self) -> None:
        """As in asyncio."""
        if not self.cancelled():
            super().cancel()
            self._loop.clock.note_cancelled()

    def _run_unless_cancelled(self) -> None:
        if not self.cancelled():
            self._run()


Meet = Callable[[int | None], int]
"""Takes when something happens next here, `None` for never; returns until when time may pass."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """An asyncio loop on a `VirtualClock`.

    A callback or task whose exception nobody handles ends the run with that exception.
    """

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(clock)
        self.clock = clock
        self.set_exception_handler(self._fail)

    def time(self) -> float:
        """Virtual monotonic time in seconds."""
        return self.clock.now_ns / 1e9

    def call_soon(
        self,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.Handle:
        """As in asyncio; also ends the passing of time until the callback ran."""
        self.clock.is_program_woken = True
        return super().call_soon(callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """As in asyncio, to the nanosecond; those of one moment run as they were made."""
        timer = Timer(when, callback, args, self, context)
        self.clock.set_timer(round(when * 1e9), timer)
        return timer

    def _fail(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if self.clock.failure is None:
            error = context.get("exception")
            self.clock.failure = error or SimulationStuckError(str(context["message"]))


def run_virtual(main: Callable[[VirtualClock], Coroutine[Any, Any, ResultT]]) -> ResultT:
    """Run `main(clock)` on a loop of its own in virtual time.

    Raises:
        SimulationStuckError: it waits for ever, or does not end.
    """
    clock = VirtualClock()
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(clock)) as runner:
        return runner.run(main(clock))


def _waiting() -> str:
    tasks = sorted(task.get_name() for task in asyncio.all_tasks() if not task.done())
    return f"still waiting: {', '.join(tasks)}"
