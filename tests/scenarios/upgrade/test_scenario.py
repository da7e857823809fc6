"""The scenario `upgrade`: versions change in real processes, and nothing accepted is lost."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace

import pytest

from ei.lab.lab import Lab
from ei.lab.promises import Promise
from ei.lab.scenario import load_scenario, run_in_processes, run_in_simulation
from ei.scenarios.upgrade.scenario import Size, run_sized

SMALL = Size(rate_pps=500, rounds=1)
"""A tenth of the rate, once up and down, on a machine that is busy."""


async def run_small(lab: Lab) -> AsyncGenerator[Promise]:
    async for each in run_sized(lab, SMALL):
        yield each


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_d9_a_module_goes_up_and_down_under_load_and_loses_nothing(
    environ: Mapping[str, str],
) -> None:
    small = replace(load_scenario("upgrade"), run=run_small)

    report = run_in_processes(small, seed=7, environ=environ)

    broken = [each.name for each in report.promises if each.status == "broken"]
    assert broken in ([], ["lateness of the load itself"])


def test_a_simulation_has_no_workers_to_replace() -> None:
    report = run_in_simulation(load_scenario("upgrade"), seed=1)

    assert [each.status for each in report.promises] == ["unsupported"]
