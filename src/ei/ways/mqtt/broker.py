"""All sessions of a gateway: who is there, who is gone and may be back, and what ends with them."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from hashlib import blake2b

from ei.daemons.log import Log
from ei.errors import EiError
from ei.ways.mqtt.bus import Arrived, Bus, Feed
from ei.ways.mqtt.carried import extra_of
from ei.ways.mqtt.keeper import Keeper
from ei.ways.mqtt.limits import MqttLimits
from ei.ways.mqtt.opening import Agreed
from ei.ways.mqtt.packets import Connect, Will
from ei.ways.mqtt.reasons import MqttError, Reason
from ei.ways.mqtt.session import Record, Session, Sessions, Subscribed, ending, to_forget
from ei.ways.mqtt.shared import Group
from ei.ways.mqtt.system import MqttStatus, system_messages
from ei.ways.mqtt.topics import is_system, parse_filter

SYSTEM_S = 10.0
"""Between two words of `$SYS`."""
FORGET_S = 10.0
"""Until pubsub is told again what it did not hear."""
TOKEN_BYTES = 16

Displace = Callable[[Reason], Awaitable[None]]
"""Ends a connection for a reason, and returns once it has left."""


class Broker:
    """Sessions by client identifier.

    Args:
        random: Returns so many random bytes.
        unix_s: The time.
        group: Of what goes on while no client is there.
    """

    def __init__(  # noqa: PLR0913 what it stands on
        self,
        bus: Bus,
        keeper: Keeper,
        group: asyncio.TaskGroup,
        *,
        name: str,
        limits: MqttLimits,
        random: Callable[[int], bytes],
        unix_s: Callable[[], float],
        log: Log,
    ) -> None:
        self.bus = bus
        self.keeper = keeper
        self.limits = limits
        self.log = log
        self.counts: Counter[str] = Counter()
        """`received` and `sent`."""
        self.endings: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self._group = group
        self._name = name
        self._random = random
        self._unix_s = unix_s
        self._began_s = unix_s()
        self._sessions: dict[str, Session] = {}
        self._clients: dict[str, Displace] = {}
        self._turns: dict[str, asyncio.Lock] = {}
        self._gone: dict[str, asyncio.Task[None]] = {}
        self._groups: dict[str, Group] = {}
        self._wills: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"<Broker {len(self._clients)} of {len(self._sessions)} sessions connected>"

    def status(self, endpoint: str = "") -> MqttStatus:
        """Return counts."""
        return MqttStatus(
            name=self._name,
            endpoint=endpoint,
            uptime_s=self._unix_s() - self._began_s,
            connections=len(self._clients),
            sessions=len(self._sessions),
            subscriptions=sum(len(each.subscribed) for each in self._sessions.values()),
            received=self.counts["received"],
            sent=self.counts["sent"],
            endings=dict(self.endings),
            dropped=dict(self.dropped),
        )

    def draw(self, count: int = 10) -> bytes:
        """Return random bytes."""
        return self._random(count)

    def restore(self, kept: Sessions) -> None:
        """Take over what the disk has. Clients that were there are gone."""
        for session in kept:
            self._sessions[session.client_id] = session
            if session.gone_unix_s is None:
                session.gone_unix_s = self._unix_s()
            self._wait_for(session)
        self._forget(kept.forgotten)

    # -- clients ----------------------------------------------------------------------------------

    @asynccontextmanager
    async def serving(
        self, connect: Connect, agreed: Agreed, displace: Displace
    ) -> AsyncGenerator[tuple[Session, bool]]:
        """Give a client its session, and whether it was here before, while the block runs.

        Whether its will is published behind the block is up to `Session.will`.

        Args:
            displace: Ends this connection when another one comes for the session.

        Raises:
            MqttError: there is no room.
            EiError: the disk or pubsub do not take it.
        """
        client_id = agreed.client_id
        turn = self._turns.setdefault(client_id, asyncio.Lock())
        async with turn:
            other = self._clients.get(client_id)
            if other is not None:
                await other(Reason.TAKEN_OVER)
            try:
                session, is_present = await self._find(connect, agreed)
            except BaseException:
                self._return(client_id)
                raise
            self._clients[client_id] = displace
        try:
            yield session, is_present
        finally:
            await self._leave(session)
            del self._clients[client_id]

    async def close(self) -> None:
        """Tell all clients that it is over."""
        waiting = [displace(Reason.SHUTTING_DOWN) for displace in self._clients.values()]
        _ = await asyncio.gather(*waiting)
        for task in self._gone.values():
            _ = task.cancel()
        if self._wills:
            _ = await asyncio.wait(self._wills, timeout=self.limits.grace_s)

    # -- subscriptions ----------------------------------------------------------------------------

    def source(
        self, session: Session, subscribed: Subscribed, *, is_retained: bool
    ) -> AbstractAsyncContextManager[Feed]:
        """Return where the messages of a subscription come from.

        Raises:
            MqttError: its filter is none.
        """
        group, wanted = parse_filter(subscribed.wanted.filter)
        if is_system(wanted):
            return self._system(wanted)
        if group:
            shared = _shared_name(group, wanted)
            found = self._groups.get(shared)
            if found is None:
                found = Group(self.bus, wanted, name=shared, queue=self.limits.queue)
                self._groups[shared] = found
            return found.joined(self._group)
        name = subscribed.name(session)
        return self.bus.subscribe(
            wanted, name=name, is_retained=is_retained, queue=self.limits.queue
        )

    async def unsubscribe(self, session: Session, wanted: str) -> None:
        """Forget a subscription that has no feed any more.

        Raises:
            EiError: the disk does not take it.
        """
        names = self._names(session, [session.subscribed.pop(wanted)])
        if session.is_saved:
            await self.keeper.save(session.record(), *((to_forget(name), b"") for name in names))
        self._forget(names)

    # -- the parts --------------------------------------------------------------------------------

    async def _find(self, connect: Connect, agreed: Agreed) -> tuple[Session, bool]:
        session = self._sessions.get(agreed.client_id)
        waiting = self._gone.pop(agreed.client_id, None)
        if waiting is not None:
            _ = waiting.cancel()
        if session is not None and connect.is_clean:
            await self._end(session)
            session = None
        is_present = session is not None
        if session is None:
            if len(self._sessions) >= self.limits.sessions:
                raise MqttError(f"{len(self._sessions)} sessions are kept already", Reason.QUOTA)
            token = self._random(TOKEN_BYTES)
            session = Session(Record(agreed.client_id, token, agreed.expiry_s, (), None, None))
        session.expiry_s, session.will = agreed.expiry_s, connect.will
        session.has_lasted |= session.is_lasting
        session.gone_unix_s = None
        if session.is_kept or session.is_saved:
            await self.save(session)
        self._sessions[agreed.client_id] = session
        return session, is_present

    async def save(self, session: Session) -> None:
        """Have a session on the disk."""
        session.is_saved = True
        await self.keeper.save(session.record())

    async def _leave(self, session: Session) -> None:
        session.gone_unix_s = self._unix_s()
        will = session.will
        if will is not None and not will.properties.will_delay_s:
            self._publish_will(session)
        if not session.is_lasting:
            await self._end(session)
            return
        self._wait_for(session)
        try:
            await self.save(session)
        except EiError as error:
            self.log.warn("not saved", client=session.client_id, reason=str(error))

    def _return(self, client_id: str) -> None:
        """Wait on for a client that came and could not be served."""
        session = self._sessions.get(client_id)
        if session is None:
            _ = self._turns.pop(client_id, None)
        elif client_id not in self._gone:
            session.gone_unix_s = self._unix_s()
            self._wait_for(session)

    def _wait_for(self, session: Session) -> None:
        task = self._start(self._outlive(session))
        if task is not None:
            self._gone[session.client_id] = task

    def _start(self, work: Coroutine[object, object, None]) -> asyncio.Task[None] | None:
        """Have something go on; not when the gateway is just being torn down."""
        try:
            return self._group.create_task(work)
        except RuntimeError:
            work.close()
            return None

    async def _outlive(self, session: Session) -> None:
        """Publish the will of a client that is gone, and end its session, each in time."""
        gone_unix_s = session.gone_unix_s or 0.0
        end_unix_s = gone_unix_s + session.expiry_s
        if session.will is not None:
            due_unix_s = gone_unix_s + (session.will.properties.will_delay_s or 0)
            await asyncio.sleep(min(due_unix_s, end_unix_s) - self._unix_s())
            self._publish_will(session)
            self.keeper.note(session.record())
        await asyncio.sleep(end_unix_s - self._unix_s())
        _ = self._gone.pop(session.client_id, None)
        await self._end(session)

    def _publish_will(self, session: Session) -> None:
        will, session.will = session.will, None
        if will is not None:
            task = self._start(self._tell_will(session, will))
            if task is not None:
                self._wills.add(task)
                task.add_done_callback(self._wills.discard)

    async def _tell_will(self, session: Session, will: Will) -> None:
        try:
            extra = extra_of(will, session.token)
            if will.qos or will.is_retained:
                await self.bus.keep(will.topic, will.payload, extra, is_retained=will.is_retained)
            else:
                await self.bus.publish(will.topic, will.payload, extra)
        except EiError as error:
            self.dropped["will"] += 1
            self.log.warn("will not published", client=session.client_id, reason=str(error))

    async def _end(self, session: Session) -> None:
        """Forget a session, here, on the disk and at pubsub."""
        _ = self._sessions.pop(session.client_id, None)
        turn = self._turns.get(session.client_id)
        if turn is not None and not turn.locked():
            del self._turns[session.client_id]
        self._publish_will(session)
        names = self._names(session, list(session.subscribed.values()))
        if session.is_saved:
            try:
                await self.keeper.replace(*ending(session.client_id, names))
            except EiError as error:
                self.log.warn("not deleted", client=session.client_id, reason=str(error))
        self._forget(names)

    def _names(self, session: Session, ended: Sequence[Subscribed]) -> list[str]:
        """Return the names that pubsub has to forget with subscriptions that ended."""
        names: list[str] = []
        for each in ended:
            group, wanted = parse_filter(each.wanted.filter)
            name = each.name(session)
            if not group and name is not None and not is_system(wanted):
                names.append(name)
            elif group and not self._is_shared(each.wanted.filter, session):
                names.append(_shared_name(group, wanted))
                _ = self._groups.pop(names[-1], None)
        return names

    def _is_shared(self, wanted: str, session: Session) -> bool:
        """Whether another session has a shared subscription."""
        others = (each for each in self._sessions.values() if each is not session)
        return any(wanted in other.subscribed for other in others)

    def _forget(self, names: Sequence[str]) -> None:
        if names:
            _ = self._start(self._tell_to_forget(tuple(names)))

    async def _tell_to_forget(self, names: Sequence[str]) -> None:
        for name in names:
            while True:
                try:
                    await self.bus.forget(name)
                    break
                except EiError as error:
                    self.log.debug("not forgotten yet", name=name, reason=str(error))
                    await asyncio.sleep(FORGET_S)
            self.keeper.note((to_forget(name), None))

    @asynccontextmanager
    async def _system(self, wanted: str) -> AsyncGenerator[Feed]:
        yield SystemFeed(wanted, self.status)


def _shared_name(group: str, wanted: str) -> str:
    return f"mqtt-shared-{blake2b(f'{group}/{wanted}'.encode(), digest_size=12).hexdigest()}"


class SystemFeed:
    """What the gateway says of itself, now and every few seconds."""

    def __init__(self, wanted: str, status: Callable[[], MqttStatus]) -> None:
        self._wanted = wanted
        self._status = status
        self._waiting: list[Arrived] | None = None

    async def receive(self) -> Arrived:
        """Return the next value."""
        while not self._waiting:
            if self._waiting is not None:
                await asyncio.sleep(SYSTEM_S)
            found = system_messages(self._status(), self._wanted)
            self._waiting = [Arrived(each) for each in found]
        return self._waiting.pop(0)

    def acknowledge(self, arrived: Arrived) -> None:
        """It is in no log."""
