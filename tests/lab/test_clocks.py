"""Wall clocks that are an hour wrong, from the start or all at once, cost nobody a packet."""

import asyncio

import pytest

from ei.lab.clock import VirtualClock, run_virtual
from ei.lab.fixture import run_simulated
from ei.lab.load import carry, ping_pairs, until
from ei.lab.simulation import Simulation
from ei.lab.topology_file import parse_topology

HOUR_S = 3_600
TOPOLOGY = parse_topology(
    """
version = 1
services = ["delivery"]
[domains.isp-a.nodes.sn1]
[domains.isp-a.nodes.sn2]
[domains.isp-a.hosts.alice]
nodes = ["sn1", "sn2"]
[domains.isp-b.nodes.sn1]
[domains.isp-b.hosts.bob]
nodes = ["sn1"]
""",
    name="clocks",
)
JUMPS = pytest.mark.parametrize("jump_s", [HOUR_S, -HOUR_S])


async def lost_pings(lab: Simulation, count: int) -> int:
    lost = 0
    for _ in range(count):
        (ping,) = await ping_pairs(lab, [("alice", "bob")], deadline_s=0.5)
        lost += ping.round_trip_s is None
    return lost


@JUMPS
def test_the_clock_of_a_node_that_jumps_an_hour_and_back_costs_no_packet(jump_s: int) -> None:
    async def script(lab: Simulation) -> None:
        losing = asyncio.create_task(lost_pings(lab, 400))
        for node in lab.topology.nodes:
            await lab.sleep(0.2)
            await lab.skew_clock(node, jump_s)
            await lab.sleep(0.2)
            await lab.skew_clock(node, 0)

        assert await losing == 0
        for node in lab.topology.nodes:
            assert all(peer.is_up for peer in (await lab.node_status(node)).peers)

    run_simulated(TOPOLOGY, script)


@JUMPS
def test_a_node_that_starts_with_a_clock_an_hour_wrong_goes_on_once_it_is_right(
    jump_s: int,
) -> None:
    async def script(lab: Simulation) -> None:
        await lab.kill("sn1.isp-b")
        await lab.skew_clock("sn1.isp-b", jump_s)
        await lab.sleep(1)
        await lab.start("sn1.isp-b")

        async def is_whole() -> bool:
            statuses = [await lab.node_status(node) for node in lab.topology.nodes]
            return all(peer.is_up for status in statuses for peer in status.peers)

        # Pipes open whatever the clock says. Attachments that seem to live too long count not.
        assert await until(lab, is_whole, limit_s=20) is not None
        lost = await lost_pings(lab, 20)
        (delivery,) = (await lab.node_status("sn1.isp-b")).services
        assert (lost == 0) == (delivery.dropped == {})
        assert lost == 0 or delivery.dropped["unknown_destination"] > 0

        await lab.skew_clock("sn1.isp-b", 0)

        async def is_reached() -> bool:
            return await lost_pings(lab, 1) == 0

        assert await until(lab, is_reached, limit_s=10) is not None
        assert await lost_pings(lab, 20) == 0

    run_simulated(TOPOLOGY, script)


@JUMPS
def test_a_host_whose_clock_is_an_hour_wrong_attaches_and_talks(jump_s: int) -> None:
    async def program(clock: VirtualClock) -> None:
        lab = Simulation(clock, TOPOLOGY, seed=1)
        await lab.skew_clock("alice", jump_s)
        await lab.open()

        assert await lost_pings(lab, 20) == 0
        assert await carry(lab.host("bob"), lab.host("alice"), b"x" * 100_000) == b"x" * 100_000
        lab.close()

    run_virtual(program)
