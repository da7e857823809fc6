"""The scenario `relay`: every promise is kept by real processes, and in namespaces."""

from collections.abc import Mapping

import pytest
from tests.scenarios.figures import broken

from ei.errors import DeniedError
from ei.lab.namespaces import check_allowed
from ei.lab.promises import Report
from ei.lab.scenario import load_scenario, run_in_processes, run_in_simulation

pytestmark = pytest.mark.slow


@pytest.mark.timeout(480)
def test_every_promise_is_kept_by_real_processes(environ: Mapping[str, str]) -> None:
    def run() -> Report:
        return run_in_processes(load_scenario("relay"), seed=7, environ=environ)

    assert broken(run) == []


@pytest.mark.timeout(480)
def test_every_promise_is_kept_in_namespaces(environ: Mapping[str, str]) -> None:
    try:
        check_allowed(environ=environ)
    except DeniedError as error:
        pytest.skip(str(error))

    def run() -> Report:
        return run_in_processes(load_scenario("relay"), seed=7, backend="netns", environ=environ)

    assert broken(run) == []


def test_where_there_is_no_legacy_internet_it_says_so() -> None:
    report = run_in_simulation(load_scenario("relay"), seed=7)

    assert [each.status for each in report.promises] == ["unsupported"]
