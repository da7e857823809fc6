"""A node of the scenario's own: it starts again on what it left, and leaves nothing behind."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from ei.errors import LocalError
from ei.scenarios.pubsub.ground import grounded
from ei.services.pubsub.client import HISTORY, open_pubsub

pytestmark = pytest.mark.slow


def test_what_was_kept_before_a_kill_is_there_after_it() -> None:
    async def program() -> tuple[bytes, Path]:
        async with grounded(["alice"], os.environ, unix_s=time.time()) as ground:
            await ground.start(preloads={})
            async with ground.host("alice.pubsub") as alice, open_pubsub(alice) as bus:
                _ = await bus.keep("a", b"kept")
            ground.kill()
            await ground.start(preloads={})
            async with (
                ground.host("alice.pubsub") as alice,
                open_pubsub(alice) as bus,
                bus.subscribe("a", since=HISTORY) as log,
            ):
                return (await log.receive()).data, ground.folder

    data, folder = asyncio.run(program())

    assert data == b"kept"
    assert not folder.exists()


def test_a_node_that_cannot_start_says_why() -> None:
    async def program() -> None:
        async with grounded(["alice"], os.environ, unix_s=time.time()) as ground:
            _ = (ground.folder / "n.pubsub" / "node.toml").write_text("nonsense")
            await ground.start(preloads={})

    with pytest.raises(LocalError, match="the node ended"):
        asyncio.run(program())


def test_a_node_that_was_not_started_has_no_process() -> None:
    async def program() -> None:
        async with grounded(["alice"], os.environ, unix_s=time.time()) as ground:
            with pytest.raises(LocalError, match="was not started"):
                _ = ground.pid

    asyncio.run(program())
