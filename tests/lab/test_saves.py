import os
import shutil
from pathlib import Path

from ei.lab.saves import LONGEST_S, Saves


def write(path: Path, text: str, *, at_ns: int) -> None:
    _ = path.write_text(text)
    os.utime(path, ns=(at_ns, at_ns))


def test_a_save_is_said_once_and_when_it_is_whole(tmp_path: Path) -> None:
    write(tmp_path / "service.py", "1", at_ns=1)
    saves = Saves(tmp_path)
    assert saves.poll(0.0) is None

    write(tmp_path / "service.py", "half", at_ns=2)
    assert saves.poll(0.05) is None
    write(tmp_path / "service.py", "half and half", at_ns=3)
    assert saves.poll(0.10) is None

    assert saves.poll(0.15) == 0.05
    assert saves.poll(0.20) is None


def test_what_is_saved_all_the_time_is_taken_as_it_is(tmp_path: Path) -> None:
    saves = Saves(tmp_path)
    found: list[float] = []
    for look in range(21):
        write(tmp_path / "service.py", "x", at_ns=look + 1)
        since_s = saves.poll(look * 0.05)
        if since_s is not None:
            found.append(since_s)

    assert len(found) >= 3
    assert LONGEST_S <= 0.2


def test_what_is_back_as_it_was_is_no_save(tmp_path: Path) -> None:
    write(tmp_path / "service.py", "1", at_ns=1)
    saves = Saves(tmp_path)
    write(tmp_path / "other.py", "2", at_ns=2)
    assert saves.poll(0.0) is None
    (tmp_path / "other.py").unlink()
    assert saves.poll(0.05) is None

    assert saves.poll(0.10) is None


def test_new_and_removed_files_count_and_tests_and_others_do_not(tmp_path: Path) -> None:
    saves = Saves(tmp_path)
    for name in ("test_service.py", "README.md", ".service.py.swp", ".#service.py"):
        write(tmp_path / name, "x", at_ns=1)
    assert saves.poll(0.0) is saves.poll(0.1) is saves.poll(0.2) is None

    write(tmp_path / "words.py", "x", at_ns=1)
    assert [saves.poll(0.3), saves.poll(0.35)] == [None, 0.3]
    (tmp_path / "words.py").unlink()
    assert [saves.poll(0.4), saves.poll(0.45)] == [None, 0.4]


def test_a_folder_that_is_gone_is_no_error(tmp_path: Path) -> None:
    write(tmp_path / "service.py", "x", at_ns=1)
    saves = Saves(tmp_path)
    shutil.rmtree(tmp_path)

    assert [saves.poll(0.0), saves.poll(0.05)] == [None, 0.0]
