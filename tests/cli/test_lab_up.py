from pathlib import Path

import pytest
from tests.cli.conftest import Run

from ei.cli.exits import Exit


def test_an_unknown_topology_is_suggested(ei: Run) -> None:
    said = ei("lab", "up", "threedomain")

    assert said.code == Exit.NEGATIVE
    assert "threedomains" in said.err


def test_a_wrong_topology_is_said_with_what_is_wrong(ei: Run, tmp_path: Path) -> None:
    (tmp_path / "topology.toml").write_text("version = 1\n[domanes.x]\n")

    said = ei("lab", "up", "topology.toml")

    assert said.code == Exit.ERROR
    assert "domanes" in said.err
    assert "domains" in said.err


@pytest.mark.slow
def test_a_lab_that_runs_is_not_started_again(lab: Run, running_lab: Path) -> None:
    said = lab("lab", "up", str(running_lab / "topology.toml"))

    assert said.code == Exit.CONFLICT
    assert "ei lab down" in said.err


@pytest.mark.slow
def test_a_seed_is_a_number_of_64_bits(ei: Run) -> None:
    assert ei("lab", "up", "--seed", "18446744073709551616").code == Exit.ERROR
