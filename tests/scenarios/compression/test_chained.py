import pytest

from ei.lab.fixture import run_simulated
from ei.lab.promises import Promise
from ei.lab.scenario import load_scenario
from ei.lab.simulation import Simulation
from ei.scenarios.compression.chained import of_multicast
from ei.scenarios.compression.ends import Tenant


@pytest.mark.slow
def test_what_is_multicast_is_smaller_between_the_nodes_and_heard_whole() -> None:
    async def script(lab: Simulation) -> list[Promise]:
        alice = Tenant(lab, "alice", "bob", site="north")
        return [each async for each in of_multicast(lab, alice)]

    heard, bytes_each = run_simulated(load_scenario("compression").topology, script)

    assert (heard.status, bytes_each.status) == ("ok", "ok")
    assert isinstance(bytes_each.measured, float)
    assert isinstance(bytes_each.baseline, float)
    assert bytes_each.measured < bytes_each.baseline - 90
