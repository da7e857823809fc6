"""A real node over 127/8, as a process of its own."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.daemons.conftest import collector

from ei.daemons.client import ask
from ei.errors import EiError
from ei.host.init import init_host
from ei.node.init import init_node
from ei.records.enrolling import Roll
from ei.records.issuer import Issuer
from ei.records.keys import make_keys

__all__ = ["collector"]

PROGRAM = """
import sys
from pathlib import Path
from ei.errors import EiError
from ei.node.daemon import run_node
try:
    run_node(Path(sys.argv[1]), supervisor_fd=int(sys.argv[2]))
except EiError as error:
    print(f"{error} | {error.remedy}", file=sys.stderr)
    sys.exit(error.exit_code)
"""
START_S = 10.0


class RunningNode:
    """One node process, which dies with this object's pipe."""

    def __init__(self, path: Path) -> None:
        self.admin = path.parent / "admin.sock"
        self.log = path.parent / "log"
        reading, self._writing = os.pipe()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, str(path), str(reading)],
                stderr=log,
                pass_fds=(reading,),
            )
        os.close(reading)

    def ask(self, verb: str, **arguments: object) -> dict[str, object]:
        """Ask it on its admin socket."""
        return ask(self.admin, verb, arguments)

    def wait_ready(self) -> None:
        """Return when all its workers run."""
        self.wait_until(lambda: all(pid for pid in self.pids().values()))

    def wait_until(self, is_so: Callable[[], bool], *, limit_s: float = START_S) -> None:
        """Return when `is_so()`; what it asks may fail until then."""
        deadline_s = time.monotonic() + limit_s
        while time.monotonic() < deadline_s:
            assert self.process.poll() is None, self.log.read_text()
            with suppress(EiError):
                if is_so():
                    return
            time.sleep(0.02)
        raise AssertionError(f"not within {limit_s} s: {self.log.read_text()}")

    def pids(self) -> dict[str, int]:
        """Return the process ids of its workers."""
        workers = self.ask("status")["workers"]
        assert isinstance(workers, list)
        return {worker["service"]: worker["pid"] for worker in workers}

    def hang_up(self) -> None:
        """Be gone, as a supervisor that was killed."""
        if self._writing >= 0:
            os.close(self._writing)
            self._writing = -1

    def end(self) -> int:
        """Wait for its end, by force in the end; return its exit code."""
        try:
            return self.process.wait(START_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


@pytest.fixture
def node_file(tmp_path: Path) -> Path:
    """A node.toml with all it names, whose port nobody has."""
    issuer = Issuer("isp-a", 1, make_keys(b"d" * 32), expires_unix_s=int(time.time()) + 24 * 3_600)
    bind = f"127.93.{os.getpid() // 250 % 250}.{os.getpid() % 250 + 1}:3535"
    new = init_node(
        tmp_path / "sn1",
        name="sn1",
        bind=bind,
        endpoint=bind,
        roll=Roll(issuer, tmp_path / "records.eir", unix_s=time.time()),
        randomness=b"n" * 32,
        services=("delivery", "echo"),
    )
    return new.path


def node_and_host(folder: Path, *hosts: str, services: tuple[str, ...]) -> Path:
    """Make a node of isp-a and the folders of hosts of it beside it; return the node.toml."""
    issuer = Issuer("isp-a", 1, make_keys(b"d" * 32), expires_unix_s=int(time.time()) + 24 * 3_600)
    roll = Roll(issuer, folder / "records.eir", unix_s=time.time())
    bind = f"127.95.{os.getpid() // 250 % 250}.{os.getpid() % 250 + 1}:3535"
    new = init_node(
        folder / "sn1",
        name="sn1",
        bind=bind,
        endpoint=bind,
        roll=roll,
        randomness=b"n" * 32,
        services=services,
    )
    for host in hosts:
        randomness = host[:1].encode() * 32
        _ = init_host(folder / host, name=host, nodes=(), roll=roll, randomness=randomness)
    return new.path


@pytest.fixture
def terminating(tmp_path: Path) -> Path:
    """The node.toml of a node that runs termination, beside the folders of its hosts."""
    return node_and_host(tmp_path, "alice", "bob", services=("delivery", "termination"))


@pytest.fixture
def start_node() -> Iterator[Callable[[Path], RunningNode]]:
    """Start nodes that end with the test."""
    started: list[RunningNode] = []

    def start(path: Path) -> RunningNode:
        started.append(RunningNode(path))
        return started[-1]

    yield start
    for running in started:
        running.hang_up()
    for running in started:
        _ = running.end()


@pytest.fixture
def node(start_node: Callable[[Path], RunningNode], node_file: Path) -> RunningNode:
    """A node that is ready."""
    running = start_node(node_file)
    running.wait_ready()
    return running
