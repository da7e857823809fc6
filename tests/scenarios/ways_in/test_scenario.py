"""The scenario `ways-in`: every promise is kept by real processes and foreign programs."""

from collections.abc import Mapping

import pytest
from tests.scenarios.figures import broken

from ei.lab.promises import Report
from ei.lab.scenario import load_scenario, run_in_processes, run_in_simulation
from ei.scenarios.ways_in.scenario import NO_PING

pytestmark = pytest.mark.slow


@pytest.mark.timeout(480)
def test_every_promise_is_kept_by_real_processes(environ: Mapping[str, str]) -> None:
    others: set[str] = set()

    def run() -> Report:
        report = run_in_processes(load_scenario("ways-in"), seed=7, environ=environ)
        others.update(each.name for each in report.promises if each.status == "unsupported")
        return report

    assert broken(run) == []
    # What is measured beside ours is not installed everywhere, and some kernels answer no ping.
    assert [name for name in others - {NO_PING} if not name.endswith("; make others")] == []


def test_where_there_are_no_other_programs_it_says_so() -> None:
    report = run_in_simulation(load_scenario("ways-in"), seed=7)

    assert [each.status for each in report.promises] == ["unsupported"]
