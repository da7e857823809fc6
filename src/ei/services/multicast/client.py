"""Multicast on a host: to belong to a group, to hear what is sent to it, and to send.

async with receive(host, "news.isp-a") as news, send(bob, "news.isp-a") as speaker:
    _ = speaker.send(b"hello")
    print((await news.receive()).data)

Between these two what is lost is sent again. `join` gives the bare packets, as they come.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import msgspec

from ei.errors import DeadlineError, LimitError, LocalError
from ei.host.channels import ControlChannel, ServiceChannel
from ei.host.client import Host
from ei.host.deadlines import DEFAULT_S
from ei.host.events import PacketReceived
from ei.host.inbox import Inbox
from ei.sdk import Address
from ei.services.multicast.gaps import (
    AGAIN_S,
    NUMBER_BYTES,
    PATIENCE_S,
    SAID,
    Gaps,
    in_groups,
    name_of,
    number_of,
)
from ei.services.multicast.messages import MAX_NUMBERS, Join, Leave, Missing

MULTICAST = 48
REPEAT_S = 20.0
"""A third of the time that a membership counts: one repetition may be lost."""
INBOX_ITEMS = 65_536
MAX_STREAMS = 64
"""Streams of one group that are followed; the one heard longest ago makes room."""
LOOK_S = 0.05
SILENCE_S = 0.2
"""Without a packet from anybody, a receiver looks whether its node is there."""
MOST_PROBES = 7
MAX_HELD = 8_192
"""Packets that a sender keeps to send them again, if it is not told where else they are."""
LONGEST_BYTES = 1_200
"""Of the data of one message, so that it fits a packet on every way."""
SAY_S = (0.05, 0.1, 0.2, 0.4, 0.8)
"""When it is said how far the numbers are, again: else nobody would miss the last message."""


@asynccontextmanager
async def join(
    host: Host, group: str | Address, *, repeat_s: float = REPEAT_S, limit_items: int = 1_024
) -> AsyncGenerator[ServiceChannel]:
    """Belong to a group as long as the context lasts, also when the host moves to another node.

    Args:
        host: Attached.
        group: Name or address.
        repeat_s: How often the node is told again.
        limit_items: Packets that may wait to be received.

    Yields:
        A channel: what is sent on it goes to the members, what they send is received.

    Raises:
        NotFoundError: No record of the group.
    """
    address = bytes(await host.lookup(group))
    with host.listen(MULTICAST, metadata=address, limit_items=limit_items) as channel:
        _tell(host, Join(address))
        try:
            async with _beside(_stay(host, address, repeat_s)):
                yield channel
        finally:
            _tell(host, Leave(address))


@dataclass(frozen=True, slots=True)
class Message:
    """What a sender sent.

    Attributes:
        source, connection: Its stream.
        number: From 0, one more each time.
    """

    source: Address
    connection: int
    number: int
    data: bytes


@asynccontextmanager
async def receive(
    host: Host,
    group: str | Address,
    *,
    is_from_start: bool = False,
    patience_s: float = PATIENCE_S,
) -> AsyncGenerator["Receiver"]:
    """Belong to a group, and have what is lost sent again.

    Args:
        is_from_start: Also what was sent before this host belonged to it, as far as it is kept.
        patience_s: For so long what is missing is asked for; of that without an end, all is, if
            the sender has it all.

    Raises:
        NotFoundError: No record of the group.
    """
    address = bytes(await host.lookup(group))
    async with join(host, Address(address), limit_items=INBOX_ITEMS) as channel:
        receiver = Receiver(
            host, address, channel, is_from_start=is_from_start, patience_s=patience_s
        )
        async with _beside(receiver.follow()):
            yield receiver


class Receiver:
    """The messages of a group, in the order in which they come; made by `receive`."""

    def __init__(
        self,
        host: Host,
        group: bytes,
        channel: ServiceChannel,
        *,
        is_from_start: bool,
        patience_s: float,
    ) -> None:
        self._host = host
        self._group = group
        self._channel = channel
        self._is_from_start = is_from_start
        self._patience_s = patience_s
        self._streams: dict[tuple[Address, int], Gaps] = {}
        self._heard_s = 0.0
        self._probes = 0
        self._inbox = Inbox[Message]("message of the group", limit_items=INBOX_ITEMS)

    @property
    def streams(self) -> dict[tuple[Address, int], Gaps]:
        """What is missing, by sender and its connection."""
        return self._streams

    async def receive(self, *, deadline_s: float = DEFAULT_S) -> Message:
        """Return the next message that came.

        Raises:
            DeadlineError: none came.
        """
        return await self._inbox.get(deadline_s=deadline_s)

    async def follow(self) -> None:
        """Take what comes, and ask for what is missing; until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            with suppress(DeadlineError):
                self._take(await self._channel.receive(deadline_s=LOOK_S), loop.time())
                while len(self._channel.inbox):
                    self._take(await self._channel.receive(), loop.time())
                self._heard_s, self._probes = loop.time(), 0
            self._ask(loop.time())
            self._probe(loop.time())

    def _take(self, packet: PacketReceived, now_s: float) -> None:
        number = number_of(packet.payload)
        if number is None:
            return
        stream = (packet.source, packet.connection)
        gaps = self._streams.pop(stream, None)
        is_said, number = number >= SAID, number % SAID
        if gaps is None:
            first = 0 if self._is_from_start else number
            gaps = Gaps(first, patience_s=self._patience_s)
        self._streams[stream] = gaps
        if len(self._streams) > MAX_STREAMS:
            del self._streams[next(iter(self._streams))]
        if is_said:
            gaps.tell(number, now_s)
        elif gaps.take(number, now_s):
            data = packet.payload[NUMBER_BYTES:]
            message = Message(packet.source, packet.connection, number, data)
            gaps.lost += not self._inbox.put(message)

    def _probe(self, now_s: float) -> None:
        """Make sure that the node is there when nothing comes: a dead one cannot say so."""
        if self._streams and now_s - self._heard_s > SILENCE_S * 2**self._probes:
            self._probes = min(self._probes + 1, MOST_PROBES)
            _tell(self._host, Join(self._group))

    def _ask(self, now_s: float) -> None:
        for (source, connection), gaps in self._streams.items():
            for numbers in in_groups(gaps.due(now_s, 4 * MAX_NUMBERS), MAX_NUMBERS):
                _tell(self._host, Missing(self._group, source, name_of(connection), numbers))


