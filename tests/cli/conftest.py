"""Running `ei` in this process, as the console script does."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from ei.cli.main import main
from ei.errors import DeniedError
from ei.lab.namespaces import check_allowed


@dataclass(frozen=True, slots=True)
class Said:
    """What one command said, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def widest(self) -> int:
        """Columns of the longest line of the answer."""
        return max(map(len, self.out.splitlines()))

    @property
    def document(self) -> dict[str, object]:
        """The one JSON object on stdout."""
        (line,) = self.out.splitlines()
        document = json.loads(line)
        assert isinstance(document, dict)
        return document


Run = Callable[..., Said]


@pytest.fixture
def ei(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `ei` with the given words, in a home of its own."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in ("COLUMNS", "EI_CONFIG", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> Said:
        code = main(words)
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return run


LAB_TOPOLOGY = """\
version = 1
services = ["delivery", "echo"]

[domains.isp-a.nodes.sn1]
[domains.isp-a.hosts.alice]
nodes = ["sn1"]

[domains.isp-b.nodes.sn1]
[domains.isp-b.hosts.bob]
nodes = ["sn1"]

# Whom tests may kill and freeze without hurting the others.
[domains.isp-b.hosts.victim]
nodes = ["sn1"]
"""


@pytest.fixture(scope="session")
def running_lab() -> Generator[Path]:
    """A lab of two domains, two nodes and three hosts, for all tests; yields its state home.

    Sockets of a lab have long names, and there is a limit on them: hence a short path.
    """
    with lab_of("processes") as home:
        yield home


@pytest.fixture(scope="session")
def spread_lab() -> Generator[Path]:
    """The same in network namespaces; skips where these may not be made."""
    try:
        check_allowed(environ=os.environ)
    except DeniedError as error:
        pytest.skip(str(error))
    with lab_of("netns") as home:
        yield home


@contextmanager
def lab_of(backend: str) -> Generator[Path]:
    """Run the lab of `LAB_TOPOLOGY`; return its state home."""
    with tempfile.TemporaryDirectory(prefix="ei-", dir="/tmp") as name:
        home = Path(name)
        (home / "topology.toml").write_text(LAB_TOPOLOGY)
        command = [sys.executable, "-c", "import sys; from ei.cli import main; sys.exit(main())"]
        environ = {"XDG_STATE_HOME": name, "HOME": name, "PATH": "/usr/bin:/bin"}
        up = [*command, "lab", "up", str(home / "topology.toml"), "--backend", backend]
        subprocess.run(up, check=True, env=environ, capture_output=True)
        try:
            yield home
        finally:
            down = [*command, "lab", "down"]
            subprocess.run(down, check=True, env=environ, capture_output=True)


@pytest.fixture
def lab(ei: Run, running_lab: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `ei` beside the running lab."""
    monkeypatch.setenv("XDG_STATE_HOME", str(running_lab))
    return ei
