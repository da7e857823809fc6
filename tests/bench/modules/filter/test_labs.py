"""What filter promises in WebAssembly holds in labs too: in simulation, and in a worker's jail."""

import asyncio
import os
from collections.abc import Iterator, Mapping
from tempfile import TemporaryDirectory

import msgspec
import pytest

from ei.bench.module import EXAMPLES, MODULES
from ei.errors import DeadlineError
from ei.host.channels import ServiceChannel
from ei.lab.fixture import run_simulated
from ei.lab.lab import Lab
from ei.lab.process_lab import ProcessLab
from ei.lab.topology_file import parse_topology
from ei.sdk import load_manifest

FILTER = load_manifest(EXAMPLES[1]).id
TOPOLOGY = parse_topology(
    f"""
version = 1
services = ["delivery", "filter_wasm"]
service_folders = ["{MODULES}"]
strangers = ["filter_wasm"]

[domains.isp.nodes.sn1]
[domains.isp.hosts.alice]
nodes = ["sn1"]
[domains.isp.hosts.bob]
nodes = ["sn1"]
""",
    name="filtered",
    folder=MODULES,
)
BLOCK = 1


async def get_through(lab: Lab) -> None:
    """Let packets through, then none, by what the receiver says."""
    alice, bob = lab.host("alice"), lab.host("bob")
    with bob.listen(FILTER) as inbox, alice.call(FILTER, metadata=bob.address) as out:
        for payload in (b"decided by the module", b"decided by the cache"):
            _ = out.send(payload)
            assert (await inbox.receive(deadline_s=5)).payload == payload
        bob.send_control(FILTER, msgspec.msgpack.encode([BLOCK, alice.address]))
        assert await is_refused(lab, out, inbox)


async def is_refused(lab: Lab, out: ServiceChannel, inbox: ServiceChannel) -> bool:
    """Send until nothing comes: what the receiver said takes a while to come to the module."""
    for _ in range(20):
        _ = out.send(b"refused")
        try:
            _ = await inbox.receive(deadline_s=0.2)
        except DeadlineError:
            return True
        await lab.sleep(0.05)
    return False


def test_in_simulation() -> None:
    run_simulated(TOPOLOGY, get_through, seed=7)


@pytest.fixture
def environ() -> Iterator[Mapping[str, str]]:
    with TemporaryDirectory(prefix="ei-", dir="/tmp") as folder:
        yield {**os.environ, "XDG_STATE_HOME": folder}


@pytest.mark.slow
def test_in_a_lab_of_processes(environ: Mapping[str, str]) -> None:
    async def program() -> None:
        lab = ProcessLab(TOPOLOGY, seed=1, environ=environ)
        try:
            await lab.open()
            await get_through(lab)
        finally:
            await lab.close()

    asyncio.run(program())
