"""Signed bytes that verified once in this process need not be verified again.

The digest after a hop (see `announcements`) is over all that came before it, the hop's key and its
signature. So one that is known to be good says that every signature up to there is.
"""

from sys import getsizeof

DIGEST_BYTES = 80
"""Of a digest of 32 bytes, as Python keeps it."""


class Memo:
    """Digests that are known to be good: the latest `limit`, at most twice as many.

    Args:
        limit: 0 remembers none.
    """

    def __init__(self, *, limit: int = 65_536) -> None:
        self._limit = limit
        self._young: set[bytes] = set()
        self._old: set[bytes] = set()

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def __repr__(self) -> str:
        return f"<Memo of {len(self)} digests, limit {self._limit}>"

    def __contains__(self, digest: bytes) -> bool:
        if digest in self._young:
            return True
        if digest not in self._old:
            return False
        self.add(digest)
        return True

    def size_bytes(self) -> int:
        """Return roughly the memory that it takes."""
        return sum(getsizeof(part) + len(part) * DIGEST_BYTES for part in (self._young, self._old))

    def add(self, digest: bytes) -> None:
        """Remember a digest."""
        if self._limit == 0:
            return
        if len(self._young) >= self._limit:
            self._young, self._old = set(), self._young
        self._young.add(digest)
