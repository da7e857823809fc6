"""Pipes in use are measured among all that are up."""

import random

import pytest

from ei.bench.growth import Growth
from ei.bench.pipes import by_turns, measure, sum_up


@pytest.mark.slow
def test_each_number_is_measured_and_the_memory_of_one() -> None:
    found = measure((2, 130), runs=2, packets=260, idle=50)

    assert {count: len(costs) for count, costs in found.cost_ns.items()} == {2: 2, 130: 2}
    assert all(cost > 0 for costs in found.cost_ns.values() for cost in costs)


def test_all_pipes_have_turns() -> None:
    order = by_turns(4, 3, random.Random(1))

    assert sorted(order) == list(range(12))
    assert sorted(order[:4]) == [0, 3, 6, 9]
    assert sorted(order[4:8]) == [1, 4, 7, 10]


def test_memory_has_a_limit_of_its_own() -> None:
    *_, memory = sum_up(Growth({10: [1.0], 20: [1.0]}, 2_000.0), few=10, many=20)

    assert (memory.name, memory.status) == ("memory per idle pipe", "ok")
