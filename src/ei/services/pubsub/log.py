"""What a node has acknowledged: a log, the newest retained of each subject, and places in the log.

All of it is in the stable store. Positions ascend by one and are never used again.
"""

from collections.abc import Iterator

import msgspec

from ei.sdk import Address, Store, Table
from ei.services.pubsub.messages import Keep, Record, record

TRIMMED_AT_ONCE = 64
IDENTITY = b"identity"
TOMBSTONE_S = 86_400.0
"""For how long it is known that what was retained was taken back."""


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
    """

    retained_bytes: int = 0
    places: int = 0


class Series(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The last message of a publisher's series: its number there, its position here."""

    number: int
    position: int


class Log:
    """The log of one node.

    Args:
        store: The stable one.
    """

    __slots__ = (
        "_held", "_names", "_places", "_publishers", "_records", "_retained", "_series", "_span",
        "_spans", "_store",
    )  # fmt: skip

    def __init__(self, store: Store) -> None:
        self._store = store
        self._records = Table(store, "log", of=msgspec.Raw)
        self._spans = Table(store, "span", of=Span)
        self._retained = Table(store, "retained", of=tuple[int, bytes])
        self._places = Table(store, "places", of=Place)
        self._held = Table(store, "held", of=Held)
        self._names = Table(store, "names", of=int)
        self._series = Table(store, "series", of=Series)
        self._publishers = Table(store, "publishers", of=int)
        self._span = self._spans.get(b"") or Span()

    def identity(self, node: Address) -> Address:
        """Return what the log is known by; `node` begins it, if nobody did."""
        known = self._store.get(IDENTITY)
        if known is None:
            self._store.put(IDENTITY, node)
        return Address(known or node)

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

    def retained_bytes_with(self, subject: str, size_bytes: int) -> int:
        """Return what all that is retained would come to, with one so large for a subject."""
        before = self._retained.get(subject.encode())
        was = 0 if before is None or not record.decode(before[1]).data else len(before[1])
        return self.held.retained_bytes - was + size_bytes

    def retain(self, subject: str, position: int, encoded: bytes, *, is_taken_back: bool) -> None:
        """Note the newest of a subject.

        One that takes back what there was is known for a day: another node may have an older one.
        """
        # What is taken back expires by itself, and so is not counted.
        size_bytes = 0 if is_taken_back else len(encoded)
        self._hold(retained_bytes=self.retained_bytes_with(subject, size_bytes))
        ttl_s = TOMBSTONE_S if is_taken_back else None
        self._retained.put(subject.encode(), (position, encoded), ttl_s=ttl_s)

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

    def count_publishers(self, period: int) -> int:
        """Return how many series there were in a period."""
        return self._publishers.get(_key(period)) or 0

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
            count = self.count_publishers(period) + 1
            self._publishers.put(_key(period), count, ttl_s=2 * period_s)
        key = _series_key(host, asked.publisher, period)
        self._series.put(key, Series(asked.number, position), ttl_s=2 * period_s)

    def _last(self, host: bytes, publisher: str, period: int) -> Series | None:
        here = self._series.get(_series_key(host, publisher, period))
        return here or self._series.get(_series_key(host, publisher, period - 1))


def _series_key(host: bytes, publisher: str, period: int) -> bytes:
    return _key(period) + host + publisher.encode()


def _key(position: int) -> bytes:
    return position.to_bytes(8, "big")
