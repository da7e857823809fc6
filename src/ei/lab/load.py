"""Traffic that scenarios make, and what is measured of it."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ei.errors import DeadlineError
from ei.host.client import Host
from ei.host.verdicts import Receipt
from ei.lab.lab import Lab

ResultT = TypeVar("ResultT")
MAX_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Ping:
    """One ping between two hosts; `round_trip_s` is `None` when it was not answered."""

    source: str
    destination: str
    round_trip_s: float | None


async def ping_pairs(
    lab: Lab, pairs: Iterable[tuple[str, str]], *, deadline_s: float = 2.0
) -> list[Ping]:
    """Ping each pair of hosts once, many at a time; return the pings in order."""

    async def one(source: str, destination: str) -> Ping:
        to = lab.host(destination)
        try:
            taken_s = await lab.host(source).ping(to.address, deadline_s=deadline_s)
        except DeadlineError:
            return Ping(source, destination, None)
        return Ping(source, destination, taken_s)

    return await gather_bounded([one(*pair) for pair in pairs])


def all_pairs(names: Iterable[str]) -> list[tuple[str, str]]:
    """Return every ordered pair of different names."""
    known = list(names)
    return [(a, b) for a in known for b in known if a != b]


async def attach_fully(host: Host, *, deadline_s: float) -> None:
    """Attach a host; return when the pipes to all its nodes are up.

    Raises:
        DeadlineError: a node did not answer.
    """
    await host.attach(deadline_s=deadline_s)
    while not all(attachment.is_up for attachment in host.status().attachments):
        await host.moved(deadline_s=deadline_s)


async def send_with_receipts(
    host: Host, to: str, *, port: int, count: int, deadline_s: float = 2.0
) -> list[Receipt]:
    """Send numbered datagrams, many at a time; return their receipts in order.

    The number is the datagram: 4 bytes, little-endian.
    """
    with host.datagrams() as channel:
        return await gather_bounded(
            [
                channel.send(to, number.to_bytes(4, "little"), port=port, deadline_s=deadline_s)
                for number in range(count)
            ]
        )


async def carry(source: Host, to: Host, content: bytes, *, deadline_s: float = 60.0) -> bytes:
    """Send `content` over a stream; return what arrived.

    Raises:
        DeadlineError, StreamError: it did not.
    """
    port = 9

    async def send() -> None:
        stream = await source.open_stream(to.address, port, deadline_s=deadline_s)
        await stream.write(content, deadline_s=deadline_s)
        await stream.finish(deadline_s=deadline_s)
        # To its end: what nobody reads is kept as long as the connection.
        _ = await stream.read_all(deadline_s=deadline_s)

    with to.accept_streams(port) as listener:
        async with asyncio.TaskGroup() as group:
            _ = group.create_task(send())
            stream = await listener.accept(deadline_s=deadline_s)
            received = await stream.read_all(limit_bytes=len(content), deadline_s=deadline_s)
            await stream.finish(deadline_s=deadline_s)
    return received


async def until(
    lab: Lab,
    holds: Callable[[], Coroutine[Any, Any, bool]],
    *,
    limit_s: float,
    every_s: float = 0.02,
) -> float | None:
    """Try `holds` again and again; return after how many seconds it was true.

    Returns:
        `None` when it was not within `limit_s`: a promise on it is then broken.
    """
    started_s = lab.now_s()
    while not await holds():
        if lab.now_s() - started_s > limit_s:
            return None
        await lab.sleep(every_s)
    return round(lab.now_s() - started_s, 3)


async def gather_bounded(
    calls: Sequence[Coroutine[Any, Any, ResultT]], *, at_once: int = MAX_AT_ONCE
) -> list[ResultT]:
    """Run `calls`, at most `at_once` at a time; return their results in order."""
    room = asyncio.Semaphore(at_once)

    async def one(call: Coroutine[Any, Any, ResultT]) -> ResultT:
        async with room:
            return await call

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(call)) for call in calls]
    except ExceptionGroup as errors:
        # Of many that failed for one cause, the first tells it.
        raise errors.exceptions[0] from errors
    finally:
        for call in calls:
            # One that was cancelled before its turn came, Python would miss.
            call.close()
    return [task.result() for task in tasks]


def node_in_use(host: Host) -> str:
    """Return the name of the node to which a host hands its packets now."""
    return next(each.node for each in host.status().attachments if each.is_used)


def fastest_ms(seconds: Iterable[float | None]) -> float | None:
    """Return the fastest in milliseconds: what the way costs when the machine does nothing else."""
    measured = [value for value in seconds if value is not None]
    return round(min(measured) * 1e3, 3) if measured else None
