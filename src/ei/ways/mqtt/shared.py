"""Shared subscriptions (MQTT 5, 4.8.2): each message goes to one of the members that are there.

All members of a group at this gateway are behind one subscription of pubsub. A message goes to a
member in turn, one at a time; if the member leaves before it has acknowledged, another gets it.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from ei.errors import EiError
from ei.ways.mqtt.bus import Arrived, Bus, Feed

MAX_OPEN = 64
"""Messages that one member has and has not acknowledged; others get what comes then."""


class Group:
    """The members of a group, and its one subscription.

    Args:
        wanted: The filter.
        name: Of the subscription at pubsub.
    """

    def __init__(self, bus: Bus, wanted: str, *, name: str, queue: int) -> None:
        self._bus = bus
        self._wanted = wanted
        self._name = name
        self._queue = queue
        self._members: deque[Member] = deque()
        self._again: deque[Arrived] = deque()
        self._moved = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._opened: asyncio.Future[Feed] | None = None

    def __repr__(self) -> str:
        return f"<Group {self._name}: {len(self._members)} members>"

    @asynccontextmanager
    async def joined(self, group: asyncio.TaskGroup) -> AsyncGenerator["Member"]:
        """Be a member while the block runs.

        Raises:
            EiError: it cannot be subscribed to.
        """
        if self._task is None or self._opened is None:
            self._opened = asyncio.get_running_loop().create_future()
            self._task = group.create_task(self._run(self._opened))
        try:
            feed = await asyncio.shield(self._opened)
        except BaseException:
            if not self._members:
                self._stop()
            raise
        member = Member(self, feed)
        self._members.append(member)
        self.move()
        try:
            yield member
        finally:
            self._members.remove(member)
            self._again.extend(member.left())
            self.move()
            if not self._members:
                self._stop()

    def move(self) -> None:
        """Hand out what waits to those who have room, each in turn."""
        while self._again:
            member = next((each for each in self._members if each.has_room), None)
            if member is None:
                return
            self._members.remove(member)
            self._members.append(member)
            member.put(self._again.popleft())
        self._moved.set()

    def _stop(self) -> None:
        if self._task is not None:
            _ = self._task.cancel()
        self._task, self._opened = None, None
        self._again.clear()

    async def _run(self, opened: asyncio.Future[Feed]) -> None:
        try:
            async with self._bus.subscribe(
                self._wanted, name=self._name, is_retained=False, queue=self._queue
            ) as feed:
                opened.set_result(feed)
                while True:
                    self._again.append(await feed.receive())
                    self._moved.clear()
                    self.move()
                    _ = await self._moved.wait()
        except EiError as error:
            self._task, self._opened = None, None
            if not opened.done():
                opened.set_exception(error)
            for member in self._members:
                member.fail(error)


class Member:
    """What one member is handed, as a feed of its own."""

    def __init__(self, group: Group, feed: Feed) -> None:
        self._group = group
        self._feed = feed
        self._waiting: deque[Arrived] = deque()
        self._taken: dict[int, Arrived] = {}
        self._failure: EiError | None = None
        self._news = asyncio.Event()

    @property
    def has_room(self) -> bool:
        """Whether it may be handed one more."""
        return len(self._waiting) + len(self._taken) < MAX_OPEN

    def put(self, arrived: Arrived) -> None:
        """Hand it a message."""
        self._waiting.append(arrived)
        self._news.set()

    def fail(self, error: EiError) -> None:
        """No more will come."""
        self._failure = error
        self._news.set()

    def left(self) -> list[Arrived]:
        """Return what it has not acknowledged."""
        return [*self._taken.values(), *self._waiting]

    async def receive(self) -> Arrived:
        """Return the next message that is this member's."""
        while not self._waiting:
            if self._failure is not None:
                raise self._failure
            self._news.clear()
            _ = await self._news.wait()
        arrived = self._waiting.popleft()
        if arrived.mark:
            self._taken[id(arrived)] = arrived
        return arrived

    def acknowledge(self, arrived: Arrived) -> None:
        """Let pubsub forget it."""
        _ = self._taken.pop(id(arrived), None)
        self._feed.acknowledge(arrived)
        self._group.move()
