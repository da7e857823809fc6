"""The relay through real nodes: by whom, at what price, and what becomes of it when one dies."""

import asyncio
import os
import random
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import SystemRandom
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from ei.errors import DeniedError, EiError, LocalError, StreamError
from ei.host.streams import Stream
from ei.lab.process_lab import ProcessLab
from ei.lab.topology_file import parse_topology
from ei.sdk import Address
from ei.services.relay.client import PrivateRelay, relaying
from ei.services.relay.client_node import NodeTalk
from ei.services.relay.client_streams import ask
from ei.services.relay.messages import Admission

pytestmark = pytest.mark.slow

TOPOLOGY = """
version = 1
services = ["delivery", "relay"]
internet = ["127.0.0.0/8:1024-65535"]

[domains.isp-a.nodes.sn1]
[domains.isp-a.hosts.alice]
nodes = ["sn1"]
[domains.isp-b.nodes.sn1]
[domains.isp-c.nodes.sn1]
[domains.isp-d]
operator = "isp-a"
[domains.isp-d.nodes.sn1]
"""
BETWEEN = """
version = 1
services = ["delivery", "relay"]
internet = ["127.0.0.0/8:1024-65535"]

[domains.t1.nodes.sn1]
[domains.t2.nodes.sn1]
[domains.isp-a]
providers = ["t1", "t2"]
[domains.isp-a.nodes.sn1]
[domains.isp-a.nodes.sn2]
[domains.isp-a.hosts.alice]
nodes = ["sn1", "sn2"]
[domains.isp-b]
providers = ["t1", "t2"]
[domains.isp-b.nodes.sn1]
"""
BESIDE = """
version = 1
services = ["delivery", "relay"]
internet = ["127.0.0.0/8:1024-65535"]

[domains.isp-a]
peers = ["isp-b", "isp-c"]
[domains.isp-a.nodes.sn1]
[domains.isp-a.hosts.alice]
nodes = ["sn1"]
[domains.isp-b.nodes.sn1]
[domains.isp-b.nodes.sn2]
[domains.isp-c.nodes.sn1]
"""
LIMIT_S = 2.0
"""From the death of a hop to bytes over another circuit."""
Script = Callable[[ProcessLab], Coroutine[Any, Any, None]]


@pytest.fixture
def environ() -> Iterator[Mapping[str, str]]:
    with TemporaryDirectory(prefix="ei-", dir="/tmp") as folder:
        yield {**os.environ, "XDG_STATE_HOME": folder}


def run(environ: Mapping[str, str], script: Script, text: str = TOPOLOGY) -> None:
    async def program() -> None:
        topology = parse_topology(text, name="relay", folder=Path(__file__).parent)
        lab = ProcessLab(topology, seed=1, environ=environ)
        try:
            await lab.open()
            await routed(lab)
            await script(lab)
        finally:
            await lab.close()

    asyncio.run(program())


async def routed(lab: ProcessLab) -> None:
    """Wait until the nodes of alice know a way to the first exit: she may be attached before."""
    topology = lab.topology
    async with asyncio.timeout(LIMIT_S):
        for node in topology.hosts[topology.find("alice")].nodes:
            while all(  # noqa: ASYNC110 it happens in other processes
                row.domain != "isp-b" for row in (await lab.routes(node)).routes
            ):
                await asyncio.sleep(0.05)


def by(lab: ProcessLab, *names: str) -> Callable[[frozenset[Address]], Address]:
    """Choose the first of some exits that was not tried."""
    exits = [lab.host("alice").records.find(name) for name in names]

    def choose(tried: frozenset[Address]) -> Address:
        for each in exits:
            if each not in tried:
                return each
        raise DeniedError("there is no other exit")

    return choose


@asynccontextmanager
async def reversing() -> AsyncGenerator[int]:
    """Serve what says all backwards, once it has heard the end; yield its port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.read())[::-1])
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def said_back(relay: PrivateRelay, port: int, said: bytes) -> bytes:
    stream = await relay.open("127.0.0.1", port)
    await stream.write(said)
    await stream.finish()
    return (await stream.read_all())[::-1]


async def missed(lab: ProcessLab, node: str) -> int:
    """Return how many packets of the relay its service has seen."""
    services = (await lab.node_status(node)).services
    return next(each.missed for each in services if each.name == "relay")


async def in_time_said_back(relay: PrivateRelay, port: int, said: bytes) -> bytes:
    """Try until a worker or a route is there again."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            with suppress(StreamError):
                return await said_back(relay, port, said)
            await asyncio.sleep(0.05)


