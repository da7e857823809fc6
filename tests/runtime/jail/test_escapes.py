"""What is tried of `escapes.py` in a jail comes to nothing; in none, each attempt would."""

import os
import platform
from pathlib import Path

import pytest
from tests.runtime.jail.conftest import Outcomes, attempts, need, try_all

from ei.runtime.jail import LAYERS, OF_KERNEL

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(platform.machine() != "x86_64", reason="calls by their numbers on x86_64"),
]

NOBODY = 65_534
AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
CAP_SYS_ADMIN = 21
"""From linux/capability.h; root has it not in most containers."""


def may_all() -> bool:
    """Whether this process may do whatever root may."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (effective,) = (line.split()[1] for line in lines if line.startswith("CapEff:"))
    return os.getuid() == 0 and bool(int(effective, 16) >> CAP_SYS_ADMIN & 1)


@pytest.fixture(scope="module")
def tried(place: Path) -> dict[str, Outcomes]:
    """Try all, once for each way to keep them in."""
    need(*LAYERS)
    found: dict[str, Outcomes] = {}
    found["all layers"] = try_all(place, layers=LAYERS)
    found["without the language"] = try_all(place, layers=OF_KERNEL)
    return found


@pytest.mark.parametrize("way", ["all layers", "without the language"])
@pytest.mark.parametrize("name", attempts())
def test_c6_an_attempt_is_denied(tried: dict[str, Outcomes], way: str, name: str) -> None:
    _, outcomes = tried[way]

    assert outcomes[name].startswith("denied")


def test_all_layers_held(tried: dict[str, Outcomes]) -> None:
    assert tried["all layers"][0] == list(LAYERS)
    assert tried["without the language"][0] == list(OF_KERNEL)


def test_there_are_enough_of_them() -> None:
    assert len(attempts()) >= 60


@pytest.mark.skipif(not may_all(), reason="needs root with CAP_SYS_ADMIN, who may do all of it")
def test_each_attempt_would_come_to_something_without_a_jail(place: Path) -> None:
    _, outcomes = try_all(place, layers=())

    assert [
        name for name, said in outcomes.items() if not said.startswith(("got", "reached"))
    ] == []


@pytest.mark.skipif(os.getuid() != 0, reason="only root becomes somebody else")
def test_who_is_not_root_has_the_same_jail(place: Path) -> None:
    need(*LAYERS, user=AS_NOBODY)

    held, outcomes = try_all(place, layers=LAYERS, user=NOBODY)

    assert held == list(LAYERS)
    assert not {name: said for name, said in outcomes.items() if not said.startswith("denied")}
