"""Streams of an asyncio program: ordered, reliable bytes both ways, end to end sealed.

stream = await host.open_stream("bob.isp-b", port=80)
await stream.write(b"hello")
await stream.finish()
answer = await stream.read_all()
"""

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from ei.errors import DeadlineError, LimitError, LocalError, StreamError
from ei.host.deadlines import DEFAULT_S, within
from ei.host.events import StreamMoved
from ei.host.inbox import Inbox
from ei.host.joints import Carried, Left
from ei.host.sessions import DELIVERY
from ei.host.stream_codes import ABORTED, meaning_of
from ei.host.stream_ports import StreamKey
from ei.sdk.packets import Address

if TYPE_CHECKING:
    from ei.host.stream_connections import StreamConnections

READ_BYTES = 256 * 1024
GATEWAY_S = 0.02
"""What a gateway takes at most, usually, to hear that its server refuses."""


class Stream:
    """One stream. Made by `Host.open_stream`, `open_service_stream` and `StreamListener.accept`.

    Attributes:
        peer: The other host, or the node, proven.
        port: That it is for; 0 where it is for a service.
        service: The service at the node; else that of delivery.
    """

    def __init__(  # noqa: PLR0913 where it is, what it is for, who is told
        self,
        connections: "StreamConnections",
        key: StreamKey,
        *,
        port: int = 0,
        service: int = DELIVERY,
        touched: Callable[[], None],
        forget: Callable[[], None],
        join: Callable[[socket.socket, int], None],
    ) -> None:
        self._connections = connections
        self._key = key
        self._touched = touched
        self._forget = forget
        self._join = join
        self._movement = asyncio.Event()
        self._is_ended = False
        self._is_finished = False
        self._is_broken = False
        self._read_loss: StreamError | None = None
        self._write_loss: StreamError | None = None
        self._when_lost: Callable[[StreamError], None] | None = None
        self.peer: Address = key[0]
        self.port = port
        self.service = service
        self._with = f"with port {port}" if service == DELIVERY else f"with service {service}"

    @property
    def connection(self) -> int:
        """Connection number of its packets, as traces show it."""
        return self._key[1]

    async def read(self, max_bytes: int = READ_BYTES, *, deadline_s: float = DEFAULT_S) -> bytes:
        """Return what is there, at least one byte; `b""` once the stream has ended.

        Raises:
            DeadlineError: nothing came.
            StreamError: the peer gave it up, or the connection was lost.
        """
        async with within(deadline_s, f"byte on the stream {self._with}"):
            while True:
                self._movement.clear()
                if self._is_ended:
                    return b""
                piece = self._read(max_bytes)
                if piece or self._is_ended:
                    return piece
                _ = await self._movement.wait()

    def received(self) -> tuple[bytes, bool]:
        """Return what has come and was not read, without waiting, and whether the end is behind it.

        Bounded by the window; of a stream that was reset there is nothing.
        """
        pieces: list[bytes] = []
        with suppress(StreamError):
            while not self._is_ended and (piece := self._read(READ_BYTES)):
                pieces.append(piece)
        return b"".join(pieces), self._is_ended

    def watch(self, when_lost: Callable[[StreamError], None]) -> None:
        """Have it told, also while nobody reads or writes, when the peer or the way to it is lost.

        Args:
            when_lost: Called once, with why; at once if it was lost already.
        """
        self._when_lost = when_lost
        if self._read_loss is not None:
            self._tell_lost(self._read_loss)

    async def read_exactly(self, count: int, *, deadline_s: float = DEFAULT_S) -> bytes:
        """Return exactly `count` bytes.

        Raises:
            DeadlineError: they did not come in time.
            StreamError: the stream ended before, or as `read`.
        """
        pieces: list[bytes] = []
        left = count
        async with within(deadline_s, f"{count} B on the stream {self._with}"):
            while left:
                piece = await self.read(left, deadline_s=deadline_s)
                if not piece:
                    raise StreamError(f"the stream ended {left} B too early", kind="ended")
                pieces.append(piece)
                left -= len(piece)
        return b"".join(pieces)

    async def read_all(
        self, *, limit_bytes: int = 16 * 1024 * 1024, deadline_s: float = DEFAULT_S
    ) -> bytes:
        """Return everything up to the end of the stream.

        Raises:
            DeadlineError: the end did not come in time.
            LimitError: more than `limit_bytes`; the stream is given up.
            StreamError: as `read`.
        """
        pieces: list[bytes] = []
        length = 0
        async with within(deadline_s, f"end of the stream {self._with}"):
            while piece := await self.read(deadline_s=deadline_s):
                pieces.append(piece)
                length += len(piece)
                if length > limit_bytes:
                    self.abort()
                    raise LimitError(f"the stream exceeds the allowed {limit_bytes} B")
        return b"".join(pieces)

    async def write(self, data: bytes, *, deadline_s: float = DEFAULT_S) -> None:
        """Write all of `data`; return when the window has taken it, not when it arrived.

        Raises:
            DeadlineError: the peer does not read, or does not answer. How much was taken is not
                known to the caller then: give the stream up.
            StreamError: the peer wants no more, or the connection was lost.
        """
        start = 0
        async with within(deadline_s, f"room on the stream {self._with}"):
            while start < len(data):
                self._movement.clear()
                _raise(self._write_loss)
                start += self._connections.write(self._key, data, start)
                self._touched()
                if start < len(data):
                    _ = await self._movement.wait()

    async def finish(self, *, deadline_s: float = DEFAULT_S) -> None:
        """End the own direction; return when the peer's stack has acknowledged every byte.

        Raises:
            DeadlineError: it has not in time.
            StreamError: as `write`.
        """
        _raise(self._write_loss)
        if self._is_finished:
            return
        self._connections.finish(self._key)
        self._touched()
        async with within(deadline_s, f"acknowledgement on the stream {self._with}"):
            while not self._is_finished:
                self._movement.clear()
                _raise(self._write_loss)
                _ = await self._movement.wait()

    async def carry(self, connection: socket.socket, *, idle_s: float, keep_bytes: int = 0) -> None:
        """Carry everything between this stream and a TCP connection; return when both have ended.

        It goes natively, no faster than either takes it, and an end of one direction leaves the
        other one open. `carried` says how much went; `part` is to be called after it, however it
        ended.

        Args:
            connection: It belongs to the stream once that has begun, and must not be used; one that
                is not closed after a failure is still the caller's.
            idle_s: So long may pass without a byte, both ways together.
            keep_bytes: Of the last that comes from the connection, for `leave`.

        Raises:
            DeadlineError: it did.
            StreamError: either broke.
        """
        async with within(idle_s, f"room on the stream {self._with}"):
            while not self._connections.has_begun(self._key):
                self._movement.clear()
                _raise(self._write_loss)
                _ = await self._movement.wait()
        self._join(connection, keep_bytes)
        now_s = asyncio.get_running_loop().time
        while not (self._is_ended and self._is_finished):
            self._movement.clear()
            _raise(self._read_loss)
            _raise(self._write_loss)
            moved_ns = self.carried().moved_ns
            try:
                async with asyncio.timeout(moved_ns / 1e9 + idle_s - now_s()):
                    _ = await self._movement.wait()
            except TimeoutError as error:
                if self.carried().moved_ns == moved_ns:
                    text = f"no byte on the stream {self._with} within {idle_s:g} s"
                    raise DeadlineError(text) from error

    def carried(self) -> Carried:
        """Return what went by `carry`; raises `StreamError` before it and after `part`."""
        return self._connections.joints.carried(self._key)

    def leave(self) -> Left | None:
        """Take the connection back from `carry`, with what was on its way, for another stream.

        `None`: it broke itself, or was not carried.
        """
        if self._is_broken:
            return None
        with suppress(StreamError):
            return self._connections.joints.leave(self._key)
        return None

    def part(self, *, is_reset: bool) -> None:
        """Close the connection of `carry`. Idempotent.

        Args:
            is_reset: What was cut off must not look complete.
        """
        self._connections.joints.part(self._key, is_reset=is_reset)

    async def refusal(self, *, most_s: float = 1.0) -> None:
        """Return once the peer has sent something, or has had the time to refuse.

        Nobody says that a stream is taken. This waits for one round trip, as the handshake of TCP
        does, and a little more for a gateway that asks its server.

        Args:
            most_s: Longest wait.

        Raises:
            StreamError: the peer has refused it.
        """
        rtt_s = self._connections.measure(self._key[:2], "rtt_ns") / 1e9
        with suppress(TimeoutError):
            async with asyncio.timeout(min(rtt_s + GATEWAY_S, most_s)):
                _ = await self._movement.wait()
        _raise(self._write_loss)

    def abort(self, code: int = ABORTED) -> None:
        """Give the stream up, both ways. Idempotent.

        Args:
            code: Of `ei.host.stream_codes`, for the other host.
        """
        self._connections.abort(self._key, code)
        self.lose(StreamError("this host gave the stream up", kind="aborted"))
        self._forget()
        self._touched()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is not None:
            self.abort()

    # -- for the router ---------------------------------------------------------------------------

    def move(self, event: StreamMoved) -> None:
        """Take note of an event."""
        if event.what == "finished":
            self._is_finished = True
            self._forget_if_ended()
        elif event.what == "joined":
            self._is_ended = True
            self._forget_if_ended()
        elif event.what == "broke":
            self._is_broken = event.code != 0
            why = os.strerror(event.code) if event.code else "the stream is gone"
            self.lose(StreamError(f"the connection broke: {why}", kind="lost"))
        elif event.what == "reset":
            self._read_loss = self._given_up("gave up sending", event.code)
            self._tell_lost(self._read_loss)
        elif event.what == "stopped" and not self._is_finished:
            loss = self._given_up("wants no more", event.code)
            if loss.kind == "ended":  # it has all, by a stream before this one
                self._is_finished = True
                self._forget_if_ended()
            else:
                self._write_loss = loss
        self._movement.set()

    def lose(self, error: StreamError) -> None:
        """The connection is gone. What was received can still be read."""
        self._read_loss = self._read_loss or error
        self._write_loss = self._write_loss or error
        self._movement.set()
        self._tell_lost(error)

    # -- inside -----------------------------------------------------------------------------------

    def _read(self, max_bytes: int) -> bytes:
        try:
            piece, state, code = self._connections.read(self._key, max_bytes)
        except StreamError:
            _raise(self._read_loss)
            raise
        if state == "finished":
            self._is_ended = True
            self._forget_if_ended()
        elif state == "reset":
            self._read_loss = self._given_up("gave up sending", code)
        # Reading opens the window: the peer must hear of it.
        self._touched()
        if not piece and not self._is_ended:
            _raise(self._read_loss)
        return piece

    def _tell_lost(self, loss: StreamError) -> None:
        tell, self._when_lost = self._when_lost, None
        if tell is not None:
            tell(loss)

    def _given_up(self, how: str, code: int) -> StreamError:
        kind, meaning = meaning_of(code, of_node=self.service != DELIVERY)
        return StreamError(f"the peer {how} ({meaning})", kind=kind)

    def _forget_if_ended(self) -> None:
        if self._is_ended and self._is_finished:
            self._when_lost = None
            self._forget()


def _raise(loss: StreamError | None) -> None:
    if loss is not None:
        raise loss


class StreamListener:
    """A port on which other hosts may open streams. Made by `Host.accept_streams`."""

    def __init__(
        self, port: int, *, release: Callable[["StreamListener"], None], limit_items: int
    ) -> None:
        self._release = release
        self.port = port
        self.inbox = Inbox[Stream](f"stream on port {port}", limit_items=limit_items)

    async def accept(self, *, deadline_s: float = DEFAULT_S) -> Stream:
        """Return the next stream that a peer opens.

        Raises:
            DeadlineError: none came.
            LocalError: the listener is closed.
        """
        return await self.inbox.get(deadline_s=deadline_s)

    def close(self) -> None:
        """Accept no more. Idempotent."""
        self._release(self)
        self.inbox.close(LocalError(f"the listener on port {self.port} is closed"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
