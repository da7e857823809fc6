"""Nodes of a circuit die in mid-transfer: there is a new circuit, by what is left, in time.

Last, all nodes of the operator of the exit die: the next circuit goes by a third operator.
"""

from collections.abc import AsyncIterator

from ei.errors import EiError
from ei.lab.load import attach_fully, node_in_use, until
from ei.lab.promises import Promise, promise
from ei.scenarios.relay.ground import EXIT, OTHER_EXIT, World
from ei.services.relay.client import PrivateRelay

HALF = 200_000
AGAIN_LIMIT_S = 2.0
PATIENCE_S = 15.0
TRY_S = 5.0


async def died(world: World) -> AsyncIterator[Promise]:
    """Kill the exit, the first node, and all of an operator, each in the middle of an answer."""
    for what in ("exit", "first node", "operator of the exit"):
        async with world.relaying() as relay:
            _ = await world.ready(relay)
            async for each in _killed(world, relay, what, _victims(world, relay, what)):
                yield each


def _victims(world: World, relay: PrivateRelay, what: str) -> list[str]:
    if what == "first node":
        return [node_in_use(world.quince)]
    if what == "operator of the exit":
        return [EXIT, OTHER_EXIT]
    leaves = relay.status().exit
    assert leaves is not None, "a circuit has an exit"  # noqa: S101
    return [world.quince.records.name_of(leaves)]


async def _killed(
    world: World, relay: PrivateRelay, what: str, names: list[str]
) -> AsyncIterator[Promise]:
    stream = await world.opened(relay, "flood")
    got = await stream.read_exactly(HALF)
    for name in names:
        await world.lab.kill(name)
    began_s = world.lab.now_s()

    async def is_there() -> bool:
        try:
            other = await world.opened(relay, "give 1000", deadline_s=TRY_S)
            _ = await other.read_exactly(1, deadline_s=TRY_S)
        except EiError:
            return False
        other.abort()
        return True

    again_s = await until(world.lab, is_there, limit_s=PATIENCE_S, every_s=0.02)
    taken_s = None if again_s is None else round(world.lab.now_s() - began_s, 3)
    yield promise(
        f"from kill -9 of the {what} in mid-transfer to the first byte by a new circuit",
        taken_s,
        "<=",
        AGAIN_LIMIT_S,
        unit="s",
        is_valid=len(got) == HALF,
    )
    after = relay.status()
    dead = {world.quince.find(name) for name in names}
    is_moved = after.is_up and not dead & {after.node, after.exit}
    yield promise(f"the dead {what} is no part of it", is_moved, "==", limit=True)
    stream.abort()
    for name in names:
        await world.lab.start(name)
    await attach_fully(world.quince, deadline_s=PATIENCE_S)
    await attach_fully(world.lab.host("web.isp-b"), deadline_s=PATIENCE_S)
