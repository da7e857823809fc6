"""Cases run apart: what one does to its process is no other's business."""

from pathlib import Path

import pytest

from ei.errors import NotFoundError, ServiceError
from ei.testing.cases import Case, run_cases


def cases(tmp_path: Path, text: str, *, limit_s: float = 30.0) -> dict[str, Case]:
    _ = (tmp_path / "test_it.py").write_text(text)
    return {case.name: case for case in run_cases(tmp_path, limit_s=limit_s)}


@pytest.mark.slow
def test_each_case_is_told_when_it_is_over(tmp_path: Path) -> None:
    _ = (tmp_path / "test_it.py").write_text("def test_a(): pass\ndef test_b(): assert 1 == 2\n")
    told: list[Case] = []

    ended = run_cases(tmp_path, on_case=told.append)

    assert tuple(told) == ended
    assert [(case.name, case.outcome) for case in ended] == [
        ("test_a", "passed"),
        ("test_b", "failed"),
    ]
    assert ended[1].place == "test_it.py:2"
    assert ended[1].words == "assert 1 == 2"


@pytest.mark.slow
def test_what_one_leaves_behind_no_other_sees(tmp_path: Path) -> None:
    found = cases(
        tmp_path,
        "import os\nSEEN = []\n"
        "def test_a(): SEEN.append(1); os.environ['SEEN'] = '1'\n"
        "def test_b(): assert not SEEN and 'SEEN' not in os.environ\n",
    )

    assert [case.outcome for case in found.values()] == ["passed", "passed"]


@pytest.mark.slow
def test_one_that_hangs_crashes_or_exits_fails_alone(tmp_path: Path) -> None:
    found = cases(
        tmp_path,
        "import os, signal, sys\n"
        "def test_loop():\n    while True:\n        pass\n"
        "def test_crash(): os.kill(os.getpid(), signal.SIGSEGV)\n"
        "def test_exit(): os._exit(3)\n"
        "def test_raise(): sys.exit('enough')\n"
        "def test_fine(): pass\n",
        limit_s=0.5,
    )

    assert found["test_loop"].words == "it did not end within 0.5 s"
    assert found["test_loop"].place in {"test_it.py:3", "test_it.py:4"}
    assert found["test_crash"].words == "its process ended by SIGSEGV"
    assert found["test_exit"].words == "its process ended by an exit of its own"
    assert found["test_raise"].words == "SystemExit: enough"
    assert found["test_fine"].outcome == "passed"


@pytest.mark.slow
def test_fixtures_parameters_and_skips_are_those_of_pytest(tmp_path: Path) -> None:
    found = cases(
        tmp_path,
        "import pytest\n"
        "@pytest.fixture\ndef one(): return 1\n"
        "@pytest.mark.parametrize('two', [2, 3])\n"
        "def test_sum(one, two): assert one + two == 3\n"
        "def test_later(): pytest.skip('not yet')\n",
    )

    assert [(case.name, case.outcome) for case in found.values()] == [
        ("test_sum[2]", "passed"),
        ("test_sum[3]", "failed"),
        ("test_later", "skipped"),
    ]
    assert found["test_later"].words == "not yet"


@pytest.mark.slow
def test_a_file_that_does_not_load_is_a_case_that_failed(tmp_path: Path) -> None:
    found = cases(tmp_path, "import nothing_like_it\ndef test_a(): pass\n")

    (case,) = found.values()
    assert case.outcome == "failed"
    assert case.place == "test_it.py:1"
    assert case.words == "ModuleNotFoundError: No module named 'nothing_like_it'"


@pytest.mark.slow
def test_nothing_is_left_in_the_folder(tmp_path: Path) -> None:
    _ = cases(tmp_path, "def test_a(): pass\n")

    assert [path.name for path in tmp_path.iterdir()] == ["test_it.py"]


@pytest.mark.slow
def test_tests_that_end_the_process_before_any_case_say_how(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="its tests ended the process: exit 7"):
        _ = cases(tmp_path, "import os\nos._exit(7)\n")


@pytest.mark.slow
def test_a_word_that_no_case_has_is_said(tmp_path: Path) -> None:
    _ = (tmp_path / "test_it.py").write_text("def test_a(): pass\n")

    with pytest.raises(NotFoundError, match="has no case with 'quick' in its name"):
        _ = run_cases(tmp_path, only="quick")
