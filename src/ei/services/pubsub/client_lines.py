"""The streams of a host to the nodes that keep what is published."""

import asyncio
from collections.abc import Iterable
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
OPEN_S = 2.0
"""Then another node is tried."""
STILL_S = 600.0


class Owner(Protocol):
    """Who a line is for."""

    @property
    def host(self) -> Host: ...
    @property
    def home(self) -> Address | None: ...
    def welcomed(self, line: "Line", message: Welcome) -> None: ...
    def take(self, log: Address, message: Said) -> None: ...
    def account(self, number: int, log: Address) -> bytes: ...


class Line:
    """The stream about the log of one node, kept up for as long as somebody needs it.

    Args:
        owner: Who it is for.
        at: The node; `None` is any of the host's own.

    Attributes:
        node: At which it ends; `None` before the first time.
        log: What the log is known by.
        error: Why the last try failed; `None` while it is up, or before the first.
    """

    def __init__(self, owner: Owner, at: Address | None) -> None:
        self._owner = owner
        self._at = at
        self._frames: list[bytes] = []
        self._wake = asyncio.Event()
        self._due: dict[int, None] = {}
        self._tries = 0
        self.node: Address | None = None
        self.log: Address | None = None
        self.error: EiError | None = None
        self._is_up = asyncio.Event()

    def say(self, message: Asked) -> None:
        """Say something while the stream is up; who must not lose it says it again after."""
        if self._is_up.is_set():
            self._frames.append(write_frame(message))
            self._wake.set()

    def owe(self, number: int) -> None:
        """Tell the node soon what a subscription has dealt with."""
        if self._is_up.is_set():
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
            self._tries += 1
            await asyncio.sleep(PAUSES_S[min(self._tries, len(PAUSES_S)) - 1])

    async def _once(self) -> None:
        owner, via = self._owner, self._owner.home
        if self._at is None:
            via = owner.host.nodes[self._tries % len(owner.host.nodes)]
        hello = msgspec.msgpack.encode(Hello(self._at or b""))
        stream = await owner.host.open_service_stream(
            PUBSUB, opening=hello, node=via, deadline_s=OPEN_S
        )
        try:
            async with asyncio.TaskGroup() as tasks:
                writer = tasks.create_task(self._write(stream), name="pub/sub: what is said")
                try:
                    await self._read(stream)
                finally:
                    self._fall_silent()
                    _ = writer.cancel()
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        finally:
            stream.abort()

    def _fall_silent(self) -> None:
        """Say nothing more before the next welcome.

        What was not said yet is said again then, in its order: a node takes a later message of a
        publisher for the proof that it has the earlier ones.
        """
        self._is_up.clear()
        self._wake.clear()
        self._frames, self._due = [], {}

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
            self.node, self.log = message.node, message.log
            self._tries, self.error = 0, None
            self._is_up.set()
            self._owner.welcomed(self, message)
        elif self.log is not None:
            self._owner.take(self.log, message)

    async def _write(self, stream: Stream) -> None:
        while True:
            try:
                async with asyncio.timeout(STILL_S):
                    _ = await self._wake.wait()
            except TimeoutError:
                self.say(Still())
            self._wake.clear()
            if self.log is not None:
                self._frames += [self._owner.account(number, self.log) for number in self._due]
            self._due.clear()
            frames, self._frames = self._frames, []
            await stream.write(b"".join(frames), deadline_s=PATIENCE_S)


class Lines:
    """The streams of one host: to its own node, and to the others of the exchange.

    Args:
        owner: Who they are for.

    Attributes:
        home: The one to a node of the host.
    """

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._others: dict[Address, tuple[Line, asyncio.Task[None]]] = {}
        self.home = Line(owner, None)

    @property
    def all(self) -> list[Line]:
        """All of them."""
        return [self.home, *(line for line, _ in self._others.values())]

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        """What keeps the others up."""
        return [task for _, task in self._others.values()]

    def logs(self) -> set[Address | None]:
        """Return the logs that can be reached, as far as is known; `None` for one that may be."""
        return {line.log for line in self.all if line is self.home or line.error is None}

    def say(self, message: Asked) -> None:
        """Say something to all of the nodes."""
        for line in self.all:
            line.say(message)

    def owe(self, log: Address, number: int) -> None:
        """Tell the node of a log soon what a subscription has dealt with."""
        for line in self.all:
            if line.log == log:
                line.owe(number)

    def reach_out(self, exchange: Iterable[Address], group: asyncio.TaskGroup | None) -> None:
        """Have a stream about each log of the exchange; that of the host's own node is there."""
        for node in exchange:
            if node not in self._others and node != self.home.node and group is not None:
                line = Line(self._owner, node)
                task = group.create_task(line.stay(), name="pub/sub: another node")
                self._others[node] = line, task
        home = self.home.node
        if home is not None and home in self._others:
            _, task = self._others.pop(home)
            _ = task.cancel()
