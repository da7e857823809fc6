"""One token takes what it can get, by many streams at once; what another one gets is its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from ei.errors import EiError
from ei.lab.promises import Promise, promise
from ei.scenarios.relay.ground import CAROL, SLOW_EXIT, World
from ei.services.relay.client import PrivateRelay

TOKEN_BYTES_PER_S = 1_000_000
BURST_BYTES = 250_000
"""Of `SLOW_EXIT`, in the topology."""
STREAMS = 16
LOOK_S = 3.0
WARM_S = 1.0
OVER = 1.1
SHARE_LIMIT = 0.8


class Taker:
    """Takes all that comes by streams of one relay, and counts it."""

    def __init__(self, world: World, relay: PrivateRelay) -> None:
        self._world = world
        self._relay = relay
        self.count = 0

    async def take(self) -> None:
        """Take of one stream until cancelled."""
        stream = await self._world.opened(self._relay, "flood")
        try:
            with suppress(EiError):
                while piece := await stream.read():
                    self.count += len(piece)
        finally:
            stream.abort()

    async def rate(self) -> float:
        """Return bytes a second, from now on for some seconds."""
        before, began_s = self.count, self._world.lab.now_s()
        await self._world.lab.sleep(LOOK_S)
        return (self.count - before) / (self._world.lab.now_s() - began_s)


async def abused(world: World) -> AsyncIterator[Promise]:
    """Have carol take by one stream, alone and beside quince, who takes by many."""
    async with (
        world.relaying(exit=SLOW_EXIT) as abusive,
        world.relaying(CAROL, exit=SLOW_EXIT) as modest,
    ):
        _ = await world.ready(abusive)
        _ = await world.ready(modest)
        abuser, other = Taker(world, abusive), Taker(world, modest)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(other.take())]
            await world.lab.sleep(WARM_S)
            alone = await other.rate()
            tasks += [group.create_task(abuser.take()) for _ in range(STREAMS)]
            await world.lab.sleep(WARM_S)
            both = await asyncio.gather(abuser.rate(), other.rate())
            for task in tasks:
                _ = task.cancel()
    yield promise(
        f"what a token worth {TOKEN_BYTES_PER_S / 1e6:g} MB/s carries by {STREAMS} streams at once",
        round(both[0] / 1e6, 2),
        "<=",
        round(TOKEN_BYTES_PER_S * OVER / 1e6 + BURST_BYTES / LOOK_S / 1e6, 2),
        unit="MB/s",
        is_valid=both[0] > TOKEN_BYTES_PER_S / 2,
    )
    yield promise(
        "what another token carries meanwhile, share of what it carries alone",
        round(both[1] / alone, 2),
        ">=",
        SHARE_LIMIT,
        baseline=1.0,
        is_valid=alone > TOKEN_BYTES_PER_S / 4,
    )
