"""The streams of a host to the nodes that keep what is published."""

import asyncio
from typing import Protocol

import msgspec

from ei.errors import EiError, LocalError
from ei.host.client import Host
from ei.host.streams import Stream
from ei.sdk import Address
from ei.services.pubsub.client_subscriptions import PATIENCE_S
from ei.services.pubsub.messages import (
    Asked,
    Hello,
    Said,
    Still,
    Welcome,
    cut_frame,
    said,
    write_frame,
)

PUBSUB = 50
PAUSES_S = (0.02, 0.1, 0.5, 1.0)
"""Between tries, the last one again and again."""
STILL_S = 600.0


class Owner(Protocol):
    """Who a line is for."""

    @property
    def host(self) -> Host: ...
    @property
    def home(self) -> Address | None: ...
    def welcomed(self, line: "Line", message: Welcome) -> None: ...
    def take(self, node: Address, message: Said) -> None: ...
    def account(self, number: int, node: Address) -> bytes: ...


class Line:
    """The stream about the log of one node, kept up for as long as somebody needs it."""

    def __init__(self, owner: Owner, at: Address | None) -> None:
        self._owner = owner
        self._at = at
        self._frames: list[bytes] = []
        self._wake = asyncio.Event()
        self._due: dict[int, None] = {}
        self._tries = 0
        self.node: Address | None = None
        self.error: EiError | None = None
        self._is_up = asyncio.Event()

    def say(self, message: Asked) -> None:
        """Say something while the stream is up; who must not lose it says it again after."""
        if self._is_up.is_set():
            self._frames.append(write_frame(message))
            self._wake.set()

    def owe(self, number: int) -> None:
        """Tell the node soon what a subscription has dealt with."""
        self._due[number] = None
        self._wake.set()

    async def until_up(self) -> None:
        """Return when the node has answered."""
        _ = await self._is_up.wait()

    async def stay(self) -> None:
        """Be up, again and again."""
        while True:
            try:
                await self._once()
            except (EiError, OSError) as error:
                self.error = error if isinstance(error, EiError) else LocalError(str(error))
            finally:
                self._is_up.clear()
            self._tries += 1
            await asyncio.sleep(PAUSES_S[min(self._tries, len(PAUSES_S)) - 1])

    async def _once(self) -> None:
        owner, via = self._owner, self._owner.home
        if self._at is None:
            via = owner.host.nodes[self._tries % len(owner.host.nodes)]
        hello = msgspec.msgpack.encode(Hello(self._at or b""))
        stream = await owner.host.open_service_stream(PUBSUB, opening=hello, node=via)
        try:
            async with asyncio.TaskGroup() as tasks:
                writer = tasks.create_task(self._write(stream), name="pub/sub: what is said")
                try:
                    await self._read(stream)
                finally:
                    _ = writer.cancel()
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        finally:
            stream.abort()

    async def _read(self, stream: Stream) -> None:
        received = b""
        while piece := await stream.read(deadline_s=PATIENCE_S):
            received += piece
            position = 0
            while (cut := cut_frame(received, position)) is not None:
                message, position = said.decode(cut[0]), cut[1]
                self._take(message)
            received = received[position:]

    def _take(self, message: Said) -> None:
        if isinstance(message, Welcome):
            self.node, self._tries, self.error = message.node, 0, None
            self._frames, self._due = [], {}
            self._is_up.set()
            self._owner.welcomed(self, message)
        elif self.node is not None:
            self._owner.take(self.node, message)

    async def _write(self, stream: Stream) -> None:
        while True:
            try:
                async with asyncio.timeout(STILL_S):
                    _ = await self._wake.wait()
            except TimeoutError:
                self.say(Still())
            self._wake.clear()
            if self.node is not None:
                self._frames += [self._owner.account(number, self.node) for number in self._due]
            self._due.clear()
            frames, self._frames = self._frames, []
            await stream.write(b"".join(frames), deadline_s=PATIENCE_S)
