"""Cuts what a service computes too long: by an exception first, then by the end of its process.

Python hears of a signal between two of its own instructions. A call that never comes back to it,
such as `sum(range(10**12))`, hears nothing. So there are three timers of the process's CPU time:

    ticks       SIGPROF every half limit; an event that has seen three: CpuExceeded
    late        SIGVTALRM once, shortly before the end of a start: CpuExceeded
    the end     SIGXCPU half a limit after the last tick that was heard, which is taken note of
                once; and again a whole limit later, which ends the process; after an exception
                that the handler holds on to, an eighth of a limit later at once

Whatever tick is heard puts the end off. What comes to it has been in one call for a
whole limit: the first of the two comes with a tick, which is heard before any call begins.
"""

import ctypes
import gc
import signal
import struct
import sys
from types import FrameType

from ei.runtime.jail.system import call, take_once
from ei.runtime.limits import TICKS, CpuExceeded, EventClock

SLACK_S = 0.001
COLLECTING_S = 1.0
LETTING_GO = 1 / 8
"""Of the limit: how long a handler may hold on to the exception that ends it."""

OLDEST = 2
"""Of Python's generations of objects."""

_PROCESS_CPU_TIME = 2
"""From linux/time.h."""


class Cutter:
    """Limits the CPU time of the events of this process, one at a time.

    Args:
        limit_s: For one event.
        slack_s: More than that for one call that Python does not come back from, as the
            environment makes some too.
        start_s: For all until `begin` is called: that a module is imported and set up.

    Raises:
        OSError: No timer is left.
    """

    def __init__(self, limit_s: float, *, start_s: float, slack_s: float = SLACK_S) -> None:
        self._limit_s = limit_s
        self._call_s = limit_s + slack_s
        self._clock: EventClock | None = None
        self._late_s = max(start_s - limit_s, start_s / 2)
        self._is_cut = False
        self._end = _timer(signal.SIGXCPU)
        self._put_off(start_s)

    def __repr__(self) -> str:
        return f"<Cutter at {self._limit_s} s>"

    def begin(self, clock: EventClock) -> None:
        """Tick this clock from now on, in the place of any other."""
        is_first, self._clock = self._clock is None, clock
        clock.let_go = self._go_on
        if is_first:
            self._put_off(self._limit_s / TICKS)

    def arm(self) -> None:
        """Let time tick; later, in a jail, that can no more be asked of the system."""
        _ = signal.signal(signal.SIGPROF, self._tick)
        _set(_timer(signal.SIGPROF), self._limit_s / TICKS, self._limit_s / TICKS)
        _ = signal.signal(signal.SIGVTALRM, self._late)
        _set(_timer(signal.SIGVTALRM), self._late_s, 0.0)
        gc.callbacks.append(self._collect)

    def _collect(self, phase: str, found: dict[str, int]) -> None:
        """Give Python its time to look through all there is: it hears nothing meanwhile."""
        if self._clock is not None and not self._is_cut and found["generation"] == OLDEST:
            self._put_off(COLLECTING_S if phase == "start" else self._limit_s / TICKS)

    def _tick(self, _signal: int, _frame: FrameType | None) -> None:
        if self._clock is None:
            return
        try:
            self._clock.tick()
        except CpuExceeded:
            self._is_cut = True
            _set(self._end, self._limit_s * LETTING_GO, SLACK_S)
            raise
        if not self._is_cut:
            self._put_off(self._limit_s / TICKS)

    def _late(self, _signal: int, _frame: FrameType | None) -> None:
        if self._clock is None:
            raise CpuExceeded

    def _go_on(self) -> None:
        """Give the next event its time: the one that was cut has let go."""
        self._is_cut = False
        self._put_off(self._limit_s / TICKS)

    def _put_off(self, seconds: float) -> None:
        if self._clock is not None:
            take_once(signal.SIGXCPU)
        _set(self._end, seconds, self._call_s)


def _timer(number: int) -> int:
    """Make a timer of this process's CPU time that sends a signal; return its number."""
    made = ctypes.create_string_buffer(4)
    # struct sigevent: a value, which signal, and that it is to be a signal.
    event = struct.pack("=qii48x", 0, number, 0)
    _ = call("timer_create", _PROCESS_CPU_TIME, event, made)
    return int.from_bytes(made.raw, sys.byteorder)


def _set(timer: int, first_s: float, every_s: float) -> None:
    """Have a timer go off after `first_s`, and then every `every_s`."""
    times = (part for each in (every_s, first_s) for part in divmod(round(each * 1e9), 10**9))
    _ = call("timer_settime", timer, 0, struct.pack("=qqqq", *times), None)
