from pathlib import Path

import msgspec
import pytest
from tests.conform.examples import nobody
from tests.conform.planted import HONEST

from ei.conform.certificate import Certificate
from ei.conform.certifying import certificate_of
from ei.conform.laws import TITLES
from ei.conform.trying import Tried, try_module
from ei.conform.verdicts import KEPT, Verdict, broken
from ei.errors import ServiceError
from ei.runtime.jail import Jail
from ei.runtime.loader import load_service
from ei.sdk import load_manifest

HALF = Jail(("capabilities", "seccomp"), {"landlock": "no such call"})
OTHER = Jail(("capabilities", "landlock", "seccomp"))


def tried(folder: Path, *, seed: int = 1, events: int = 24) -> Tried:
    return try_module(load_service(folder), {}, seed=seed, events=events, watch=nobody)


def certified(folder: Path, found: Tried, *worker: Verdict) -> Certificate:
    verdicts = worker or (KEPT,)
    return certificate_of(load_manifest(folder), folder, found, verdicts, (HALF, OTHER))


@pytest.mark.slow
def test_a_certificate_says_each_law_and_is_the_same_again(tmp_path: Path) -> None:
    folder = HONEST.plant(tmp_path)

    one, again = (certified(folder, tried(folder)) for _ in range(2))

    assert one == again
    assert one.is_kept
    assert [each.law for each in one.laws] == list(TITLES)
    assert (one.module, one.version) == ("planted", "0.0.1")
    assert one.corpus.events == 24


@pytest.mark.slow
def test_a_layer_counts_that_held_in_each_process(tmp_path: Path) -> None:
    folder = HONEST.plant(tmp_path)

    place = certified(folder, tried(folder)).environment

    assert place.jail == ("capabilities", "seccomp")
    assert place.jail_gaps == {"landlock": "no such call"}


@pytest.mark.slow
def test_what_a_module_may_have_said_is_harmless(tmp_path: Path) -> None:
    folder = HONEST.plant(tmp_path)

    certificate = certified(folder, tried(folder), broken(1, "\x1b[2J" + "x" * 10_000))

    assert certificate.laws[-1].law == "worker"
    assert certificate.laws[-1].said.startswith("\\x1b[2Jxxx")
    assert len(certificate.laws[-1].said) < 2_100


@pytest.mark.slow
def test_without_a_law_there_is_no_certificate(tmp_path: Path) -> None:
    folder = HONEST.plant(tmp_path)
    found = tried(folder)

    with pytest.raises(ServiceError, match="not tried: stages"):
        _ = certified(folder, msgspec.structs.replace(found, laws=found.laws[:-1]))
