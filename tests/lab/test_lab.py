"""What both backends promise to scenarios: to be the same."""

import inspect

from ei.lab.lab import BACKENDS, Lab
from ei.lab.process_lab import ProcessLab
from ei.lab.simulation import Simulation


def verbs(kind: type) -> dict[str, list[str]]:
    return {
        name: list(inspect.signature(member).parameters)
        for name, member in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_")
    }


def test_both_backends_have_every_verb_with_the_same_arguments() -> None:
    wanted = verbs(Lab)

    assert len(wanted) >= 14
    for backend in (Simulation, ProcessLab):
        has = verbs(backend)
        assert {name: has.get(name) for name in wanted} == wanted


def test_there_are_three_backends() -> None:
    assert BACKENDS == ("simulation", "processes", "netns")
