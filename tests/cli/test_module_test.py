from pathlib import Path

import pytest
from tests.cli.conftest import Run

from ei.cli.exits import Exit

FAILING = """
from pathlib import Path

from ei.sdk import DropPacket, PacketArrived
from ei.testing import Playbook


def test_it_is_silent() -> None:
    play = Playbook(Path(__file__).parent, peers=["alice"])
    assert play >> PacketArrived(play.make_packet("alice")) << DropPacket("too_long")
"""


@pytest.mark.slow
def test_each_case_is_named_with_how_it_went(ei: Run) -> None:
    _ = ei("module", "new", "hello")

    said = ei("module", "test", "hello")

    assert said.code == Exit.OK
    assert said.out.splitlines()[-1] == "3 of 3 cases passed"
    assert "✓ test_a_packet_comes_back_with_a_greeting" in said.out


@pytest.mark.slow
def test_what_fails_is_said_with_its_line_in_80_columns(ei: Run, tmp_path: Path) -> None:
    _ = ei("module", "new", "hello")
    (tmp_path / "hello" / "test_more.py").write_text(FAILING)

    said = ei("module", "test", "hello", "--case", "silent")

    assert said.code == Exit.NEGATIVE
    assert (
        "✗ test_it_is_silent\n  test_more.py:10: expected DropPacket(reason='too_long')" in said.out
    )
    assert said.out.splitlines()[-1] == "0 of 1 cases passed"
    assert said.widest <= 80
    assert "next: mend test_more.py:10 | ei module test" in said.err


@pytest.mark.slow
def test_programs_get_one_object(ei: Run) -> None:
    _ = ei("module", "new", "hello")

    document = ei("module", "test", "hello", "--case", "greeting_is", "--json").document

    assert document["schema"] == "ei.module-test/1"
    assert document["passed"] == 1


def test_a_module_that_is_no_python_is_refused_with_its_line(ei: Run, tmp_path: Path) -> None:
    _ = ei("module", "new", "hello")
    (tmp_path / "hello" / "service.py").write_text("x = 1\ndef broken(:\n")

    said = ei("module", "test", "hello")

    assert said.code == Exit.ERROR
    assert "EI-2001" in said.err
    assert "hello/service.py:2: no Python: " in said.err


def test_a_folder_without_cases_is_said(ei: Run, tmp_path: Path) -> None:
    _ = ei("module", "new", "hello")
    (tmp_path / "hello" / "test_service.py").unlink()

    said = ei("module", "test", "hello")

    assert said.code == Exit.NEGATIVE
    assert "hello has no case" in said.err
