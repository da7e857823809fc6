"""Messages of a client: checked, published, and acknowledged in the order in which they came."""

import asyncio

import msgspec

from ei.errors import DeadlineError, EiError, LimitError, UnreachableError
from ei.ways.mqtt.broker import Broker
from ei.ways.mqtt.carried import extra_of
from ei.ways.mqtt.link import Link
from ei.ways.mqtt.opening import MAX_ALIASES
from ei.ways.mqtt.packets import V3, Ack, Kind, Publish
from ei.ways.mqtt.properties import NONE, Properties
from ei.ways.mqtt.reasons import REFUSED, MqttError, Reason
from ei.ways.mqtt.session import Session
from ei.ways.mqtt.topics import check_published

EXACTLY_ONCE = 2


class Publishing:
    """Publishes what one client sends, during one connection.

    Args:
        is_told: It wants to know why something was refused.
        group: Of the connection.
    """

    def __init__(
        self,
        link: Link,
        session: Session,
        broker: Broker,
        *,
        is_told: bool,
        group: asyncio.TaskGroup,
    ) -> None:
        self._link = link
        self._session = session
        self._broker = broker
        self._is_told = is_told
        self._group = group
        self._aliases: dict[int, str] = {}
        self._open = 0
        """Messages of QoS 1 and 2 that are not acknowledged yet; of QoS 2, not received."""
        self._moved = asyncio.Event()
        self._in_turn = asyncio.Lock()
        self._last: asyncio.Future[None] | None = None

    def __repr__(self) -> str:
        return f"<Publishing {self._open} on their way, {len(self._aliases)} aliases>"

    async def take(self, packet: Publish) -> None:
        """Publish a message; what it is answered follows.

        Raises:
            MqttError: it breaks the protocol.
        """
        packet = self._named(packet)
        if packet.properties.subscriptions:
            raise MqttError("a client names a subscription", Reason.PROTOCOL_ERROR)
        self._broker.counts["received"] += 1
        try:
            check_published(packet.topic)
            extra = extra_of(packet, self._session.token)
        except MqttError as error:
            await self._refuse(packet, error)
            return
        if not packet.qos:
            await self._send(packet, extra)
            return
        await self._take_place()
        before, self._last = self._last, asyncio.get_running_loop().create_future()
        _ = self._group.create_task(self._answer(packet, extra, before, self._last))

    async def release(self, ack: Ack) -> None:
        """Answer PUBREL.

        Raises:
            EiError: the disk does not take it.
        """
        is_known = self._session.incoming.release(ack.number)
        if is_known and self._session.is_lasting:
            await self._broker.keeper.save(self._session.released(ack.number))
        reason = Reason.SUCCESS if is_known else Reason.NUMBER_NOT_FOUND
        _ = await self._link.send(Ack(Kind.PUBCOMP, ack.number, reason))

    # -- the parts --------------------------------------------------------------------------------

    def _named(self, packet: Publish) -> Publish:
        """Put the topic in the place of its number."""
        alias = packet.properties.alias
        if alias is None:
            if not packet.topic:
                raise MqttError("a message has neither topic nor alias", Reason.PROTOCOL_ERROR)
            return packet
        if alias > MAX_ALIASES:
            raise MqttError(f"alias {alias} seen, 1 to {MAX_ALIASES} allowed", Reason.BAD_ALIAS)
        if packet.topic:
            self._aliases[alias] = packet.topic
        elif alias not in self._aliases:
            raise MqttError(f"alias {alias} stands for nothing", Reason.PROTOCOL_ERROR)
        return msgspec.structs.replace(packet, topic=self._aliases[alias])

    async def _refuse(self, packet: Publish, error: MqttError) -> None:
        """Answer what a client of 5 may go on after; 3.1.1 has no word for it."""
        self._broker.dropped[error.word] += 1
        if self._link.version == V3 or not packet.qos:
            raise error
        kind = Kind.PUBREC if packet.qos == EXACTLY_ONCE else Kind.PUBACK
        _ = await self._link.send(Ack(kind, packet.number, error.reason, self._why(error)))

    def _why(self, error: EiError) -> Properties:
        return Properties(reason_text=str(error)) if self._is_told else NONE

    async def _send(self, packet: Publish, extra: bytes) -> None:
        """Publish with QoS 0: what cannot go is counted."""
        bus = self._broker.bus
        try:
            if packet.is_retained:
                await bus.keep(packet.topic, packet.payload, extra, is_retained=True)
                return
            try:
                await bus.publish(packet.topic, packet.payload, extra)
            except LimitError:  # longer than a datagram
                await bus.keep(packet.topic, packet.payload, extra)
        except EiError as error:
            self._broker.dropped["not_published"] += 1
            self._broker.log.debug("not published", topic=packet.topic, reason=str(error))

    async def _take_place(self) -> None:
        """Count a message that is to be acknowledged, once there is room for it.

        Clients of 5 are told how many there may be. Some send more when they are back; that they
        are read no further until then loses nothing, and a reset would have them do it again.
        """
        while self._open >= self._broker.limits.at_once:
            self._moved.clear()
            _ = await self._moved.wait()
        self._open += 1

    async def _answer(
        self,
        packet: Publish,
        extra: bytes,
        before: asyncio.Future[None] | None,
        done: asyncio.Future[None],
    ) -> None:
        reason, properties = Reason.SUCCESS, NONE
        try:
            if packet.qos == EXACTLY_ONCE:
                await self._keep_once(packet, extra)
            else:
                await self._keep(packet, extra)
        except (DeadlineError, UnreachableError) as error:
            # Nobody knows whether it was taken: the client comes again with it.
            raise MqttError(str(error), Reason.UNAVAILABLE) from error
        except EiError as error:
            if self._link.version == V3:
                raise MqttError(str(error), Reason.QUOTA) from error
            self._broker.dropped["refused"] += 1
            is_limit = isinstance(error, LimitError)
            reason = Reason.QUOTA if is_limit else Reason.UNSPECIFIED
            properties = self._why(error)
        if before is not None:
            await asyncio.shield(before)
        kind = Kind.PUBREC if packet.qos == EXACTLY_ONCE else Kind.PUBACK
        if kind is Kind.PUBREC and reason >= REFUSED:
            _ = self._session.incoming.release(packet.number)
            if self._session.is_lasting:
                self._broker.keeper.note(self._session.released(packet.number))
        self._open -= 1
        self._moved.set()
        _ = await self._link.send(Ack(kind, packet.number, reason, properties))
        done.set_result(None)

    async def _keep(self, packet: Publish, extra: bytes) -> None:
        bus = self._broker.bus
        await bus.keep(packet.topic, packet.payload, extra, is_retained=packet.is_retained)

    async def _keep_once(self, packet: Publish, extra: bytes) -> None:
        """Keep a message of QoS 2, one after the other: their ordinals have to ascend."""
        session, broker = self._session, self._broker
        taken, is_new = session.incoming.take(packet.number)
        if is_new and session.is_lasting:
            await broker.keeper.save(*session.taken(taken))
        async with self._in_turn:
            if session.incoming.is_done(packet.number):
                return
            await broker.bus.keep(
                packet.topic,
                packet.payload,
                extra,
                is_retained=packet.is_retained,
                # A session that ends with its connection has nothing to repeat.
                publisher=session.publisher if session.has_lasted else "",
                ordinal=taken.ordinal if session.has_lasted else None,
            )
            session.incoming.publish(packet.number)
