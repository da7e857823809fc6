"""Files are written into a folder, or it is said in one line why not."""

from pathlib import Path

import pytest

from ei.errors import ConfigError, LimitError
from ei.lab.writing import write_files


def test_files_are_written_and_told_in_their_order(tmp_path: Path) -> None:
    told: list[Path] = []

    write_files(tmp_path / "new" / "one", {"b": "second", "a": "first"}, told.append)

    assert [(path.name, path.read_text()) for path in told] == [("b", "second"), ("a", "first")]


def test_a_full_disk_is_said_with_the_file(tmp_path: Path) -> None:
    (tmp_path / "full").symlink_to("/dev/full")
    told: list[Path] = []

    with pytest.raises(LimitError) as refused:
        write_files(tmp_path, {"kept": "word", "full": "word"}, told.append)

    assert str(refused.value) == f"cannot write {tmp_path}/full: No space left on device"
    assert refused.value.remedy
    assert told == [tmp_path / "kept"]


def test_a_folder_that_cannot_be_made_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ConfigError) as refused:
        write_files(tmp_path / "file", {}, print)

    assert str(refused.value) == f"cannot make {tmp_path}/file: File exists"
