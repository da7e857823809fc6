"""Which packets of one sender's stream are missing, and when to ask for them. Pure.

Numbers go up by one. What comes with a higher number than the next shows a gap; it is asked for
after a moment in which reordered packets may still come, then again, until it is given up. Of many
that are missing the oldest are asked for first, and only so many at a time; the others wait as
ranges.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

NUMBER_BYTES = 8
MAX_MISSING = 65_536
"""Packets of one stream that are waited for; of a longer gap the oldest are given up."""
WINDOW = 2_048
"""Packets that are asked for at a time."""
MAX_RANGES = 1_024
REORDER_S = 0.01
AGAIN_S = 0.2
"""Twice as long each time, up to:"""
MOST_AGAIN_S = 1.6
PATIENCE_S = 10.0
"""After that a packet is given up."""

Asked = tuple[float, float, float]
"""When to ask for it, when to give it up, and how long to wait after asking."""
Later = tuple[int, int, float]
"""First number, the one behind the last, and since when they are known to be missing."""


@dataclass(slots=True)
class Gaps:
    """Of one stream.

    Attributes:
        first: The number that the stream began with here; what was before it is not missed.
        patience_s: After that a packet is given up; without an end none is, however many.
        next: The number that is expected next.
        lost: Packets that were given up.
        repaired: Packets that came after they had been missed.
        duplicates: Packets that came again.
    """

    first: int
    patience_s: float = PATIENCE_S
    next: int = -1
    lost: int = 0
    repaired: int = 0
    duplicates: int = 0
    _asked: dict[int, Asked] = field(default_factory=dict[int, Asked])
    _later: list[Later] = field(default_factory=list[Later])

    def __post_init__(self) -> None:
        self.next = max(self.next, self.first)

    @property
    def missing(self) -> int:
        """How many packets are waited for."""
        return len(self._asked) + sum(stop - start for start, stop, _ in self._later)

    def take(self, number: int, now_s: float) -> bool:
        """Note that a packet came; return whether it is new, and taken."""
        if number == self.next:
            self.next += 1
            return True
        if number < self.next:
            is_new = self._asked.pop(number, None) is not None or self._take_early(number)
            self.repaired += is_new
            self.duplicates += not is_new
            return is_new
        self.tell(number, now_s)
        self.next = number + 1
        return True

    def tell(self, number: int, now_s: float) -> None:
        """Note that all packets below a number were sent."""
        if number <= self.next:
            return
        self._later.append((self.next, number, now_s))
        self.next = number
        if self.patience_s != float("inf") or len(self._later) > MAX_RANGES:
            self._give_up(self.missing - MAX_MISSING)

    def due(self, now_s: float, most: int) -> list[int]:
        """Return at most so many numbers to ask for now, and give up what is too old."""
        self._ask_more()
        due: list[int] = []
        for number, (ask_s, until_s, wait_s) in list(self._asked.items()):
            if until_s <= now_s:
                del self._asked[number]
                self.lost += 1
            elif ask_s <= now_s and len(due) < most:
                self._asked[number] = (now_s + wait_s, until_s, min(2 * wait_s, MOST_AGAIN_S))
                due.append(number)
        return due

    def _ask_more(self) -> None:
        while self._later and len(self._asked) < WINDOW:
            start, stop, known_s = self._later.pop(0)
            end = min(stop, start + WINDOW - len(self._asked))
            when = (known_s + REORDER_S, known_s + self.patience_s, AGAIN_S)
            self._asked |= dict.fromkeys(range(start, end), when)
            if end < stop:
                self._later.insert(0, (end, stop, known_s))

    def _take_early(self, number: int) -> bool:
        """Take a packet that was not asked for yet, unless that makes too many ranges."""
        for place, (start, stop, known_s) in enumerate(self._later):
            if start <= number < stop:
                rest = [(start, number, known_s), (number + 1, stop, known_s)]
                rest = [each for each in rest if each[0] < each[1]]
                if len(self._later) + len(rest) > MAX_RANGES + 1:
                    return False
                self._later[place : place + 1] = rest
                return True
        return False

    def _give_up(self, count: int) -> None:
        """Give up so many, the oldest."""
        for number in list(self._asked)[: max(0, count)]:
            del self._asked[number]
            self.lost += 1
            count -= 1
        while count > 0 and self._later:
            start, stop, known_s = self._later.pop(0)
            gone = min(count, stop - start)
            self.lost += gone
            count -= gone
            if start + gone < stop:
                self._later.insert(0, (start + gone, stop, known_s))


SAID = 2**63
"""Set in the number of a packet that carries nothing, and only says what the next number is."""


def name_of(number: int) -> bytes:
    """Return what a packet's payload starts with."""
    return number.to_bytes(NUMBER_BYTES, "big")


def number_of(payload: bytes) -> int | None:
    """Return the number of a packet; `None` when its payload is too short for one."""
    if len(payload) < NUMBER_BYTES:
        return None
    return int.from_bytes(payload[:NUMBER_BYTES], "big")


def in_groups(numbers: list[int], most: int) -> Iterator[tuple[bytes, ...]]:
    """Yield the names of packets, at most so many at a time."""
    for start in range(0, len(numbers), most):
        yield tuple(map(name_of, numbers[start : start + most]))
