"""Many runs at a time are the runs that one at a time would have been."""

from contextlib import closing

import pytest

from ei.lab.scenario import load_scenario, run_in_simulation
from ei.lab.series import run_series

pytestmark = pytest.mark.slow


def test_runs_come_in_order_and_are_those_of_their_seeds() -> None:
    reports = list(run_series("echo", range(3, 7), processors=2))

    assert [report.seed for report in reports] == [3, 4, 5, 6]
    assert reports[2] == run_in_simulation(load_scenario("echo"), seed=5)


def test_who_wants_no_more_waits_for_no_more() -> None:
    with closing(run_series("echo", range(100_000), processors=2)) as reports:
        first = next(reports)

    assert first.seed == 0
