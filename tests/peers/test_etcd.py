"""Debian's own etcd and our client of it understand one another."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ei.errors import UnreachableError
from ei.lab.etcd import CLIENT_PORT, COMMAND_FILE, find_etcd, why_etcd, write_etcd
from ei.node.etcd import Etcd

pytestmark = pytest.mark.slow

START_S = 15.0


@pytest.fixture
def members(tmp_path: Path) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """Three members of etcd, by endpoint."""
    block = f"127.94.{os.getpid() // 80 % 250}"
    first = os.getpid() % 80 * 3 + 1
    addresses = {f"etcd{number}": f"{block}.{first + number}" for number in range(3)}
    started: dict[str, subprocess.Popen[bytes]] = {}
    for name, address in addresses.items():
        write_etcd(find_etcd(), name, addresses, tmp_path / name)
        command = json.loads((tmp_path / name / COMMAND_FILE).read_text())
        with (tmp_path / name / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        started[f"{address}:{CLIENT_PORT}"] = process
    yield started
    for process in started.values():
        process.kill()
        _ = process.wait()


def wait_ready(endpoints: list[str]) -> None:
    deadline_s = time.monotonic() + START_S
    while any(why_etcd(endpoint, deadline_s=1.0) for endpoint in endpoints):
        assert time.monotonic() < deadline_s, "etcd was not ready in time"
        time.sleep(0.05)


@pytest.mark.timeout(60)
def test_what_a_member_of_a_cluster_asks_etcd_does(
    members: dict[str, subprocess.Popen[bytes]],
) -> None:
    endpoints = list(members)
    wait_ready(endpoints)
    etcd = Etcd(endpoints)

    assert etcd.change("/ei/c/a", b"1", revision=0)
    assert not etcd.change("/ei/c/a", b"2", revision=0)
    (item,) = etcd.read("/ei/c/")
    assert (item.key, item.value) == ("/ei/c/a", b"1")
    assert etcd.change("/ei/c/a", b"2", revision=item.revision)
    lease = etcd.grant(2)
    etcd.put("/ei/c/live", b"", lease=lease)
    assert etcd.keep_alive(lease)
    assert len(etcd.read("/ei/c/")) == 2
    etcd.revoke(lease)
    assert [each.value for each in etcd.read("/ei/c/")] == [b"2"]
    assert not etcd.keep_alive(lease)

    leads = {endpoint: Etcd([endpoint]) for endpoint in endpoints}
    (leader,) = [endpoint for endpoint, each in leads.items() if each.is_leader()]
    members[leader].kill()
    began_s = time.monotonic()
    while True:
        try:
            etcd.put("/ei/c/a", b"3")
            break
        except UnreachableError:
            continue
    assert time.monotonic() - began_s < 3.0

    other = next(endpoint for endpoint in endpoints if endpoint != leader)
    members[other].kill()
    with pytest.raises(UnreachableError, match="etcd does not answer"):
        etcd.read("/ei/c/")
    for each in (etcd, *leads.values()):
        each.close()
