"""Carries bytes between two ends, both ways, until both directions have ended.

Between a stream and a TCP connection they go natively, between others by this program.

What one end does not take is not read from the other, so a slow reader slows whoever writes to it,
and no more than one piece of each direction waits here. An end of one direction is passed on and
leaves the other direction open.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from ei.errors import DeadlineError, EiError, StreamError
from ei.host.stream_codes import IDLE, LOST
from ei.ways.ends import End, StreamEnd, TcpEnd

PIECE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Pumped:
    """What came of it.

    Attributes:
        there_bytes: From the first end to the second.
        back_bytes: From the second to the first.
        ending: `ended`, `deadline` after too long without a byte, or the word of what broke.
        text: What broke, as a sentence; else empty.
    """

    there_bytes: int
    back_bytes: int
    ending: str
    text: str = ""


async def pump(a: End, b: End, *, idle_s: float, early: bytes = b"") -> Pumped:
    """Carry everything from `a` to `b` and from `b` to `a`; both are closed or given up after it.

    Args:
        early: What came from `a` before.
        idle_s: So long may pass without a byte, both ways together.
    """
    if isinstance(a, StreamEnd) and isinstance(b, TcpEnd):
        return await _join(a, b, idle_s=idle_s, said=early, to=b)
    if isinstance(a, TcpEnd) and isinstance(b, StreamEnd):
        came = await _join(b, a, idle_s=idle_s, said=early, to=b)
        return replace(came, there_bytes=came.back_bytes, back_bytes=came.there_bytes)
    return await _relay(a, b, idle_s=idle_s, early=early)


async def _join(
    there: StreamEnd, here: TcpEnd, *, idle_s: float, said: bytes, to: StreamEnd | TcpEnd
) -> Pumped:
    """Join a stream to a connection, after what one of them is still to be told."""
    stream = there.stream
    ending, text, code = "deadline", "", IDLE
    counts = [0, 0]
    counts[to is there] = len(said)
    try:
        async with asyncio.timeout(idle_s):
            await to.write(said)
        await stream.carry(here.give(), idle_s=idle_s)
        ending = "ended"
    except (TimeoutError, DeadlineError):
        pass
    except EiError as broke:
        ending, text, code = getattr(broke, "kind", "lost"), str(broke), LOST
    finally:
        with suppress(StreamError):
            carried = stream.carried()
            counts[0] += carried.there_bytes
            counts[1] += carried.back_bytes
        stream.part(is_reset=ending != "ended")
        if ending != "ended":
            here.abort(code)
            there.abort(code)
    return Pumped(counts[0], counts[1], ending, text)


async def _relay(a: End, b: End, *, idle_s: float, early: bytes) -> Pumped:
    loop = asyncio.get_running_loop()
    scope = asyncio.timeout(idle_s)
    counts = {"there": 0, "back": 0}

    def moved(way: str, length: int) -> None:
        counts[way] += length
        if not scope.expired():
            scope.reschedule(loop.time() + idle_s)

    ending, text, code = "deadline", "", IDLE
    try:
        async with scope:
            broke = await _both(a, b, moved, early)
            if broke is None:
                ending = "ended"
            else:
                ending, text, code = getattr(broke, "kind", "lost"), str(broke), LOST
    except TimeoutError:
        if not scope.expired():
            raise
    finally:
        if ending != "ended":
            a.abort(code)
            b.abort(code)
    if ending == "ended":
        _ = await asyncio.gather(a.close(), b.close())
    return Pumped(counts["there"], counts["back"], ending, text)


async def _both(a: End, b: End, moved: Callable[[str, int], None], early: bytes) -> EiError | None:
    """Carry both directions to their ends; return what broke one of them."""
    try:
        async with asyncio.TaskGroup() as group:
            _ = group.create_task(_carry(a, b, lambda length: moved("there", length), early))
            _ = group.create_task(_carry(b, a, lambda length: moved("back", length)))
    except ExceptionGroup as lost:
        broke = next((each for each in lost.exceptions if isinstance(each, EiError)), None)
        if broke is None:
            raise
        return broke
    return None


async def _carry(source: End, to: End, moved: Callable[[int], None], early: bytes = b"") -> None:
    while piece := early or await source.read(PIECE_BYTES):
        early = b""
        moved(len(piece))
        await to.write(piece)
    moved(0)
    await to.finish()
