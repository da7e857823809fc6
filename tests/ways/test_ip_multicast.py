"""What a gateway of multicast refuses; that it carries says `test_native.py` of the scenario."""

import asyncio
import io
import os
import socket
import tempfile
from collections.abc import Mapping

import pytest

from ei.daemons.log import Log
from ei.errors import ConfigError, LocalError
from ei.lab.catalogue import find_topology
from ei.lab.fixture import run_simulated
from ei.lab.process_lab import ProcessLab
from ei.lab.simulation import Simulation
from ei.lab.topology_file import parse_topology
from ei.services.multicast.client import send
from ei.ways.ip_multicast import Bridge, BridgeStatus, Carrier, bridging

ADDRESS = "239.255.7.9"


def unused_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@pytest.mark.parametrize("address", ["192.0.2.1", "240.0.0.1", "name", "ff02::1"])
def test_an_address_that_is_none_of_multicast_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="no address of multicast; allowed are 224"):
        Bridge("news.isp-a", address, 5_001, to_network=True).check()


def test_what_one_carrier_puts_on_a_network_another_takes_from_there() -> None:
    port = unused_port()
    into, out = (
        Carrier(Bridge("news.isp-a", ADDRESS, port, to_network=way), interface="127.0.0.1", ttl=1)
        for way in (True, False)
    )
    with into.open() as sending, out.open() as hearing:
        hearing.settimeout(2.0)

        _ = sending.sendto(b"hello", (ADDRESS, port))

        assert hearing.recv(10) == b"hello"
    assert into.status() == BridgeStatus(
        Bridge("news.isp-a", ADDRESS, port, to_network=True), 0, 0, 0, 0
    )


def test_an_interface_that_is_not_here_is_said_to_be_wrong() -> None:
    bridge = Bridge("news.isp-a", ADDRESS, 5_001, to_network=True)

    with pytest.raises(LocalError, match="no multicast of 239"):
        _ = Carrier(bridge, interface="203.0.113.9", ttl=1).open()


def test_a_host_sends_to_one_group_at_a_time() -> None:
    bridges = [Bridge("news.isp-a", ADDRESS, port, to_network=False) for port in (1, 2)]

    async def script(lab: Simulation) -> None:
        log = Log(io.StringIO())
        with pytest.raises(ConfigError, match="one --from"):
            async with bridging(lab.host("alice"), bridges, interface="127.0.0.1", ttl=1, log=log):
                pass

    run_simulated(find_topology("threedomains"), script)


OPEN = parse_topology(
    """
    version = 1
    services = ["delivery", "multicast"]
    [domains.isp-a.nodes.sn1]
    [domains.isp-a.hosts.alice]
    nodes = ["sn1"]
    [domains.isp-a.hosts.bob]
    nodes = ["sn1"]
    [domains.isp-a.groups.news]
    nodes = ["sn1"]
    """,
    name="open",
)


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_what_a_host_puts_on_a_network_it_does_not_take_from_there() -> None:
    port = unused_port()
    bridges = [Bridge("news.isp-a", ADDRESS, port, to_network=way) for way in (True, False)]

    async def run(environ: Mapping[str, str]) -> list[BridgeStatus]:
        lab = ProcessLab(OPEN, seed=1, backend="processes", environ=environ)
        try:
            await lab.open()
            log = Log(io.StringIO())
            both = bridging(lab.host("alice"), bridges, interface="127.0.0.1", ttl=1, log=log)
            async with both as carriers, send(lab.host("bob"), "news.isp-a") as bob:
                async with asyncio.timeout(20.0):
                    while not carriers[0].status().datagrams:
                        _ = bob.send(b"hello")
                        await lab.sleep(0.2)
                await lab.sleep(1.0)
                return [carrier.status() for carrier in carriers]
        finally:
            await lab.close()

    with tempfile.TemporaryDirectory(prefix="ei-") as state:
        environ = {**os.environ, "XDG_STATE_HOME": state}
        into, out = asyncio.run(run(environ))

    assert into.datagrams >= 1
    assert (out.datagrams, out.own) == (0, into.datagrams)
