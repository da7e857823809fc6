"""What the process that forks daemons promises."""

import os
import select
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from ei.lab.stem import Exited, Program, Start, Started, run_stem


def answer(folder: Path) -> int:
    print("hello from", folder.name, flush=True)  # noqa: T201 what daemons say
    return 3


def wait(_: Path) -> int:
    signal.pause()
    return 0


def fail(_: Path) -> int:
    raise ValueError("on purpose")


def leave_an_orphan(folder: Path) -> int:
    if os.fork() == 0:
        (folder / "orphan").write_text(str(os.getpid()))
        time.sleep(0.1)
        os._exit(0)
    return 0


PROGRAMS: dict[str, Program] = {
    "answer": answer,
    "wait": wait,
    "fail": fail,
    "orphan": leave_an_orphan,
}


class Stem:
    """A stem of our own, at the other end of a socket."""

    def __init__(self) -> None:
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.settimeout(10)
        self.pid = os.fork()
        if self.pid == 0:
            self.control.close()
            run_stem(theirs, PROGRAMS)
        theirs.close()

    def start(self, kind: str, folder: Path, *, tree: str = "") -> Started:
        start = Start(folder.name, kind, str(folder), tree=tree)
        self.control.send(msgspec.msgpack.encode(start))
        message = self.receive()
        assert isinstance(message, Started)
        return message

    def receive(self) -> Started | Exited:
        message: Started | Exited = msgspec.msgpack.decode(
            self.control.recv(65_536), type=Started | Exited
        )
        return message


@pytest.fixture
def stem() -> Iterator[Stem]:
    stem = Stem()
    yield stem
    stem.control.close()
    os.waitpid(stem.pid, 0)


def test_a_daemon_runs_in_its_folder_and_its_exit_is_reported(stem: Stem, tmp_path: Path) -> None:
    started = stem.start("answer", tmp_path)

    assert stem.receive() == Exited(tmp_path.name, started.pid, 3)
    assert (tmp_path / "log").read_text() == f"hello from {tmp_path.name}\n"


@pytest.mark.slow
def test_a_daemon_of_another_tree_runs_the_code_of_that_tree(stem: Stem, tmp_path: Path) -> None:
    package = tmp_path / "tree" / "src" / "ei"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text("import sys; print(*sys.argv[1:]); sys.exit(4)")

    started = stem.start("answer", tmp_path, tree=str(tmp_path / "tree"))

    assert stem.receive() == Exited(tmp_path.name, started.pid, 4)
    said = (tmp_path / "log").read_text()
    assert said == f"answer run --config {tmp_path}/answer.toml\n"


def test_a_daemon_that_raises_leaves_its_traceback_in_its_log(stem: Stem, tmp_path: Path) -> None:
    stem.start("fail", tmp_path)

    assert isinstance(exited := stem.receive(), Exited)
    assert exited.status == 1
    assert "ValueError: on purpose" in (tmp_path / "log").read_text()


def test_a_killed_daemon_is_reported_by_its_signal(stem: Stem, tmp_path: Path) -> None:
    started = stem.start("wait", tmp_path)

    os.kill(started.pid, signal.SIGKILL)

    assert stem.receive() == Exited(tmp_path.name, started.pid, -signal.SIGKILL)


def test_daemons_die_with_the_stem(tmp_path: Path) -> None:
    stem = Stem()
    daemon = os.pidfd_open(stem.start("wait", tmp_path).pid)

    os.kill(stem.pid, signal.SIGKILL)
    os.waitpid(stem.pid, 0)

    # A pidfd is readable once its process is gone.

    assert select.select([daemon], [], [], 10)[0] == [daemon]
    os.close(daemon)
    stem.control.close()


def test_the_stem_ends_with_its_supervisor(tmp_path: Path) -> None:
    stem = Stem()
    daemon = os.pidfd_open(stem.start("wait", tmp_path).pid)

    stem.control.close()

    assert os.waitstatus_to_exitcode(os.waitpid(stem.pid, 0)[1]) == 0

    assert select.select([daemon], [], [], 10)[0] == [daemon]
    os.close(daemon)


@pytest.mark.slow
def test_what_a_dead_daemon_leaves_does_not_stay_a_zombie(stem: Stem, tmp_path: Path) -> None:
    stem.start("orphan", tmp_path)
    stem.receive()
    while not (orphan := tmp_path / "orphan").exists() or not orphan.read_text():
        os.sched_yield()

    while Path("/proc", orphan.read_text()).exists():
        time.sleep(0.01)
