"""The timers of one service: bounded, and part of its transactions."""

from heapq import heapify, heappop, heappush

from ei.errors import ExceededError
from ei.runtime.undo import UndoLog
from ei.sdk.tiers import TIERS

MAX_TIMERS = TIERS["heavy"].timers
MIN_AFTER_S = 0.001
"""A timer that is armed for sooner fires then: one armed again and again must not stop the rest."""


class Timers:
    """Keys with deadlines; `undo` learns how to take each change back.

    Args:
        limit: How many may be armed at once.
    """

    def __init__(self, undo: UndoLog, limit: int = MAX_TIMERS) -> None:
        self._undo = undo
        self._limit = limit
        self._deadlines_s: dict[bytes, tuple[float, int]] = {}
        self._heap: list[tuple[float, int, bytes]] = []
        self._number = 0

    def __len__(self) -> int:
        return len(self._deadlines_s)

    def __repr__(self) -> str:
        return f"<Timers {len(self)} armed, next at {self.next_deadline_s()}>"

    def set(self, key: bytes, deadline_s: float) -> None:
        """Arm `key`, replacing an earlier timer of the same key.

        Raises:
            ExceededError: Too many timers.
        """
        if key not in self._deadlines_s and len(self._deadlines_s) >= self._limit:
            raise ExceededError(f"{self._limit + 1} timers: at most {self._limit} allowed")
        self._number += 1
        self._change(key, (deadline_s, self._number))

    def cancel(self, key: bytes) -> None:
        """Disarm `key`; no effect when it is not armed."""
        if key in self._deadlines_s:
            self._change(key, None)

    def take_due(self, now_s: float) -> bytes | None:
        """Disarm and return the key that has been due longest, `None` when none is.

        Of equal deadlines the one armed first comes first.
        """
        deadline_s = self.next_deadline_s()
        if deadline_s is None or deadline_s > now_s:
            return None
        _, _, key = self._heap[0]
        self._change(key, None)
        return key

    def next_deadline_s(self) -> float | None:
        """Return when `take_due` will have something, `None` for never."""
        while self._heap:
            deadline_s, number, key = self._heap[0]
            if self._deadlines_s.get(key) == (deadline_s, number):
                return deadline_s
            _ = heappop(self._heap)
        return None

    def armed(self) -> list[tuple[bytes, float]]:
        """Return keys with their deadlines, in the order in which they will fire."""
        in_order = sorted(self._deadlines_s.items(), key=lambda armed: armed[1])
        return [(key, deadline_s) for key, (deadline_s, _) in in_order]

    def waste(self) -> int:
        """Return how many deadlines are kept that nothing waits for any more."""
        return len(self._heap) - len(self._deadlines_s)

    # -- the parts ------------------------------------------------------------------------------

    def _change(self, key: bytes, timer: tuple[float, int] | None) -> None:
        self._undo.add(self._restore, key, self._deadlines_s.get(key))
        self._restore(key, timer)

    def _restore(self, key: bytes, timer: tuple[float, int] | None) -> None:
        if timer is None:
            _ = self._deadlines_s.pop(key, None)
            return
        self._deadlines_s[key] = timer
        heappush(self._heap, (*timer, key))
        if len(self._heap) > 2 * len(self._deadlines_s) + 64:
            # Timers that are armed again leave their old deadline behind.
            self._heap = [(*kept, key) for key, kept in self._deadlines_s.items()]
            heapify(self._heap)
