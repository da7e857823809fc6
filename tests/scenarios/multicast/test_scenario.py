"""The scenario `multicast`: every promise is kept, in virtual time and by real processes."""

from collections.abc import Mapping

import pytest
from tests.scenarios.figures import broken

from ei.lab.promises import Report
from ei.lab.scenario import load_scenario, run_in_processes, run_in_simulation

pytestmark = pytest.mark.slow


@pytest.mark.timeout(900)
def test_every_promise_is_kept_in_simulation() -> None:
    report = run_in_simulation(load_scenario("multicast"), seed=7)

    assert [each for each in report.promises if each.status != "ok"] == []
    assert report.is_ok


@pytest.mark.timeout(600)
def test_every_promise_is_kept_by_real_processes(environ: Mapping[str, str]) -> None:
    def run() -> Report:
        return run_in_processes(load_scenario("multicast"), seed=7, environ=environ)

    assert broken(run) == []
