"""What a real node promises to who sends little beside who sends much."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from ei.daemons.client import ask
from ei.errors import DeadlineError
from ei.host.client import Host
from ei.host.connect import connect
from ei.lab.builder import TopologyBuilder
from ei.lab.processes import start_lab, stop_lab
from ei.lab.run_folder import LabFile, run_folder
from ei.lab.topology import Topology

pytestmark = [pytest.mark.slow, pytest.mark.alone, pytest.mark.timeout(60)]

ECHO = 17
NAME = "fair"
RATE_PPS = 100
SECONDS = 3.0
FLOOD = """
import asyncio, sys
from ei.host.connect import connect

async def main():
    async with connect(sys.argv[1]) as host:
        print("ready", flush=True)
        while True:
            with host.call(17) as channel:
                channel.send(*[b"flood"] * 64)
            await asyncio.sleep(0)

asyncio.run(main())
"""


def topology() -> Topology:
    builder = TopologyBuilder("fair")
    builder.domain("d")
    builder.node("n.d")
    for name in ("bob.d", "mallory.d"):
        builder.host(name, nodes=["n.d"])
    return builder.build()


@pytest.fixture
def lab(environ: Mapping[str, str]) -> Iterator[LabFile]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield start_lab(
            topology(), name=NAME, environ=environ, has_host_daemons=False, owner=theirs
        )
        _ = stop_lab(name=NAME, environ=environ)


def test_b11_beside_a_flood_one_keeps_90_percent_of_its_rate_at_a_real_node(
    lab: LabFile, environ: Mapping[str, str]
) -> None:
    folder = run_folder(NAME, environ)
    alone = asyncio.run(answered(folder.folder_of("bob.d") / "host.toml"))
    mallory = subprocess.Popen(
        [sys.executable, "-c", FLOOD, folder.folder_of("mallory.d") / "host.toml"],
        stdout=subprocess.PIPE,
        env=dict(os.environ),
    )
    try:
        assert mallory.stdout is not None
        assert mallory.stdout.readline() == b"ready\n"
        before = missed(lab)
        beside = asyncio.run(answered(folder.folder_of("bob.d") / "host.toml"))
        flood = missed(lab) - before
    finally:
        mallory.kill()
        _ = mallory.communicate()

    assert alone >= 0.95 * RATE_PPS * SECONDS
    assert flood >= 10 * alone
    assert beside >= 0.9 * alone


async def answered(config: Path) -> int:
    """Ask the node at a steady rate, each time on a connection of its own; count the answers."""
    async with connect(config) as host, asyncio.TaskGroup() as group:
        tasks: list[asyncio.Task[bool]] = []
        for _ in range(round(RATE_PPS * SECONDS)):
            tasks.append(group.create_task(is_answered(host)))
            await asyncio.sleep(1 / RATE_PPS)
        results = [await task for task in tasks]
    return sum(results)


async def is_answered(host: Host) -> bool:
    with host.call(ECHO) as channel:
        channel.send(b"hello")
        try:
            _ = await channel.receive(deadline_s=1.0)
        except DeadlineError:
            return False
    return True


def missed(lab: LabFile) -> int:
    statistics = ask(Path(lab.daemons["n.d"].admin), "statistics")["statistics"]
    assert isinstance(statistics, dict)
    return int(statistics["missed"])
