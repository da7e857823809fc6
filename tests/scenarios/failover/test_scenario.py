"""The scenario `failover`: every promise is kept, in virtual time and by real processes."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from ei.lab.scenario import load_scenario, run_in_processes, run_in_simulation
from ei.scenarios.failover.load import Seen
from ei.scenarios.failover.scenario import promises

pytestmark = pytest.mark.slow

FAULTS = ("no fault", "link cut", "node frozen", "node killed", "both killed")


@pytest.mark.parametrize("seed", range(1, 6))
def test_every_promise_is_kept_in_simulation(seed: int) -> None:
    report = run_in_simulation(load_scenario("failover"), seed=seed)

    assert [each for each in report.promises if each.status != "ok"] == []
    assert [each.name for each in report.promises[::4]] == [
        f"{fault}: gap of the flow" for fault in FAULTS
    ]


def test_a_run_is_repeated_from_its_seed() -> None:
    first, again = (run_in_simulation(load_scenario("failover"), seed=3) for _ in range(2))

    assert first == again


@pytest.mark.timeout(180)
def test_every_promise_is_kept_by_real_processes(environ: Mapping[str, str]) -> None:
    report = run_in_processes(load_scenario("failover"), seed=7, environ=environ)

    assert [each for each in report.promises if each.status != "ok"] == []
    assert report.is_ok


def test_a_long_gap_of_hosts_that_could_not_run_is_no_measurement() -> None:
    long = Seen(fault_s=2.0, flow_s=[1.0, 3.0], stream_s=[1.0, 3.0])
    kept_from_running = replace(long, late_ms=300.0)

    def statuses(seen: Seen) -> list[str]:
        return [each.status for each in promises("any", seen, calm=seen)][:2]

    assert statuses(long) == ["broken", "broken"]
    assert statuses(kept_from_running) == ["invalid", "invalid"]
