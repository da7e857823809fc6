"""What a node in simulation promises."""

from ei.lab.builder import regular
from ei.lab.fixture import run_simulated
from ei.lab.simnode import WORKER_NS
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
