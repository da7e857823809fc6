"""What the network namespaces of a lab promise."""

import asyncio
import os
import socket
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from ei._core import Link
from ei.errors import DeniedError
from ei.lab.census import mark_device, marked_namespaces
from ei.lab.namespaces import Namespaces, check_allowed, inside, know_names
from ei.lab.underlay import Underlay

NOBODY = 65_534
ADDRESSES = {"a": "198.18.0.1", "b": "198.18.0.2"}


@pytest.fixture
def run_id() -> str:
    return uuid.uuid4().hex


@pytest.fixture
def pair(run_id: str, allowed: None) -> Iterator[Namespaces]:  # noqa: ARG001
    namespaces = Namespaces(run_id, ADDRESSES)
    yield namespaces
    namespaces.close()


def test_what_one_sends_another_goes_through_the_middle_once(pair: Namespaces) -> None:
    seen: list[tuple[str, str]] = []

    def link_of(sender: str, receiver: str) -> Link:
        seen.append((sender, receiver))
        return Link(seed=1)

    async def script() -> bytes:
        underlay = Underlay(pair.tun, ADDRESSES, link_of=link_of)
        underlay.start()
        loop = asyncio.get_running_loop()
        with udp(pair, "a") as a, udp(pair, "b") as b:
            a.sendto(b"hello", ("198.18.0.2", 7))
            data, back = await asyncio.wait_for(loop.sock_recvfrom(b, 100), 5)
            b.sendto(data.upper(), back)
            answer = await asyncio.wait_for(loop.sock_recv(a, 100), 5)
        underlay.stop()
        return answer

    assert asyncio.run(script()) == b"HELLO"
    assert seen == [("a", "b"), ("b", "a")]


def test_each_sees_itself_and_the_machine_sees_none(pair: Namespaces, run_id: str) -> None:
    device = mark_device(run_id)
    outside = set(devices())

    for path in (*pair.paths.values(), pair.middle):
        with inside(path):
            assert device in devices()

    assert set(devices()) == outside
    assert device not in outside


def test_they_are_gone_with_the_last_who_is_in_one(pair: Namespaces, run_id: str) -> None:
    with inside(pair.paths["a"]):
        child = subprocess.Popen(["sleep", "60"])

    pair.close()

    assert list(marked_namespaces(run_id).values()) == [child.pid]
    child.kill()
    _ = child.wait()
    assert marked_namespaces(run_id) == {}


@pytest.mark.usefixtures("allowed")
def test_names_are_known_to_a_program_and_to_no_other(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("198.18.0.9 bob.isp-b\n")
    before = Path("/etc/hosts").read_bytes()
    child = os.fork()
    if child == 0:
        know_names(hosts)
        os._exit(0 if socket.gethostbyname("bob.isp-b") == "198.18.0.9" else 1)

    _, status = os.waitpid(child, 0)

    assert status == 0
    assert Path("/etc/hosts").read_bytes() == before


@pytest.mark.usefixtures("allowed")
def test_a_system_without_what_it_takes_is_told_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DeniedError, match="the program ip, which is not here") as without_ip:
        check_allowed(environ={"PATH": str(tmp_path)}, further=str(tmp_path))
    with pytest.raises(DeniedError, match="tun, which is not there"):
        check_allowed(environ=os.environ, tun=tmp_path / "tun")

    assert "apt-get install iproute2" in without_ip.value.remedy
    assert "ei lab up --backend processes" in without_ip.value.remedy


def test_who_is_not_root_is_told_which_backend_works() -> None:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        if os.geteuid() == 0:
            os.setuid(NOBODY)
        try:
            check_allowed(environ=os.environ)
        except DeniedError as error:
            _ = os.write(writing, f"{error} | {error.remedy}".encode())
        os._exit(0)

    _ = os.waitpid(child, 0)
    said = os.read(reading, 1_000).decode()
    os.close(reading)
    os.close(writing)

    assert "network namespaces, which this user may not make" in said
    assert "Without it: ei lab up --backend processes" in said


def udp(namespaces: Namespaces, name: str) -> socket.socket:
    with inside(namespaces.paths[name]):
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.settimeout(0)
    opened.bind((ADDRESSES[name], 7))
    return opened


def devices() -> Mapping[str, str]:
    """Return the devices in the namespace of this thread, with their counters."""
    lines = Path("/proc/thread-self/net/dev").read_text().splitlines()[2:]
    return dict(line.strip().split(":", 1) for line in lines)
