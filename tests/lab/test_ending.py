"""What ending a lab promises, whatever became of its files."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from ei.errors import ConflictError
from ei.lab.catalogue import find_topology
from ei.lab.census import end_processes, leftovers, marked_processes
from ei.lab.ending import end_lab
from ei.lab.processes import start_lab
from ei.lab.run_folder import LabFile, RunFolder, run_folder

NAME = "ending"


@pytest.fixture
def lab(environ: Mapping[str, str]) -> Iterator[LabFile]:
    lab = start_lab(find_topology("echo"), name=NAME, environ=environ)
    yield lab
    end_processes(lab.run_id, timeout_s=5)


def test_a_folder_that_is_no_lab_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()

    with pytest.raises(ConflictError, match=r"no lab wrote 'thesis\.tex'"):
        end_lab(RunFolder(tmp_path))

    assert (tmp_path / "thesis.tex").exists()


def test_what_a_lab_had_begun_to_write_is_removed(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "begun")
    folder.path.mkdir()
    folder.new_lab_file.touch()

    ended = end_lab(folder)

    assert (ended.was_running, ended.left.count) == (False, 0)
    assert not folder.path.exists()


@pytest.mark.slow
def test_a_lab_whose_file_is_damaged_is_ended_gently(
    lab: LabFile, environ: Mapping[str, str]
) -> None:
    folder = run_folder(NAME, environ)
    _ = folder.lab_file.write_text("{")

    ended = end_lab(folder)

    assert (ended.was_running, ended.killed, ended.left.count) == (True, 0, 0)
    assert leftovers(lab.run_id, subnet=lab.subnet, folder=folder.path).count == 0


@pytest.mark.slow
def test_a_lab_without_file_and_socket_is_ended(lab: LabFile, environ: Mapping[str, str]) -> None:
    folder = run_folder(NAME, environ)
    folder.lab_file.unlink()
    folder.socket.unlink()

    ended = end_lab(folder)

    assert ended.killed > 0
    assert marked_processes(lab.run_id) == []
    assert not folder.path.exists()
