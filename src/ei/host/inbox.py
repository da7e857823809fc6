"""A bounded queue between the stack and its reader: what finds it full is refused and counted."""

import asyncio
from collections import deque
from typing import Generic, TypeVar

from ei.errors import EiError, LocalError
from ei.host.deadlines import within

ItemT = TypeVar("ItemT")
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
        self._waiter: asyncio.Future[None] | None = None
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
            async with within(deadline_s, self._name):
                await self._wait()
        return self._items.popleft()

    def close(self, ending: EiError) -> None:
        """Take no more; a reader gets what is left and then `ending`."""
        self._ending = ending
        self._wake()

    async def _wait(self) -> None:
        while not self._items:
            if self._ending is not None:
                raise self._ending
            if self._waiter is not None:
                raise LocalError(f"two tasks wait for the same {self._name}")
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
