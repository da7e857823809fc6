"""What large simulations promise, on a small one."""

import pytest

from ei.lab.scale import measure_scale


@pytest.mark.slow
def test_hosts_answer_and_memory_is_within_its_limits() -> None:
    scale = measure_scale(nodes=20, hosts=100, rounds=2)

    assert (scale.nodes, scale.hosts, scale.pings) == (20, 100, 200)
    assert scale.answered == 200
    assert scale.events > 0
    assert len(scale.events_per_s) == 2
    assert min(scale.events_per_s) > 1_000
    assert scale.bytes_per_node < 1_048_576
    assert scale.bytes_per_host < 131_072


@pytest.mark.slow
def test_the_same_seed_makes_the_same_traffic() -> None:
    first, again = (measure_scale(nodes=10, hosts=20, rounds=1) for _ in range(2))

    assert (first.events, first.datagrams) == (again.events, again.datagrams)
