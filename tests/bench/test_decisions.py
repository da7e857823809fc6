"""Decisions in use are measured among all that are cached."""

from ei.bench.decisions import measure, sum_up
from ei.bench.growth import Growth


def test_each_number_is_measured_and_the_memory_of_one() -> None:
    found = measure((1, 100), runs=2, packets=64)

    assert {count: len(costs) for count, costs in found.cost_ns.items()} == {1: 2, 100: 2}
    assert all(cost > 0 for costs in found.cost_ns.values() for cost in costs)


def test_memory_has_a_limit_of_its_own() -> None:
    *_, memory = sum_up(Growth({1: [1.0], 2: [1.0]}, 200.0), few=1, many=2)

    assert (memory.name, memory.status, memory.limit) == ("memory per decision", "missed", 192.0)
