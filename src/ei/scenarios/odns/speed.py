"""How many questions, how fast, and what becomes of them while keys change."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from statistics import median
from time import perf_counter  # noqa: TID251 what is measured is time of the machine

from ei.lab.promises import Promise, promise
from ei.scenarios.odns.asking import Performed, StubProcess, perform, stub
from ei.scenarios.odns.bind import ADDRESS, NAMES, ZONE
from ei.scenarios.odns.ground import AMBER, FAR, NEAR, Ground
from ei.services.odns.messages import ODNS

RATE_PER_S = 2_000
LOAD_S = 5.0
WARM_S = 1.0
ROTATION_S = 6.5
ROTATION_PER_S = 300
ROTATIONS = 2
TIMED = 50
HOST_RTT_S = 0.020
LINKS_RTT_S = 0.060
WAIT_S = 3.0
_QUESTION = bytes.fromhex("0007 0100 0001 0000 0000 0000")
_A_IN = bytes.fromhex("00 0001 0001")


async def loaded(ground: Ground, asking: StubProcess) -> AsyncIterator[Promise]:
    """As many questions a second as dnsperf gets answers to."""
    names = questions(ground.folder)
    environ, resolver = ground.environ, ground.resolver
    _ = await perform(asking.port, names, seconds=WARM_S, environ=environ)
    straight = await perform(resolver.port, names, seconds=WARM_S, environ=environ)
    performed = await perform(asking.port, names, seconds=LOAD_S, environ=environ)
    yield promise(
        "questions a second that dnsperf has answered, beside BIND itself",
        round(performed.per_s),
        ">=",
        RATE_PER_S,
        unit="/s",
        baseline=round(straight.per_s),
    )
    yield lost("questions lost or failed under that load", performed)


async def rotated(ground: Ground, asking: StubProcess) -> AsyncIterator[Promise]:
    """Keys change under load, by time and with a worker that dies."""
    names = questions(ground.folder)
    before = await counter(ground, "keys_renewed")
    performed = await perform(
        asking.port,
        names,
        seconds=ROTATION_S,
        most_per_s=ROTATION_PER_S,
        environ=ground.environ,
    )
    renewed = await counter(ground, "keys_renewed") - before
    yield lost(
        f"questions lost or failed while keys change {ROTATIONS} times",
        performed,
        is_valid=renewed >= ROTATIONS,
    )
    async with asyncio.TaskGroup() as group:
        load = group.create_task(
            perform(
                asking.port,
                names,
                seconds=ROTATION_S / 2,
                most_per_s=ROTATION_PER_S,
                environ=ground.environ,
            )
        )
        await ground.lab.sleep(ROTATION_S / 4)
        await ground.lab.kill_worker(NEAR, "odns")
    yield lost(
        "questions lost or failed while the target's worker dies, and all its keys with it",
        load.result(),
    )


async def delayed(ground: Ground) -> AsyncIterator[Promise]:
    """What two nodes add to links whose delay is known."""
    async with stub(ground.lab, AMBER, ground.environ, target=FAR) as asking:
        _ = await timed(asking.port, 5)
        by_two = median(await timed(asking.port, TIMED))
    straight = median(await timed(ground.resolver.port, TIMED))
    added_s = by_two - straight - LINKS_RTT_S
    yield promise(
        "median that is added to a question straight over links as long (60 ms, both ways);"
        " at most a round trip of the host to its node",
        round(added_s * 1e3, 1),
        "<=",
        HOST_RTT_S * 1e3,
        unit="ms",
        baseline=round((straight + LINKS_RTT_S) * 1e3, 1),
    )


def questions(folder: Path) -> Path:
    """Write what dnsperf asks."""
    path = folder / "questions"
    _ = path.write_text("".join(f"www{number}.{ZONE} A\n" for number in range(NAMES)))
    return path


def lost(name: str, performed: Performed, *, is_valid: bool = True) -> Promise:
    """Promise that all questions of a run had a good answer."""
    missing = performed.sent - performed.completed + performed.failed
    return promise(
        name,
        missing,
        "==",
        0,
        unit=f"of {performed.sent}",
        is_valid=is_valid and performed.sent > 0,
    )


async def counter(ground: Ground, name: str) -> int:
    """Return a counter of the service at the target."""
    status = await ground.lab.node_status(NEAR)
    counts = {each.number: each.counters for each in status.services}[ODNS]
    return counts.get(name, 0)


async def timed(port: int, count: int) -> list[float]:
    """Ask some questions, one after another; return how long each took, in seconds."""
    loop = asyncio.get_running_loop()
    took: list[float] = []
    for number in range(count):
        transport, waiting = await loop.create_datagram_endpoint(
            _Waiting, remote_addr=(ADDRESS, port)
        )
        began = perf_counter()
        transport.sendto(_question(f"www{number % NAMES}.{ZONE}"))
        try:
            async with asyncio.timeout(WAIT_S):
                _ = await waiting.answered.wait()
        finally:
            transport.close()
        took.append(perf_counter() - began)
    return took


def _question(name: str) -> bytes:
    labels = b"".join(bytes((len(label),)) + label.encode() for label in name.split("."))
    return _QUESTION + labels + _A_IN


class _Waiting(asyncio.DatagramProtocol):
    """Sets `answered` when something came."""

    def __init__(self) -> None:
        self.answered = asyncio.Event()

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.answered.set()
