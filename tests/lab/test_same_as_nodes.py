"""C16: what hosts of a simulated lab see is what hosts of real node processes see."""

import asyncio
from collections.abc import Mapping

import pytest
from tests.scenarios.conftest import environ

from ei.lab.fixture import run_simulated
from ei.lab.lab import Lab
from ei.lab.process_lab import ProcessLab
from ei.lab.topology_file import parse_topology

__all__ = ["environ"]

TOPOLOGY = parse_topology(
    """
    version = 1
    services = ["delivery", "echo"]
    [domains.isp-a.nodes.sn1]
    [domains.isp-a.hosts.alice]
    nodes = ["sn1"]
    [domains.isp-b.nodes.sn1]
    [domains.isp-b.hosts.bob]
    nodes = ["sn1"]
    """,
    name="same",
)
PORT = 7
LIMIT_S = 10.0
SIZES = (0, 1, 100, 1_000, 1_100)
HOSTS = ("alice.isp-a", "bob.isp-b")
Seen = tuple[str, str, bytes]


async def exchange(lab: Lab) -> list[Seen]:
    """Let both hosts send one another datagrams; return what came, from whom, with its receipt."""
    seen: list[Seen] = []
    for sender, receiver in (HOSTS, HOSTS[::-1]):
        with (
            lab.host(receiver).datagrams(PORT) as inbox,
            lab.host(sender).datagrams() as channel,
        ):
            for number, size in enumerate(SIZES):
                content = bytes([number]) * size
                receipt = await channel.send(receiver, content, port=PORT, deadline_s=LIMIT_S)
                datagram = await inbox.receive(deadline_s=LIMIT_S)
                source = lab.host(receiver).records.name_of(datagram.source)
                seen.append((source, receipt.outcome, datagram.data))
    return seen


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_c16_hosts_of_a_lab_see_what_hosts_of_nodes_see(environ: Mapping[str, str]) -> None:
    async def run() -> list[Seen]:
        lab = ProcessLab(TOPOLOGY, seed=1, backend="processes", environ=environ)
        try:
            await lab.open()
            return await exchange(lab)
        finally:
            await lab.close()

    simulated, real = run_simulated(TOPOLOGY, exchange), asyncio.run(run())

    assert real == simulated
    assert [outcome for _, outcome, _ in real] == ["delivered"] * 2 * len(SIZES)
