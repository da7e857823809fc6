import pytest

from ei.lab.fixture import run_simulated
from ei.lab.scenario import load_scenario
from ei.lab.simulation import Simulation
from ei.scenarios.compression.ends import Collector, Frame, Observer, Tenant, until_compressed


@pytest.mark.slow
def test_what_a_tenant_sends_is_collected_and_observed() -> None:
    async def script(lab: Simulation) -> tuple[list[bytes], list[Frame], bool]:
        collector, observer = Collector(lab.host("bob")), Observer(lab.host("bob"))
        alice = Tenant(lab, "alice", "bob", site="north")
        await alice.send_apart([b"one", b"two"], rate_pps=100)
        plain = await collector.take()
        seen = await observer.take(alice.host)
        await alice.offer(1)
        is_used = await until_compressed(alice, observer, 1)
        collector.close()
        observer.close()
        return plain, seen, is_used

    plain, seen, is_used = run_simulated(load_scenario("compression").topology, script)

    assert plain == [b"one", b"two"]
    assert [(each.payload, each.is_compressed) for each in seen] == [
        (b"one", False),
        (b"two", False),
    ]
    assert is_used
