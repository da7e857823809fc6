"""The costs of services are figures beside those of delivery."""

import pytest

from ei.bench.service_costs import DECIDED, UNDECIDED, Cost
from ei.bench.services import figures_of, run_costs, services_of, untold
from ei.errors import LocalError

COSTS = [Cost("w", 20.0, 300.0), Cost("w", 40.0, 100.0), Cost("w", 30.0, 200.0)]
PLAIN = [Cost("w", 10.0, 0.0)] * 3


def test_cpu_and_what_is_kept_are_figures_beside_the_same_work_of_delivery() -> None:
    cpu, kept = figures_of("odd", "w", COSTS, PLAIN)

    assert (cpu.name, cpu.measured, cpu.baseline, cpu.ratio) == ("odd w", 30.0, 10.0, 3.0)
    assert (kept.measured, kept.baseline, kept.spread) == (200.0, 0.0, (100.0, 300.0))


def test_work_that_delivery_does_not_do_has_no_baseline() -> None:
    cpu, _ = figures_of("odd", "w", COSTS, [])

    assert (cpu.baseline, cpu.status) == (None, "printed")


def test_a_service_of_which_nobody_said_what_it_does_is_named() -> None:
    (figure,) = untold(["delivery", "odd"])

    assert (figure.name, figure.status) == ("odd", "invalid")


@pytest.mark.slow
def test_services_are_measured_in_processes_of_their_own() -> None:
    figures = list(services_of(["echo"], 1))

    names = [f"echo {work}" for work in (DECIDED, UNDECIDED)]
    assert [figure.name for figure in figures if not figure.name.endswith("kept")] == names
    assert all(figure.baseline for figure in figures if figure.unit.startswith("µs"))


@pytest.mark.slow
def test_what_cannot_be_measured_says_why() -> None:
    with pytest.raises(LocalError, match=r"service_costs ended: .*nobody said"):
        _ = run_costs("odd")
