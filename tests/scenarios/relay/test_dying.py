"""There are as many nodes as may die."""

from ei.lab.catalogue import find_topology
from ei.scenarios.relay.dying import AGAIN_LIMIT_S
from ei.scenarios.relay.ground import EXIT, FIRST, OTHER_EXIT, QUINCE, SECOND


def test_another_node_is_left_of_each_kind() -> None:
    topology = find_topology("relay")

    assert topology.hosts[QUINCE].nodes == (FIRST, SECOND)
    assert topology.nodes[EXIT].location == topology.nodes[OTHER_EXIT].location
    assert AGAIN_LIMIT_S == 2
