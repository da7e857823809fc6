"""A bounded queue between the stack and its reader: what finds it full is refused and counted."""

import asyncio
from collections import deque
from typing import Generic, Literal, TypeVar

from ei.errors import DeadlineError, EiError, LocalError

ItemT = TypeVar("ItemT")
How = Literal["woken", "late"]
DEFAULT_ITEMS = 1_024


class Inbox(Generic[ItemT]):
    """Holds at most `limit_items` that nobody has taken yet.

    Args:
        name: What its reader waits for, such as `datagram on port 7`.
    """

    def __init__(self, name: str, *, limit_items: int = DEFAULT_ITEMS) -> None:
        self._name = name
        self._limit_items = limit_items
        self._items: deque[ItemT] = deque()
        self._waiter: asyncio.Future[How] | None = None
        self._ending: EiError | None = None
        self.refused = 0

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: ItemT) -> bool:
        """Take `item`; return whether there was room."""
        if self._ending is not None or len(self._items) >= self._limit_items:
            self.refused += 1
            return False
        self._items.append(item)
        self._wake()
        return True

    async def get(self, *, deadline_s: float) -> ItemT:
        """Return the oldest item; wait for one if there is none.

        Raises:
            DeadlineError: none came.
            LocalError: another task waits already.
            EiError: it was closed, and is empty.
        """
        if not self._items:
            await self._wait(deadline_s)
        return self._items.popleft()

    def close(self, ending: EiError) -> None:
        """Take no more; a reader gets what is left and then `ending`."""
        self._ending = ending
        self._wake()

    async def _wait(self, deadline_s: float) -> None:
        # For each packet of a host that keeps up: `within` around it would take half of the time.
        loop = asyncio.get_running_loop()
        until_s = loop.time() + deadline_s
        while not self._items:
            if self._ending is not None:
                raise self._ending
            if self._waiter is not None:
                raise LocalError(f"two tasks wait for the same {self._name}")
            self._waiter = loop.create_future()
            timer = loop.call_at(until_s, _settle, self._waiter, "late")
            try:
                how = await self._waiter
            finally:
                timer.cancel()
                self._waiter = None
            if how == "late" and not self._items:
                raise DeadlineError(f"within {deadline_s:g} s there was no {self._name}")

    def _wake(self) -> None:
        if self._waiter is not None:
            _settle(self._waiter, "woken")


def _settle(waiter: asyncio.Future[How], how: How) -> None:
    if not waiter.done():
        waiter.set_result(how)
