"""What the environment asks of a store beyond `Store`: batches of writes, all or nothing."""

from typing import Protocol

import msgspec

from ei.errors import ExceededError, LocalError, ServiceError
from ei.runtime.undo import UndoLog
from ei.sdk import Store

MAX_KEY_BYTES = 1_024


class RefusedError(LocalError):
    """A batch is not kept, though nothing is broken; `word` is the reason for its packets."""

    def __init__(self, message: str, *, word: str) -> None:
        super().__init__(message)
        self.word = word


class StoreStatistics(msgspec.Struct, frozen=True):
    """How full a store is.

    Attributes:
        entries: Kept, expired ones that are not swept yet included.
        used_bytes: Keys, values and `ENTRY_BYTES` for each entry.
        limit_bytes: What the manifest grants.
    """

    entries: int
    used_bytes: int
    limit_bytes: int


class TransactionalStore(Store, Protocol):
    """A store whose writes come in batches: `begin`, writes, then `commit` or undone by the log."""

    def begin(self, now_s: float, undo: UndoLog) -> None:
        """Open a batch at time `now_s`, on the clock of this store; `undo` learns its writes."""
        ...

    def commit(self) -> None:
        """Keep what was written since `begin`; when this returns it is as safe as it will be.

        Raises:
            LocalError: It could not be kept (disk full); the writes are still to be undone.
        """
        ...

    def statistics(self) -> StoreStatistics:
        """Return how full it is."""
        ...


def check_entry(key: bytes, value: bytes, ttl_s: float | None) -> None:
    """Refuse what no store keeps.

    Raises:
        ServiceError: Not bytes, a key that is too long, or a time to live that is not above 0.
    """
    if type(key) is not bytes or type(value) is not bytes:
        raise ServiceError(
            f"store entry of {type(key).__name__} and {type(value).__name__}: bytes allowed"
        )
    if len(key) > MAX_KEY_BYTES:
        raise ExceededError(f"key of {len(key)} B exceeds {MAX_KEY_BYTES} B")
    if ttl_s is not None and not 0 < ttl_s < float("inf"):
        raise ServiceError(f"ttl_s = {ttl_s}: above 0 and finite allowed")


def too_full(used_bytes: int, limit_bytes: int) -> ExceededError:
    """Return the error of a write that would exceed what the manifest grants."""
    return ExceededError(f"store of {used_bytes} B exceeds its {limit_bytes} B")


def end_of_prefix(prefix: bytes) -> bytes | None:
    """Return the first key after all that start with `prefix`; `None` when there is no such key."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1]) if stem else None
