"""What large simulations promise, on small ones."""

import pytest

from ei.lab.scale import Scale, measure_scale


@pytest.mark.slow
def test_hosts_answer_and_memory_is_within_its_limits() -> None:
    scale = measure_scale(nodes=20, hosts=100, rounds=2)

    assert (scale.nodes, scale.hosts, scale.pings) == (20, 100, 200)
    assert (scale.attached, scale.answered, scale.homeless) == (100, 200, 0)
    assert scale.digest is None
    assert scale.events > 0
    assert len(scale.events_per_s) == 2
    assert min(scale.events_per_s) > 1_000
    assert scale.bytes_per_node < 1_048_576
    assert scale.bytes_per_host < 131_072


def facts(scale: Scale) -> tuple[object, ...]:
    return scale.digest, scale.events, scale.datagrams, scale.attached, scale.answered


@pytest.mark.slow
def test_the_same_happens_in_every_run_and_in_one_process_and_two() -> None:
    runs = [
        measure_scale(nodes=20, hosts=40, rounds=1, processes=processes, has_log=True)
        for processes in (1, 2, 2)
    ]
    other = measure_scale(nodes=20, hosts=40, rounds=1, seed=2, has_log=True)

    assert [scale.processes for scale in runs] == [1, 2, 2]
    assert len({facts(scale) for scale in runs}) == 1
    assert facts(other) != facts(runs[0])


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_hundred_nodes_and_a_thousand_hosts_are_the_same_in_one_process_and_two() -> None:
    one, two = (
        measure_scale(nodes=100, hosts=1_000, rounds=1, processes=processes, has_log=True)
        for processes in (1, 2)
    )

    assert facts(one) == facts(two)
    assert (two.attached, two.answered, two.homeless) == (1_000, 1_000, 0)
