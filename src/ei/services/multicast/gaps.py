"""Which packets of one sender's stream are missing, and when to ask for them. Pure.

Numbers go up by one. What comes with a higher number than the next shows a gap; it is asked for
after a moment in which reordered packets may still come, then again, until it is given up.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

NUMBER_BYTES = 8
MAX_MISSING = 65_536
"""Packets of one stream that are waited for; of a longer gap the oldest are given up."""
REORDER_S = 0.01
AGAIN_S = 0.2
PATIENCE_S = 10.0
"""After that a packet is given up."""


@dataclass(slots=True)
class Gaps:
    """Of one stream.

    Attributes:
        first: The number that the stream began with here; what was before it is not missed.
        next: The number that is expected next.
        lost: Packets that were given up.
        repaired: Packets that came after they had been missed.
        duplicates: Packets that came again.
    """

    first: int
    next: int = -1
    lost: int = 0
    repaired: int = 0
    duplicates: int = 0
    _missing: dict[int, tuple[float, float]] = field(default_factory=dict[int, tuple[float, float]])

    def __post_init__(self) -> None:
        self.next = max(self.next, self.first)

    @property
    def missing(self) -> int:
        """How many packets are waited for."""
        return len(self._missing)

    def take(self, number: int, now_s: float) -> bool:
        """Note that a packet came; return whether it is new."""
        if number == self.next:
            self.next += 1
            return True
        if number < self.next:
            is_new = self._missing.pop(number, None) is not None
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
        missed = range(max(self.next, number - MAX_MISSING), number)
        self.lost += missed.start - self.next
        self._missing |= dict.fromkeys(missed, (now_s + REORDER_S, now_s + PATIENCE_S))
        self.next = number
        for oldest in list(self._missing)[: max(0, len(self._missing) - MAX_MISSING)]:
            del self._missing[oldest]
            self.lost += 1

    def due(self, now_s: float, most: int) -> list[int]:
        """Return at most so many numbers to ask for now, and give up what is too old."""
        due: list[int] = []
        for number, (ask_s, until_s) in list(self._missing.items()):
            if until_s <= now_s:
                del self._missing[number]
                self.lost += 1
            elif ask_s <= now_s and len(due) < most:
                self._missing[number] = (now_s + AGAIN_S, until_s)
                due.append(number)
        return due


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
