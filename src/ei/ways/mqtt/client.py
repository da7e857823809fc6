"""One client of the gateway, from its CONNECT to its end."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

import msgspec

from ei.errors import DeniedError, EiError, StreamError
from ei.ways.ends import End
from ei.ways.mqtt.broker import Broker
from ei.ways.mqtt.link import Link
from ei.ways.mqtt.opening import Agreed, accept, agree
from ei.ways.mqtt.packets import (
    V3,
    Ack,
    Connack,
    Connect,
    Disconnect,
    Kind,
    Packet,
    Ping,
    Publish,
    Subscribe,
    Unsubscribe,
    Verdicts,
    Wanted,
)
from ei.ways.mqtt.properties import NONE, Properties
from ei.ways.mqtt.publishing import Publishing
from ei.ways.mqtt.reasons import MqttError, Reason
from ei.ways.mqtt.sending import Sending
from ei.ways.mqtt.session import Session, Subscribed
from ei.ways.mqtt.topics import parse_filter

NONCE_BYTES = 8
FAREWELL_S = 1.0
"""For a client to take the last word."""
SHARED_QOS = 1
"""The highest of a shared subscription: what one member leaves behind another one gets."""


class Client:
    """Serves one connection.

    Args:
        broker: That has its session.
    """

    def __init__(self, end: End, broker: Broker) -> None:
        limits = broker.limits
        self._broker = broker
        self._link = Link(end, limit_bytes=limits.packet_bytes, stall_s=limits.stall_s)
        self._displaced: asyncio.Future[Reason] = asyncio.get_running_loop().create_future()
        self._left = asyncio.Event()
        self._name = ""

    def __repr__(self) -> str:
        return f"<Client {self._name!r} {self._link!r}>"

    async def serve(self) -> str:
        """Serve it to its end; return the word of how that was."""
        word = "ended"
        try:
            connect = await self._link.first(limit_s=self._broker.limits.first_s)
            if connect is None:
                return "silent"
            word = await self._serve(connect)
        except MqttError as error:
            word = await self._refuse(error, Connack(error.reason, properties=_why(error)))
        except StreamError as error:
            word = error.kind
        finally:
            await self._link.close()
            self._left.set()
        return word

    async def displace(self, reason: Reason) -> None:
        """End it for a reason, and return when it has left."""
        if not self._displaced.done():
            self._displaced.set_result(reason)
        _ = await self._left.wait()

    async def _serve(self, connect: Connect) -> str:
        broker = self._broker
        agreed = agree(connect, broker.limits, drawn=f"auto-{broker.draw().hex()}")
        self._name = agreed.client_id
        self._link.agree(limit_bytes=agreed.limit_bytes, aliases=agreed.aliases)
        try:
            async with broker.serving(connect, agreed, self.displace) as (session, is_present):
                _ = await self._link.send(
                    accept(connect, agreed, broker.limits, is_present=is_present)
                )
                return await self._converse(agreed, session)
        except EiError as error:
            if isinstance(error, (MqttError, StreamError)):
                raise
            raise MqttError(str(error), Reason.UNAVAILABLE) from error
        finally:
            self._left.set()

    async def _converse(self, agreed: Agreed, session: Session) -> str:
        """Exchange packets; whatever goes wrong from here on is told by DISCONNECT."""
        conversation = Conversation(self._link, session, self._broker, agreed)
        try:
            async with asyncio.TaskGroup() as group:
                watching = group.create_task(self._watch())
                await conversation.run(group)
                _ = watching.cancel()
        except BaseExceptionGroup as failures:
            return await self._fail(_first(failures))
        return "ended"

    async def _fail(self, error: BaseException) -> str:
        match error:
            case MqttError():
                packet = Disconnect(error.reason, _why(error))
                return await self._refuse(error, packet)
            case StreamError():
                return error.kind
            case EiError():
                found = MqttError(str(error), Reason.UNAVAILABLE)
                return await self._refuse(found, Disconnect(found.reason, _why(found)))
            case _:
                raise error

    async def _watch(self) -> None:
        reason = await self._displaced
        raise MqttError(f"the gateway ends the connection: {reason.name.lower()}", reason)

    async def _refuse(self, error: MqttError, packet: Connack | Disconnect) -> str:
        self._broker.log.debug("client refused", client=self._name, reason=str(error))
        # In 3.1.1 a server has no last word but to hang up.
        if self._link.version != V3 or isinstance(packet, Connack):
            with suppress(TimeoutError, StreamError):
                async with asyncio.timeout(FAREWELL_S):
                    _ = await self._link.send(packet)
        return error.word


class Conversation:
    """What a client and the gateway say to one another after CONNACK."""

    def __init__(self, link: Link, session: Session, broker: Broker, agreed: Agreed) -> None:
        self._link = link
        self._session = session
        self._broker = broker
        self._agreed = agreed
        self._places = asyncio.Semaphore(broker.limits.at_once)

    def __repr__(self) -> str:
        return f"<Conversation with {self._session!r}>"

    async def run(self, group: asyncio.TaskGroup) -> None:
        """Talk until the client ends it, or leaves.

        Raises:
            MqttError: it breaks the protocol.
            EiError: something behind the gateway fails.
        """
        agreed = self._agreed
        sending = Sending(
            self._link, self._session, self._broker, window=agreed.window, group=group
        )
        publishing = Publishing(
            self._link, self._session, self._broker, is_told=agreed.is_told, group=group
        )
        try:
            await sending.resume()
            while packet := await self._link.receive(silence_s=agreed.silence_s):
                if isinstance(packet, Disconnect):
                    self._part(packet)
                    return
                await self._take(packet, sending, publishing, group)
        finally:
            sending.leave()
        raise StreamError("the client left without a word", kind="lost")

    async def _take(
        self, packet: Packet, sending: Sending, publishing: Publishing, group: asyncio.TaskGroup
    ) -> None:
        match packet:
            case Publish():
                await publishing.take(packet)
            case Ack(kind=Kind.PUBREL):
                await self._act(publishing.release(packet), group)
            case Ack():
                await self._act(sending.take(packet), group)
            case Subscribe():
                await self._subscribe(packet, sending)
            case Unsubscribe():
                await self._unsubscribe(packet, sending)
            case Ping(kind=Kind.PINGREQ):
                _ = await self._link.send(Ping(Kind.PINGRESP))
            case _:
                name = type(packet).__name__.upper()
                raise MqttError(f"{name} is not for now", Reason.PROTOCOL_ERROR)

    async def _act(self, work: Coroutine[object, object, None], group: asyncio.TaskGroup) -> None:
        """Have an acknowledgement acted on, beside others; who sends too many has to wait."""
        try:
            _ = await self._places.acquire()
        except BaseException:
            work.close()
            raise
        task = group.create_task(work)
        task.add_done_callback(lambda _: self._places.release())

    def _part(self, packet: Disconnect) -> None:
        """Note what the client's last word changes."""
        if packet.reason is Reason.SUCCESS:
            self._session.will = None
        expiry_s = packet.properties.session_expiry_s
        if expiry_s is None:
            return
        if expiry_s and not self._session.expiry_s:
            raise MqttError("a session that was to end is to last", Reason.PROTOCOL_ERROR)
        self._session.expiry_s = min(expiry_s, self._broker.limits.session_s)

    async def _subscribe(self, packet: Subscribe, sending: Sending) -> None:
        identifier = next(iter(packet.properties.subscriptions), None)
        with sending.held():
            agreed = [await self._agree(each, identifier, sending) for each in packet.filters]
            if self._session.is_lasting:
                await self._broker.save(self._session)
            reasons = await asyncio.gather(*(self._begin(each, sending) for each in agreed))
            _ = await self._link.send(Verdicts(Kind.SUBACK, packet.number, tuple(reasons)))

    async def _agree(
        self, wanted: Wanted, identifier: int | None, sending: Sending
    ) -> "Reason | _Begin":
        """Take a subscription into the session; return what is to begin, or why it is refused."""
        session, broker = self._session, self._broker
        try:
            wanted = _granted(wanted)
        except MqttError as error:
            if error.reason is Reason.PROTOCOL_ERROR:
                raise
            return error.reason
        before = session.subscribed.get(wanted.filter)
        if before is None and len(session.subscribed) >= broker.limits.subscriptions:
            return Reason.QUOTA
        if before is not None and bool(before.wanted.qos) != bool(wanted.qos):
            await self._end(wanted.filter, sending)  # its place at pubsub is of no more use
            before = None
        nonce = broker.draw(NONCE_BYTES) if before is None else before.nonce
        is_named = bool(wanted.qos) and (session.is_lasting if before is None else before.is_named)
        subscribed = Subscribed(wanted, identifier, nonce, is_named)
        session.subscribed[wanted.filter] = subscribed
        is_retained = wanted.retained == 0 or (wanted.retained == 1 and before is None)
        return _Begin(subscribed, is_retained)

    async def _begin(self, agreed: "Reason | _Begin", sending: Sending) -> Reason:
        """Return the verdict on a subscription, once it is in effect."""
        if isinstance(agreed, Reason):
            return agreed
        subscribed = agreed.subscribed
        # The same packet may have changed it once more.
        if self._session.subscribed.get(subscribed.wanted.filter) is not subscribed:
            return Reason(subscribed.wanted.qos)
        try:
            await sending.begin(subscribed, is_retained=agreed.is_retained)
        except DeniedError as error:
            self._broker.log.warn(
                "not subscribed", client=self._agreed.client_id, reason=str(error)
            )
            await self._end(subscribed.wanted.filter, sending)
            return Reason.QUOTA
        return Reason(subscribed.wanted.qos)

    async def _end(self, wanted: str, sending: Sending) -> None:
        await sending.end(wanted)
        await self._broker.unsubscribe(self._session, wanted)

    async def _unsubscribe(self, packet: Unsubscribe, sending: Sending) -> None:
        reasons: list[Reason] = []
        for wanted in packet.filters:
            if wanted in self._session.subscribed:
                await self._end(wanted, sending)
                reasons.append(Reason.SUCCESS)
            else:
                reasons.append(Reason.NO_SUBSCRIPTION)
        _ = await self._link.send(Verdicts(Kind.UNSUBACK, packet.number, tuple(reasons)))