async def write_until_lost(stream: Stream) -> None:
    while True:
        await stream.write(bytes(1_000))
        await asyncio.sleep(0.01)


def test_streams_go_by_two_nodes_for_one_token(environ: Mapping[str, str]) -> None:
    async def script(lab: ProcessLab) -> None:
        said = random.Random(1).randbytes(1_000_000)
        async with (
            reversing() as port,
            relaying(lab.host("alice"), exit=by(lab, "sn1.isp-b")) as it,
        ):
            assert not it.status().is_up
            await it.ready()
            for _ in range(3):
                assert await said_back(it, port, said) == said

            status, records = it.status(), lab.host("alice").records
            assert (status.is_up, status.circuits, status.why_not) == (True, 1, "")
            assert status.node == records.find("sn1.isp-a")
            assert status.exit == records.find("sn1.isp-b")
        services = (await lab.node_status("sn1.isp-b")).services
        [relay] = [each for each in services if each.name == "relay"]
        assert (relay.counters["admitted"], relay.counters["refused"]) == (1, 0)

    run(environ, script)


@pytest.mark.parametrize("word", ["kill", "freeze"])
def test_when_the_exit_dies_in_mid_transfer_another_one_serves_in_time(
    environ: Mapping[str, str], word: str
) -> None:
    async def script(lab: ProcessLab) -> None:
        exits = by(lab, "sn1.isp-b", "sn1.isp-c")
        async with reversing() as port, relaying(lab.host("alice"), exit=exits) as relay:
            stream = await relay.open("127.0.0.1", port)
            await stream.write(bytes(100_000))

            await getattr(lab, word)("sn1.isp-b")
            began_s = asyncio.get_running_loop().time()
            with pytest.raises(StreamError):
                await write_until_lost(stream)
            assert await said_back(relay, port, b"abc") == b"abc"

            assert asyncio.get_running_loop().time() - began_s < LIMIT_S
            assert relay.status().exit == lab.host("alice").records.find("sn1.isp-c")

    run(environ, script)


def test_circuits_that_are_closed_leave_room_for_others(environ: Mapping[str, str]) -> None:
    async def script(lab: ProcessLab) -> None:
        for _ in range(40):  # at once a host may have 32
            async with relaying(lab.host("alice"), exit=by(lab, "sn1.isp-b")) as relay:
                await relay.ready()

    run(environ, script)


def test_an_exit_that_was_lost_is_not_the_first_to_be_tried_though_its_neighbour_leads_there(
    environ: Mapping[str, str],
) -> None:
    async def script(lab: ProcessLab) -> None:
        exits = by(lab, "sn1.isp-b", "sn1.isp-c")
        async with reversing() as port, relaying(lab.host("alice"), exit=exits) as relay:
            assert await said_back(relay, port, b"abc") == b"abc"

            await lab.kill("sn1.isp-b")
            began_s = asyncio.get_running_loop().time()
            assert await in_time_said_back(relay, port, b"abc") == b"abc"

            assert asyncio.get_running_loop().time() - began_s < LIMIT_S
            assert relay.status().exit == lab.host("alice").records.find("sn1.isp-c")

    run(environ, script, BESIDE)


def test_when_a_node_between_dies_the_same_streams_go_on_another_way(
    environ: Mapping[str, str],
) -> None:
    async def script(lab: ProcessLab) -> None:
        async with (
            reversing() as port,
            relaying(lab.host("alice"), exit=by(lab, "sn1.isp-b")) as it,
        ):
            stream = await it.open("127.0.0.1", port)
            await stream.write(b"abc")
            between = [each for each in ("sn1.t1", "sn1.t2") if await missed(lab, each)]
            assert len(between) == 1

            await lab.kill(between[0])
            began_s = asyncio.get_running_loop().time()
            await stream.write(b"def")
            await stream.finish()

            assert await stream.read_all() == b"fedcba"
            assert asyncio.get_running_loop().time() - began_s < LIMIT_S
            assert it.status().circuits == 1

    run(environ, script, BETWEEN)


