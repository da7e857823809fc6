"""The scenario `hostile`: every promise is kept by real processes."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace

import pytest
from tests.runtime.jail.conftest import need
from tests.scenarios.figures import broken

from ei.lab.lab import Lab
from ei.lab.process_lab import ProcessLab
from ei.lab.promises import Promise
from ei.lab.scenario import Run, load_scenario, run_in_processes, run_in_simulation
from ei.runtime.jail import LAYERS
from ei.scenarios.hostile import failing, keeping

pytestmark = pytest.mark.slow


@pytest.mark.timeout(300)
def test_every_promise_is_kept_by_real_processes(environ: Mapping[str, str]) -> None:
    need(*LAYERS)
    scenario = load_scenario("hostile")

    assert broken(lambda: run_in_processes(scenario, seed=7, environ=environ)) == []


def test_a_simulation_has_no_workers_to_show() -> None:
    report = run_in_simulation(load_scenario("hostile"), seed=7)

    assert [each.status for each in report.promises] == ["unsupported"]


def only(*parts: Run) -> Run:
    """Return a scenario of some parts alone."""

    async def run(lab: Lab) -> AsyncGenerator[Promise]:
        assert isinstance(lab, ProcessLab)
        for part in parts:
            async for each in part(lab):
                yield each

    return run


@pytest.mark.timeout(120)
def test_c5_a_thousand_traps_cost_one_service_alone_and_what_it_fails_to_is_its_manifests(
    environ: Mapping[str, str],
) -> None:
    need(*LAYERS)
    scenario = replace(load_scenario("hostile"), run=only(failing.trap, failing.fail))

    assert broken(lambda: run_in_processes(scenario, seed=7, environ=environ)) == []


@pytest.mark.timeout(120)
def test_c9_no_secret_of_others_is_found_with_hostile_modules_or_in_what_a_node_says(
    environ: Mapping[str, str],
) -> None:
    need(*LAYERS)
    scenario = replace(load_scenario("hostile"), run=only(keeping.keep))

    assert broken(lambda: run_in_processes(scenario, seed=7, environ=environ)) == []
