"""The scenario `ways-in`: every promise is kept by real processes and foreign programs."""

from collections.abc import Mapping

import pytest

from ei.lab.scenario import load_scenario, run_in_processes, run_in_simulation

pytestmark = pytest.mark.slow


@pytest.mark.timeout(240)
def test_every_promise_is_kept_by_real_processes(environ: Mapping[str, str]) -> None:
    report = run_in_processes(load_scenario("ways-in"), seed=7, environ=environ)

    others = [each.name for each in report.promises if each.status == "unsupported"]
    assert [each for each in report.promises if each.status not in {"ok", "unsupported"}] == []
    # What is measured beside ours is not installed everywhere.
    assert [name for name in others if not name.endswith("; make others")] == []
    assert report.is_ok


def test_where_there_are_no_other_programs_it_says_so() -> None:
    report = run_in_simulation(load_scenario("ways-in"), seed=7)

    assert [each.status for each in report.promises] == ["unsupported"]
