"""Messages that are kept: published at a rate, read by somebody, and what that proves."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise

from ei.errors import DeadlineError
from ei.services.pubsub.client import PubSub, Subscription

TICK_S = 0.005
AT_ONCE = 1_000
"""Publishes that wait for their acknowledgement; with more the rate is not kept up."""
KEEP_LIMIT_S = 30.0
QUIET_S = 2.0
STAMP_BYTES = 8
NUMBER_BYTES = 8


@dataclass(slots=True)
class Kept:
    """What a publisher was told, and a reader has read.

    Attributes:
        acknowledged: Numbers, in the order of the acknowledgements.
        published: How many were begun.
        read: Numbers, as they came.
        waits_s: From the publish to the reader.
        seconds: How long it was published.
    """

    acknowledged: list[int] = field(default_factory=list[int])
    published: int = 0
    read: list[int] = field(default_factory=list[int])
    waits_s: list[float] = field(default_factory=list[float])
    seconds: float = 0.0

    @property
    def lost(self) -> int:
        """Acknowledged, and not read."""
        return len(set(self.acknowledged) - set(self.read))

    @property
    def misplaced(self) -> int:
        """Read after a later one, or twice."""
        return sum(before >= after for before, after in pairwise(self.read))


async def publish(  # noqa: PLR0913 what, how much, where to
    bus: PubSub,
    kept: Kept,
    subjects: tuple[str, ...],
    *,
    per_s: float,
    seconds: float,
    data_bytes: int = 100,
    at_once: int = AT_ONCE,
) -> None:
    """Publish at a rate; return when all is acknowledged, or was given up."""
    loop = asyncio.get_running_loop()
    began_s, first = loop.time(), kept.published
    room = asyncio.Semaphore(at_once)
    padding = bytes(data_bytes - NUMBER_BYTES - STAMP_BYTES)

    async def one(number: int) -> None:
        stamp = int(loop.time() * 1e9).to_bytes(STAMP_BYTES, "little")
        data = number.to_bytes(NUMBER_BYTES, "little") + stamp + padding
        try:
            _ = await bus.keep(subjects[number % len(subjects)], data, deadline_s=KEEP_LIMIT_S)
            kept.acknowledged.append(number)
        except DeadlineError:
            pass  # it may be there or not
        finally:
            room.release()

    async with asyncio.TaskGroup() as tasks:
        while (now_s := loop.time()) < began_s + seconds:
            while kept.published - first < (now_s - began_s) * per_s and not room.locked():
                _ = await room.acquire()
                _ = tasks.create_task(one(kept.published))
                kept.published += 1
            await asyncio.sleep(TICK_S)
    kept.seconds += loop.time() - began_s


@asynccontextmanager
async def read(
    subscription: Subscription, kept: Kept, *, quiet_s: float = QUIET_S
) -> AsyncGenerator[None]:
    """Read all that comes, until the block has ended and nothing came for a while."""
    loop = asyncio.get_running_loop()
    last_s = loop.time()

    async def take() -> None:
        nonlocal last_s
        async for message in subscription:
            last_s = loop.time()
            number, sent_ns = unpack(message.data)
            kept.read.append(number)
            kept.waits_s.append(last_s - sent_ns / 1e9)
            subscription.acknowledge(message)

    async with asyncio.TaskGroup() as tasks:
        taking = tasks.create_task(take())
        try:
            yield
            while kept.lost:
                if loop.time() > last_s + quiet_s:
                    break
                await asyncio.sleep(TICK_S)
        finally:
            _ = taking.cancel()


def unpack(data: bytes) -> tuple[int, int]:
    """Return the number of a message, and when it was sent, in ns."""
    number = int.from_bytes(data[:NUMBER_BYTES], "little")
    return number, int.from_bytes(data[NUMBER_BYTES : NUMBER_BYTES + STAMP_BYTES], "little")


def p99(waits: list[float] | tuple[float, ...]) -> float:
    """Return the 99th percentile; 0 of nothing."""
    return sorted(waits)[int(len(waits) * 0.99)] if waits else 0.0
