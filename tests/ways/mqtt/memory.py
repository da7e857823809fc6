"""pubsub and a disk in memory, and a client: a gateway in virtual time."""

import asyncio
import io
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from random import Random
from typing import Any

from tests.ways.conftest import Memory, joined

from ei.daemons.log import Log
from ei.errors import EiError, LimitError, StreamError
from ei.lab.clock import VirtualClock, run_virtual
from ei.ways.mqtt.broker import Broker
from ei.ways.mqtt.bus import Arrived
from ei.ways.mqtt.carried import Message
from ei.ways.mqtt.client import Client
from ei.ways.mqtt.decoding import decode
from ei.ways.mqtt.encoding import encode
from ei.ways.mqtt.framing import Framer
from ei.ways.mqtt.limits import MqttLimits
from ei.ways.mqtt.packets import (
    Connack,
    Connect,
    Kind,
    Packet,
    Publish,
    Subscribe,
    Verdicts,
    Wanted,
)
from ei.ways.mqtt.properties import NONE, Properties
from ei.ways.mqtt.session import Sessions, Write
from ei.ways.mqtt.topics import matches


class MemoryFeed:
    """One subscription of `MemoryBus`."""

    def __init__(self, bus: "MemoryBus", wanted: str, name: str | None, queue: int) -> None:
        self.wanted = wanted
        self.waiting: deque[Arrived] = deque()
        self._bus = bus
        self._name = name
        self._queue = queue
        self._news = asyncio.Event()

    def put(self, arrived: Arrived) -> None:
        if not arrived.mark and len(self.waiting) >= self._queue:
            return
        self.waiting.append(arrived)
        self._news.set()

    async def receive(self) -> Arrived:
        while not self.waiting:
            self._news.clear()
            _ = await self._news.wait()
        return self.waiting.popleft()

    def acknowledge(self, arrived: Arrived) -> None:
        if self._name is not None:
            self._bus.places[self._name].discard(arrived.mark)


class MemoryBus:
    """As pubsub does it, without a network.

    Attributes:
        log: What was kept, by its mark.
        places: By name of a subscription: the marks that it has not acknowledged.
        failure: Of everything that is asked from now on.
        live_bytes: Longest payload of `publish`.
        keeping: Cleared, `keep` waits.
        opening: Cleared, `subscribe` does.
    """

    def __init__(self) -> None:
        self.log: dict[bytes, Message] = {}
        self.retained: dict[str, Message] = {}
        self.places: dict[str, set[bytes]] = {}
        self.filters: dict[str, str] = {}
        self.forgotten: list[str] = []
        self.failure: EiError | None = None
        self.live_bytes = 100_000
        self.opening: asyncio.Event | None = None
        self.keeping = asyncio.Event()
        self.keeping.set()
        self._ordinals: dict[str, int] = {}
        self._feeds: list[MemoryFeed] = []

    async def publish(self, topic: str, payload: bytes, extra: bytes) -> None:
        self._check()
        if len(payload) > self.live_bytes:
            raise LimitError(f"{len(payload)} B seen, {self.live_bytes} B allowed")
        for feed in self._feeds:
            if matches(feed.wanted, topic):
                feed.put(Arrived(Message(topic, payload, extra)))

    async def keep(  # noqa: C901, PLR0913 as `Bus`
        self,
        topic: str,
        payload: bytes,
        extra: bytes,
        *,
        is_retained: bool = False,
        publisher: str = "",
        ordinal: int | None = None,
    ) -> None:
        _ = await self.keeping.wait()
        self._check()
        if ordinal is not None:
            if ordinal <= self._ordinals.get(publisher, 0):
                return
            self._ordinals[publisher] = ordinal
        mark = len(self.log).to_bytes(4)
        message = Message(topic, payload, extra, is_kept=True)
        self.log[mark] = message
        if is_retained and payload:
            late = Message(topic, payload, extra, is_kept=True, is_late=True)
            self.retained[topic] = late
        elif is_retained:
            _ = self.retained.pop(topic, None)
        for name, wanted in self.filters.items():
            if matches(wanted, topic):
                self.places[name].add(mark)
        for feed in self._feeds:
            if matches(feed.wanted, topic):
                feed.put(Arrived(message, mark))

    @asynccontextmanager
    async def subscribe(
        self, wanted: str, *, name: str | None, is_retained: bool, queue: int
    ) -> AsyncGenerator[MemoryFeed]:
        self._check()
        if self.opening is not None:
            _ = await self.opening.wait()
        feed = MemoryFeed(self, wanted, name, queue)
        if is_retained:
            for topic, message in self.retained.items():
                if matches(wanted, topic):
                    feed.put(Arrived(message, b"late" + topic.encode()))
        if name is not None:
            self.filters[name] = wanted
            for mark in sorted(self.places.setdefault(name, set())):
                feed.put(Arrived(self.log[mark], mark))
        self._feeds.append(feed)
        try:
            yield feed
        finally:
            self._feeds.remove(feed)

    async def forget(self, name: str) -> None:
        self._check()
        self.forgotten.append(name)
        _ = self.places.pop(name, None), self.filters.pop(name, None)

    def _check(self) -> None:
        if self.failure is not None:
            raise self.failure


