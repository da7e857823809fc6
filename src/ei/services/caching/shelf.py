"""What is kept of responses, in one store: heads by variant, bodies, and the order of leaving."""

from collections.abc import Iterator
from hashlib import sha256

import msgspec

from ei.sdk import Corner, Store, Tables
from ei.services.caching.bodies import Bodies
from ei.services.caching.conditions import is_within
from ei.services.caching.http1 import Request, values_of
from ei.services.caching.rules import Stored, is_selected_by
from ei.services.caching.s3fifo import S3Fifo

MOST_VARIANTS = 32
"""Of one target; a new one takes the place of the oldest."""

HEAD_BYTES = 1_024
"""Counted for a head beside its fields: what keeping it costs in all tables."""


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """One variant of what a target answered.

    Attributes:
        key: Of the target.
        body: Name of the body.
        size: Of the body, in bytes.
        stored: All else.
        labels: Under which it is purged.
        boot: Which start of the worker kept it: what an earlier one did may have been purged since.
    """

    key: bytes
    body: bytes
    size: int
    stored: Stored
    labels: tuple[bytes, ...]
    boot: int

    @property
    def name(self) -> bytes:
        """What the variant is called; the next response of its kind has the same name."""
        stored = self.stored
        part = values_of(stored.response.fields, "content-range")
        said = "\n".join((*stored.vary, "", *stored.selecting, *part)).encode("utf-8")
        return sha256(self.key + said).digest()[:16]


class Shelf(Tables):
    """What one store keeps.

    Args:
        store: Memory or disk.
        limit_bytes: Of all that is kept; the store grants more, for what is on its way.

    Attributes:
        bodies: The bodies.
        limit_bytes: As given.
    """

    __slots__ = ("bodies", "limit_bytes")

    _kept = Corner("kept", Kept)
    _variants = Corner("variants", tuple[bytes, ...])

    def __init__(self, store: Store, *, limit_bytes: int) -> None:
        super().__init__(store)
        self.bodies = Bodies(store)
        self.limit_bytes = limit_bytes

    @property
    def used_bytes(self) -> int:
        """Bytes of all that is kept."""
        return self._fifo.used_bytes

    def variants(self, key: bytes) -> Iterator[Kept]:
        """Yield all that is kept of a target."""
        for name in self._variants.get(key) or ():
            kept = self._kept.get(name)
            if kept is not None:
                yield kept

    def find(self, key: bytes, request: Request) -> Kept | None:
        """Return the newest variant that the request selects, and that has what it asks for."""
        found = [
            kept
            for kept in self.variants(key)
            if is_selected_by(kept.stored, request)
            and is_within(request, kept.stored.response, kept.size)
        ]
        return max(found, key=lambda kept: kept.stored.received_s, default=None)

    def get(self, name: bytes) -> Kept | None:
        """Return a variant by its name."""
        return self._kept.get(name)

    def use(self, kept: Kept) -> None:
        """Note that it was used."""
        self._fifo.use(kept.name)

    def add(self, kept: Kept) -> Iterator[tuple[Kept, bool]]:
        """Keep a variant whose body is there already, in the place of an earlier one.

        Yields:
            What left for it, whose body is still there, and whether it was worth keeping.
        """
        name = kept.name
        replaced = self.remove(name)
        if replaced is not None:
            yield replaced, False
        names = self._variants.get(kept.key) or ()
        for other in names[: max(0, len(names) + 1 - MOST_VARIANTS)]:
            oldest = self.remove(other)
            if oldest is not None:
                yield oldest, False
        for evicted in self._fifo.add(name, size_of(kept)):
            gone = self._take(evicted.name)
            if gone is not None:
                yield gone, evicted.was_used
        names = self._variants.get(kept.key) or ()
        self._variants.put(kept.key, (*names, name))
        self._kept.put(name, kept)

    def update(self, kept: Kept, stored: Stored) -> Kept:
        """Keep a newer head for the same body."""
        new = msgspec.structs.replace(kept, stored=stored)
        self._kept.put(kept.name, new)
        return new

    def remove(self, name: bytes) -> Kept | None:
        """Forget a variant; return it, its body is still there."""
        self._fifo.forget(name)
        return self._take(name)

    @property
    def _fifo(self) -> S3Fifo:
        return S3Fifo(self.store, limit_bytes=self.limit_bytes)

    def _take(self, name: bytes) -> Kept | None:
        kept = self._kept.get(name)
        if kept is None:
            return None
        self._kept.delete(name)
        rest = tuple(other for other in self._variants.get(kept.key) or () if other != name)
        if rest:
            self._variants.put(kept.key, rest)
        else:
            self._variants.delete(kept.key)
        return kept


def size_of(kept: Kept) -> int:
    """Return how many bytes a variant counts for."""
    fields = kept.stored.response.fields
    return kept.size + HEAD_BYTES + sum(len(name) + len(value) for name, value in fields)
