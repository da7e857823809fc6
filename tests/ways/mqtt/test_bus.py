"""What the gateway needs of pubsub its stand-in in memory does; `test_exchange` has pubsub."""

import asyncio

from tests.ways.mqtt.memory import MemoryBus

from ei.lab.clock import VirtualClock, run_virtual
from ei.ways.mqtt.bus import Bus


def test_a_stand_in_is_a_bus() -> None:
    async def main(_clock: VirtualClock) -> None:
        bus: Bus = MemoryBus()
        async with bus.subscribe("a/+", name="n", is_retained=False, queue=1) as feed:
            await bus.keep("a/b", b"1", b"")
            arrived = await feed.receive()
        async with bus.subscribe("a/+", name="n", is_retained=False, queue=1) as feed:
            again = await feed.receive()
            feed.acknowledge(again)
        await bus.forget("n")
        await asyncio.sleep(0)

        assert again == arrived
        assert arrived.mark

    run_virtual(main)
