"""The scenario `termination`: every promise is kept by real processes and a real server."""

from collections.abc import Mapping

import pytest

from ei.errors import DeniedError
from ei.lab.namespaces import check_allowed
from ei.lab.scenario import load_scenario, run_in_processes, run_in_simulation

pytestmark = pytest.mark.slow


@pytest.mark.timeout(240)
def test_every_promise_is_kept_by_real_processes(environ: Mapping[str, str]) -> None:
    report = run_in_processes(load_scenario("termination"), seed=7, environ=environ)

    assert [each for each in report.promises if each.status != "ok"] == []
    assert report.is_ok


@pytest.mark.timeout(480)
def test_every_promise_is_kept_in_namespaces_where_links_are_bad(
    environ: Mapping[str, str],
) -> None:
    try:
        check_allowed(environ=environ)
    except DeniedError as error:
        pytest.skip(str(error))

    report = run_in_processes(
        load_scenario("termination"), seed=7, backend="netns", environ=environ
    )

    assert [each for each in report.promises if each.status != "ok"] == []
    assert report.is_ok


def test_where_there_is_no_legacy_internet_it_says_so() -> None:
    report = run_in_simulation(load_scenario("termination"), seed=7)

    assert [each.status for each in report.promises] == ["unsupported"]
