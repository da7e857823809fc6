"""Circuits through real nodes: streams from an exit that never hears of the host, and their end."""

import asyncio
import hashlib
import os
import random
import socket
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from ei.errors import LimitError, LocalError, NotFoundError, StreamError
from ei.host.circuit_connections import MAX_CIRCUITS
from ei.host.circuits import Circuit
from ei.host.client import Host
from ei.lab.process_lab import ProcessLab
from ei.lab.topology import Topology
from ei.lab.topology_file import parse_topology
from ei.sdk.packets import Address

pytestmark = pytest.mark.slow

HIDING = 4_026_531_848
SERVICES = Path(__file__).parent / "services"
TOPOLOGY = f"""
version = 1
services = ["delivery", "hiding"]
service_folders = ["{SERVICES}"]
internet = ["127.0.0.0/8:1024-65535"]

[domains.isp-a.nodes.sn1]
[domains.isp-a.hosts.alice]
nodes = ["sn1"]
[domains.isp-b.nodes.sn1]
"""
Script = Callable[[ProcessLab], Coroutine[Any, Any, None]]


@pytest.fixture
def environ() -> Iterator[Mapping[str, str]]:
    with TemporaryDirectory(prefix="ei-", dir="/tmp") as folder:
        yield {**os.environ, "XDG_STATE_HOME": folder}


def topology() -> Topology:
    return parse_topology(TOPOLOGY, name="hiding", folder=SERVICES)


def run(environ: Mapping[str, str], script: Script) -> None:
    async def program() -> None:
        lab = ProcessLab(topology(), seed=1, environ=environ)
        try:
            await lab.open()
            await script(lab)
        finally:
            await lab.close()

    asyncio.run(program())


def exit_of(lab: ProcessLab) -> Address:
    return lab.host("alice").records.find("sn1.isp-b")


async def circuit_of(lab: ProcessLab) -> Circuit:
    return await lab.host("alice").open_circuit(exit_of(lab), service=HIDING)


def to_port(port: int) -> bytes:
    return port.to_bytes(2, "little")


@asynccontextmanager
async def reversing() -> AsyncGenerator[int]:
    """Serve what says all backwards, once it has heard the end; yield its port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.read())[::-1])
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def silent() -> AsyncGenerator[int]:
    """Serve what never says anything."""

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer), suppress(ConnectionError):
            _ = await reader.read()

    async with await asyncio.start_server(listen, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


def test_streams_go_there_and_back_and_the_exit_knows_a_pseudonym(
    environ: Mapping[str, str],
) -> None:
    async def script(lab: ProcessLab) -> None:
        said = random.Random(1).randbytes(3_000_000)
        async with reversing() as port, await circuit_of(lab) as circuit:
            for _ in range(3):
                stream = await circuit.open_stream(to_port(port))
                await stream.write(said)
                await stream.finish()
                assert await stream.read_all() == said[::-1]
            assert circuit.is_open
            assert circuit.node == lab.host("alice").records.find("sn1.isp-a")

        with pytest.raises(LocalError, match="the circuit was closed"):
            _ = await circuit.open_stream(to_port(port))
        hidden = (await lab.node_status("sn1.isp-a")).streams
        assert hidden is not None
        assert hidden.opened == 0, "the first node ends no stream"

    run(environ, script)


def test_a_tcp_connection_is_carried_over_a_circuit(environ: Mapping[str, str]) -> None:
    async def script(lab: ProcessLab) -> None:
        said = random.Random(1).randbytes(3_000_000)
        async with reversing() as port, await circuit_of(lab) as circuit:
            ours, theirs = socket.socketpair()
            with closing(ours):
                stream = await circuit.open_stream(to_port(port))
                async with asyncio.TaskGroup() as group:
                    _ = group.create_task(stream.carry(theirs, idle_s=10))
                    ours.setblocking(False)  # noqa: FBT003
                    reader, writer = await asyncio.open_connection(sock=ours)
                    writer.write(said)
                    writer.write_eof()
                    back = await reader.read()
                    writer.close()
            assert hashlib.sha256(back).digest() == hashlib.sha256(said[::-1]).digest()

    run(environ, script)


@pytest.mark.parametrize(
    ("how", "who", "limit_s", "kind"),
    [
        ("kill", "sn1.isp-a", 1.0, "node_lost"),
        ("freeze", "sn1.isp-b", 1.9, "timed_out"),
    ],
)
def test_who_dies_on_the_way_is_noticed_by_a_silent_stream_too(
    environ: Mapping[str, str], how: str, who: str, limit_s: float, kind: str
) -> None:
    async def script(lab: ProcessLab) -> None:
        async with silent() as port, await circuit_of(lab) as circuit:
            stream = await circuit.open_stream(to_port(port))
            told: list[StreamError] = []
            circuit.watch(told.append)

            await getattr(lab, how)(who)
            began_s = asyncio.get_running_loop().time()
            await stream.write(b"anybody there?")
            loss = await asyncio.wait_for(circuit.lost(), 10)

            assert asyncio.get_running_loop().time() - began_s < limit_s
            assert (loss.kind, told, circuit.is_open) == (kind, [loss], False)
            with pytest.raises(StreamError):
                _ = await stream.read()
            with pytest.raises(StreamError) as again:
                _ = await circuit.open_stream(to_port(port))
            assert again.value.kind == kind

    run(environ, script)


def test_what_cannot_be_a_circuit_is_said(environ: Mapping[str, str]) -> None:
    async def script(lab: ProcessLab) -> None:
        alice = lab.host("alice")
        with pytest.raises(LocalError, match=r"sn1\.isp-a is the node in use"):
            _ = await alice.open_circuit(alice.nodes[0], service=HIDING)
        with pytest.raises(NotFoundError, match="does not offer service 99"):
            _ = await alice.open_circuit(exit_of(lab), service=99)

        circuits = [await circuit_of(lab) for _ in range(MAX_CIRCUITS)]
        with pytest.raises(LimitError, match="as many as a host may have"):
            _ = await circuit_of(lab)
        circuits[0].close()
        circuits[0].close()
        _ = await (await circuit_of(lab)).open_stream(to_port(9))

        await lab.freeze("sn1.isp-b")
        circuits[1].close()
        with pytest.raises(TimeoutError):  # it is cancelled
            _ = await asyncio.wait_for(circuit_of(lab), 0.1)
        assert _open_count(alice) == MAX_CIRCUITS - 1

    run(environ, script)


def _open_count(host: Host) -> int:
    return host.status().circuits
