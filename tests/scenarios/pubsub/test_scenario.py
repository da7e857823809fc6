"""The scenario `pubsub`: every promise is kept by real processes, beside brokers that are here."""

from collections.abc import Mapping

import pytest

from ei.lab.scenario import load_scenario, run_in_processes, run_in_simulation

pytestmark = pytest.mark.slow


@pytest.mark.timeout(480)
def test_every_promise_is_kept_by_real_processes(environ: Mapping[str, str]) -> None:
    report = run_in_processes(load_scenario("pubsub"), seed=7, environ=environ)

    others = [each.name for each in report.promises if each.status == "unsupported"]
    assert [each for each in report.promises if each.status not in {"ok", "unsupported"}] == []
    # Brokers that are not ours are installed by `make others`.
    assert [name for name in others if " install " not in name] == []


def test_where_there_are_no_real_processes_it_says_so() -> None:
    report = run_in_simulation(load_scenario("pubsub"), seed=7)

    assert [each.status for each in report.promises] == ["unsupported"]
