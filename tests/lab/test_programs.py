"""What the programs behind a lab promise."""

from pathlib import Path

import pytest

from ei.lab.programs import preload, readiness
from ei.lab.run_folder import Daemon, LabFile


def test_a_daemon_that_is_not_there_is_not_ready(tmp_path: Path) -> None:
    daemon = Daemon("a.d", "node", "", "", "", str(tmp_path / "admin.sock"))

    assert "no daemon answers" in readiness(daemon)


@pytest.mark.slow
def test_what_runs_is_ready(running: LabFile) -> None:
    assert [readiness(daemon) for daemon in running.daemons.values()] == ["", "", ""]


@pytest.mark.slow
def test_a_program_without_its_files_ends_with_a_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    programs = preload()

    assert programs["node"](tmp_path) != 0
    assert programs["host"](tmp_path) != 0
    assert "node.toml" in capsys.readouterr().err
