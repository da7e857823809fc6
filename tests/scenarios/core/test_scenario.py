"""The scenario `core`: every promise is kept, in virtual time and by real processes."""

from collections.abc import Mapping

import pytest

from ei.lab.scale import Scale
from ei.lab.scenario import load_scenario, run_in_processes, run_in_simulation

pytestmark = pytest.mark.slow


def test_every_promise_is_kept_in_simulation() -> None:
    report = run_in_simulation(load_scenario("core"), seed=7)

    assert [each for each in report.promises if each.status != "ok"] == []
    assert report.is_ok


def test_a_run_is_repeated_from_its_seed() -> None:
    first, again = (run_in_simulation(load_scenario("core"), seed=3) for _ in range(2))

    assert first == again


@pytest.mark.timeout(120)
def test_every_promise_is_kept_by_real_processes(environ: Mapping[str, str]) -> None:
    report = run_in_processes(load_scenario("core"), seed=7, environ=environ)

    assert [each for each in report.promises if each.status != "ok"] == []
    assert report.is_ok


def test_a_large_simulation_is_held_against_what_it_may_take() -> None:
    scale = Scale(
        nodes=1_000,
        hosts=10_000,
        processes=2,
        digest="",
        events=3_000_000,
        events_per_s=(120_000.0, 90_000.0, 110_000.0),
        datagrams=2_000_000,
        attached=10_000,
        pings=20_000,
        answered=19_999,
        homeless=0,
        bytes_per_node=600_000,
        bytes_per_host=70_000,
        build_s=1.0,
        attach_s=1.0,
        meet_s=1.0,
        run_s=1.0,
        wall_s=100.0,
    )
    at_scale = load_scenario("core").at_scale
    assert at_scale is not None

    promises = list(at_scale(scale))

    assert [each.name for each in promises if each.status != "ok"] == [
        "1_000 nodes, 10_000 hosts: pings answered",
        "1_000 nodes, 10_000 hosts: memory of an idle host",
    ]
    assert [each.measured for each in promises if each.unit == "events/s"] == [110_000]
