"""The files of a replica, on a real disk."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from ei.errors import ConflictError, LocalError
from ei.runtime.disk import FolderDisk


def test_what_was_written_is_read(tmp_path: Path) -> None:
    disk = FolderDisk(tmp_path / "replica")
    assert disk.read("log") is None

    disk.replace("log", b"one")
    disk.append("log", b"two")
    disk.sync("log")

    assert disk.read("log") == b"onetwo"
    disk.close()


def test_a_file_that_was_replaced_is_the_one_that_is_appended_to(tmp_path: Path) -> None:
    disk = FolderDisk(tmp_path / "replica")
    disk.append("log", b"old")
    disk.replace("log", b"new")

    disk.append("log", b"!")

    assert disk.read("log") == b"new!"
    disk.close()


def test_a_folder_belongs_to_one_process(tmp_path: Path) -> None:
    disk = FolderDisk(tmp_path / "replica")

    with pytest.raises(ConflictError, match="another process has it open"):
        FolderDisk(tmp_path / "replica")

    disk.close()
    FolderDisk(tmp_path / "replica").close()


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    disk = FolderDisk(tmp_path / "replica")
    disk.replace("log", b"secret")
    disk.append("other", b"secret")
    disk.close()

    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "replica").iterdir()}

    assert (tmp_path / "replica").stat().st_mode & 0o777 == 0o700
    assert set(modes.values()) == {0o600}


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="No such file or directory"):
        FolderDisk(tmp_path / "no" / "replica")


FULL = """
import resource, sys
from pathlib import Path
from ei.errors import LimitError
from ei.runtime.disk import FolderDisk
disk = FolderDisk(Path(sys.argv[1]))
disk.replace("log", b"kept")
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
for act in (lambda: disk.append("log", b"more"), lambda: disk.replace("log", b"other")):
    try:
        act()
    except LimitError as error:
        print(error)
print(disk.read("log"), sorted(path.name for path in Path(sys.argv[1]).iterdir()))
"""


@pytest.mark.slow
def test_a_full_disk_is_said_and_changes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "replica"

    said = subprocess.run(
        [sys.executable, "-c", FULL, str(folder)], capture_output=True, text=True, check=True
    ).stdout

    full = f"{folder}/log: the disk is full; what was not acknowledged may be lost\n"
    assert said == full * 2 + "b'kept' ['lock', 'log']\n"
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 0
