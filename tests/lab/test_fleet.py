"""What the daemons of a lab promise to their supervisor."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ei.errors import ConflictError, DeadlineError, NotFoundError
from ei.lab.census import MARK, end_processes, marked_processes
from ei.lab.fleet import Fleet
from ei.lab.run_folder import Daemon

pytestmark = pytest.mark.slow

STEM = """
import os, signal, socket, sys
from ei.lab.stem import run_stem

def wait(folder):
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    (folder / "ready").touch()
    signal.sigwait([signal.SIGTERM])
    return 0

def stubborn(folder):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    (folder / "ready").touch()
    while True:
        signal.pause()

def silent(folder):
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    signal.sigwait([signal.SIGTERM])
    return 0

def refuse(folder):
    print("port in use")
    return 6

control = socket.socket(fileno=int(sys.argv[1]))
run_stem(control, {"wait": wait, "stubborn": stubborn, "silent": silent, "refuse": refuse})
"""

OTHER = """
import sys, time
from pathlib import Path

folder = Path(sys.argv[-1]).parent
with (folder / "runs").open("a") as runs:
    runs.write("x")
(folder / "ready").touch()
time.sleep(60)
"""
"""Code of another tree."""


class Yard:
    """A fleet with a stem of its own, in a marked process tree."""

    def __init__(self, folder: Path, kinds: dict[str, str]) -> None:
        self.run_id = uuid.uuid4().hex
        self.folder = folder
        for name in kinds:
            (folder / name).mkdir()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.stem = subprocess.Popen(
            [sys.executable, "-c", STEM, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env=os.environ | {MARK: self.run_id, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        theirs.close()
        self.control = ours
        self.fleet = Fleet(
            self.run_id,
            {name: Daemon(name, kind, "", "", "", "") for name, kind in kinds.items()},  # type: ignore[arg-type]
            stem=ours,
            folder_of=lambda name: folder / name,
            readiness=lambda daemon: "" if (folder / daemon.name / "ready").exists() else "not yet",
        )

    def states(self) -> dict[str, str]:
        return {state.name: state.state for state in self.fleet.states}


@pytest.fixture
def kinds() -> dict[str, str]:
    return {"a": "wait", "b": "wait"}


@pytest.fixture
def yard(tmp_path: Path, kinds: dict[str, str]) -> Iterator[Yard]:
    yard = Yard(tmp_path, kinds)
    yield yard
    yard.control.close()
    yard.stem.wait(10)
    end_processes(yard.run_id, timeout_s=5)


async def until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110 of other processes no event comes
        await asyncio.sleep(0.01)


async def start(yard: Yard, *names: str) -> None:
    yard.fleet.open()
    ready: list[str] = []
    await yard.fleet.start(names, ready.append)
    assert ready == list(names)


def test_daemons_start_and_end(yard: Yard) -> None:
    async def script() -> None:
        await start(yard, "a", "b")
        assert yard.states() == {"a": "running", "b": "running"}
        await yard.fleet.end()

    asyncio.run(script())

    assert [(state.state, state.status) for state in yard.fleet.states] == [("ended", 0)] * 2
    assert marked_processes(yard.run_id) == [yard.stem.pid]


def test_a_killed_daemon_can_be_started_again(yard: Yard) -> None:
    async def script() -> None:
        await start(yard, "a")
        await yard.fleet.kill("a")
        assert yard.fleet.state("a").status == -signal.SIGKILL
        with pytest.raises(ConflictError, match="a does not run"):
            await yard.fleet.kill("a")
        await yard.fleet.start(["a"], lambda _: None)

    asyncio.run(script())

    assert (yard.fleet.state("a").state, yard.fleet.state("a").starts) == ("running", 2)


def test_from_which_tree_a_daemon_runs_is_said_at_its_start_and_kept(
    yard: Yard, tmp_path: Path
) -> None:
    package = tmp_path / "tree" / "src" / "ei"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(OTHER)
    runs = tmp_path / "a" / "runs"

    async def script() -> None:
        await start(yard, "a")
        for tree in (str(tmp_path / "tree"), None, ""):
            await yard.fleet.kill("a")
            (yard.folder / "a" / "ready").unlink()
            await yard.fleet.start(["a"], lambda _: None, tree=tree)

    asyncio.run(script())

    assert runs.read_text() == "xx"
    assert (yard.fleet.state("a").tree, yard.fleet.state("a").starts) == ("", 4)


def test_a_frozen_daemon_stands_still_until_it_is_thawed(yard: Yard) -> None:
    def kernel_state() -> str:
        pid = yard.fleet.state("a").pid
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]

    async def script() -> None:
        await start(yard, "a")
        yard.fleet.freeze("a")
        await until(lambda: kernel_state() == "T")
        assert yard.states()["a"] == "frozen"
        yard.fleet.thaw("a")
        await until(lambda: kernel_state() == "S")

    asyncio.run(script())

    assert yard.states()["a"] == "running"


@pytest.mark.parametrize("kinds", [{"a": "stubborn"}])
def test_a_daemon_that_will_not_end_is_ended(yard: Yard) -> None:
    async def script() -> None:
        await start(yard, "a")
        await yard.fleet.end()
        await until(lambda: not yard.fleet.state("a").pid)

    asyncio.run(script())

    assert yard.fleet.state("a").status == -signal.SIGKILL


@pytest.mark.parametrize("kinds", [{"a": "refuse"}])
def test_a_daemon_that_cannot_start_is_quoted(yard: Yard) -> None:
    with pytest.raises(ConflictError, match="a ended with 6 at its start: port in use"):
        asyncio.run(start(yard, "a"))


def test_a_daemon_runs_once(yard: Yard) -> None:
    async def script() -> None:
        await start(yard, "a")
        await yard.fleet.start(["a"], lambda _: None)

    with pytest.raises(ConflictError, match="a is running"):
        asyncio.run(script())


@pytest.mark.parametrize("kinds", [{"a": "silent"}])
def test_a_daemon_that_is_not_ready_in_time_runs_on_and_is_waited_for_again(yard: Yard) -> None:
    async def script() -> None:
        yard.fleet.open()
        with pytest.raises(DeadlineError, match="a is not ready in time: not yet"):
            await yard.fleet.start(["a"], lambda _: None, limit_s=0.5)
        assert yard.states() == {"a": "running"}
        (yard.folder / "a" / "ready").touch()
        await yard.fleet.start(["a"], lambda _: None)
        with pytest.raises(ConflictError, match="a is running"):
            await yard.fleet.start(["a"], lambda _: None)

    asyncio.run(script())

    assert (yard.fleet.state("a").state, yard.fleet.state("a").starts) == ("running", 1)


def test_an_unknown_name_gets_a_suggestion(yard: Yard) -> None:
    with pytest.raises(NotFoundError, match="called 'aa'; did you mean 'a'"):
        yard.fleet.state("aa")


def test_the_loss_of_the_stem_is_noticed(yard: Yard) -> None:
    async def script() -> None:
        await start(yard, "a")
        yard.stem.kill()
        await asyncio.wait_for(yard.fleet.is_lost.wait(), 10)

    asyncio.run(script())
