"""Pub/sub on a host.

async with open_pubsub(host) as bus:
    async with bus.subscribe("weather/+", since=3_600.0, retained=True) as weather:
        _ = bus.publish("weather/oslo", b"rain")                 # live: now or never
        _ = await bus.keep("weather/bergen", b"more rain")       # on disk when this returns
        print((await weather.receive()).data)
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import count
from math import inf, isinf
from secrets import token_hex
from typing import assert_never

from ei.errors import DeadlineError, LimitError, LocalError, StreamError
from ei.host.client import Host
from ei.host.deadlines import DEFAULT_S, within
from ei.sdk import Address
from ei.services.pubsub.backlog import POLICIES, Policy
from ei.services.pubsub.client_lines import Line, Lines
from ei.services.pubsub.client_packets import Packets, check_subject
from ei.services.pubsub.client_subscriptions import (
    CREDIT,
    Message,
    Position,
    Subscription,
)
from ei.services.pubsub.client_wishes import Wishing
from ei.services.pubsub.messages import (
    LIVE,
    MAX_DATA_BYTES,
    MAX_NAME_BYTES,
    Caught,
    Ended,
    Follow,
    Following,
    Forget,
    Forgotten,
    Keep,
    Said,
    Taken,
    Told,
    Unfollow,
    Welcome,
    record,
    write_frame,
    write_payload,
)
from ei.services.pubsub.subjects import is_filter

__all__ = ["HISTORY", "NOW", "Message", "Position", "PubSub", "Subscription", "open_pubsub"]

NOW, HISTORY = 0.0, inf
"""How far back a subscription begins: nowhere; as far as there is."""
PENDING = 1_024
"""Messages that may wait to be acknowledged; who has more to keep waits."""


@asynccontextmanager
async def open_pubsub(host: Host, *, deadline_s: float = DEFAULT_S) -> AsyncGenerator["PubSub"]:
    """Publish and subscribe for as long as the context lasts; once per host.

    Args:
        host: Attached.
        deadline_s: Until one of its nodes has answered.

    Raises:
        DeadlineError: None did.
        NotFoundError: None offers pub/sub.
        ConflictError: The host has it open already.
    """
    bus = PubSub(host)
    try:
        async with asyncio.TaskGroup() as tasks:
            running = bus.start(tasks)
            try:
                await bus.ready(deadline_s=deadline_s)
                yield bus
            finally:
                bus.close()
                for task in (*running, *bus.tasks):
                    _ = task.cancel()
    except BaseExceptionGroup as group:
        if len(group.exceptions) == 1:
            raise group.exceptions[0] from None
        raise


class PubSub:
    """Publishing and subscribing, by whichever of the host's nodes answers. See `open_pubsub`.

    Attributes:
        host: Whose.
    """

    def __init__(self, host: Host) -> None:
        self.host = host
        self._subscriptions: dict[int, Subscription] = {}
        self._wishes = Wishing(host, self._subscriptions)
        self._packets = Packets(host, self._subscriptions)
        self._numbers = count(1)
        self._sequences = count(1)
        self._publisher = token_hex(8)
        self._pending: dict[int, tuple[Keep, asyncio.Future[Taken]]] = {}
        self._room = asyncio.Semaphore(PENDING)
        self._forgotten: dict[str, set[Address | None]] = {}
        self._forgot = asyncio.Event()
        self._exchange: tuple[Address, ...] = ()
        self._lines = Lines(self)
        self._home = self._lines.home
        self._group: asyncio.TaskGroup | None = None

    @property
    def home(self) -> Address | None:
        """The node that this goes by now; `None` before the first."""
        return self._home.node

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        """Those that keep it up with other nodes than the host's own."""
        return self._lines.tasks

    @property
    def late(self) -> int:
        """Live messages that were dropped, as newer ones of their publisher had come before."""
        return self._packets.late

    # -- publishing -------------------------------------------------------------------------------

    def publish(self, subject: str, data: bytes, *, extra: bytes = b"") -> bool:
        """Publish to who is there now: at most once, in order, copied natively.

        Args:
            subject: 1 to 200 bytes, without wildcards.
            data, extra: Together up to what fits into a packet: about 1,000 bytes.

        Returns:
            Whether the pipe to the node took it.

        Raises:
            LimitError: Too long.
            LocalError: No subject.
        """
        check_subject(subject)
        payload = write_payload(next(self._sequences), extra, data)
        metadata = bytes((LIVE,)) + subject.encode()
        return self._packets.send(metadata, payload, node=self.home)

    async def keep(  # noqa: PLR0913 all that a message may have
        self,
        subject: str,
        data: bytes,
        *,
        extra: bytes = b"",
        retain: bool = False,
        publisher: str = "",
        number: int | None = None,
        deadline_s: float = DEFAULT_S,
    ) -> Position:
        """Publish, and return when it is on disk, on as many nodes as the operator says.

        It is said again when the stream to the node is lost, and still taken once by one node.

        Args:
            subject: As in `publish`.
            data, extra: Together up to 60,000 bytes.
            retain: Who subscribes later gets it first, as the newest of its subject; without data
                there is none any more.
            publisher, number: A series whose numbers ascend: what is not higher than the last is
                taken for the same again. By default one of this object's own.

        Raises:
            DeadlineError: Nobody said so in time; it may be there all the same.
            LimitError: Too long.
            LocalError: No subject.
            StreamError: The node refuses; `kind` says why.
        """
        check_subject(subject)
        if len(data) + len(extra) > MAX_DATA_BYTES:
            raise LimitError(f"{len(data) + len(extra)} B seen, {MAX_DATA_BYTES} B allowed")
        async with within(deadline_s, f"word that {subject!r} is kept"), self._room:
            sequence = next(self._sequences)
            message = Keep(
                sequence, subject, data, extra, retain, publisher or self._publisher,
                sequence if number is None else number,
            )  # fmt: skip
            future: asyncio.Future[Taken] = asyncio.get_running_loop().create_future()
            self._pending[sequence] = message, future
            try:
                self._home.say(message)
                taken = await future
            finally:
                del self._pending[sequence]
        if taken.word:
            raise StreamError(f"the node does not keep {subject!r}: {taken.word}", kind=taken.word)
        assert self._home.log is not None  # noqa: S101 it has just answered
        return Position(self._home.log, taken.position)

    # -- subscribing ------------------------------------------------------------------------------

    @asynccontextmanager
    async def subscribe(  # noqa: PLR0913 all that a subscription may be
        self,
        wanted: str,
        *,
        name: str | None = None,
        since: float = NOW,
        retained: bool = False,
        kept: bool = True,
        queue: int = 10_000,
        policy: Policy = "drop_oldest",
        deadline_s: float = DEFAULT_S,
    ) -> AsyncGenerator[Subscription]:
        """Receive what is published from now on, and before, for as long as the context lasts.

        Args:
            wanted: A filter: a subject, with `+` for a level and a last `#` for any number of them.
            name: The nodes remember under it how far this host has come, so that the next time
                goes on with what was not acknowledged.
            since: Without a place: how far back to begin, in seconds. `HISTORY`: all there is.
            retained: The newest retained message of each subject comes first.
            kept: Read the logs. Without it only packets come: all that is published while this
                lasts, each at most once.
            queue: How many messages may wait, live ones here, others in each log.
            policy: What becomes of more.
            deadline_s: Until the host's node, and those of the exchange that can be reached, have
                said that they take part.

        Raises:
            LocalError: No filter, or name.
            DeadlineError: The node did not say so.
            StreamError: The node refuses; `kind` says why.
        """
        if not is_filter(wanted):
            raise LocalError(f"{wanted!r:.250} is no filter: levels, '+', and '#' as the last")
        if len((name or "").encode()) > MAX_NAME_BYTES:
            raise LocalError(f"a name of {len(name or '')} B: at most {MAX_NAME_BYTES} allowed")
        subscription = self._begin(
            Follow(
                next(self._numbers), wanted, CREDIT, name or "", -1,
                -1.0 if isinf(since) else since, retained, queue, POLICIES.index(policy),
            ),
            kept=kept,
        )  # fmt: skip
        try:
            async with within(deadline_s, f"word of the node that it takes part in {wanted!r}"):
                await self._wishes.add(subscription, node=self.home)
                if kept:
                    self._lines.reach_out(self._exchange, self._group)
                    await subscription.until_followed(self._lines.logs)
            subscription.check()
            yield subscription
        finally:
            self._end(subscription)

    async def forget(self, name: str, *, deadline_s: float = DEFAULT_S) -> None:
        """Let all nodes of the exchange forget how far this host has come under a name.

        Raises:
            DeadlineError: One of them has not said that it has.
        """
        self._lines.reach_out(self._exchange, self._group)
        forgotten = self._forgotten.setdefault(name, set())
        try:
            async with within(deadline_s, f"word of all nodes that they have forgotten {name!r}"):
                for line in self._lines.all:
                    await line.until_up()
                    line.say(Forget(name))
                while not {line.log for line in self._lines.all} <= forgotten:
                    self._forgot.clear()
                    _ = await self._forgot.wait()
        finally:
            _ = self._forgotten.pop(name, None)

    # -- life -------------------------------------------------------------------------------------

    def start(self, group: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        """Begin."""
        self._group = group
        return [
            group.create_task(self._home.stay(), name="pub/sub: the host's node"),
            group.create_task(self._packets.hear(), name="pub/sub: packets"),
            group.create_task(self._wishes.hear(lambda: self.home), name="pub/sub: wishes"),
        ]

    async def ready(self, *, deadline_s: float) -> None:
        """Return when a node has answered. Raises as `open_pubsub`."""
        try:
            async with within(deadline_s, "node that offers pub/sub"):
                await self._home.until_up()
        except DeadlineError:
            if self._home.error is not None:
                raise self._home.error from None
            raise

    def close(self) -> None:
        """Let nothing more come."""
        self._wishes.close(node=self.home)
        self._packets.close()
        closed = LocalError("pub/sub was closed")
        for subscription in self._subscriptions.values():
            subscription.end(closed)

    def welcomed(self, line: Line, message: Welcome) -> None:
        """Say all again on a stream that is new."""
        if line is self._home:
            self._exchange = message.nodes
            for keep, _ in self._pending.values():
                line.say(keep)
            self._wishes.tell_all(node=message.node)
        for subscription in self._subscriptions.values():
            if subscription.kept:
                line.say(subscription.following(message.log))
        if any(subscription.kept for subscription in self._subscriptions.values()):
            self._lines.reach_out(self._exchange, self._group)

    def account(self, number: int, log: Address) -> bytes:
        """Return the frame that says what a subscription has dealt with."""
        subscription = self._subscriptions.get(number)
        return b"" if subscription is None else write_frame(subscription.account(log))

    def reached(self, subscription: Subscription, log: Address) -> None:
        """Tell the node of a log soon what was dealt with."""
        self._lines.owe(log, subscription.number)

    def take(self, log: Address, message: Said) -> None:
        """Take what the node of a log says."""
        match message:
            case Taken():
                found = self._pending.get(message.sequence)
                if found is not None and not found[1].done():
                    found[1].set_result(message)
            case Forgotten(name=name):
                self._forgotten.get(name, set()).add(log)
                self._forgot.set()
            case Welcome():
                pass
            case _:
                subscription = self._subscriptions.get(message.id)
                if subscription is not None:
                    self._take_for(subscription, log, message)

    # -- inside -----------------------------------------------------------------------------------

    def _take_for(
        self, subscription: Subscription, log: Address, message: Told | Following | Caught | Ended
    ) -> None:
        match message:
            case Told():
                self._tell(subscription, log, message)
            case Following():
                subscription.follows(log, message.next)
            case Caught():
                subscription.has_retained.add(log)
                if self._lines.logs() <= subscription.has_retained:
                    subscription.show_retained()
            case Ended():
                sentence = f"{subscription.filter!r} was ended: {message.word}"
                is_slow = message.word == "slow_consumer"
                subscription.end(
                    LimitError(sentence) if is_slow else StreamError(sentence, kind=message.word)
                )
            case _:
                assert_never(message)

    def _tell(self, subscription: Subscription, log: Address, message: Told) -> None:
        found = record.decode(message.record)
        if not message.is_from_before and not subscription.reach(log).tell(message.position):
            subscription.skip(log)
            return
        subscription.tell(
            Message(
                found.subject, found.data, Address(found.host), found.extra,
                Position(log, message.position), found.unix_s, message.is_from_before,
                message.lost,
            )
        )  # fmt: skip

    def _begin(self, follow: Follow, *, kept: bool) -> Subscription:
        subscription = Subscription(follow, kept=kept, reached=self.reached)
        self._subscriptions[follow.id] = subscription
        self._packets.forget_meetings()
        if kept:
            self._lines.say(follow)
        return subscription

    def _end(self, subscription: Subscription) -> None:
        del self._subscriptions[subscription.number]
        self._packets.forget_meetings()
        subscription.end(LocalError(f"the subscription to {subscription.filter!r} is closed"))
        if subscription.kept:
            for line in self._lines.all:
                if subscription.follow.name and line.log is not None:
                    line.say(subscription.account(line.log))
                line.say(Unfollow(subscription.number))
        self._wishes.remove(subscription, node=self.home)
