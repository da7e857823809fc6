"""A stream to a legacy server that outlives the node which carries it.

stream = await open_resumable(host, "www.example.org", 80)

When the way to the server is lost behind the host, the stream goes on by whatever node of the host
is up, to the same exit, which still has the connection to the server: each side says how much it
has of the other, and sends the rest again. Whoever reads and writes sees a pause.

    host ══ first node, lost      ══ exit ── server
    host ══ another one, from now ══ exit ── server
"""

import asyncio
import socket
from contextlib import suppress
from functools import partial
from secrets import token_bytes

import msgspec

from ei.errors import (
    DeadlineError,
    EiError,
    LimitError,
    NotFoundError,
    PeerError,
    StreamError,
    UnreachableError,
)
from ei.host.client import Host
from ei.host.deadlines import DEFAULT_S, within
from ei.host.joints import Carried
from ei.host.stream_codes import ABORTED
from ei.host.streams import READ_BYTES, Stream
from ei.sdk import Address, Legacy
from ei.services.termination.client import begin, check_port, written
from ei.services.termination.messages import SESSION_BYTES, Opening, Status
from ei.ways.ends import PATIENCE_S, TcpEnd
from ei.ways.tail import Tail

TAIL_BYTES = 4 * 1024 * 1024
"""Of what was written: more than windows let be on the way to an exit."""
PIECE_BYTES = 64 * 1024
RESUME_S = 10.0
"""So long another way is looked for; an exit keeps a session longer."""
EXIT_S = 2.0
"""And so long when the node that was lost is the exit itself, which another way might reach."""
TRY_S = 3.0
PAUSE_S = 0.1

LOSSES = frozenset(
    {
        "lost",
        "node_lost",
        "timed_out",
        "crowded_out",
        "closed",
        "protocol",
        "handshake_timeout",
        "unreachable",
    }
)
"""Of the way, not of the server."""

FINAL = frozenset({"too_late", "bad_opening", "closed"})
"""Answers after which asking again is of no use."""

TAKEN_ALREADY = frozenset({"ended", "stopped"})
"""What a way says of an end that came by another way before."""


async def open_resumable(  # noqa: PLR0913 all that a target may be
    host: Host,
    name: str,
    port: int,
    *,
    exit: Address | None = None,  # noqa: A002 the word of the messages
    first: bytes = b"",
    deadline_s: float = DEFAULT_S,
) -> "ResumableStream":
    """Open a stream to a server of the legacy Internet, over TCP; see `open_legacy`.

    Raises:
        EiError: As `open_legacy`.
    """
    check_port(port)
    opening = Opening(Legacy(written(name), port), exit=exit, session=token_bytes(SESSION_BYTES))
    async with within(deadline_s, f"connection to {name} port {port}"):
        stream, status = await begin(host, opening, first, deadline_s=deadline_s)
    return ResumableStream(host, opening, first, stream, status)


