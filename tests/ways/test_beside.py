"""What the daemon of a host runs beside it."""

import pytest

from ei.errors import ConfigError
from ei.lab.catalogue import find_topology
from ei.lab.fixture import run_simulated
from ei.lab.simulation import Simulation
from ei.ways.beside import about_of, check_name


def test_a_host_of_another_name_is_refused_with_what_to_do() -> None:
    async def script(lab: Simulation) -> None:
        bob = lab.host("bob")
        for name in ("", "bob.isp-b", "bob.isp-b.ei", "Bob.isp-b.ei."):
            check_name(bob, name)

        with pytest.raises(
            ConfigError, match=r"this host is bob\.isp-b, and not files\.campus"
        ) as no:
            check_name(bob, "files.campus.ei")

        assert "--config" in no.value.remedy

    run_simulated(find_topology("threedomains"), script)


def test_a_proxy_shows_the_nodes_of_its_host_and_what_the_one_in_use_offers() -> None:
    async def script(lab: Simulation) -> None:
        alice = lab.host("alice")

        about = about_of(alice, {16: "delivery", 17: "echo"})

        assert about.host == "alice.isp-a"
        assert [node.name for node in about.nodes if node.is_used] == [
            alice.records.name_of(alice.nodes[0])
        ]
        assert {"delivery", "echo"} <= set(about.services)
        assert about.domains == tuple(sorted(about.domains))
        assert "campus" in about.domains
        assert not about.carries_legacy

    run_simulated(find_topology("threedomains"), script)


def test_a_proxy_knows_when_its_node_carries_the_rest_on() -> None:
    async def script(lab: Simulation) -> None:
        assert about_of(lab.host("alice"), {16: "termination"}).carries_legacy
        assert about_of(lab.host("alice"), {16: "caching"}).caches

    run_simulated(find_topology("threedomains"), script)
