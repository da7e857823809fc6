import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.conftest import Run

from ei.cli.exits import Exit

SCRIPT = "import sys; from ei.cli import main; sys.exit(main())"


@pytest.mark.slow
def test_a_command_speaks_as_the_host(running_lab: Path) -> None:
    inner = [sys.executable, "-c", SCRIPT, "ping", "bob", "--count", "1"]
    outer = [sys.executable, "-c", SCRIPT, "lab", "shell", "alice", "--", *inner]
    environ = {"XDG_STATE_HOME": str(running_lab), "HOME": str(running_lab), "PATH": "/usr/bin"}

    said = subprocess.run(outer, check=True, env=environ, capture_output=True, text=True)

    assert "alice.isp-a → bob.isp-b: 1 of 1 came back" in said.stdout


@pytest.mark.slow
def test_the_command_is_there_where_it_was_called_by_its_path(running_lab: Path) -> None:
    ei = Path(sys.executable).parent / "ei"
    environ = {"XDG_STATE_HOME": str(running_lab), "HOME": str(running_lab), "PATH": "/usr/bin"}

    said = subprocess.run(
        [ei, "lab", "shell", "alice", "--", "ei", "ping", "bob", "--count", "1"],
        check=True, env=environ, capture_output=True, text=True,
    )  # fmt: skip

    assert "1 of 1 came back" in said.stdout


@pytest.mark.slow
def test_a_program_that_is_not_there_is_named(lab: Run) -> None:
    said = lab("lab", "shell", "alice", "--", "no-such-program")

    assert said.code == Exit.NEGATIVE
    assert "There is no program 'no-such-program'" in said.err


@pytest.mark.slow
def test_the_shell_knows_its_configuration(running_lab: Path) -> None:
    outer = [sys.executable, "-c", SCRIPT, "lab", "shell", "alice", "--", "env"]
    environ = {"XDG_STATE_HOME": str(running_lab), "HOME": str(running_lab), "PATH": "/usr/bin"}

    said = subprocess.run(outer, check=True, env=environ, capture_output=True, text=True)

    variables = dict(line.split("=", 1) for line in said.stdout.splitlines())
    assert Path(variables["EI_CONFIG"]).exists()
    assert variables["EI_LAB"] == "default"


KNOCK = """
import socket, sys, time
began_s = time.monotonic()
try:
    socket.create_connection((sys.argv[1], 80), timeout=5).close()
except ConnectionRefusedError:
    print("refused after", time.monotonic() - began_s)
"""


@pytest.mark.slow
@pytest.mark.alone
def test_any_program_runs_over_the_links_of_a_netns_lab(spread_lab: Path) -> None:
    def ei(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", SCRIPT, "lab", *words],
            check=True, env=environ, capture_output=True, text=True,
        )  # fmt: skip

    environ = {"XDG_STATE_HOME": str(spread_lab), "HOME": str(spread_lab), "PATH": "/usr/bin:/bin"}
    knock = ["shell", "alice", "--", sys.executable, "-c", KNOCK]

    directly = ei(*knock, "bob.isp-b").stdout
    _ = ei("impair", "alice--bob", "--delay", "100ms")
    slowly = ei(*knock, "bob.isp-b").stdout
    _ = ei("heal", "alice--bob")

    assert float(directly.removeprefix("refused after ")) < 0.1
    assert float(slowly.removeprefix("refused after ")) >= 0.2
