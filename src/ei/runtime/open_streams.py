"""The streams that a service has: counted, and bounded by its tier."""

from ei.errors import ServiceError
from ei.runtime.undo import UndoLog
from ei.sdk.tiers import TIERS

MAX_STREAMS = TIERS["heavy"].streams


class OpenStreams:
    """Streams from the first word of them until `StreamClosed`, the last; `undo` takes it back.

    Args:
        limit: How many may be open at once.
    """

    def __init__(self, undo: UndoLog, limit: int = MAX_STREAMS) -> None:
        self._undo = undo
        self._limit = limit
        self._open: set[int] = set()

    def __len__(self) -> int:
        return len(self._open)

    def __repr__(self) -> str:
        return f"<OpenStreams {len(self)} of {self._limit}>"

    def open(self, stream: int) -> None:
        """Count a stream, if it is not counted yet.

        Raises:
            ServiceError: Too many are open.
        """
        if stream in self._open:
            return
        if len(self._open) >= self._limit:
            raise ServiceError(f"{self._limit + 1} streams: at most {self._limit} allowed")
        self._open.add(stream)
        self._undo.add(self._open.discard, stream)

    def close(self, stream: int) -> None:
        """Count it no more."""
        self._open.discard(stream)
