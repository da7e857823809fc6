"""The scenario `drain`: nodes and members are restarted by real processes, and nothing is lost."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace

import pytest

from ei.errors import ConfigError
from ei.lab.lab import Lab
from ei.lab.promises import Promise
from ei.lab.scenario import load_scenario, run_in_processes, run_in_simulation
from ei.scenarios.drain.load import Size
from ei.scenarios.drain.scenario import run_sized

SMALL = Size(rate_pps=500, piece_bytes=10_000, every_s=5.0, duration_s=30.0)
"""A sixth of the time and a tenth of the rate: each node once, on a machine that is busy."""


async def run_small(lab: Lab) -> AsyncGenerator[Promise]:
    async for each in run_sized(lab, SMALL):
        yield each


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_d5_rolling_restarts_of_nodes_and_members_lose_nothing(
    environ: Mapping[str, str],
) -> None:
    small = replace(load_scenario("drain"), run=run_small)

    report = run_in_processes(small, seed=7, environ=environ)

    # What a machine that was busy elsewhere has held up is no figure, and not broken either.
    broken = [each.name for each in report.promises if each.status == "broken"]
    assert broken in ([], ["lateness of the load itself"])


def test_a_cluster_has_no_place_in_simulation_and_the_other_scenario_does() -> None:
    with pytest.raises(ConfigError, match="no place in simulation"):
        _ = run_in_simulation(load_scenario("drain"), seed=1)

    assert not load_scenario("restarts").topology.etcd
