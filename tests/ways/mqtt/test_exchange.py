"""pubsub itself, at a real node, is what the gateway needs."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.node.conftest import RunningNode, node_and_host, start_node

from ei.aio import connect
from ei.errors import LimitError
from ei.services.pubsub.client import open_pubsub
from ei.ways.mqtt.exchange import Exchange

__all__ = ["start_node"]
pytestmark = pytest.mark.slow


@pytest.fixture
def gate(tmp_path: Path, start_node: Callable[[Path], RunningNode]) -> Path:
    """The host.toml of a host whose node offers pubsub, and runs."""
    node = node_and_host(tmp_path, "gate", services=("delivery", "pubsub"))
    start_node(node).wait_ready()
    return tmp_path / "gate" / "host.toml"


def test_messages_come_as_they_were_published_until_they_are_acknowledged(gate: Path) -> None:
    async def script() -> None:
        async with connect(gate) as host, open_pubsub(host) as pubsub:
            bus = Exchange(pubsub, lambda: 0.0)
            await bus.keep("a/state", b"old", b"", is_retained=True)
            async with bus.subscribe("a/#", name="n", is_retained=True, queue=10) as feed:
                late = await feed.receive()
                await bus.publish("a/live", b"now", b"extra")
                live = await feed.receive()
                await bus.keep("a/kept", b"1", b"extra", publisher="p", ordinal=1)
                await bus.keep("a/kept", b"1", b"extra", publisher="p", ordinal=1)
                await bus.keep("a/kept", b"2", b"extra", publisher="p", ordinal=2)
                first, second = await feed.receive(), await feed.receive()
                feed.acknowledge(first)
            async with bus.subscribe("a/#", name="n", is_retained=False, queue=10) as feed:
                again = await feed.receive()
            await bus.forget("n")

            assert (late.message.payload, late.message.is_late) == (b"old", True)
            assert (live.message.extra, live.mark, live.message.is_kept) == (
                b"extra",
                b"",
                False,
            )
            assert [each.message.payload for each in (first, second)] == [b"1", b"2"]
            assert first.message.is_kept
            assert again.mark == second.mark != first.mark
            with pytest.raises(LimitError):
                await bus.publish("a", bytes(5_000), b"")
            with pytest.raises(LimitError):
                await bus.keep("a", bytes(70_000), b"")

    asyncio.run(script())
