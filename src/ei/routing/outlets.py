"""What one peer is told, and when: in batches, each thing at most once a second.

A withdrawal does not wait: who still believes in a route that is gone loses packets.
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

BATCH_S = 0.05
"""What changes within this time goes in one message."""
INTERVAL_S = 1.0
"""Between two announcements of one thing to one peer: BGP's MRAI, but each thing for itself."""
PACE_BYTES = 131_072
"""In one batch: a pipe's control channel carries so much in three round trips, and holds 1 MiB."""
PACE_ROUND_TRIPS = 4

KeyT = TypeVar("KeyT", bound=Hashable)
KeyT_contra = TypeVar("KeyT_contra", bound=Hashable, contravariant=True)


class Writer(Protocol[KeyT_contra]):
    """Knows what there is to say, and writes it."""

    def digest(self, key: KeyT_contra, /) -> bytes | None:
        """Return a digest of what there is to say of `key` now; `None` for nothing."""
        ...

    def announce(self, key: KeyT_contra, /) -> int:
        """Say it; return the bytes that it takes."""
        ...

    def withdraw(self, key: KeyT_contra, /) -> int:
        """Say that there is nothing any more; return the bytes that it takes."""
        ...


@dataclass(slots=True)
class Outlet(Generic[KeyT]):
    """What one peer was told.

    Attributes:
        pending: What may have changed since.
        sent: Key to (digest of what was said last, or `None` once withdrawn; when).
        number: Of the next message.
        is_started: The peer has asked for all.
        due_s: When `flush` has something to do; `None` for never.
    """

    pending: dict[KeyT, None] = field(default_factory=dict[KeyT, None])
    sent: dict[KeyT, tuple[bytes | None, float]] = field(
        default_factory=dict[KeyT, tuple[bytes | None, float]]
    )
    number: int = 0
    is_started: bool = False
    due_s: float | None = None

    def start(self, keys: Iterable[KeyT], *, at_s: float) -> None:
        """Tell all from the beginning, from `at_s` on."""
        self.sent.clear()
        self.pending = dict.fromkeys(keys)
        self.number = 0
        self.is_started = True
        self.due_s = at_s

    def again(self, *, at_s: float) -> None:
        """Tell all that was told once more, from the beginning: some of it did not leave."""
        if self.is_started:
            self.start((*self.sent, *self.pending), at_s=at_s)

    def note(self, key: KeyT, *, now_s: float) -> None:
        """Something about `key` may have changed."""
        if self.is_started:
            self.pending[key] = None
            self.due(now_s + BATCH_S)

    def due(self, at_s: float) -> None:
        """Have it flushed at `at_s`, or before."""
        self.due_s = at_s if self.due_s is None else min(self.due_s, at_s)

    def flush(self, writer: Writer[KeyT], *, now_s: float, round_trip_s: float = 0.0) -> None:
        """Say what has changed, and is not to wait.

        Args:
            round_trip_s: Of the pipe, which sets the pace of what takes several batches.
        """
        said_bytes = 0
        self.due_s = None
        for key in list(self.pending):
            if said_bytes >= PACE_BYTES:
                self.due(now_s + max(BATCH_S, PACE_ROUND_TRIPS * round_trip_s))
                break
            digest = writer.digest(key)
            was, at_s = self.sent.get(key, NEVER)
            if digest != was and digest is not None and now_s < at_s + INTERVAL_S:
                self.due(at_s + INTERVAL_S)
                continue
            del self.pending[key]
            if digest == was:
                continue
            if digest is None:
                said_bytes += writer.withdraw(key)
                self.sent[key] = (None, at_s)
            else:
                said_bytes += writer.announce(key)
                self.sent[key] = (digest, now_s)

    def forget(self, *, now_s: float) -> None:
        """Forget what was withdrawn so long ago that it may be announced again at once."""
        for key in [
            key
            for key, (digest, at_s) in self.sent.items()
            if digest is None and at_s + INTERVAL_S <= now_s
        ]:
            del self.sent[key]


NEVER: tuple[None, float] = (None, float("-inf"))
