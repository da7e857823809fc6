"""Who is stuck takes nothing; a window of load is measured all the same."""

import asyncio
import os
import time

import pytest

from ei.scenarios.pubsub.ground import grounded
from ei.scenarios.pubsub.stuck import consuming
from ei.services.pubsub.client import open_pubsub

pytestmark = pytest.mark.slow


def test_others_get_their_messages_beside_one_who_is_stuck() -> None:
    async def program() -> bytes:
        async with grounded(["alice", "carol", "frozen"], os.environ, unix_s=time.time()) as ground:
            await ground.start(preloads={})
            async with (
                ground.host("alice.pubsub") as alice,
                ground.host("carol.pubsub") as carol,
                open_pubsub(alice) as bus,
                open_pubsub(carol) as sleeper,
                bus.subscribe("a") as mine,
                consuming(ground, os.environ, sleeper, is_stuck=True),
            ):
                _ = await bus.keep("a", b"kept")
                return (await mine.receive()).data

    assert asyncio.run(program()) == b"kept"
