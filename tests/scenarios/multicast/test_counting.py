"""What is counted of the packets that cross pipes."""

import pytest

from ei.lab.catalogue import find_topology
from ei.lab.fixture import run_simulated
from ei.lab.groups import Member, until_heard
from ei.lab.simulation import Simulation
from ei.scenarios.multicast.counting import LONG_BYTES, Crossings, count
from ei.services.multicast.client import MULTICAST


@pytest.mark.slow
def test_each_pipe_of_a_tree_carries_one_copy() -> None:
    async def script(lab: Simulation) -> Crossings:
        members = [await Member.join(lab.host(name), "news.isp-a") for name in ("a1", "c1")]
        alice = lab.host("alice")
        with alice.call(MULTICAST, metadata=bytes(alice.find("news.isp-a"))) as channel:
            assert await until_heard(lab, channel, members, limit_s=5) is not None
            async with count(lab, 10, sent=lambda: 0) as crossings:
                for _ in range(10):
                    _ = channel.send(bytes(LONG_BYTES))
                    await lab.sleep(0.01)
                await lab.sleep(0.5)
        for member in members:
            await member.close()
        return crossings

    crossings = run_simulated(find_topology("multicast"), script)

    assert (crossings.most, crossings.least) == (1.0, 1.0)
    assert 4 <= crossings.pipes <= 6
