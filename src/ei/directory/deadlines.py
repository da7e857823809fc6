"""Many deadlines, each by its key; the next one is found at once."""

from collections.abc import Hashable
from heapq import heapify, heappop, heappush
from math import inf
from typing import Generic, TypeVar

KeyT = TypeVar("KeyT", bound=Hashable)


class Deadlines(Generic[KeyT]):
    """Keys with a time each. As large as what its owner bounds.

    Attributes:
        next_s: When `take_due` will have something; infinity for never.
    """

    def __init__(self) -> None:
        self.next_s = inf
        self._at_s: dict[KeyT, tuple[float, int]] = {}
        self._heap: list[tuple[float, int, KeyT]] = []
        self._number = 0

    def __len__(self) -> int:
        return len(self._at_s)

    def __repr__(self) -> str:
        return f"<Deadlines {len(self)}, next at {self.next_s:.3f} s>"

    def set(self, key: KeyT, at_s: float) -> None:
        """Set the deadline of `key`, in the place of an earlier one."""
        self._number += 1
        self._at_s[key] = (at_s, self._number)
        heappush(self._heap, (at_s, self._number, key))
        if len(self._heap) > 64 + 4 * len(self._at_s):  # what was replaced is thrown out
            self._heap = [(at, number, key) for key, (at, number) in self._at_s.items()]
            heapify(self._heap)
        self._look()

    def clear(self, key: KeyT) -> None:
        """Forget the deadline of `key`, if it has one."""
        if self._at_s.pop(key, None) is not None:
            self._look()

    def take_due(self, now_s: float) -> KeyT | None:
        """Forget and return the key that is due the longest; `None` when none is."""
        if self.next_s > now_s:
            return None
        _, _, key = heappop(self._heap)
        del self._at_s[key]
        self._look()
        return key

    def _look(self) -> None:
        while self._heap and self._at_s.get(self._heap[0][2]) != self._heap[0][:2]:
            _ = heappop(self._heap)
        self.next_s = self._heap[0][0] if self._heap else inf
