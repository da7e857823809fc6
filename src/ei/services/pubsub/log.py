"""What a node has acknowledged: a log, the newest retained of each subject, and places in the log.

All of it is in the stable store. Positions ascend by one and are never used again.
"""

from collections.abc import Iterator
from random import Random

import msgspec

from ei.sdk import Address, Corner, Store, Tables
from ei.services.pubsub.messages import Keep, Record, record

TRIMMED_AT_ONCE = 64
IDENTITY = b"identity"
TAKEN_BACK = 1_000
"""Retained messages that were taken back of which that is remembered, the last ones."""


class Span(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What the log has.

    Attributes:
        first: Position of the oldest record.
        next: Of the one to come.
        size_bytes: Of all records.
        first_s: When the oldest was published, in Unix time.
    """

    first: int = 0
    next: int = 0
    size_bytes: int = 0
    first_s: float = 0.0


class Place(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """How far somebody has come.

    Attributes:
        filter: That it is for: another one begins anew.
        next: The first position that is not dealt with.
    """

    filter: str
    next: int


class Held(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What is in the store beside the log.

    Attributes:
        retained_bytes: Of the records that are retained.
        places: How many there are.
        taken_back: How often a retained one was taken back.
    """

    retained_bytes: int = 0
    places: int = 0
    taken_back: int = 0


class Series(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The last message of a publisher's series: its number there, its position here."""

    number: int
    position: int


class Log(Tables):
    """The log of one node.

    Args:
        store: The stable one.
    """

    __slots__ = ("_span",)

    _records = Corner("log", msgspec.Raw)
    _spans = Corner("span", Span)
    _retained = Corner("retained", tuple[int, bytes])
    _places = Corner("places", Place)
    _held = Corner("held", Held)
    _shares = Corner("shares", int)
    _taken_back = Corner("taken back", bytes)
    _names = Corner("names", int)
    _series = Corner("series", Series)
    _publishers = Corner("publishers", int)

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._span = self._spans.get(b"") or Span()

    def identity(self, random: Random) -> Address:
        """Return what the log is known by: drawn when it begins, so one begun anew is another."""
        known = self.store.get(IDENTITY)
        if known is None:
            known = random.randbytes(16)
            self.store.put(IDENTITY, known)
        return Address(known)

    @property
    def span(self) -> Span:
        """What is there."""
        return self._span

    # -- records --------------------------------------------------------------------------------

    def append(self, entry: Record, encoded: bytes) -> int:
        """Put a record at the end; return its position."""
        span = self._span
        position = span.next
        self._records.put(_key(position), msgspec.Raw(encoded))
        is_first = span.first == span.next
        self._set_span(
            msgspec.structs.replace(
                span,
                next=position + 1,
                size_bytes=span.size_bytes + len(encoded),
                first_s=entry.unix_s if is_first else span.first_s,
            )
        )
        return position

    def get(self, position: int) -> bytes | None:
        """Return an encoded record, `None` when it is not there any more."""
        kept = self._records.get(_key(position))
        return None if kept is None else bytes(kept)

    def trim(self, *, until_s: float, most_bytes: int) -> int:
        """Forget what is older, or too much, some at a time; return how many records that were."""
        span, trimmed = self._span, 0
        while (
            span.first < span.next
            and trimmed < TRIMMED_AT_ONCE
            and (span.size_bytes > most_bytes or span.first_s < until_s)
        ):
            gone = self.get(span.first)
            self._records.delete(_key(span.first))
            after = self.get(span.first + 1)
            span = Span(
                span.first + 1,
                span.next,
                span.size_bytes - len(gone or b""),
                0.0 if after is None else record.decode(after).unix_s,
            )
            trimmed += 1
        if trimmed:
            self._set_span(span)
        return trimmed

    def first_since(self, unix_s: float) -> int:
        """Return the position of the first record that is not older."""
        low, high = self._span.first, self._span.next
        while low < high:
            middle = (low + high) // 2
            kept = self.get(middle)
            if kept is not None and record.decode(kept).unix_s >= unix_s:
                high = middle
            else:
                low = middle + 1
        return low

    def _set_span(self, span: Span) -> None:
        self._span = span
        self._spans.put(b"", span)

    # -- retained -------------------------------------------------------------------------------

    @property
    def held(self) -> Held:
        """What is there beside the log."""
        return self._held.get(b"") or Held()

    def retained_with(self, host: bytes, subject: str, size_bytes: int) -> tuple[int, int]:
        """Return what all that is retained would come to with one so large, and what a host's."""
        owner, was = self._retained_now(subject)
        own = (self._shares.get(host) or 0) - (was if owner == host else 0) + size_bytes
        return self.held.retained_bytes - was + size_bytes, own

    def retain(self, entry: Record, position: int, encoded: bytes, *, is_alone: bool) -> None:
        """Note the newest of a subject; without data it takes back what there was.

        That is remembered for a while, as another node may have an older one.

        Args:
            is_alone: There is no other node.
        """
        key, size_bytes = entry.subject.encode(), len(encoded) if entry.data else 0
        owner, was = self._retained_now(entry.subject)
        self._share(owner, -was)
        self._share(entry.host, size_bytes)
        self._hold(retained_bytes=self.held.retained_bytes - was + size_bytes)
        if entry.data:
            self._retained.put(key, (position, encoded))
        elif is_alone:
            self._retained.delete(key)
        else:
            self._retained.put(key, (position, encoded))
            self._remember(key)

    def _retained_now(self, subject: str) -> tuple[bytes, int]:
        """Return whose the retained one is, and how large; of one without data nothing counts."""
        kept = self._retained.get(subject.encode())
        entry = None if kept is None else record.decode(kept[1])
        return (b"", 0) if kept is None or not entry or not entry.data else (
            entry.host, len(kept[1]),
        )  # fmt: skip

    def _share(self, host: bytes, size_bytes: int) -> None:
        share = (self._shares.get(host) or 0) + size_bytes
        if share:
            self._shares.put(host, share)
        else:
            self._shares.delete(host)

    def _remember(self, subject: bytes) -> None:
        """Remember what was taken back, in the place of what was long ago."""
        number = self.held.taken_back
        self._taken_back.put(_key(number), subject)
        self._hold(taken_back=number + 1)
        oldest = self._taken_back.get(_key(number - TAKEN_BACK)) if number >= TAKEN_BACK else None
        if oldest is not None:
            self._taken_back.delete(_key(number - TAKEN_BACK))
            if not self._retained_now(oldest.decode())[1]:
                self._retained.delete(oldest)

    def retained(self, wanted: str) -> Iterator[tuple[str, int, bytes]]:
        """Yield subject, position and record of those that may meet a filter, in order."""
        literal = wanted.split("+", 1)[0].split("#", 1)[0].rstrip("/")
        for key, (position, encoded) in self._retained.scan(literal.encode()):
            yield key.decode(), position, encoded

    # -- places ---------------------------------------------------------------------------------

    def place(self, host: bytes, name: str) -> Place | None:
        """Return how far somebody has come."""
        return self._places.get(host + name.encode())

    def set_place(self, host: bytes, name: str, place: Place) -> None:
        """Note it."""
        before = self.place(host, name)
        if before is None:
            self._count_place(host, 1)
        if before != place:
            self._places.put(host + name.encode(), place)

    def forget_place(self, host: bytes, name: str) -> None:
        """Forget it."""
        if self.place(host, name) is not None:
            self._count_place(host, -1)
            self._places.delete(host + name.encode())

    def count_places(self, host: bytes) -> int:
        """Return how many a host has."""
        return self._names.get(host) or 0

    def _count_place(self, host: bytes, amount: int) -> None:
        count = self.count_places(host) + amount
        if count:
            self._names.put(host, count)
        else:
            self._names.delete(host)
        self._hold(places=self.held.places + amount)

    def _hold(self, **changes: int) -> None:
        self._held.put(b"", msgspec.structs.replace(self.held, **changes))

    # -- series ---------------------------------------------------------------------------------

    def taken_before(self, host: bytes, asked: Keep, period: int) -> int | None:
        """Return where a message is that was taken before, `None` when it is new.

        Args:
            period: Number of the day, or as long as publishers are known for sure.
        """
        last = self._last(host, asked.publisher, period) if asked.publisher else None
        return None if last is None or asked.number > last.number else last.position

    def count_publishers(self, period: int, host: bytes = b"") -> int:
        """Return how many series there were in a period, of a host or of all."""
        return self._publishers.get(_key(period) + host) or 0

    def is_known(self, host: bytes, publisher: str, period: int) -> bool:
        """Whether a series is counted in a period already, or is none."""
        return not publisher or self._series.get(_series_key(host, publisher, period)) is not None

    def note_taken(
        self, host: bytes, asked: Keep, position: int, period: int, *, period_s: float
    ) -> None:
        """Note that a message was taken; it is known in this period and the next."""
        if not asked.publisher:
            return
        if not self.is_known(host, asked.publisher, period):
            for whose in (b"", host):
                count = self.count_publishers(period, whose) + 1
                self._publishers.put(_key(period) + whose, count, ttl_s=2 * period_s)
        key = _series_key(host, asked.publisher, period)
        self._series.put(key, Series(asked.number, position), ttl_s=2 * period_s)

    def _last(self, host: bytes, publisher: str, period: int) -> Series | None:
        here = self._series.get(_series_key(host, publisher, period))
        return here or self._series.get(_series_key(host, publisher, period - 1))


def _series_key(host: bytes, publisher: str, period: int) -> bytes:
    return _key(period) + host + publisher.encode()


def _key(position: int) -> bytes:
    return position.to_bytes(8, "big")
