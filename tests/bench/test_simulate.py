"""How large simulations are measured, on small ones."""

import pytest

from ei.bench.simulate import bare_events_per_s, simulate_with


@pytest.mark.slow
def test_events_and_memory_are_figures_with_their_limits() -> None:
    speed, node, host = simulate_with(runs=2, nodes=10, hosts=20)

    assert speed.name == "simulate 10 nodes, 20 hosts"
    assert (speed.runs, speed.limit) == (2, 100_000.0)
    assert speed.status in {"ok", "missed"}
    assert speed.baseline
    assert speed.measured > 1_000
    assert (node.limit, host.limit) == (1_048_576.0, 65_536.0)
    assert node.measured > 10_000
    assert host.measured > 1_000


@pytest.mark.slow
def test_the_bare_clock_is_fast() -> None:
    assert bare_events_per_s() > 50_000
