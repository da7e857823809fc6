"""A transfer is told beside others."""

from ei.scenarios.ways_in.bulk import beside
from ei.scenarios.ways_in.iperf3 import Transfer

OURS = Transfer(amount_bytes=1_000_000_000, mbit_s=391.4, cpu_s=15.62)
OTHER = Transfer(amount_bytes=500_000_000, mbit_s=1_983.0, cpu_s=2.81)


def test_rate_and_cost_are_told_beside_those_of_another() -> None:
    rate, cost = beside(", beside another", OURS, OTHER)

    assert rate.name.endswith("rate, beside another")
    assert (rate.measured, rate.baseline) == (391, 1_983)
    assert (cost.measured, cost.baseline) == (15.62, 5.62)
