"""How fast much is, and how soon the first byte, beside termination by the same two nodes."""

import asyncio
import os
from collections.abc import AsyncIterator
from functools import partial
from statistics import median

from ei.lab.borrowed import find_program
from ei.lab.foreign import environ_of
from ei.lab.promises import Promise, promise, unsupported
from ei.scenarios.relay.ground import EXIT, World
from ei.scenarios.termination.foreign import Programs
from ei.scenarios.termination.servers import pieces
from ei.services.relay.client import PrivateRelay
from ei.services.termination.client import open_legacy
from ei.ways.dialing import HostDialler
from ei.ways.ends import End, StreamEnd
from ei.ways.private import PrivateDialler

ROUNDS = 5
AT_ONCE = 4
"""One stream alone is held by its window, not by what carries it."""
MUCH = {"netns": 20_000_000, "processes": 10_000_000}
"""Between processes a program in Python makes the links."""
ASKS = 40
SHARE_LIMIT = 0.6
BETWEEN_NODES_MS = 10.0
"""A round trip; the links between domains take half of it each way."""
SLACK_MS = 5.0


async def compared(world: World) -> AsyncIterator[Promise]:
    """Fetch much by both ways in turns, then little."""
    much = MUCH[world.lab.backend]
    what = (
        f"{much // 1_000_000} MB by curl and the relay, share of the rate of termination by the"
        " same two nodes"
    )
    async with world.relaying(exit=EXIT) as relay:
        _ = await world.ready(relay)
        if find_program("curl") is None:
            yield unsupported(f"{what}; apt-get install curl", ">=", SHARE_LIMIT)
        else:
            rounds = await rates(world, relay, much)
            # Within a round: the machine has slower minutes.
            share = median(by_relay / max(by_two, 1e-9) for by_relay, by_two in rounds)
            is_valid = all(by_two for _, by_two in rounds)
            yield promise(what, round(share, 2), ">=", SHARE_LIMIT, baseline=1.0, is_valid=is_valid)
            by_relay, by_two = (round(median(each), 1) for each in zip(*rounds, strict=True))
            yield promise("that rate", by_relay, ">=", 0.1, unit="MB/s", baseline=by_two)
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


async def rates(world: World, relay: PrivateRelay, much: int) -> list[tuple[float, float]]:
    """Return MB/s by the relay and without, measured after one another in each round."""
    private = PrivateDialler(relay, lambda: world.quince.records)
    plain = HostDialler(world.quince, exit=world.quince.find(EXIT))
    answer = partial(answer_much, much=much)
    rounds: list[tuple[float, float]] = []
    async with (
        world.proxy(private) as one,
        world.proxy(plain) as other,
        await asyncio.start_server(answer, sock=world.ground.listener()) as server,
    ):
        page = f"http://{world.ground.web}:{server.sockets[0].getsockname()[1]}/"
        for _ in range(ROUNDS):
            by_two = await fetched(world, other, page, much)
            rounds.append((await fetched(world, one, page, much), by_two))
    return rounds


async def fetched(world: World, proxy: str, page: str, much: int) -> float:
    """Fetch a page some times at once by curl and a proxy; return MB/s, 0 if some is missing."""
    programs = Programs(environ_of(world.lab), world.ground)
    form = ("-sS", "-o", os.devnull, "-w", "%{size_download}", "-x", f"http://{proxy}")
    began_s = world.lab.now_s()
    sizes = await asyncio.gather(*(programs.run("curl", *form, page) for _ in range(AT_ONCE)))
    taken_s = world.lab.now_s() - began_s
    return much / taken_s / 1e6 if sum(map(int, sizes)) == much else 0.0


async def answer_much(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, much: int
) -> None:
    """Answer one request of HTTP with its share of much."""
    _ = await reader.readuntil(b"\r\n\r\n")
    count = much // AT_ONCE
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {count}\r\nConnection: close\r\n\r\n"
    writer.write(head.encode())
    for piece in pieces(count):
        writer.write(piece)
        await writer.drain()
    writer.close()


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
