"""An internet in which each node and host runs the code of one of two versions."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec
import pytest
from tests.scenarios.conftest import environ
from tools.previous import make_previous

from ei.daemons.client import ask
from ei.errors import NotFoundError
from ei.lab.catalogue import find_topology
from ei.lab.daemon_files import HOST_FILE
from ei.lab.fleet import DaemonState
from ei.lab.processes import ask_lab, start_lab, stop_lab
from ei.lab.run_folder import run_folder
from ei.node.status import PeerStatus

__all__ = ["environ"]

ROOT = Path(__file__).parents[2]
TALKER = Path(__file__).with_name("talker.py")
NAME = "versions"
TOPOLOGY = find_topology("restarts")
HOSTS = tuple(TOPOLOGY.hosts)
NODES = tuple(TOPOLOGY.nodes)
MODULE = "_core.abi3.so"
LIMIT_S = 20.0
GRACE_S = 4.0


@pytest.fixture(scope="session")
def previous() -> Path:
    """The tree of the version before this one; skips where the clone has no history."""
    try:
        return make_previous(ROOT)
    except NotFoundError as error:
        pytest.skip(f"{error}; to have D11 tested: {error.remedy}")


@pytest.fixture
def start_internet(
    environ: Mapping[str, str],
) -> "Iterator[Callable[[Mapping[str, Path]], Internet]]":
    """Start one that ends with the test; see `Internet`."""
    started: list[Internet] = []

    def start(trees: Mapping[str, Path]) -> Internet:
        started.append(Internet(trees, environ))
        started[-1].open()
        return started[-1]

    yield start
    for each in started:
        each.close()


class TalkingHost:
    """A host in a process of its own; see `talker.py`."""

    def __init__(self, path: Path, tree: Path, environ: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, TALKER, path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**environ, "PYTHONPATH": str(tree / "src")},
        )

    def tell(self, do: str, **told: object) -> None:
        """Have it do something; `answer` says what came of it."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": do, **told}) + "\n")
        self.process.stdin.flush()

    def answer(self) -> object:
        """Wait for its next line."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"a host ended with {self.process.wait(LIMIT_S)}: see stderr"
        return json.loads(line)

    def leave(self) -> None:
        """Let it go."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def close(self) -> None:
        """See it gone."""
        assert self.process.stdout is not None
        try:
            self.process.wait(LIMIT_S)
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()


class Internet:
    """The topology `restarts`, of real processes.

    Args:
        trees: Name of each node and host to the source tree whose code it runs.
    """

    def __init__(self, trees: Mapping[str, Path], environ: Mapping[str, str]) -> None:
        self._trees = trees
        self._environ = environ
        self._talking: dict[str, TalkingHost] = {}

    def open(self) -> None:
        """Start all; return when each host reaches each other."""
        others = {name: tree for name, tree in self._trees.items() if tree != ROOT}
        self._lab = start_lab(
            TOPOLOGY, name=NAME, environ=self._environ, has_host_daemons=False, trees=others
        )
        folder = run_folder(NAME, self._environ)
        for name in HOSTS:
            path = folder.folder_of(name) / HOST_FILE
            self._talking[name] = TalkingHost(path, self._trees[name], self._environ)
        assert [each.answer() for each in self._talking.values()] == list(HOSTS)
        self.settle()
        for to in HOSTS:
            assert all(self.tell_all("reach", {name: to for name in HOSTS if name != to}).values())

    def close(self) -> None:
        """End all."""
        try:
            for each in self._talking.values():
                each.leave()
            for each in self._talking.values():
                each.close()
        finally:
            _ = stop_lab(name=NAME, environ=self._environ)

    def trees(self) -> dict[str, Path]:
        """Return the tree of the native module that each process has loaded, by the kernel."""
        pids = {each.name: each.pid for each in self._daemons()}
        pids |= {name: each.process.pid for name, each in self._talking.items()}
        return {name: tree_of(pid) for name, pid in pids.items()}

    def tell_all(self, do: str, to: Mapping[str, str], **told: object) -> dict[str, object]:
        """Have hosts do something side by side; return what each says.

        Args:
            to: Name of a host to the one that it is about.
        """
        for name, other in to.items():
            self._talking[name].tell(do, to=other, **told)
        return {name: self._talking[name].answer() for name in to}

    def settle(self) -> None:
        """Wait until the pipes between all nodes, and from all hosts to their nodes, are up."""
        selves = {name: name for name in HOSTS}
        until(lambda: all(self.tell_all("attached", selves).values()), "hosts are attached")
        until(lambda: all(self._is_joined(name) for name in NODES), "nodes are joined")

    def replace(self, name: str, tree: Path) -> None:
        """Drain a node, and start it from another tree on what it left."""
        admin = Path(self._lab.daemons[name].admin)
        answer = ask(admin, "drain", {"grace_s": GRACE_S}, deadline_s=2 * GRACE_S)
        assert answer["left"] == [], f"{name} was left late"
        until(lambda: self._state(name) == "ended", f"{name} ended")
        wanted = {"name": name, "tree": "" if tree == ROOT else str(tree)}
        _ = ask_lab("start", wanted, name=NAME, environ=self._environ)
        self.settle()

    def _is_joined(self, name: str) -> bool:
        answer = ask(Path(self._lab.daemons[name].admin), "status")
        node = msgspec.convert(answer["node"], dict[str, object])
        peers = msgspec.convert(node["peers"], list[PeerStatus])
        return sum(peer.is_up for peer in peers if peer.kind == "node") == len(NODES) - 1

    def _state(self, name: str) -> str:
        return next(each.state for each in self._daemons() if each.name == name)

    def _daemons(self) -> list[DaemonState]:
        status = ask_lab("status", name=NAME, environ=self._environ)
        return msgspec.convert(status["daemons"], list[DaemonState])


def tree_of(pid: int) -> Path:
    """Return the source tree whose native module a process has loaded."""
    maps = Path(f"/proc/{pid}/maps").read_text().splitlines()
    return next(Path(line.split()[-1]).parents[2] for line in maps if line.endswith(MODULE))


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait for what other processes do."""
    deadline_s = time.monotonic() + LIMIT_S
    while not holds():
        assert time.monotonic() < deadline_s, f"not within {LIMIT_S:g} s: {what}"
        time.sleep(0.02)