class ResumableStream:
    """Bytes in order, both ways; made by `open_resumable`.

    It may be written by one and read by another task at a time.

    Attributes:
        resumed: How often another way was found.
    """

    def __init__(
        self, host: Host, opening: Opening, first: bytes, stream: Stream, status: Status
    ) -> None:
        self._host = host
        self._opening = opening
        self._carrier: Stream | None = None
        self._can_resume = False
        self._loss: StreamError | None = None
        self._found = asyncio.Event()
        self._mending: asyncio.Task[None] | None = None
        self._pushing: asyncio.Task[None] | None = None
        # Of the server: what lost ways brought and nobody has read, and how much came in all.
        self._rest = bytearray()
        self._has = 0
        self._is_ended = False
        # Of the program: the last bytes, and up to where the way has them.
        self._tail = Tail(TAIL_BYTES)
        self._tail.add(first)
        self._placed = len(first)
        self._writing = asyncio.Lock()
        self._is_finishing = False
        self._is_finished = False
        # A connection of a program that is carried natively: with a way, or between two.
        self._joined: Stream | None = None
        self._connection: socket.socket | None = None
        self._carried_from = (0, 0)
        self.resumed = 0
        self._take(stream, status)

    def __repr__(self) -> str:
        return f"<ResumableStream: {self._has} B read, {self._tail.end} B written>"

    async def read(self, max_bytes: int = READ_BYTES, *, deadline_s: float = DEFAULT_S) -> bytes:
        """Return what is there, at least one byte; `b""` once the server has ended.

        Raises:
            DeadlineError: Nothing came.
            StreamError: The server gave it up, or no other way was found after one was lost.
        """
        async with within(deadline_s, "byte of the server"):
            while not self._rest and not self._is_ended:
                carrier = await self._way()
                try:
                    piece = await carrier.read(max_bytes, deadline_s=deadline_s)
                except StreamError as error:
                    self._leave(carrier, error)
                    continue
                if piece:
                    self._has += len(piece)
                    return piece
                self._is_ended = True
            piece = bytes(self._rest[:max_bytes])
            del self._rest[:max_bytes]
            return piece

    async def write(self, data: bytes, *, deadline_s: float = DEFAULT_S) -> None:
        """Write all of `data`; return when the window has taken it, not when it arrived.

        Raises:
            DeadlineError: The server does not read. Give the stream up: how much was taken is not
                known.
            StreamError: As `read`.
        """
        async with within(deadline_s, "room on the way to the server"), self._writing:
            for start in range(0, len(data), PIECE_BYTES):
                self._tail.add(data[start : start + PIECE_BYTES])
                await self._push(deadline_s)

    async def finish(self, *, deadline_s: float = DEFAULT_S) -> None:
        """End the own direction; return when the node has every byte.

        Raises:
            DeadlineError: It has not in time.
            StreamError: As `read`.
        """
        self._is_finishing = True
        async with within(deadline_s, "acknowledgement of the node"), self._writing:
            await self._finish(deadline_s)

    async def carry(self, connection: socket.socket, *, idle_s: float) -> None:
        """Carry everything between the server and a TCP connection, natively; see `Stream.carry`.

        Raises:
            DeadlineError: Nothing came or went for `idle_s`.
            StreamError: As `read`, or the connection broke.
        """
        self._connection = connection
        self._carried_from = (self._has - len(self._rest), self._tail.end)
        while True:
            carrier = await self._ready(idle_s)
            if self._connection is None:
                raise StreamError("the connection broke", kind="lost")
            connection, self._connection = self._connection, None
            self._joined = carrier
            try:
                await carrier.carry(connection, idle_s=idle_s, keep_bytes=TAIL_BYTES)
            except StreamError as error:
                self._leave(carrier, error)
            else:
                return

    def carried(self) -> Carried:
        """Return what went by `carry`; see `Stream.carried`."""
        there_bytes = self._has - len(self._rest) - self._carried_from[0]
        back_bytes = self._tail.end - self._carried_from[1]
        if self._joined is None:
            return Carried(there_bytes, back_bytes, 0)
        now = self._joined.carried()
        return Carried(there_bytes + now.there_bytes, back_bytes + now.back_bytes, now.moved_ns)

    def part(self, *, is_reset: bool) -> None:
        """Close the connection of `carry`. Idempotent.

        Args:
            is_reset: What was cut off must not look complete.
        """
        if self._joined is not None:
            self._joined.part(is_reset=is_reset)
        if self._connection is not None:
            end, self._connection = TcpEnd(self._connection), None
            end.abort()

    async def refusal(self) -> None:
        """Return at once: the server has taken it."""

    def abort(self, code: int = ABORTED) -> None:
        """Give the stream up, both ways. Idempotent."""
        self._loss = StreamError("this host gave the stream up", kind="aborted")
        carrier, self._carrier = self._carrier, None
        self._tail.drop()
        for task in (self._mending, self._pushing):
            if task is not None:
                _ = task.cancel()
        self._found.set()
        if carrier is not None:
            carrier.abort(code)

    # -- inside -----------------------------------------------------------------------------------

    def _take(self, carrier: Stream, status: Status) -> None:
        """Go on by a way that is open."""
        self._can_resume = status.exit is not None
        self._opening = msgspec.structs.replace(self._opening, exit=status.exit)
        self._carrier = carrier
        self._found.set()
        carrier.watch(partial(self._lose, carrier))

    async def _way(self) -> Stream:
        while self._carrier is None:
            if self._loss is not None:
                raise self._loss
            self._found.clear()
            _ = await self._found.wait()
        return self._carrier

    async def _ready(self, idle_s: float) -> Stream:
        """Return a way that has all that was written, once the connection has all that came."""
        while True:
            if self._rest and self._connection is not None:
                said, self._rest = bytes(self._rest), bytearray()
                async with within(idle_s, "room at the program"):
                    await TcpEnd(self._connection).write(said)
                continue
            async with within(idle_s, "room on the way to the server"), self._writing:
                carrier = await self._way()
                await self._push(idle_s)
            if carrier is self._carrier and not self._rest:
                return carrier

    def _leave(self, carrier: Stream, error: StreamError) -> None:
        """Look for another way, unless that was done or is of no use."""
        self._lose(carrier, error)
        if carrier is self._carrier:
            raise error

    def _lose(self, carrier: Stream, loss: StreamError) -> None:
        if carrier is not self._carrier or not self._can_resume or loss.kind not in LOSSES:
            return
        if carrier is self._joined and not self._take_back(carrier):
            return
        rest, is_ended = carrier.received()
        carrier.abort()
        self._rest += rest
        self._has += len(rest)
        self._is_ended = self._is_ended or is_ended
        if not (self._is_ended and self._is_finished):
            self._carrier = None
            for_s = EXIT_S if carrier.peer == self._opening.exit else RESUME_S
            self._mending = asyncio.get_running_loop().create_task(self._mend(loss, for_s))

    def _take_back(self, carrier: Stream) -> bool:
        """Take the connection from a way that is lost; say whether it is still of use."""
        left = carrier.leave()
        if left is None:
            return False
        self._joined, self._connection = None, socket.socket(fileno=left.descriptor)
        self._has += left.there_bytes
        self._rest += left.unsent
        self._tail.skip(left.back_bytes - len(left.tail))
        self._tail.add(left.tail)
        return True

    async def _mend(self, loss: StreamError, for_s: float) -> None:
        """Ask the exit by whatever node is up, again and again for some time."""
        found: tuple[Stream, Status] | EiError | None = None
        with suppress(TimeoutError):
            async with asyncio.timeout(for_s):
                while (found := await self._ask()) is None:
                    with suppress(DeadlineError):
                        await self._host.moved(deadline_s=PAUSE_S)
        if isinstance(found, tuple) and self._tail.start <= found[1].taken <= self._tail.end:
            stream, status = found
            self.resumed += 1
            self._placed = status.taken
            self._is_finished = False
            self._take(stream, status)
            self._pushing = asyncio.get_running_loop().create_task(self._push_on())
            return
        if isinstance(found, tuple):
            found[0].abort()
        self._loss = loss
        self._tail.drop()
        self._found.set()

    async def _ask(self) -> tuple[Stream, Status] | EiError | None:
        """Return another way, or the error after which there will be none; `None`: not yet."""
        opening = msgspec.structs.replace(self._opening, has=self._has)
        try:
            return await begin(self._host, opening, deadline_s=TRY_S)
        except StreamError as error:
            return error if error.kind in FINAL else None
        except (PeerError, DeadlineError, UnreachableError, NotFoundError, LimitError):
            return None
        except EiError as error:
            return error

    async def _push(self, deadline_s: float) -> None:
        """Write what the way has not."""
        while self._placed < self._tail.end:
            carrier = await self._way()
            start = self._placed
            piece = self._tail.piece(start, PIECE_BYTES)
            try:
                await carrier.write(piece, deadline_s=deadline_s)
            except StreamError as error:
                self._leave(carrier, error)
                continue
            if carrier is self._carrier:
                self._placed = start + len(piece)

    async def _finish(self, deadline_s: float) -> None:
        while not self._is_finished:
            await self._push(deadline_s)
            carrier = await self._way()
            try:
                await carrier.finish(deadline_s=deadline_s)
            except StreamError as error:
                if error.kind not in TAKEN_ALREADY:
                    self._leave(carrier, error)
                    continue
            self._is_finished = carrier is self._carrier

    async def _push_on(self) -> None:
        """Write what was lost on the way, also if nobody writes just now."""
        with suppress(EiError):  # whoever reads or writes is told
            async with self._writing:
                await self._push(PATIENCE_S)
                if self._is_finishing:
                    await self._finish(PATIENCE_S)
