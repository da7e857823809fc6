"""Datagrams of one program to the legacy Internet: a stream of termination for each place.

    length u16 little-endian | datagram        both ways

A place that is sent to is forgotten after a minute in which nothing came or went.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from ei.daemons.log import Log
from ei.errors import EiError
from ei.ways.ends import End

MAX_PLACES = 64
"""Of one program, at a time."""
MAX_WAITING = 64
"""Datagrams for a place that is not connected yet, or does not keep up."""
MAX_BYTES = 65_507
IDLE_S = 60.0
LENGTH_BYTES = 2


class DialDatagrams(Protocol):
    """Opens the stream to a place."""

    async def __call__(self, host: str, port: int) -> End:
        """Return the stream."""
        ...


class LegacyDatagrams:
    """Carries them while the group of its owner lasts.

    Args:
        hand: Takes what comes back: host, port and datagram.
    """

    def __init__(
        self,
        dial: DialDatagrams,
        hand: Callable[[str, int, bytes], None],
        group: asyncio.TaskGroup,
        *,
        log: Log,
    ) -> None:
        self._dial = dial
        self._hand = hand
        self._group = group
        self._log = log
        self._queues: dict[tuple[str, int], asyncio.Queue[bytes]] = {}

    def __len__(self) -> int:
        return len(self._queues)

    def send(self, host: str, port: int, data: bytes) -> bool:
        """Send a datagram; return whether it was taken: places and what waits have bounds."""
        place = (host, port)
        queue = self._queues.get(place)
        if queue is None and len(self._queues) < MAX_PLACES:
            queue = self._queues[place] = asyncio.Queue(MAX_WAITING)
            _ = self._group.create_task(self._carry(host, port, queue))
        if queue is None or queue.full() or len(data) > MAX_BYTES:
            return False
        queue.put_nowait(data)
        return True

    async def _carry(self, host: str, port: int, queue: asyncio.Queue[bytes]) -> None:
        try:
            end = await self._dial(host, port)
            try:
                await self._both(end, host, port, queue)
            finally:
                end.abort()
        except* EiError as broken:
            reason = str(broken.exceptions[0])
            self._log.warn("datagrams not carried", to=f"{host}:{port}", reason=reason)
        finally:
            del self._queues[(host, port)]

    async def _both(self, end: End, host: str, port: int, queue: asyncio.Queue[bytes]) -> None:
        loop = asyncio.get_running_loop()
        scope = asyncio.timeout(IDLE_S)

        def moved() -> None:
            if not scope.expired():
                scope.reschedule(loop.time() + IDLE_S)

        try:
            async with scope, asyncio.TaskGroup() as group:
                sending = group.create_task(_send(queue, end, moved))
                await self._return(host, port, end, moved)
                _ = sending.cancel()
        except TimeoutError:
            if not scope.expired():
                raise

    async def _return(self, host: str, port: int, end: End, moved: Callable[[], None]) -> None:
        known = b""
        while piece := await end.read():
            moved()
            known += piece
            while (data := _first(known)) is not None:
                known = known[LENGTH_BYTES + len(data) :]
                self._hand(host, port, data)


async def _send(queue: asyncio.Queue[bytes], end: End, moved: Callable[[], None]) -> None:
    while True:
        data = await queue.get()
        moved()
        await end.write(len(data).to_bytes(LENGTH_BYTES, "little") + data)


def _first(known: bytes) -> bytes | None:
    """Return the datagram with which the bytes begin, once all of it is there."""
    end = LENGTH_BYTES + int.from_bytes(known[:LENGTH_BYTES], "little")
    return known[LENGTH_BYTES:end] if LENGTH_BYTES <= len(known) >= end else None
