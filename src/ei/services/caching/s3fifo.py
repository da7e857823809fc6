"""S3-FIFO: which of the kept objects goes when there is no room (Yang et al., SOSP 2023).

Three queues. What is new enters *small*, a tenth of the bytes; what was used again when its turn
comes moves to *main*, the rest leaves and is remembered, by name alone, in *ghost*. What comes
back while its ghost is there enters main at once. In main, what was used gets another round.

The queues are entries of a store, under numbers that only rise: pushing, taking the oldest and
forgetting one in the midst touch a few entries each, however long the queues are.
"""

from collections.abc import Iterator
from typing import Final, Literal

import msgspec

from ei.sdk import Corner, Store, Tables

SMALL_SHARE: Final = 0.1
GHOST_SHARE: Final = 0.9
MOST_USES: Final = 3
USES_TO_MOVE: Final = 2
"""Uses in small after which an object moves to main."""

Queue = Literal["small", "main", "ghost"]


class Place(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Where an object stands.

    Attributes:
        queue: In which queue.
        number: In it.
        size: Bytes.
        uses: Since it got there, up to `MOST_USES`.
    """

    queue: Queue
    number: int
    size: int
    uses: int


class Line(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One queue.

    Attributes:
        oldest: Number at which the oldest may be; before it is nothing.
        next: Number of the next that comes.
        used: Bytes of all in it.
    """

    oldest: int = 0
    next: int = 0
    used: int = 0


class Evicted(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What has to go.

    Attributes:
        name: Of the object.
        was_used: It was in main: worth another place where there is more room.
    """

    name: bytes
    was_used: bool


class S3Fifo(Tables):
    """The order of what a store keeps.

    Args:
        store: Where the queues are kept.
        limit_bytes: Of all objects in small and main.
    """

    __slots__ = ("_limit",)

    _lines = Corner("lines", Line)
    _order = Corner("order", bytes)
    _places = Corner("places", Place)

    def __init__(self, store: Store, *, limit_bytes: int) -> None:
        super().__init__(store)
        self._limit = limit_bytes

    @property
    def used_bytes(self) -> int:
        """Bytes of all objects that are kept."""
        return self._line("small").used + self._line("main").used

    def __contains__(self, name: bytes) -> bool:
        place = self._places.get(name)
        return place is not None and place.queue != "ghost"

    def use(self, name: bytes) -> None:
        """Note that an object is used."""
        place = self._places.get(name)
        if place is not None and place.queue != "ghost" and place.uses < MOST_USES:
            self._places.put(name, msgspec.structs.replace(place, uses=place.uses + 1))

    def add(self, name: bytes, size: int) -> Iterator[Evicted]:
        """Keep an object, and say what has to go for it; all of it must be taken.

        Args:
            name: An object that is not there.
            size: Up to the limit.
        """
        place = self._places.get(name)
        came_back = place is not None
        self.forget(name)
        while self.used_bytes + size > self._limit:
            yield from self._evict()
        # Before anything had to go, small may take more than its share: the rest goes to main.
        is_filling = self._line("ghost").next == 0
        to_main = came_back or (is_filling and self._line("small").used >= self._small_limit)
        self._push("main" if to_main else "small", name, size, uses=0)

    def forget(self, name: bytes) -> None:
        """Forget an object, as if it had never been there."""
        place = self._places.get(name)
        if place is not None:
            self._remove(name, place)

    # -- the parts ------------------------------------------------------------------------------

    @property
    def _small_limit(self) -> int:
        return int(self._limit * SMALL_SHARE)

    def _evict(self) -> Iterator[Evicted]:
        """Let one object go, or one from small to main."""
        small, main = self._line("small"), self._line("main")
        if main.used > self._limit - self._small_limit or small.used == 0:
            yield from self._evict_from_main()
        else:
            yield from self._evict_from_small()

    def _evict_from_small(self) -> Iterator[Evicted]:
        name, place = self._oldest("small")
        self._remove(name, place)
        if place.uses >= USES_TO_MOVE:
            self._push("main", name, place.size, uses=place.uses)
            return
        self._remember(name, place.size)
        yield Evicted(name, was_used=False)

    def _evict_from_main(self) -> Iterator[Evicted]:
        name, place = self._oldest("main")
        self._remove(name, place)
        if place.uses:
            self._push("main", name, place.size, uses=place.uses - 1)
            return
        yield Evicted(name, was_used=True)

    def _remember(self, name: bytes, size: int) -> None:
        limit = int(self._limit * GHOST_SHARE)
        while (line := self._line("ghost")).used and line.used + size > limit:
            oldest, place = self._oldest("ghost")
            self._remove(oldest, place)
        self._push("ghost", name, size, uses=0)

    def _oldest(self, queue: Queue) -> tuple[bytes, Place]:
        """Return the oldest of a queue that is not empty; past those that left from its midst."""
        line = self._line(queue)
        number = line.oldest
        while (name := self._order.get(_key(queue, number))) is None:
            number += 1
        if number != line.oldest:
            self._lines.put(queue.encode(), msgspec.structs.replace(line, oldest=number))
        place = self._places.get(name)
        if place is None:
            raise LookupError(f"{queue} {number}: {name.hex()} has no place")
        return name, place

    def _push(self, queue: Queue, name: bytes, size: int, *, uses: int) -> None:
        line = self._line(queue)
        self._order.put(_key(queue, line.next), name)
        self._places.put(name, Place(queue, line.next, size, uses))
        self._lines.put(queue.encode(), Line(line.oldest, line.next + 1, line.used + size))

    def _remove(self, name: bytes, place: Place) -> None:
        line = self._line(place.queue)
        self._order.delete(_key(place.queue, place.number))
        self._places.delete(name)
        oldest = line.oldest + (place.number == line.oldest)
        self._lines.put(place.queue.encode(), Line(oldest, line.next, line.used - place.size))

    def _line(self, queue: Queue) -> Line:
        return self._lines.get(queue.encode()) or Line()


def _key(queue: Queue, number: int) -> bytes:
    return queue.encode() + number.to_bytes(8, "big")
