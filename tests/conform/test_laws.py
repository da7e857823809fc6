"""Each law is checked by modules that break it on purpose: that law is named, and no other."""

import os
from pathlib import Path

import pytest
from tests.conform.examples import case_of
from tests.conform.planted import HONEST, PLANTED

from ei.conform.apart import check_worker
from ei.conform.cases import Case
from ei.conform.laws import CHECKS, TITLES
from ei.conform.verdicts import Verdict

EVENTS = 48


def broken_laws(case: Case) -> dict[str, Verdict]:
    verdicts = {law: check(case) for law, check in CHECKS.items()}
    verdicts["worker"], _ = check_worker(case.loaded, case.story, case.reference, os.environ)
    return {law: verdict for law, verdict in verdicts.items() if verdict.result == "broken"}


@pytest.mark.slow
@pytest.mark.parametrize("name", PLANTED)
def test_a_module_that_breaks_a_law_is_found_and_no_other_law_is_named(
    name: str, tmp_path: Path
) -> None:
    found = broken_laws(case_of(tmp_path, PLANTED[name], events=EVENTS))

    assert set(found) == PLANTED[name].breaks, found
    assert all(verdict.said for verdict in found.values())


@pytest.mark.slow
def test_a_module_that_keeps_all_laws_is_not_named(tmp_path: Path) -> None:
    assert not broken_laws(case_of(tmp_path, HONEST, events=EVENTS))


def test_each_law_has_its_planted_violation() -> None:
    assert {law for each in PLANTED.values() for law in each.breaks} == set(TITLES)


def test_each_law_is_checked() -> None:
    assert {*CHECKS, "worker"} == set(TITLES)
