"""The scenario `odns`: every promise is kept by real processes and programs that are not ours."""

from collections.abc import Mapping

import pytest
from tests.scenarios.figures import broken

from ei.lab.scenario import load_scenario, run_in_processes, run_in_simulation

pytestmark = pytest.mark.slow


@pytest.mark.timeout(480)
def test_every_promise_is_kept_by_real_processes(environ: Mapping[str, str]) -> None:
    scenario = load_scenario("odns")

    assert broken(lambda: run_in_processes(scenario, seed=7, environ=environ)) == []


def test_where_there_are_no_other_programs_it_says_so() -> None:
    report = run_in_simulation(load_scenario("odns"), seed=7)

    assert [each.status for each in report.promises] == ["unsupported"]
