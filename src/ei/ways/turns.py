"""Whose turn it is, pure: how much may be on its way at once, in all and for each source."""

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager


class Turns:
    """Bounds what is on its way; whoever comes anew finds a share left by those who are there.

    A source may have an n-th part of all, where n - 1 others have some on their way and one more
    might come: half of all when it is alone.

    Args:
        limit: Most in all, at least 2.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._each = Counter[str]()
        self._all = 0

    def __len__(self) -> int:
        return self._all

    def __repr__(self) -> str:
        return f"<Turns {self._all} of {self._limit}, {len(self._each)} sources>"

    @contextmanager
    def turn(self, source: str) -> Generator[bool]:
        """Say whether there is room for one more, and take it while the context lasts."""
        others = len(self._each) - (source in self._each)
        is_room = self._all < self._limit and self._each[source] < self._limit // (others + 2)
        if not is_room:
            self._drop(source, 0)
            yield False
            return
        self._each[source] += 1
        self._all += 1
        try:
            yield True
        finally:
            self._all -= 1
            self._drop(source, 1)

    def _drop(self, source: str, count: int) -> None:
        self._each[source] -= count
        if self._each[source] <= 0:
            del self._each[source]
