from ei.lab.scenario import load_scenario
from ei.scenarios.odns.ground import AMBER, FAR, NEAR, PLACEHOLDER, PROXY, QUINCE, SISTER


def test_the_topology_has_all_that_the_scenario_names() -> None:
    topology = load_scenario("odns").topology

    assert {PROXY, NEAR, FAR, SISTER} <= set(topology.nodes)
    assert {topology.find(QUINCE), topology.find(AMBER)} <= set(topology.hosts)
    for target in (NEAR, FAR):
        assert topology.nodes[target].config["odns"]["resolver"] == PLACEHOLDER