class MemoryKeeper:
    """A disk. `entries` is what is on it; while `failure` is set nothing is written."""

    def __init__(self) -> None:
        self.entries: dict[bytes, bytes] = {}
        self.failure: EiError | None = None

    async def save(self, *writes: Write) -> None:
        await self.replace((), writes)

    def note(self, *writes: Write) -> None:
        if self.failure is None:
            self._write(writes)

    async def replace(self, beginnings: Sequence[bytes], writes: Sequence[Write]) -> None:
        if self.failure is not None:
            raise self.failure
        for key in [key for key in self.entries if key.startswith(tuple(beginnings))]:
            del self.entries[key]
        self._write(writes)
        await asyncio.sleep(0.001)

    def _write(self, writes: Sequence[Write]) -> None:
        for key, value in writes:
            if value is None:
                _ = self.entries.pop(key, None)
            else:
                self.entries[key] = value


class Peer:
    """A client of the gateway, packet by packet."""

    def __init__(self, end: Memory, *, version: int = 5) -> None:
        self.end = end
        self.version = version
        self._framer = Framer(1 << 20)

    async def send(self, *packets: Packet) -> None:
        await self.end.write(b"".join(encode(each, version=self.version) for each in packets))

    async def receive(self) -> Packet | None:
        """Return the next packet; `None` at the end."""
        while (frame := self._framer.next()) is None:
            try:
                data = await self.end.read()
            except StreamError:
                return None
            if not data:
                return None
            self._framer.feed(data)
        return decode(*frame, version=self.version)

    async def soon(self) -> Packet | None:
        """Return the next packet, if one comes within a second."""
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                return await self.receive()
        return None

    async def nothing(self) -> None:
        """See that nothing comes for a second."""
        packet = await self.soon()
        assert packet is None, packet

    async def connect(self, connect: Connect) -> Connack:
        await self.send(connect)
        packet = await self.receive()
        assert isinstance(packet, Connack), packet
        return packet

    async def subscribe(
        self, *wanted: str | Wanted, qos: int = 0, properties: Properties = NONE
    ) -> tuple[int, ...]:
        filters = tuple(Wanted(each, qos) if isinstance(each, str) else each for each in wanted)
        await self.send(Subscribe(7, filters, properties))
        packet = await self.receive()
        assert isinstance(packet, Verdicts), packet
        assert (packet.kind, packet.number) == (Kind.SUBACK, 7)
        return tuple(int(each) for each in packet.reasons)

    async def message(self) -> Publish:
        packet = await self.receive()
        assert isinstance(packet, Publish), packet
        return packet


class Scene:
    """A gateway, the disk and the pubsub behind it, and its clients."""

    def __init__(self, limits: MqttLimits) -> None:
        self.bus = MemoryBus()
        self.keeper = MemoryKeeper()
        self.log = io.StringIO()
        self.endings: list[str] = []
        self._ended = asyncio.Event()
        self._limits = limits
        self._random = Random(1)
        self._tasks: list[asyncio.Task[None]] = []
        self._group: asyncio.TaskGroup | None = None
        self._running: asyncio.Task[None] | None = None
        self.broker: Broker

    async def start(self) -> None:
        """Start the gateway, with what is on the disk."""
        started = asyncio.Event()
        self._running = asyncio.get_running_loop().create_task(self._run(started))
        _ = await started.wait()

    async def kill(self) -> None:
        """Let the gateway die in the middle of everything."""
        assert self._running
        disk, bus = dict(self.keeper.entries), {k: set(v) for k, v in self.bus.places.items()}
        _ = self._running.cancel()
        _ = await asyncio.wait([self._running])
        self.keeper = MemoryKeeper()
        self.keeper.entries = disk
        self.bus.places = bus

    async def _run(self, started: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            self._group = group
            self.broker = Broker(
                self.bus,
                self.keeper,
                group,
                name="gate.isp-a",
                limits=self._limits,
                random=self._random.randbytes,
                unix_s=asyncio.get_running_loop().time,
                log=Log(self.log),
            )
            self.broker.restore(Sessions(self.keeper.entries.items()))
            started.set()
            await asyncio.Event().wait()

    def peer(self, *, version: int = 5) -> Peer:
        """Return a client whose connection is open."""
        near, far = joined()
        assert self._group
        _ = self._group.create_task(self._serve(far))
        return Peer(near, version=version)

    async def connected(self, client_id: str = "", **options: Any) -> Peer:  # noqa: ANN401
        """Return a client that is connected."""
        connect = Connect(client_id, **options)
        peer = self.peer(version=connect.version)
        connack = await peer.connect(connect)
        assert connack.reason == 0, connack
        return peer

    async def ended(self, count: int = 1) -> None:
        """Return when so many connections have ended."""
        while len(self.endings) < count:
            self._ended.clear()
            _ = await self._ended.wait()

    async def _serve(self, end: Memory) -> None:
        word = "cancelled"
        try:
            word = await Client(end, self.broker).serve()
        finally:
            self.endings.append(word)
            self._ended.set()
            with suppress(StreamError):
                await end.finish()


Script = Callable[[Scene], Coroutine[Any, Any, None]]


def at_gateway(script: Script, limits: MqttLimits | None = None) -> None:
    """Run clients against a gateway in memory, in virtual time."""

    async def main(_clock: VirtualClock) -> None:
        scene = Scene(limits or MqttLimits())
        await scene.start()
        await script(scene)
        await scene.kill()

    run_virtual(main)