Find = Callable[[int], bytes | None]


@asynccontextmanager
async def send(
    host: Host, group: str | Address, *, find: Find | None = None
) -> AsyncGenerator["Sender"]:
    """Send to a group; what is lost on its way is sent again. One at a time on a host.

    Args:
        find: Returns the data of a message that was sent, or `None`; by default the last 8,192 are
            held.

    Raises:
        ConflictError: the host sends to a group already.
        NotFoundError: No record of the group.
    """
    address = bytes(await host.lookup(group))
    with (
        host.controls(MULTICAST) as controls,
        host.call(MULTICAST, metadata=address, limit_items=1) as channel,
    ):
        sender = Sender(channel, controls, find)
        async with _beside(sender.answer(), sender.say()):
            yield sender
            await sender.settle()


class Sender:
    """A stream of messages to a group; made by `send`."""

    def __init__(
        self, channel: ServiceChannel, controls: ControlChannel, find: Find | None
    ) -> None:
        self._channel = channel
        self._controls = controls
        self._find = self._held if find is None else find
        self._last: dict[int, bytes] = {}
        self._is_held = find is None
        self._said = asyncio.Event()
        self._sayings = 0
        self._again_s: dict[int, float] = {}
        self.number = 0
        self.repeated = 0

    @property
    def connection(self) -> int:
        """Of the stream, with which its messages are received."""
        return self._channel.connection

    @property
    def sent(self) -> int:
        """Packets that were sent: messages, those sent again, and those that only say a number."""
        return self.number + self.repeated + self._sayings

    def send(self, data: bytes) -> bool:
        """Send a message of 1 to 1,200 B; return whether the host's pipe took it.

        What it does not take is not sent, and may be tried again.

        Raises:
            LocalError: it is empty or too long.
        """
        if not 1 <= len(data) <= LONGEST_BYTES:
            raise LocalError(f"a message of {len(data)} B; allowed are 1 to {LONGEST_BYTES} B")
        if not self._channel.send(name_of(self.number) + data):
            return False
        if self._is_held:
            self._last[self.number] = data
            _ = self._last.pop(self.number - MAX_HELD, None)
        self.number += 1
        self._said.set()
        return True

    async def answer(self) -> None:
        """Send again what the node misses; until cancelled."""
        decode = msgspec.msgpack.Decoder(Missing).decode
        while True:
            with suppress(DeadlineError, msgspec.MsgspecError):
                missing = decode((await self._controls.receive(deadline_s=3_600.0)).message)
                if missing.connection == name_of(self.connection):
                    for name in missing.numbers:
                        self._repeat(int.from_bytes(name, "big"))

    async def say(self) -> None:
        """Say how far the numbers are while no message does; until cancelled."""
        quiet = 0
        while True:
            self._said.clear()
            try:
                async with asyncio.timeout(SAY_S[min(quiet, len(SAY_S) - 1)]):
                    _ = await self._said.wait()
                quiet = 0
            except TimeoutError:
                quiet += 1
                self._say()

    async def settle(self) -> None:
        """Wait until it was said often enough how far the numbers are."""
        await asyncio.sleep(sum(SAY_S))

    def _say(self) -> None:
        self._sayings += self._channel.send(name_of(SAID + self.number))

    def _repeat(self, number: int) -> None:
        now_s = asyncio.get_running_loop().time()
        if number >= self.number or now_s < self._again_s.get(number, 0.0):
            return
        data = self._find(number)
        if data is not None:
            # Nodes ask for it once, but several may; and what comes again goes to the whole group.
            _ = self._again_s.pop(number, None)
            self._again_s[number] = now_s + AGAIN_S / 2
            if len(self._again_s) > MAX_HELD:
                del self._again_s[next(iter(self._again_s))]
            self.repeated += self._channel.send(name_of(number) + data)

    def _held(self, number: int) -> bytes | None:
        return self._last.get(number)


@asynccontextmanager
async def _beside(*works: Coroutine[Any, Any, None]) -> AsyncGenerator[None]:
    """Run these while the block runs; what the block raises is raised as it is."""
    try:
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(work) for work in works]
            try:
                yield
            finally:
                for task in running:
                    _ = task.cancel()
    except ExceptionGroup as group:
        for each in group.exceptions:
            raise each from None
        raise


async def _stay(host: Host, group: bytes, repeat_s: float) -> None:
    """Tell the node in use, again and again, and the next one as soon as the host moves there."""
    while True:
        with suppress(DeadlineError):
            await host.moved(deadline_s=repeat_s)
        _tell(host, Join(group))


def _tell(host: Host, message: Join | Leave | Missing) -> None:
    # Without a node nobody can be told now; the next one is told when its pipe comes up.
    with suppress(LimitError):
        host.send_control(MULTICAST, msgspec.msgpack.encode(message))
