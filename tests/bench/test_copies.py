"""Copies are measured each, however many there are of a packet."""

from ei.bench.copies import measure


def test_each_number_of_copies_is_measured() -> None:
    found = measure((1, 5), runs=2, least=64)

    assert {count: len(costs) for count, costs in found.items()} == {1: 2, 5: 2}
    assert all(cost > 0 for costs in found.values() for cost in costs)
