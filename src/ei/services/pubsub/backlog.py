"""What has come for one subscriber and waits to be taken; and how far it has dealt with it."""

from collections import deque
from collections.abc import Callable
from typing import Generic, Literal, TypeVar

Policy = Literal["drop_oldest", "drop_newest", "disconnect"]
POLICIES: tuple[Policy, ...] = ("drop_oldest", "drop_newest", "disconnect")
"""In the order of their numbers on the wire."""

ItemT = TypeVar("ItemT")


class Backlog(Generic[ItemT]):
    """Messages in the order in which they came.

    Of those of the log no more come than were asked for; the others are bounded here.

    Args:
        limit: Most live messages that wait.
        policy: What becomes of more.

    Attributes:
        lost: Dropped since this was set to 0.
        is_over: More came than the policy allows, and it is to be ended.
    """

    def __init__(self, *, limit: int, policy: Policy) -> None:
        self._limit = limit
        self._policy = policy
        self._items: deque[tuple[ItemT, bool]] = deque()
        self._live = 0
        self.lost = 0
        self.is_over = False

    def __len__(self) -> int:
        return len(self._items)

    def add(self, item: ItemT, *, is_live: bool) -> None:
        """Let a message wait."""
        if is_live and self._live >= self._limit:
            if self._policy != "drop_oldest":
                self.lost += 1
                self.is_over = self._policy == "disconnect"
                return
            self._drop_oldest()
        self._live += is_live
        self._items.append((item, is_live))

    def count_of(self, is_meant: Callable[[ItemT], bool]) -> int:
        """Return how many there are of a kind."""
        return sum(is_meant(item) for item, _ in self._items)

    def take(self) -> ItemT | None:
        """Return the next, `None` when there is none."""
        if not self._items:
            return None
        item, is_live = self._items.popleft()
        self._live -= is_live
        return item

    def _drop_oldest(self) -> None:
        for place, (_, is_live) in enumerate(self._items):
            if is_live:
                del self._items[place]
                self._live -= 1
                self.lost += 1
                return
        self.lost += 1  # it may hold none at all


class Reach:
    """How far a subscriber has come in one log.

    Args:
        is_open: What comes is open until it is acknowledged.

    Attributes:
        told: The last position that came, or the one before the first that may; -1 for none.
    """

    __slots__ = ("_is_open", "_open", "told")

    def __init__(self, *, is_open: bool) -> None:
        self._is_open = is_open
        self._open: dict[int, None] = {}
        self.told = -1

    def begin(self, first: int) -> None:
        """Note from which position on it is told; before the next, the log is a new one."""
        if first <= self.told:
            self._open.clear()
        self.told = first - 1

    def tell(self, position: int) -> bool:
        """Note that a message came; return whether it is new."""
        if position <= self.told:
            return False
        self.told = position
        if self._is_open:
            self._open[position] = None
        return True

    def acknowledge(self, position: int) -> None:
        """Note that one was dealt with."""
        _ = self._open.pop(position, None)

    @property
    def done(self) -> int:
        """The position up to which all that came was dealt with."""
        return next(iter(self._open), self.told + 1) - 1
