"""What counting and ending the processes of a run promises."""

import os
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from ei.lab.census import (
    MARK,
    command_of,
    end_processes,
    leftovers,
    marked_processes,
    run_id_of,
    session_of,
    signal_process,
)

NOBODY = 2**22 - 1
"""A pid above what this kernel gives out by default."""


@pytest.fixture
def run_id() -> str:
    return uuid.uuid4().hex


@pytest.fixture
def sleeper(run_id: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        ["sleep", "60"], env={"PATH": os.environ["PATH"], MARK: run_id}, start_new_session=True
    )
    # The environment of a process shows a moment after it was started.
    while not marked_processes(run_id):
        os.sched_yield()
    yield process
    process.kill()
    process.wait()


def test_a_process_of_the_run_is_found_and_ended(
    sleeper: subprocess.Popen[bytes], run_id: str
) -> None:
    assert marked_processes(run_id) == [sleeper.pid]

    assert end_processes(run_id, timeout_s=5) == 1
    assert marked_processes(run_id) == []
    assert sleeper.wait(5) == -signal.SIGKILL


def test_a_stranger_is_never_hit(sleeper: subprocess.Popen[bytes]) -> None:
    assert not signal_process(sleeper.pid, "another run", signal.SIGKILL)
    assert end_processes("another run", timeout_s=5) == 0
    assert sleeper.poll() is None


def test_who_is_gone_is_said_to_be_gone() -> None:
    assert not signal_process(NOBODY, "any", signal.SIGKILL)
    assert (session_of(NOBODY), command_of(NOBODY)) == (0, "")


def test_a_living_process_has_a_session_and_a_name(sleeper: subprocess.Popen[bytes]) -> None:
    assert (session_of(sleeper.pid), command_of(sleeper.pid)) == (sleeper.pid, "sleep")


def test_a_fork_keeps_the_mark_although_its_parent_is_gone(run_id: str) -> None:
    # The child outlives its parent, as a worker might.
    orphan = "import os, time\nif os.fork() == 0: time.sleep(60)"
    subprocess.run([sys.executable, "-c", orphan], env={MARK: run_id}, check=True)

    while not marked_processes(run_id):
        os.sched_yield()
    assert end_processes(run_id, timeout_s=5) == 1
    assert marked_processes(run_id) == []


def test_a_run_is_known_by_the_folder_of_its_supervisor(tmp_path: Path, run_id: str) -> None:
    supervisor = subprocess.Popen(
        [sys.executable, "-c", "input()", str(tmp_path)], env={MARK: run_id}, stdin=subprocess.PIPE
    )
    try:
        while run_id_of(tmp_path) is None:
            os.sched_yield()

        assert run_id_of(tmp_path) == run_id
        assert run_id_of(tmp_path / "other") is None
    finally:
        supervisor.kill()
        _ = supervisor.communicate()
    assert run_id_of(tmp_path) is None


def test_sockets_and_files_of_a_run_are_counted(tmp_path: Path, run_id: str) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as admin,
    ):
        udp.bind(("127.249.3.4", 0))
        admin.bind(str(folder / "admin.sock"))

        left = leftovers(run_id, subnet="127.249", folder=folder)
        elsewhere = leftovers(run_id, subnet="127.248", folder=tmp_path / "absent")

    assert left.processes == ()
    assert [endpoint[:8] for endpoint in left.sockets] == ["0403F97F", str(folder)[:8]]
    assert left.files == (str(folder), str(folder / "admin.sock"))
    assert elsewhere.count == 0
