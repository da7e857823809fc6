"""Lets a stranger's worker that keeps a core busy give way to everybody else.

What one event may compute is bounded, and how many come is not: a module that takes all it may,
again and again, keeps a core busy, and who wakes on that core waits for its turn to end, some
milliseconds.

    more than a quarter of a core for a quarter of a second    only what nobody else wants
    less than that for two seconds                             as all others, if the system lets us

The second takes a privilege (CAP_SYS_NICE, or `LimitNICE=` of systemd); without, it is so once the
worker has been started anew.
"""

import os
from contextlib import suppress

from ei.daemons.usage import usage_of

LOOK_S = 0.25
BUSY_SHARE = 0.25
"""Of a core."""
CALM_LOOKS = 8


class GivingWay:
    """Whether one worker gives way, by the CPU time that it has used from look to look. Pure.

    Attributes:
        is_so: Stays what it is when the worker is started anew, as one that dies by what it does.
    """

    def __init__(self) -> None:
        self.is_so = False
        self._pid = 0
        self._cpu_s = 0.0
        self._at_s = 0.0
        self._calm_looks = 0

    def __repr__(self) -> str:
        return f"<GivingWay {self.is_so}, {self._calm_looks} calm looks>"

    def look(self, pid: int, cpu_s: float, now_s: float) -> bool:
        """Take note of the CPU time of a process so far; return whether `is_so` has changed."""
        passed_s, used_s = now_s - self._at_s, cpu_s - self._cpu_s
        is_same, self._pid = pid == self._pid, pid
        self._at_s, self._cpu_s = now_s, cpu_s
        if not is_same or passed_s <= 0:
            return False
        is_busy = used_s > BUSY_SHARE * passed_s
        self._calm_looks = 0 if is_busy else self._calm_looks + 1
        before = self.is_so
        self.is_so = is_busy or (before and self._calm_looks < CALM_LOOKS)
        return self.is_so != before


def look_at(worker: GivingWay, pid: int, now_s: float) -> None:
    """Look at a worker that runs, and have it give way or not."""
    usage = usage_of(pid)
    if usage is not None and worker.look(pid, usage.cpu_s, now_s):
        let_give_way(pid, is_so=worker.is_so)


def let_give_way(pid: int, *, is_so: bool) -> None:
    """Have a process run when no other wants to, or as all others, as far as the system lets us."""
    with suppress(OSError):  # it is gone, or is to stay as it is
        os.sched_setscheduler(pid, os.SCHED_IDLE if is_so else os.SCHED_OTHER, os.sched_param(0))
