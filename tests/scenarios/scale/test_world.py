"""Routers on the lab's clock find their ways, and find others when a pipe is cut."""

import asyncio
from itertools import pairwise

from ei.lab.clock import VirtualClock, run_virtual
from ei.routing import Memo
from ei.scenarios.scale.internet import make_internet
from ei.scenarios.scale.world import UNIX_S, World


def test_every_domain_is_reached_and_again_after_a_cut() -> None:
    async def program(clock: VirtualClock) -> None:
        internet = make_internet(12, seed=1, unix_s=UNIX_S)
        world = World(clock, internet, memo=Memo(limit=10_000), seed=1)
        world.open_pipes()
        await asyncio.sleep(5.0)
        began_s = world.changed_s
        pairs = [(a, b) for a in world.routers for b in world.routers]
        assert all(world.path(a, b) is not None for a, b in pairs)

        providers = {edge.other: edge for edge in internet.transit}
        several = [
            each for each in providers if sum(edge.other == each for edge in internet.transit) > 1
        ]
        edge = providers[several[0]]
        world.cut_pipe(edge.one, edge.other)
        await asyncio.sleep(5.0)

        assert world.changed_s > began_s
        walks = [world.path(a, b) for a, b in pairs]
        assert all(walk is not None for walk in walks)
        steps = {frozenset(step) for walk in walks if walk for step in pairwise(walk)}
        assert frozenset((edge.one, edge.other)) not in steps
        assert world.node(1) in world.domains
        assert world.unix_s - UNIX_S == world.now_s - 1.0

    run_virtual(program)


def test_what_was_sent_over_a_pipe_that_is_cut_does_not_arrive() -> None:
    async def program(clock: VirtualClock) -> None:
        internet = make_internet(12, seed=1, unix_s=UNIX_S)
        world = World(clock, internet, memo=Memo(limit=10_000), seed=1)
        edge = internet.edges[0]
        world.open_pipe(edge.one, edge.other, delay_s=0.5)

        world.cut_pipe(edge.one, edge.other)
        await asyncio.sleep(2.0)

        assert world.routers[edge.one].statistics().received_messages == 0
        assert world.path(edge.one, edge.other) is None

    run_virtual(program)
