"""Virtual time: an asyncio loop whose clock jumps to the next thing that happens.

Ordinary asyncio programs run on it unchanged, repeatably, and as fast as they compute. The loop is
asyncio's own; only its clock and its selector are ours. What happens outside the program (arrivals
of datagrams, deadlines of datapaths) is an event of `VirtualClock`, ordered by (time, link,
sequence); timers of the program come before events of the same instant.
"""

from __future__ import annotations

import asyncio
import heapq
import selectors
from collections.abc import Callable, Coroutine, Mapping
from contextvars import Context
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple

from ei.errors import LocalError

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike

Ts = TypeVarTuple("Ts")
ResultT = TypeVar("ResultT")

START_NS = 1_000_000_000
"""Not 0, so that "never" and "at the start" cannot be confused."""

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
        self.events = 0
        self.is_program_woken = False
        self.failure: BaseException | None = None
        self._limit_ns = START_NS + round(limit_s * 1e9)
        self._queue: list[tuple[int, int, int, Callable[[int], None]]] = []
        self._sequence = 0
        self._standstill = 0
        self._files: dict[FileDescriptorLike, selectors.SelectorKey] = {}

    def at(self, when_ns: int, callback: Callable[[int], None], *, link: int = 0) -> None:
        """Call `callback(now_ns)` at `when_ns` (at once when that is past), in order of `link`."""
        self._sequence += 1
        heapq.heappush(self._queue, (max(when_ns, self.now_ns), link, self._sequence, callback))

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Let time pass until the program has something to do, at most `timeout` seconds."""
        if self.failure is not None:
            raise self.failure
        if timeout is not None and timeout <= 0.0:
            return []
        deadline_ns = None if timeout is None else self.now_ns + round(timeout * 1e9)
        queue = self._queue
        self.is_program_woken = False
        while not self.is_program_woken:
            if queue and (deadline_ns is None or queue[0][0] < deadline_ns):
                when_ns, _, _, callback = heapq.heappop(queue)
                self._move(when_ns)
                self.events += 1
                callback(when_ns)
            elif deadline_ns is not None:
                self._move(deadline_ns)
                break
            else:
                raise SimulationStuckError(
                    f"nothing can happen any more at {self.now_s:.6f} s, but {_waiting()}"
                )
        return []

    @property
    def now_s(self) -> float:
        """Virtual monotonic time in seconds."""
        return self.now_ns / 1e9

    def _move(self, when_ns: int) -> None:
        if when_ns > self.now_ns:
            self.now_ns = when_ns
            self._standstill = 0
            if when_ns > self._limit_ns:
                raise SimulationStuckError(
                    f"not ended after {(self._limit_ns - START_NS) / 1e9:g} s of virtual time: "
                    f"{_waiting()}"
                )
            return
        self._standstill += 1
        if self._standstill > MAX_STANDSTILL:
            raise SimulationStuckError(
                f"{MAX_STANDSTILL} events at {self.now_s:.9f} s: the clock does not move"
            )

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
        """As in asyncio; also has the next moment computed anew."""
        self.clock.is_program_woken = True
        return super().call_at(when, callback, *args, context=context)

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
