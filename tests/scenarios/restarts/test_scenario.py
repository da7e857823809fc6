"""The scenario `restarts`: nodes are restarted under load, and every promise is kept."""

import pytest

from ei.lab.scenario import load_scenario, run_in_simulation

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_d5_rolling_restarts_lose_nothing_in_simulation(seed: int) -> None:
    report = run_in_simulation(load_scenario("restarts"), seed=seed)

    assert [each for each in report.promises if each.status != "ok"] == []
    assert len(report.promises) == 11


def test_a_run_is_repeated_from_its_seed() -> None:
    first, again = (run_in_simulation(load_scenario("restarts"), seed=4) for _ in range(2))

    assert first == again
