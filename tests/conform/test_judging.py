import os
from pathlib import Path

import pytest
from tests.conform.planted import HONEST, PLANTED, Planted, only

from ei.conform.certificate import Certificate
from ei.conform.judging import Outcome, certify_apart
from ei.errors import ConfigError, ServiceError

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

LOOPING = Planted(only("bounded"), "while True:\n    pass")
DEAF = Planted(only("bounded"), "sum(range(10**12))")


HOARDING = Planted(only("bounded"), 'yield Count("seen", len(bytearray(1 << 36)))')
SNOOPING = Planted(
    only("no_fault"),
    'raise ValueError(random._os.environ.get("EI_MINE", "nothing"))',
    before="import random\n",
)


def certified(*folders: Path, **more: str) -> list[Outcome]:
    outcomes = certify_apart(
        folders, seed=1, events=16, environ={**os.environ, **more}, is_trusted=True
    )
    return [outcome for _, outcome in outcomes]


def test_modules_are_certified_in_their_order(tmp_path: Path) -> None:
    folders = []
    for number, planted in enumerate((HONEST, PLANTED["raises"], HONEST)):
        (place := tmp_path / str(number)).mkdir()
        folders.append(planted.plant(place))

    outcomes = certified(*folders)

    assert [isinstance(each, Certificate) and each.is_kept for each in outcomes] == [
        True, False, True,
    ]  # fmt: skip


def test_an_event_that_never_ends_is_named(tmp_path: Path) -> None:
    (certificate,) = certified(LOOPING.plant(tmp_path))

    assert isinstance(certificate, Certificate)
    (found,) = (each for each in certificate.laws if each.result == "broken")
    assert (found.law, found.event > 0) == ("bounded", True)
    assert "cpu_exceeded" in found.said


def test_a_call_that_never_comes_back_has_no_certificate(tmp_path: Path) -> None:
    (outcome,) = certified(DEAF.plant(tmp_path))

    assert isinstance(outcome, ServiceError)
    assert "SIGXCPU" in str(outcome)


def test_who_takes_all_memory_is_named(tmp_path: Path) -> None:
    (certificate,) = certified(HOARDING.plant(tmp_path))

    assert isinstance(certificate, Certificate)
    (found,) = (each for each in certificate.laws if each.result == "broken")
    assert found.law == "bounded"
    assert "MemoryError" in found.said


def test_what_else_is_in_the_environment_comes_into_no_certificate(tmp_path: Path) -> None:
    (certificate,) = certified(SNOOPING.plant(tmp_path), EI_MINE="seen")

    assert isinstance(certificate, Certificate)
    (found,) = (each for each in certificate.laws if each.result == "broken")
    assert "ValueError: nothing" in found.said


def test_what_does_not_load_is_said(tmp_path: Path) -> None:
    (outcome,) = certified(tmp_path)

    assert isinstance(outcome, ConfigError)
    assert "manifest.toml" in str(outcome)
