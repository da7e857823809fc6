import os
from pathlib import Path

import pytest
from tests.conform.examples import nobody
from tests.conform.planted import HONEST, PLANTED

from ei.conform.certifying import certify
from ei.conform.laws import TITLES
from ei.errors import ServiceError

pytestmark = pytest.mark.slow


def test_a_certificate_says_each_law_and_is_the_same_again(tmp_path: Path) -> None:
    folder = HONEST.plant(tmp_path)

    one, again = (
        certify(folder, seed=1, events=24, environ=os.environ, watch=nobody) for _ in range(2)
    )

    assert one == again
    assert one.is_kept
    assert [each.law for each in one.laws] == list(TITLES)
    assert (one.module, one.version) == ("planted", "0.0.1")
    assert one.corpus.events == 24
    assert "seccomp" in {*one.environment.jail, *one.environment.jail_gaps}


def test_another_seed_is_another_corpus(tmp_path: Path) -> None:
    folder = HONEST.plant(tmp_path)

    one, other = (
        certify(folder, seed=seed, events=24, environ=os.environ, watch=nobody) for seed in (1, 2)
    )

    assert one.corpus.digest != other.corpus.digest
    assert one.digest == other.digest


def test_what_is_broken_is_said_with_story_and_event(tmp_path: Path) -> None:
    folder = PLANTED["raises"].plant(tmp_path)

    certificate = certify(folder, seed=1, events=48, environ=os.environ, watch=nobody)

    (found,) = (each for each in certificate.laws if each.result == "broken")
    assert (found.law, found.story) == ("no_fault", "drawn")
    assert found.event > 0
    assert "ValueError: planted" in found.said


def test_what_does_not_load_has_no_certificate(tmp_path: Path) -> None:
    folder = HONEST.plant(tmp_path)
    _ = (folder / "service.py").write_text("import socket\n")

    with pytest.raises(ServiceError, match="imports socket"):
        _ = certify(folder, seed=1, events=24, environ=os.environ, watch=nobody)
