from pathlib import Path
from threading import Thread

import pytest

from ei.registry.disk import FolderMap, alone, write_whole


def test_a_file_is_written_whole_with_its_folder(tmp_path: Path) -> None:
    write_whole(tmp_path / "a" / "b", b"1")
    write_whole(tmp_path / "a" / "b", b"2")

    assert (tmp_path / "a" / "b").read_bytes() == b"2"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b"]


def test_a_folder_is_a_mapping(tmp_path: Path) -> None:
    files = FolderMap(tmp_path / "f")
    assert not files
    files["one"] = b"1"
    files["deep/two"] = b"2"

    assert dict(files) == {"one": b"1"}
    assert files["deep/two"] == b"2"
    assert "x" not in files
    del files["one"]
    with pytest.raises(KeyError):
        _ = files["one"]


def test_one_changes_it_at_a_time(tmp_path: Path) -> None:
    order: list[str] = []

    def change() -> None:
        with alone(tmp_path):
            order.append("second")

    with alone(tmp_path):
        second = Thread(target=change)
        second.start()
        order.append("first")
    second.join()

    assert order == ["first", "second"]
