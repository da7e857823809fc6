"""The sockets between a member's daemon and the workers with a replica."""

import asyncio
import socket
from collections.abc import Callable
from typing import cast

from ei.cluster.link import Down, Frames, Hear, Say, Stand, encode_frame, ups
from ei.sdk.packets import Address

MAX_WAITING_BYTES = 16 * 1024 * 1024
"""What waits for a worker that does not read; then the owner says it again."""

OnSay = Callable[[Address, bytes], object]


class Seat:
    """One service's place for a worker, as its member sees it.

    Args:
        on_say: Sends a control message to another member.
        on_change: Called when the worker stands differently, came or went.

    Attributes:
        stand: How the worker stands; `None` while there is none, or it has not said so yet.
        was_taken: Whether there ever was a worker that has said how it stands.
    """

    def __init__(self, on_say: OnSay, on_change: Callable[[], object]) -> None:
        self.stand: Stand | None = None
        self.was_taken = False
        self._on_say = on_say
        self._on_change = on_change
        self._link: _Link | None = None

    async def open(self, link: socket.socket) -> None:
        """Take over our end of a worker's socket; in the place of the last worker's, if any."""
        self.close()
        made = self._link = _Link(self)
        link.settimeout(0)
        _ = await asyncio.get_running_loop().create_unix_connection(lambda: made, sock=link)

    def tell(self, message: Down) -> None:
        """Tell the worker, if there is one."""
        if self._link is not None:
            self._link.tell(message)

    def close(self) -> None:
        """Let the worker go. Idempotent."""
        link, self._link, self.stand = self._link, None, None
        if link is not None:
            link.close()

    def take(self, link: "_Link", message: Say | Stand | None) -> None:
        """Take what a worker says, `None` when it comes or goes; that of one before it is over."""
        if link is not self._link:
            return
        match message:
            case Say(to=to, message=said):
                _ = self._on_say(to, said)
            case _:
                self.stand = message
                self.was_taken = self.was_taken or message is not None
                _ = self._on_change()


class _Link(asyncio.Protocol):
    """The socket of one worker."""

    def __init__(self, seat: Seat) -> None:
        self._seat = seat
        self._frames = Frames()
        self._transport: asyncio.Transport | None = None
        self._is_closed = False

    def tell(self, message: Down) -> None:
        transport = self._transport
        if transport is None:
            return
        if isinstance(message, Hear) and transport.get_write_buffer_size() > MAX_WAITING_BYTES:
            return
        transport.write(encode_frame(message))

    def close(self) -> None:
        self._is_closed = True
        if self._transport is not None:
            self._transport.abort()

    # -- asyncio.Protocol -------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if self._is_closed:
            self._transport.abort()
        self._seat.take(self, None)

    def data_received(self, data: bytes) -> None:
        for frame in self._frames.feed(data):
            self._seat.take(self, ups.decode(frame))

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._seat.take(self, None)
