from pathlib import Path

import pytest
from tests.cli.conftest import Run

from ei.cli.exits import Exit


def test_doctor_finds_a_place_where_nothing_can_be_written(
    ei: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))

    said = ei("doctor")

    assert said.code == Exit.NEGATIVE
    assert "✗ state cannot be kept" in said.out
    assert "docs/reference/doctor.md#disk" in said.out
    assert "10 checks, 1 failed" in said.out


def test_doctor_as_json_has_a_status_for_every_check(ei: Run) -> None:
    document = ei("doctor", "--json").document

    assert document["schema"] == "ei.doctor/1"
    checks = document["checks"]
    assert isinstance(checks, list)
    assert {check["status"] for check in checks} <= {"ok", "note", "failed"}
    assert {check["name"] for check in checks} >= {"native", "loopback", "disk"}


def test_what_doctor_says_fits_a_terminal_of_80_columns(ei: Run) -> None:
    assert ei("doctor").widest <= 80
