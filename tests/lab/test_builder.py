"""What the builder of large topologies promises."""

import pytest

from ei.errors import LocalError
from ei.lab.builder import TopologyBuilder, regular
from ei.lab.topology import Impairment, LinkKind


def test_a_regular_topology_attaches_each_host_to_two_nodes_of_its_domain() -> None:
    topology = regular(nodes=20, hosts=50)

    assert (len(topology.domains), len(topology.nodes), len(topology.hosts)) == (2, 20, 50)
    for host in topology.hosts.values():
        assert len(set(host.nodes)) == 2
        assert {topology.nodes[node].domain for node in host.nodes} == {host.domain}


def test_a_lone_node_takes_its_hosts_alone() -> None:
    assert regular(nodes=1, hosts=1).hosts["h0.d0"].nodes == ("n0.d0",)


def test_a_listed_link_overrides_its_kind() -> None:
    builder = TopologyBuilder("pair")
    builder.domain("d")
    builder.node("a.d")
    builder.node("b.d")
    builder.node("c.d")
    builder.link_default(LinkKind.NODE, Impairment(delay_ms=1))
    builder.link("b.d", "a.d", Impairment(delay_ms=9))

    topology = builder.build()

    assert topology.impairment("a.d", "b.d").delay_ms == 9
    assert topology.impairment("a.d", "c.d").delay_ms == 1


def test_a_group_needs_nodes_that_exist() -> None:
    builder = TopologyBuilder("lone")
    builder.domain("d")
    builder.node("a.d")
    builder.group("news.d", nodes=["b.d"])

    with pytest.raises(LocalError, match=r"no 'b\.d'; did you mean 'a.d'"):
        builder.build()
