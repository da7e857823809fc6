"""What the folder of a running lab promises."""

import multiprocessing
import os
import time
from pathlib import Path

import pytest

from ei.errors import ConfigError, ConflictError, IntegrityError, LocalError, UnreachableError
from ei.lab.run_folder import Daemon, LabFile, RunFolder, exclusive, run_folder

CONTENT = LabFile(
    name="default",
    run_id="0123",
    subnet="127.1",
    seed=7,
    started_unix_s=1.5,
    topology="threedomains.toml",
    daemons={"a.d": Daemon("a.d", "node", "fd35::1", "127.1.0.1:3535", "a.d", "a.d/admin.sock")},
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.write(CONTENT)

    assert folder.read() == CONTENT
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lab.json"]


def test_no_lab_is_said_with_its_remedy(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="no lab 'absent' is running") as caught:
        RunFolder(tmp_path / "absent").read()

    assert caught.value.remedy == "Start one: ei lab up"


def test_a_damaged_file_is_said_with_its_remedy(tmp_path: Path) -> None:
    (tmp_path / "lab.json").write_text('{"schema": ')

    with pytest.raises(IntegrityError, match=r"lab\.json is damaged"):
        RunFolder(tmp_path).read()


def test_labs_are_kept_in_the_state_folder_of_the_user() -> None:
    assert run_folder("x", {"XDG_STATE_HOME": "/state"}).path == Path("/state/ei/lab/x")
    assert run_folder("x", {}).path == Path.home() / ".local/state/ei/lab/x"


@pytest.mark.parametrize("name", ["/etc/v", "../../v", "..", ".", "", "a/b", "A", "a\n", "x" * 33])
def test_a_name_never_leads_out_of_the_folder_of_labs(name: str) -> None:
    with pytest.raises(LocalError, match="1 to 32 of a-z, 0-9 and - are allowed"):
        run_folder(name, {"XDG_STATE_HOME": "/state"})


def test_a_folder_is_removed_when_all_in_it_is_a_labs(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "lab")
    (folder.folder_of("alice.isp-a")).mkdir(parents=True)
    (folder.folder_of("bob.isp-b")).mkdir()
    (folder.folder_of("bob.isp-b") / "key").touch()
    folder.log.touch()

    folder.remove()

    assert not folder.path.exists()


def test_a_folder_with_anything_else_in_it_is_kept(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "lab")
    (folder.path / "photos" / "2026").mkdir(parents=True)

    with pytest.raises(ConflictError, match="no lab wrote 'photos'"):
        folder.remove()

    assert (folder.path / "photos" / "2026").exists()


def test_a_path_too_long_for_sockets_is_refused_with_its_length(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / ("x" * 100))

    with pytest.raises(ConfigError, match="allowed are 107 B"):
        folder.check_length(["a.d", "alice.isp-a"])


def hold(path: Path, seconds: float) -> None:
    with exclusive(RunFolder(path)):
        (path.parent / "held").touch()
        time.sleep(seconds)
        (path.parent / "held").unlink()


@pytest.mark.slow
def test_one_at_a_time_works_on_the_labs(tmp_path: Path) -> None:
    path = tmp_path / "labs" / "default"
    path.parent.mkdir()
    other = multiprocessing.get_context("fork").Process(target=hold, args=(path, 0.3))
    other.start()
    while not (path.parent / "held").exists() and other.is_alive():
        os.sched_yield()

    with exclusive(RunFolder(path)):
        assert not (path.parent / "held").exists()

    other.join()
    assert list(path.parent.iterdir()) == []
