"""systemd is told, over the very socket that it would listen on."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from ei.daemons.service_manager import ServiceManager


@pytest.fixture(params=["path", "abstract"])
def listening(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[str, socket.socket]]:
    """A notification socket, and how the environment names it."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@ei-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiving:
        receiving.bind(name.replace("@", "\0"))
        receiving.settimeout(5)
        yield name, receiving


def test_what_is_said_arrives_as_one_datagram(listening: tuple[str, socket.socket]) -> None:
    name, receiving = listening

    ServiceManager({"NOTIFY_SOCKET": name}).say("READY=1", "STATUS=all is well")

    assert receiving.recv(1_000) == b"READY=1\nSTATUS=all is well"


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": "/nowhere/at/all"}])
def test_without_a_manager_nothing_happens(environ: dict[str, str]) -> None:
    ServiceManager(environ).say("READY=1")


def test_a_manager_that_does_not_read_holds_nobody_up(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as deaf:
        deaf.bind(str(tmp_path / "notify"))
        manager = ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "notify")})

        for _ in range(1_000):
            manager.say("WATCHDOG=1")


@pytest.mark.parametrize(
    ("told", "every_s"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_it_is_told_twice_in_the_time_that_it_gives(
    told: dict[str, str], every_s: float | None
) -> None:
    assert ServiceManager({"NOTIFY_SOCKET": "/x", **told}).alive_every_s == every_s
    assert ServiceManager(told).alive_every_s is None
