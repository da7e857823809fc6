"""`ei dns` answers dig and the resolver of every program."""

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.cli.conftest import Run

from ei.cli.exits import Exit

SCRIPT = "import sys; from ei.cli import main; sys.exit(main())"


def test_a_stub_needs_to_know_which_host_it_is(ei: Run) -> None:
    said = ei("dns", "--upstream", "192.0.2.53")

    assert said.code == Exit.ERROR
    assert "ei host init" in said.err


def test_what_is_no_server_is_refused_with_what_is_one(ei: Run) -> None:
    said = ei("dns", "--upstream", "dns.example")

    assert said.code == Exit.ERROR
    assert "want ADDRESS or ADDRESS:PORT, such as 192.0.2.53" in said.err


@contextmanager
def stub(home: Path, *words: str) -> Generator[int]:
    """Run `ei dns` as alice; the value is its port."""
    command = [sys.executable, "-c", SCRIPT]
    environ = {"XDG_STATE_HOME": str(home), "HOME": str(home), "PATH": "/usr/bin:/bin"}
    running = subprocess.Popen(
        [*command, "lab", "shell", "alice", "--",
         *command, "dns", "--listen", "127.0.0.1:0", "--upstream", "127.0.0.1:1", *words],
        env=environ, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert running.stderr is not None
        first = running.stderr.readline()
        assert first.startswith("names under .ei are answered at 127.0.0.1:"), first
        yield int(first.partition("127.0.0.1:")[2].partition(" ")[0])
    finally:
        running.terminate()
        _ = running.communicate(timeout=10)
    assert running.returncode == Exit.OK


def dig(port: int, *words: str) -> str:
    """Ask with dig, a foreign program; return all that it says."""
    asked = ["dig", "@127.0.0.1", "-p", str(port), "+tries=1", "+time=5", *words]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout


@pytest.mark.slow
def test_dig_is_answered_by_the_host_daemon_of_a_lab(lab: Run, running_lab: Path) -> None:
    address = str(lab("host", "status", "bob", "--json").document["address"])

    with stub(running_lab) as port:
        known = dig(port, "bob.isp-b.ei", "AAAA", "+short")
        by_tcp = dig(port, "bob.isp-b.ei", "AAAA", "+short", "+tcp")
        reverse = dig(port, "-x", address, "+short")
        legacy = dig(port, "bob.isp-b.ei", "A")
        missing = dig(port, "nobody.isp-b.ei", "AAAA")
        unknown = dig(port, "example.com", "A")

    assert known.strip() == by_tcp.strip() == address
    assert reverse.strip() == "bob.isp-b.ei."
    assert "status: NOERROR" in legacy
    assert "SOA" in legacy
    assert "status: NXDOMAIN" in missing
    assert "its domain says that there is none" in missing
    assert "status: SERVFAIL" in unknown
    assert "127.0.0.1:1" in unknown
