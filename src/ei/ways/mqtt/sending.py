"""Messages to a client: from the feeds of its subscriptions, as its window allows."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from ei.errors import DeniedError, EiError
from ei.ways.mqtt.broker import Broker
from ei.ways.mqtt.bus import Arrived, Feed
from ei.ways.mqtt.carried import publish_of
from ei.ways.mqtt.link import Link
from ei.ways.mqtt.outgoing import State
from ei.ways.mqtt.packets import Ack, Kind, Publish
from ei.ways.mqtt.session import Session, Subscribed
from ei.ways.mqtt.topics import parse_filter

EXACTLY_ONCE = 2
LATE_BYTES = 8


@dataclass(frozen=True, slots=True)
class _Held:
    """Who has to be told once the client has acknowledged a message."""

    feed: Feed
    arrived: Arrived


class Sending:
    """Sends one client what it has subscribed to, during one connection.

    Args:
        window: Messages of QoS 1 and 2 that may be on their way.
        group: Of the connection.
    """

    def __init__(
        self,
        link: Link,
        session: Session,
        broker: Broker,
        *,
        window: int,
        group: asyncio.TaskGroup,
    ) -> None:
        self._link = link
        self._session = session
        self._broker = broker
        self._window = window
        self._group = group
        self._feeds: dict[str, asyncio.Task[None]] = {}
        self._held: dict[bytes, _Held] = {}
        self._moved = asyncio.Event()
        self._gate = asyncio.Event()
        self._gate.set()

    def __repr__(self) -> str:
        return f"<Sending {len(self._feeds)} feeds, {self._session.outgoing!r}>"

    async def resume(self) -> None:
        """Send what was on its way when the client left, and go on with its subscriptions.

        Raises:
            StreamError: the connection broke.
            EiError: pubsub does not take a subscription.
        """
        packets = self._session.outgoing.again()
        if self._session.is_saved:
            # The connection may have ended before the disk knew how far they had come.
            released = (each.number for each in packets if isinstance(each, Ack))
            await self._broker.keeper.save(*(self._session.sent(number) for number in released))
        for packet in packets:
            _ = await self._link.send(packet)
        subscribed = list(self._session.subscribed.values())
        _ = await asyncio.gather(*(self._go_on(each) for each in subscribed))

    async def _go_on(self, subscribed: Subscribed) -> None:
        """Go on with a subscription; one that pubsub refuses by now is none any more."""
        try:
            await self.begin(subscribed, is_retained=False)
        except DeniedError as error:
            client, wanted = self._session.client_id, subscribed.wanted.filter
            self._broker.log.warn(
                "subscription lost", client=client, filter=wanted, reason=str(error)
            )
            await self._broker.unsubscribe(self._session, wanted)

    async def begin(self, subscribed: Subscribed, *, is_retained: bool) -> None:
        """Return when the messages of a subscription are on their way; one before it ends.

        Raises:
            MqttError: its filter is none.
            EiError: pubsub does not take it.
        """
        await self.end(subscribed.wanted.filter)
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        task = self._group.create_task(self._run(subscribed, ready, is_retained=is_retained))
        self._feeds[subscribed.wanted.filter] = task
        await ready

    async def end(self, wanted: str) -> None:
        """Let no more come of a filter."""
        task = self._feeds.pop(wanted, None)
        if task is not None:
            _ = task.cancel()
            _ = await asyncio.wait([task])

    @contextmanager
    def held(self) -> Generator[None]:
        """Let what begins in the block send nothing before its end."""
        self._gate.clear()
        try:
            yield
        finally:
            self._gate.set()

    def leave(self) -> None:
        """End all feeds."""
        for task in self._feeds.values():
            _ = task.cancel()

    async def take(self, ack: Ack) -> None:
        """Act on what the client acknowledges.

        Raises:
            StreamError: the connection broke.
            EiError: the disk does not take it.
        """
        mark, answer = self._session.outgoing.take(ack)
        if answer is not None and mark is not None and self._session.is_lasting:
            await self._broker.keeper.save(self._session.sent(ack.number))
        if mark is not None:
            held = self._held.pop(mark, None)
            if held is not None:
                held.feed.acknowledge(held.arrived)
        if answer is not None:
            _ = await self._link.send(answer)
        elif ack.kind is Kind.PUBCOMP and self._session.is_lasting:
            self._note_done(ack.number)
        self._moved.set()

    def _note_done(self, number: int) -> None:
        if self._session.outgoing.is_known(number):
            self._broker.keeper.note(self._session.sent(number))

    # -- the parts --------------------------------------------------------------------------------

    async def _run(
        self, subscribed: Subscribed, ready: asyncio.Future[None], *, is_retained: bool
    ) -> None:
        try:
            source = self._broker.source(self._session, subscribed, is_retained=is_retained)
            async with source as feed:
                ready.set_result(None)
                _ = await self._gate.wait()
                try:
                    while True:
                        await self._deliver(subscribed, feed, await feed.receive())
                finally:
                    if parse_filter(subscribed.wanted.filter)[0]:
                        self._give_back(feed)
        except EiError as error:
            if ready.done():
                raise
            ready.set_exception(error)

    async def _deliver(self, subscribed: Subscribed, feed: Feed, arrived: Arrived) -> None:
        if arrived.lost:
            self._broker.dropped["expired" if arrived.mark else "slow_client"] += arrived.lost
        packet = publish_of(
            arrived.message,
            subscribed.wanted,
            identifier=subscribed.identifier,
            origin=self._session.token,
        )
        if packet is None:
            feed.acknowledge(arrived)
        elif packet.qos and arrived.mark:
            await self._send_kept(subscribed, feed, arrived, packet)
        else:
            _ = await self._send(packet)
            feed.acknowledge(arrived)

    async def _send_kept(
        self, subscribed: Subscribed, feed: Feed, arrived: Arrived, packet: Publish
    ) -> None:
        outgoing = self._session.outgoing
        mark = subscribed.nonce + arrived.mark
        if arrived.message.is_late:  # asked for anew each time
            mark += self._broker.draw(LATE_BYTES)
        match outgoing.state_of(mark):
            case State.SENT:
                self._held[mark] = _Held(feed, arrived)
                return
            case State.RELEASED | State.DONE:
                feed.acknowledge(arrived)
                return
            case None:
                pass
        if not await self._send(await self._numbered(mark, packet, _Held(feed, arrived))):
            outgoing.drop(mark)
            del self._held[mark]
            feed.acknowledge(arrived)

    async def _numbered(self, mark: bytes, packet: Publish, held: _Held) -> Publish:
        """Return a message with its identifier, once the window has room and the disk knows it."""
        outgoing = self._session.outgoing
        while outgoing.is_full(self._window):
            self._moved.clear()
            _ = await self._moved.wait()
        numbered = outgoing.send(mark, packet)
        self._held[mark] = held
        if packet.qos == EXACTLY_ONCE and self._session.is_lasting:
            try:
                await self._broker.keeper.save(self._session.sent(numbered.number))
            except BaseException:
                outgoing.hold_back(mark)
                raise
        return numbered

    def _give_back(self, feed: Feed) -> None:
        """Forget what others get now: a shared subscription's, that was not acknowledged."""
        for mark, held in list(self._held.items()):
            if held.feed is feed:
                self._session.outgoing.drop(mark)
                del self._held[mark]
        self._moved.set()

    async def _send(self, packet: Publish) -> bool:
        if not await self._link.send(packet):
            self._broker.dropped["too_large_for_client"] += 1
            return False
        self._broker.counts["sent"] += 1
        return True
