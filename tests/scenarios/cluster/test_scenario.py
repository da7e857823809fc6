"""The scenario `cluster`: every promise is kept by real processes and a real etcd."""

from collections.abc import Mapping

import pytest

from ei.errors import ConfigError
from ei.lab.scenario import load_scenario, run_in_processes, run_in_simulation

pytestmark = pytest.mark.slow


def test_it_does_not_run_where_there_is_no_etcd() -> None:
    with pytest.raises(ConfigError, match="no place in simulation") as refused:
        _ = run_in_simulation(load_scenario("cluster"), seed=1)

    assert refused.value.remedy == "Add --backend processes"


@pytest.mark.timeout(400)
def test_d1_d3_d4_every_promise_is_kept_by_real_processes(environ: Mapping[str, str]) -> None:
    report = run_in_processes(load_scenario("cluster"), seed=3, environ=environ)

    assert [each for each in report.promises if each.status != "ok"] == []
    assert report.is_ok
