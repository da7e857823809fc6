"""What a node in simulation promises."""

from ei.lab.builder import TopologyBuilder, regular
from ei.lab.fixture import run_simulated
from ei.lab.population import populate
from ei.lab.seeds import derive
from ei.lab.simnode import WORKER_NS, config_of
from ei.lab.simulation import Simulation


def test_a_miss_costs_the_time_of_a_worker_and_a_hit_does_not() -> None:
    async def script(lab: Simulation) -> list[float]:
        taken_s: list[float] = []
        with lab.host("h0").call(17) as channel:
            for _ in range(3):
                began_s = lab.now_s()
                _ = await channel.ask(b"hello")
                taken_s.append(lab.now_s() - began_s)
        return taken_s

    first_s, second_s, third_s = run_simulated(regular(nodes=1, hosts=1), script)

    assert round((first_s - second_s) * 1e9) == WORKER_NS
    assert round(second_s, 9) == round(third_s, 9) == 0.002


def test_an_idle_node_costs_next_to_nothing() -> None:
    async def script(lab: Simulation) -> int:
        before = lab.network.datagrams
        await lab.sleep(100)
        return lab.network.datagrams - before

    # Nobody but the host's keepalive every 15 s, and its answer.
    assert run_simulated(regular(nodes=1, hosts=1), script) < 50


def test_a_node_that_ended_does_nothing_any_more() -> None:
    async def script(lab: Simulation) -> int:
        await lab.kill("n0.d0")
        await lab.sleep(1)
        before = lab.network.statistics()["datagrams"]
        await lab.sleep(0.2)
        return lab.network.statistics()["datagrams"] - before

    assert run_simulated(regular(nodes=1, hosts=0), script) == 0


def test_its_services_are_configured_as_the_topology_says() -> None:
    builder = TopologyBuilder("one")
    builder.domain("d")
    builder.node("n.d", services=("delivery",), config={"delivery": {"decision_s": 7.5}})
    topology = builder.build()
    people = populate(topology, randomness=lambda label: derive(7, label), unix_s=0)

    config = config_of(topology.nodes["n.d"], people, "10.0.0.1:3535", cache_entries=16)

    assert config.config == {"delivery": {"decision_s": 7.5}}