@dataclass(frozen=True, slots=True)
class _Begin:
    """A subscription that is to begin."""

    subscribed: Subscribed
    is_retained: bool


def _granted(wanted: Wanted) -> Wanted:
    """Return what a subscription gets of what it wants.

    Raises:
        MqttError: its filter is none, or it is shared and not to be.
    """
    group, _ = parse_filter(wanted.filter)
    if not group:
        return wanted
    if wanted.is_foreign:
        raise MqttError("a shared subscription has no publisher", Reason.PROTOCOL_ERROR)
    return msgspec.structs.replace(wanted, qos=min(wanted.qos, SHARED_QOS), retained=2)


def _why(error: EiError) -> Properties:
    return Properties(reason_text=str(error)) if str(error) else NONE


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return why a conversation ended: what somebody said before what broke because of it."""
    return min(_leaves(failures), key=_rank)


def _leaves(failure: BaseException) -> Iterator[BaseException]:
    if isinstance(failure, BaseExceptionGroup):
        for each in cast("BaseExceptionGroup[BaseException]", failure).exceptions:
            yield from _leaves(each)
    else:
        yield failure


def _rank(failure: BaseException) -> int:
    match failure:
        case MqttError():
            return 1
        case StreamError():
            return 3
        case EiError():
            return 2
        case _:
            return 0
