"""Whose turn it is, pure: how much may be on its way at once, in all and for each source."""


class Turns:
    """Bounds what is on its way; whoever comes anew finds a share left by those who are there.

    A source may have an n-th part of all, where n - 1 others have some on their way and one more
    might come: half of all when it is alone.

    Args:
        limit: Most in all, at least 2.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._each: dict[str, int] = {}
        self._all = 0

    def __len__(self) -> int:
        return self._all

    def __repr__(self) -> str:
        return f"<Turns {self._all} of {self._limit}, {len(self._each)} sources>"

    def take(self, source: str) -> bool:
        """Take one, to be given back; return whether there was room for it."""
        own = self._each.get(source, 0)
        others = len(self._each) - (own > 0)
        if self._all >= self._limit or own >= self._limit // (others + 2):
            return False
        self._each[source] = own + 1
        self._all += 1
        return True

    def give_back(self, source: str) -> None:
        """Give back what was taken."""
        self._all -= 1
        self._each[source] -= 1
        if not self._each[source]:
            del self._each[source]
