"""The scenario `governance`, whole: fifty nodes take two minutes."""

from collections.abc import Mapping

import pytest

from ei.lab.scenario import load_scenario, run_in_processes, run_in_simulation


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_d9_fifty_nodes_run_what_is_approved_and_a_canary_that_fails_goes_back(
    environ: Mapping[str, str],
) -> None:
    report = run_in_processes(load_scenario("governance"), seed=7, environ=environ)

    assert [each for each in report.promises if each.status != "ok"] == []


def test_a_simulation_follows_no_registry() -> None:
    report = run_in_simulation(load_scenario("governance"), seed=1)

    assert [each.status for each in report.promises] == ["unsupported"]