def test_when_the_first_node_dies_the_next_one_serves_in_time(environ: Mapping[str, str]) -> None:
    async def script(lab: ProcessLab) -> None:
        alice = lab.host("alice")
        async with reversing() as port, relaying(alice, exit=by(lab, "sn1.isp-b")) as relay:
            assert await said_back(relay, port, b"abc") == b"abc"

            await lab.kill("sn1.isp-a")
            began_s = asyncio.get_running_loop().time()

            assert await in_time_said_back(relay, port, b"abc") == b"abc"
            assert asyncio.get_running_loop().time() - began_s < LIMIT_S
            assert relay.status().node == alice.records.find("sn2.isp-a")

    run(environ, script, BETWEEN)


@pytest.mark.parametrize(("who", "circuits"), [("sn1.isp-a", 1), ("sn1.isp-b", 2)])
def test_after_a_worker_forgot_everything_it_goes_on(
    environ: Mapping[str, str], who: str, circuits: int
) -> None:
    async def script(lab: ProcessLab) -> None:
        async with (
            reversing() as port,
            relaying(lab.host("alice"), exit=by(lab, "sn1.isp-b")) as it,
        ):
            assert await said_back(it, port, b"abc") == b"abc"

            await lab.kill_worker(who, "relay")

            assert await in_time_said_back(it, port, b"abc") == b"abc"
            assert it.status().circuits == circuits

    run(environ, script)


def test_a_token_is_spent_for_good_and_at_one_node(environ: Mapping[str, str]) -> None:
    async def script(lab: ProcessLab) -> None:
        alice, fit = lab.host("alice"), SystemRandom()
        first, exit_node, other = (
            alice.records.find(f"sn1.{domain}") for domain in ("isp-a", "isp-b", "isp-c")
        )

        async def show(token: bytes, to: Address) -> str:
            async with await alice.open_circuit(to, service=68) as circuit:
                return (await ask(circuit, Admission(first, token), deadline_s=3.0)).word

        with alice.controls(68) as controls:
            node = NodeTalk(controls, lambda *_: None, unix_s=lambda: 0.0, random=fit)
            async with asyncio.TaskGroup() as tasks:
                hearing = tasks.create_task(node.hear())
                key = await node.key_of(first)
                token = await node.token(first, key, exit_node)
                _ = hearing.cancel()

        assert await show(token, other) == "token_elsewhere"
        assert await show(token, exit_node) == ""
        assert await show(token, exit_node) == "token_spent"
        await lab.kill("sn1.isp-b")
        await lab.start("sn1.isp-b")
        assert await show(token, exit_node) == "token_spent"

    run(environ, script)


def test_two_nodes_of_one_operator_are_refused_with_the_reason(environ: Mapping[str, str]) -> None:
    async def script(lab: ProcessLab) -> None:
        alice = lab.host("alice")
        async with relaying(alice, exit=by(lab, "sn1.isp-d")) as relay:
            with pytest.raises(DeniedError, match="it would know both ends"):
                await relay.ready()
            assert "it would know both ends" in relay.status().why_not
        async with relaying(alice, exit=by(lab, "sn1.isp-a")) as relay:
            with pytest.raises(LocalError, match="would know both"):
                await relay.ready()

    run(environ, script)


def test_what_the_exit_says_of_a_server_is_the_error(environ: Mapping[str, str]) -> None:
    async def script(lab: ProcessLab) -> None:
        async with relaying(lab.host("alice"), exit=by(lab, "sn1.isp-b")) as relay:
            for name, port, said in (
                ("127.0.0.1", 1, "does not allow 127.0.0.1:1"),
                ("127.0.0.1", 65_535, "accepts no connection"),
            ):
                with pytest.raises(EiError, match=said):
                    _ = await relay.open(name, port)
            assert relay.status().circuits == 1

    run(environ, script)
