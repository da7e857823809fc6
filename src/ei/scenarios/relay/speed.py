"""How fast much is, and how soon the first byte, beside termination by the same two nodes."""

import asyncio
from collections.abc import AsyncIterator
from statistics import median

from ei.lab.promises import Promise, promise
from ei.scenarios.relay.ground import EXIT, World
from ei.services.relay.client import PrivateRelay
from ei.services.termination.client import open_legacy
from ei.ways.dialing import HostDialler
from ei.ways.ends import End, StreamEnd
from ei.ways.private import PrivateDialler

ROUNDS = 3
MUCH = {"netns": 50_000_000, "processes": 10_000_000}
"""Between processes a program in Python makes the links."""
ASKS = 40
SHARE_LIMIT = 0.6
LONG_S = 120.0
BETWEEN_NODES_MS = 10.0
"""A round trip; the links between domains take half of it each way."""
SLACK_MS = 5.0


async def compared(world: World) -> AsyncIterator[Promise]:
    """Fetch much by both ways in turns, then little."""
    much = MUCH[world.lab.backend]
    async with world.relaying(exit=EXIT) as relay:
        _ = await world.ready(relay)
        private = PrivateDialler(relay, lambda: world.quince.records)
        plain = HostDialler(world.quince, exit=world.quince.find(EXIT))
        rates: dict[str, list[float]] = {"relay": [], "plain": []}
        for _ in range(ROUNDS):
            rates["plain"].append(await fetched(world, plain, much))
            rates["relay"].append(await fetched(world, private, much))
        by_relay, by_two = median(rates["relay"]), median(rates["plain"])
        yield promise(
            f"{much // 1_000_000} MB by the relay, share of the rate of termination by the same two"
            " nodes",
            round(by_relay / by_two, 2),
            ">=",
            SHARE_LIMIT,
            baseline=1.0,
        )
        yield promise(
            "that rate", round(by_relay, 1), ">=", 0.1, unit="MB/s", baseline=round(by_two, 1)
        )
        private_ms, plain_ms = list[float](), list[float]()
        for _ in range(ASKS):
            plain_ms.append(await asked_plainly(world))
            private_ms.append(await asked_privately(world, relay))
    yield promise(
        f"first byte by the relay, median of {ASKS}",
        round(median(private_ms), 1),
        "<=",
        round(median(plain_ms) + BETWEEN_NODES_MS + SLACK_MS, 1),
        unit="ms",
        baseline=round(median(plain_ms), 1),
    )


async def fetched(world: World, dialler: HostDialler | PrivateDialler, much: int) -> float:
    """Fetch much by a dialler; return MB/s, 0 if what came is not what was sent."""
    end: End = await dialler.dial(world.ground.web, world.server.port)
    await end.write(f"long {much}\n".encode())
    began_s = world.lab.now_s()
    count = 0
    async with asyncio.timeout(LONG_S):
        while piece := await end.read():
            count += len(piece)
    taken_s = world.lab.now_s() - began_s
    end.abort()
    return count / taken_s / 1e6 if count == much else 0.0


async def asked_plainly(world: World) -> float:
    """Ask for little by termination; return after how many milliseconds the first byte is there."""
    began_s = world.lab.now_s()
    stream = await open_legacy(
        world.quince,
        world.ground.web,
        world.server.port,
        exit=world.quince.find(EXIT),
        first=b"give 1000\n",
    )
    return await _first_ms(world, StreamEnd(stream), began_s)


async def asked_privately(world: World, relay: PrivateRelay) -> float:
    """As `asked_plainly`, by a circuit that is up."""
    began_s = world.lab.now_s()
    return await _first_ms(world, StreamEnd(await world.opened(relay, "give 1000")), began_s)


async def _first_ms(world: World, end: End, began_s: float) -> float:
    _ = await end.read()
    taken_ms = (world.lab.now_s() - began_s) * 1_000
    end.abort()
    return taken_ms
