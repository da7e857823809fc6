"""Relay: two operators carry what a host asks for; what each may know is all that it knows."""

import asyncio
from collections.abc import AsyncIterator
from random import Random

from ei.lab.lab import Lab
from ei.lab.process_lab import ProcessLab
from ei.lab.promises import Promise, promise, unsupported
from ei.scenarios.relay.abusing import abused
from ei.scenarios.relay.dying import died
from ei.scenarios.relay.ground import World
from ei.scenarios.relay.knowing import known
from ei.scenarios.relay.links import links_of_fresh_tokens
from ei.scenarios.relay.programs import by_programs
from ei.scenarios.relay.speed import compared
from ei.scenarios.relay.spending import of_one_operator, rotated, spent_twice
from ei.scenarios.termination.ground import Ground
from ei.scenarios.termination.servers import serving
from ei.testing.linking import CERTAIN

BACKENDS = ("netns", "processes")
TOKENS = 10_000


async def run(lab: Lab) -> AsyncIterator[Promise]:
    """Browse, measure, break the rules, and kill what carries it."""
    if not isinstance(lab, ProcessLab):
        yield unsupported("servers of the legacy Internet are reached", "==", limit=True)
        return
    ground = await Ground.of(lab)
    async with serving(ground.listener()) as server:
        world = World(lab, ground, server)
        for part in (
            known(world),  # before anybody tells a node what for
            compared(world),
            of_one_operator(world),
            spent_twice(world),
            rotated(world),
            abused(world),
            died(world),
            by_programs(world),
        ):
            async for each in part:
                yield each
    yield await unlinked(lab.seed)


async def unlinked(seed: int) -> Promise:
    """Hold what an issuer saw of many tokens against what is shown of them."""
    link = await asyncio.to_thread(links_of_fresh_tokens, TOKENS, Random(seed))
    return promise(
        f"issuer cannot link: the strongest of all links between {TOKENS:,} tokens as signed and as"
        " shown, in standard deviations",
        round(link.deviation, 2),
        "<=",
        CERTAIN,
    )
