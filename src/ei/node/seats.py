"""The sockets between a member's daemon and the workers with a replica."""

import asyncio
import socket
from collections.abc import Callable

from ei.cluster.link import Down, Frames, Hear, Say, Stand, encode_frame, ups
from ei.sdk.packets import Address

MAX_WAITING_BYTES = 16 * 1024 * 1024
"""What waits for a worker that does not read; then the owner says it again."""

OnSay = Callable[[Address, bytes], object]


class Seat(asyncio.Protocol):
    """One service's worker, as its member sees it.

    Args:
        on_say: Sends a control message to another member.
        on_change: Called when the worker stands differently, came or went.
    """

    def __init__(self, on_say: OnSay, on_change: Callable[[], object]) -> None:
        self.stand: Stand | None = None
        self._on_say = on_say
        self._on_change = on_change
        self._transport: asyncio.Transport | None = None
        self._frames = Frames()

    def open(self, link: socket.socket) -> asyncio.Task[object]:
        """Take over our end of a worker's socket; in the place of the last worker's, if any."""
        self.close()
        self._frames = Frames()
        loop = asyncio.get_running_loop()
        return loop.create_task(self._connect(link))

    def tell(self, message: Down) -> None:
        """Tell the worker, if there is one."""
        transport = self._transport
        if transport is None:
            return
        if isinstance(message, Hear) and transport.get_write_buffer_size() > MAX_WAITING_BYTES:
            return
        transport.write(encode_frame(message))

    def close(self) -> None:
        """Let the worker go. Idempotent."""
        transport, self._transport, self.stand = self._transport, None, None
        if transport is not None:
            transport.abort()

    # -- asyncio.Protocol -------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Take what the worker says."""
        for frame in self._frames.feed(data):
            match ups.decode(frame):
                case Say(to=to, message=message):
                    _ = self._on_say(to, message)
                case Stand() as stand:
                    self.stand = stand
                    _ = self._on_change()

    async def _connect(self, link: socket.socket) -> object:
        loop = asyncio.get_running_loop()
        link.setblocking(False)  # noqa: FBT003 its only argument
        relay = _Relay(self)
        transport, _ = await loop.create_unix_connection(lambda: relay, sock=link)
        self._transport = relay.transport = transport
        return self._on_change()

    def lost(self, transport: asyncio.BaseTransport | None) -> None:
        """Take it that a worker went; not that of one before it."""
        if transport is not None and transport is self._transport:
            self._transport = self.stand = None
            _ = self._on_change()


class _Relay(asyncio.Protocol):
    """One worker's socket: what comes after the next worker's came does not count."""

    def __init__(self, seat: Seat) -> None:
        self._seat = seat
        self.transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._seat.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._seat.lost(self.transport)
