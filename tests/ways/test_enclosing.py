"""What a program finds in its namespace, and what the machine keeps of it."""

import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from tests.ways.namespaced import ENVIRON, NOBODY, PYTHON, ROOT, Enclosed, enclosed

from ei.ways.enclosing import plain_hosts

__all__ = ["enclosed"]
pytestmark = pytest.mark.slow

KNOCK = """
import socket, sys
try:
    socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=2)
except OSError as error:
    print(type(error).__name__)
"""


def plain() -> str:
    """Return what the machine itself has: devices, addresses, routes, rules, mounts, resolver."""
    asked = ("ip -o address", "ip route", "ip -6 route", "nft list ruleset",
             "cat /etc/resolv.conf /etc/nsswitch.conf /proc/self/mounts")  # fmt: skip
    return "".join(
        subprocess.run(each.split(), capture_output=True, text=True, check=True).stdout
        for each in asked
    )


def test_the_program_keeps_its_user_and_gets_no_rights(enclosed: Enclosed) -> None:
    script = "id -u; grep CapEff /proc/self/status; nft list ruleset 2>&1 | head -1"

    done = enclosed("sh", "-c", script)

    user, rights, rules = done.stdout.splitlines()
    assert user in {"0", str(NOBODY)}
    if user != "0":
        assert int(rights.split()[1], 16) == 0
        assert "not permitted" in rules


def test_the_program_has_the_address_of_its_host_and_a_resolver(enclosed: Enclosed) -> None:
    done = enclosed(
        "sh", "-c", "cat /etc/resolv.conf; ip -o address; grep ^hosts /etc/nsswitch.conf"
    )

    assert done.returncode == 0, done.stderr
    assert "nameserver 198.19.253.233" in done.stdout
    assert "inet6 fd35:0:1:aaaa::1/128" in done.stdout
    assert "hosts: files dns" in done.stdout


def test_the_machine_is_as_before_while_it_runs_and_after_it_was_killed() -> None:
    before = plain()
    command = [sys.executable, "-m", "tests.ways.enclosed", "sh", "-c", "echo runs; exec sleep 100"]
    with subprocess.Popen(
        command, cwd=ROOT, env=ENVIRON, stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "runs\n"

        during = plain()
        running.kill()
        assert running.stdout.read() == ""  # the program, too, has ended

    assert during == plain() == before
    assert not list(Path(tempfile.gettempdir()).glob("ei-run-*"))


def test_servers_of_the_machine_are_not_inside(enclosed: Enclosed) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        done = enclosed(PYTHON, "-c", KNOCK, str(server.getsockname()[1]))

    assert done.stdout == "ConnectionRefusedError\n"


def test_what_is_missing_is_named_with_the_package_that_has_it() -> None:
    script = (
        "from ei.ways.enclosing import enclose\n"
        "from ei.errors import DeniedError\n"
        "try: enclose('fd35::1', environ={'PATH': '/nowhere'}, further='/nowhere')\n"
        "except DeniedError as error: print(error, '|', error.remedy)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stdout == "the program ip is missing | Install it: apt-get install iproute2\n"


def test_names_come_from_files_and_dns_alone() -> None:
    assert plain_hosts("passwd: files\nhosts: files resolve [!UNAVAIL=return] dns\n#x\n") == (
        "passwd: files\n#x\nhosts: files dns\n"
    )
