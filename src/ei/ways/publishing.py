"""Pub/sub beside a host, in its daemon: the admin verbs that `ei pub` and `ei sub` ask.

    publish     subject, data, is_kept, is_retained,      ei.published/1
                deadline_s
    subscribe   filter, count, seconds, name, since_s,    ei.subscribed/1   after ei.progress/1
                is_retained, is_live

`data` is base64, and so is that of each message, which is an `ei.progress/1` of its own. Without a
`name` a subscription begins now, or as far back as `since_s` says; -1 is as far as there is.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from math import inf

import msgspec

from ei.daemons.log import Log
from ei.daemons.messages import PROGRESS, Answer, Request
from ei.daemons.verbs import arguments_of, to_answer
from ei.errors import DeadlineError, EiError
from ei.host.admin import Verb
from ei.host.client import Host
from ei.services.pubsub.client import Message, PubSub, Subscription, open_pubsub

OPEN_S = 5.0
STILL_S = 2.0
"""So often who listens hears that it goes on; that shows, too, who has gone."""


class Publish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Arguments of `publish`. `deadline_s` is for the acknowledgement."""

    subject: str
    data: bytes
    is_kept: bool = False
    is_retained: bool = False
    deadline_s: float = 10.0


class Published(msgspec.Struct, frozen=True):
    """A message that was published.

    Attributes:
        node: Name of the node that keeps it; empty when none does.
        position: In the log of that node; -1 when it is in none.
    """

    subject: str
    node: str
    position: int


class Subscribe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Arguments of `subscribe`. `count` 0 is without end."""

    filter: str
    count: int = 0
    seconds: float = 3_600.0
    name: str = ""
    since_s: float = 0.0
    is_retained: bool = False
    is_live: bool = False


class Seen(msgspec.Struct, frozen=True):
    """A message as it is shown."""

    subject: str
    data: bytes
    publisher: str
    position: int
    unix_s: float
    is_retained: bool
    lost: int


class Subscribed(msgspec.Struct, frozen=True):
    """The end of a subscription: how many messages came."""

    filter: str
    count: int


@asynccontextmanager
async def publishing_beside(host: Host, _log: Log) -> AsyncGenerator[Mapping[str, Verb]]:
    """Answer the verbs; pub/sub is opened when the first of them is asked."""
    publishing = Publishing(host)
    async with asyncio.TaskGroup() as tasks:
        keeping = tasks.create_task(publishing.keep_open(), name="pub/sub")
        try:
            yield {"publish": publishing.publish, "subscribe": publishing.subscribe}
        finally:
            _ = keeping.cancel()


class Publishing:
    """The verbs of one host."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._wanted = asyncio.Event()
        self._opened: asyncio.Future[PubSub] | None = None

    async def keep_open(self) -> None:
        """Open pub/sub as soon as it is wanted; when that fails, who wants it again tries again."""
        while True:
            _ = await self._wanted.wait()
            self._wanted.clear()
            opened = self._opened
            if opened is None:
                continue
            try:
                async with open_pubsub(self._host, deadline_s=OPEN_S) as bus:
                    opened.set_result(bus)
                    _ = await asyncio.Event().wait()
            except EiError as error:
                self._opened = None
                if not opened.done():
                    opened.set_exception(error)

    async def publish(self, request: Request) -> AsyncIterator[Answer]:
        """Publish one message."""
        wanted = arguments_of(request, Publish)
        bus = await self._bus()
        node, position = "", -1
        if wanted.is_kept or wanted.is_retained:
            at = await bus.keep(
                wanted.subject,
                wanted.data,
                retain=wanted.is_retained,
                deadline_s=wanted.deadline_s,
            )
            node = "" if bus.home is None else self._host.records.name_of(bus.home)
            position = at.number
        else:
            _ = bus.publish(wanted.subject, wanted.data)
        yield to_answer(Published(wanted.subject, node, position), schema="ei.published/1")

    async def subscribe(self, request: Request) -> AsyncIterator[Answer]:
        """Say what comes, message by message."""
        wanted = arguments_of(request, Subscribe)
        bus = await self._bus()
        since = inf if wanted.since_s < 0 else wanted.since_s
        count = 0
        async with bus.subscribe(
            wanted.filter,
            name=wanted.name or None,
            since=since,
            retained=wanted.is_retained,
            kept=not wanted.is_live,
        ) as subscription:
            yield {"schema": PROGRESS}
            now_s = asyncio.get_running_loop().time
            ends_s = now_s() + wanted.seconds
            while count < (wanted.count or count + 1) and (left_s := ends_s - now_s()) > 0:
                message = await _next(subscription, min(STILL_S, left_s))
                if message is None:
                    yield {"schema": PROGRESS}
                    continue
                count += 1
                yield to_answer(self._seen(message), schema=PROGRESS)
                subscription.acknowledge(message)
        yield to_answer(Subscribed(wanted.filter, count), schema="ei.subscribed/1")

    async def _bus(self) -> PubSub:
        if self._opened is None:
            self._opened = asyncio.get_running_loop().create_future()
            self._wanted.set()
        return await asyncio.shield(self._opened)

    def _seen(self, message: Message) -> Seen:
        return Seen(
            message.subject,
            message.data,
            self._host.records.name_of(message.publisher),
            -1 if message.position is None else message.position.number,
            message.unix_s,
            message.is_retained,
            message.lost,
        )


async def _next(subscription: Subscription, most_s: float) -> Message | None:
    """Return the next message, `None` when none comes for a while."""
    try:
        return await subscription.receive(deadline_s=most_s)
    except DeadlineError:
        return None
