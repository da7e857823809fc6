"""The last bytes that were written, to be written again where they may be lost."""


class Tail:
    """Bytes by their place among all that were ever written; pure.

    Args:
        limit_bytes: Kept at most.

    Attributes:
        end: How many bytes were written.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._kept = bytearray()
        self.end = 0

    @property
    def start(self) -> int:
        """The first byte that is kept."""
        return self.end - len(self._kept)

    def add(self, written: bytes) -> None:
        """Keep more, and less of what was before."""
        self._kept += written
        self.end += len(written)
        del self._kept[: max(0, len(self._kept) - self._limit_bytes)]

    def skip(self, count: int) -> None:
        """Take note of bytes that are not kept: none before them is of use any more."""
        if count:
            self._kept.clear()
            self.end += count

    def drop(self) -> None:
        """Keep nothing of what was written so far."""
        self._kept = bytearray()

    def piece(self, start: int, limit_bytes: int) -> bytes:
        """Return at most so many bytes from `start` on, which is kept."""
        at = start - self.start
        return bytes(self._kept[at : at + limit_bytes])
