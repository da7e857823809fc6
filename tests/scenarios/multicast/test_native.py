"""Programs of IP multicast, as they are, behind gateways."""

import asyncio
from collections.abc import Mapping

import pytest

from ei.lab.process_lab import ProcessLab
from ei.lab.topology_file import parse_topology
from ei.scenarios.multicast.native import Native, can_run, native

TOPOLOGY = parse_topology(
    """
    version = 1
    services = ["delivery", "multicast"]
    [domains.isp-a.nodes.sn1]
    [domains.isp-a.hosts.alice]
    nodes = ["sn1"]
    [domains.isp-b.nodes.sn1]
    [domains.isp-b.hosts.bob]
    nodes = ["sn1"]
    [domains.isp-b.hosts.bea]
    nodes = ["sn1"]
    [domains.isp-a.groups.news]
    nodes = ["sn1"]
    senders = ["alice"]
    """,
    name="native",
)


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.skipif(not can_run(), reason="needs root and iperf: .ci/ground test")
def test_iperf_hears_iperf_through_us(environ: Mapping[str, str]) -> None:
    async def run() -> Native:
        lab = ProcessLab(TOPOLOGY, seed=1, backend="processes", environ=environ)
        try:
            await lab.open()
            return await native(lab, "news.isp-a", "alice.isp-a", ["bob.isp-b", "bea.isp-b"])
        finally:
            await lab.close()

    heard = asyncio.run(run())

    assert (heard.receivers, heard.lost) == (2, 0)
    assert heard.sent > 100
