"""A connection of a client, as packets both ways."""

import asyncio

import msgspec

from ei.errors import StreamError
from ei.ways.ends import End
from ei.ways.mqtt.decoding import decode
from ei.ways.mqtt.encoding import encode
from ei.ways.mqtt.framing import Framer
from ei.ways.mqtt.packets import V3, V5, Connect, Packet, Publish
from ei.ways.mqtt.reasons import MqttError, Reason

READ_BYTES = 64 * 1024
ROOM_BYTES = 256 * 1024
"""Of packets that wait to be written, beyond which the next one waits to be one of them."""


class Link:
    """Reads and writes the packets of one connection.

    Args:
        limit_bytes: Longest packet of the client.
        stall_s: For so long it may take nothing of what is written.
    """

    def __init__(self, end: End, *, limit_bytes: int, stall_s: float) -> None:
        self._end = end
        self._framer = Framer(limit_bytes)
        self._stall_s = stall_s
        self._aliases: dict[str, int] = {}
        self._alias_maximum = 0
        self._limit_bytes: int | None = None
        self._waiting = bytearray()
        self._writing: asyncio.Task[None] | None = None
        self._broken: StreamError | None = None
        self.version = V5

    def __repr__(self) -> str:
        return f"<Link MQTT {'3.1.1' if self.version == V3 else '5'}>"

    def agree(self, *, limit_bytes: int | None, aliases: int) -> None:
        """Keep to what the client wants: longest packet, and numbers for so many topics."""
        self._limit_bytes = limit_bytes
        self._alias_maximum = aliases

    async def first(self, *, limit_s: float) -> Connect | None:
        """Return the first packet; `None`: the client left, or said nothing in that time.

        Raises:
            MqttError: it is no CONNECT.
            StreamError: the connection broke.
        """
        try:
            async with asyncio.timeout(limit_s):
                packet = await self.receive(silence_s=None)
        except TimeoutError:
            return None
        if packet is not None and not isinstance(packet, Connect):
            raise MqttError("the first packet is no CONNECT", Reason.PROTOCOL_ERROR)
        self.version = V5 if packet is None else packet.version
        return packet

    async def receive(self, *, silence_s: float | None) -> Packet | None:
        """Return the next packet; `None`: the client has ended its direction.

        Args:
            silence_s: Longest time without a byte.

        Raises:
            MqttError: it is malformed, or none came in time.
            StreamError: the connection broke.
        """
        while (frame := self._framer.next()) is None:
            # Whoever sends without pause lets others have a turn.
            await asyncio.sleep(0)
            try:
                async with asyncio.timeout(silence_s):
                    data = await self._end.read(READ_BYTES)
            except TimeoutError:
                raise MqttError(f"nothing came for {silence_s:g} s", Reason.KEEP_ALIVE) from None
            if not data:
                return None
            self._framer.feed(data)
        first, body = frame
        return decode(first, body, version=self.version)

    async def send(self, packet: Packet) -> bool:
        """Write a packet, and return when the system has it; False: it is too long for the client.

        Whoever is cancelled meanwhile has sent it all the same: what is begun is finished.

        Raises:
            StreamError: the connection broke, or nothing is taken.
        """
        while len(self._waiting) > ROOM_BYTES and self._writing is not None:
            await asyncio.shield(self._writing)
            self._check()
        # From here on nobody else has a turn: an alias comes behind its topic.
        data = self._encoded(packet)
        if self._limit_bytes is not None and len(data) > self._limit_bytes:
            return False
        if isinstance(packet, Publish):
            self._note_alias(packet.topic)
        self._waiting += data
        if self._writing is None or self._writing.done():
            self._writing = asyncio.get_running_loop().create_task(self._write())
        await asyncio.shield(self._writing)
        self._check()
        return True

    def _check(self) -> None:
        if self._broken is not None:
            raise self._broken

    async def close(self) -> None:
        """Write no more."""
        if self._writing is not None:
            _ = self._writing.cancel()
            _ = await asyncio.wait([self._writing])

    async def _write(self) -> None:
        """Write all that waits, also what comes meanwhile, together."""
        try:
            while self._waiting:
                data = bytes(self._waiting)
                self._waiting.clear()
                async with asyncio.timeout(self._stall_s):
                    await self._end.write(data)
        except TimeoutError:
            text = f"the client took nothing for {self._stall_s:g} s"
            self._broken = StreamError(text, kind="stalled")
        except StreamError as error:
            self._broken = error

    def _encoded(self, packet: Packet) -> bytes:
        """Return the bytes of a packet: a topic in full once, by its number from then on."""
        if isinstance(packet, Publish) and self._alias_maximum:
            known = self._aliases.get(packet.topic)
            alias = len(self._aliases) + 1 if known is None else known
            if alias <= self._alias_maximum:
                properties = msgspec.structs.replace(packet.properties, alias=alias)
                topic = packet.topic if known is None else ""
                packet = msgspec.structs.replace(packet, topic=topic, properties=properties)
        return encode(packet, version=self.version)

    def _note_alias(self, topic: str) -> None:
        if topic not in self._aliases and len(self._aliases) < self._alias_maximum:
            self._aliases[topic] = len(self._aliases) + 1
