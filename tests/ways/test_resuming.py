"""Streams to servers outlive the node that carries them: real nodes, which are killed."""

import asyncio
import hashlib
import os
import socket
import tempfile
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from ei.errors import StreamError
from ei.lab.catalogue import find_topology
from ei.lab.load import attach_fully, node_in_use, until
from ei.lab.process_lab import ProcessLab
from ei.lab.topology import Impairment
from ei.scenarios.termination.ground import Ground
from ei.scenarios.termination.servers import Server, content, serving
from ei.sdk import Legacy
from ei.services.termination.client import begin
from ei.services.termination.messages import Opening
from ei.ways.ends import StreamEnd, TcpEnd
from ei.ways.pump import pump
from ei.ways.resuming import ResumableStream, open_resumable

pytestmark = pytest.mark.slow

MUCH = 20_000_000
A_LITTLE = 2_000_000
EXIT = "sn1.isp-b"
NODES = ("sn1.isp-a", "sn2.isp-a")
LINKS = [(node, other) for node in NODES for other in ("alice.isp-a", EXIT)]


class Way:
    """A lab with a server behind its exit."""

    def __init__(self, lab: ProcessLab, ground: Ground, server: Server) -> None:
        self.lab = lab
        self.ground = ground
        self.server = server
        self.alice = lab.host("alice")

    async def open(self, line: str) -> ResumableStream:
        return await open_resumable(
            self.alice,
            self.ground.web,
            self.server.port,
            exit=self.alice.find(EXIT),
            first=f"{line}\n".encode(),
        )

    async def served(self, streams: int) -> bool:
        """Say whether so many streams are open at the exit."""
        status = (await self.lab.node_status(EXIT)).streams
        return status is not None and status.open == streams

    async def kill(self) -> str:
        """Kill the node in use; return its name."""
        node = node_in_use(self.alice)
        await self.lab.kill(node)
        return node


@asynccontextmanager
async def opened() -> AsyncGenerator[ProcessLab]:
    with tempfile.TemporaryDirectory(prefix="ei-") as state:
        environ = {**os.environ, "XDG_STATE_HOME": state}
        lab = ProcessLab(find_topology("termination"), seed=1, environ=environ)
        try:
            await lab.open()
            yield lab
        finally:
            await lab.close()


def run(script: Callable[[Way], Coroutine[Any, Any, None]]) -> None:
    async def program() -> None:
        async with opened() as lab:
            for a, b in LINKS:
                await lab.impair(a, b, Impairment(delay_ms=1))
            ground = await Ground.of(lab)
            async with serving(ground.listener()) as server:
                await script(Way(lab, ground, server))

    asyncio.run(program())


async def read_exactly(stream: ResumableStream, count: int) -> bytes:
    read = bytearray()
    while len(read) < count:
        read += await stream.read(count - len(read))
    return bytes(read)


async def read_all(stream: ResumableStream) -> bytes:
    read = bytearray()
    while piece := await stream.read():
        read += piece
    return bytes(read)


def test_what_a_server_sends_arrives_whole_however_often_the_node_is_killed() -> None:
    async def script(way: Way) -> None:
        stream = await way.open(f"give {MUCH}")
        read = await read_exactly(stream, A_LITTLE)

        first = await way.kill()
        read += await read_exactly(stream, A_LITTLE)
        await way.lab.start(first)
        await attach_fully(way.alice, deadline_s=10)
        assert await way.kill() != first

        assert read + await read_all(stream) == content(MUCH)
        assert stream.resumed == 2

    run(script)


def test_what_a_program_sends_arrives_whole_and_so_does_the_answer_to_its_end() -> None:
    async def script(way: Way) -> None:
        stream = await way.open("take")
        much = content(MUCH)
        await stream.write(much[:A_LITTLE])

        first = await way.kill()
        await stream.write(much[A_LITTLE:])
        assert stream.resumed == 1
        await way.lab.start(first)
        await attach_fully(way.alice, deadline_s=10)
        await stream.finish()
        _ = await way.kill()

        assert (await read_all(stream)).decode() == hashlib.sha256(much).hexdigest()

    run(script)


def test_who_is_silent_is_moved_too_and_a_stream_that_is_slowly_read() -> None:
    async def script(way: Way) -> None:
        silent, slow = await way.open("take"), await way.open(f"give {MUCH}")
        read = await read_exactly(slow, A_LITTLE)

        _ = await way.kill()

        assert await until(way.lab, lambda: was_resumed(silent, slow), limit_s=5) is not None
        read += await read_exactly(slow, A_LITTLE)
        await silent.write(b"abc")
        await silent.finish()
        assert (await read_all(silent)).decode() == hashlib.sha256(b"abc").hexdigest()
        assert read + await read_all(slow) == content(MUCH)

    run(script)


def test_with_its_exit_a_stream_is_lost_and_a_session_of_nobody_is_refused() -> None:
    async def script(way: Way) -> None:
        to = Legacy(way.ground.web, way.server.port)
        opening = Opening(to, exit=way.alice.find(EXIT), session=bytes(16), has=0)
        with pytest.raises(StreamError, match="does not keep that stream") as refused:
            _ = await begin(way.alice, opening, deadline_s=5)
        assert refused.value.kind == "too_late"

        stream = await way.open("flood")
        _ = await stream.read()
        await way.lab.kill_worker(EXIT, "termination")

        with pytest.raises(StreamError) as lost:
            _ = await read_all(stream)
        assert lost.value.kind == "lost"
        assert stream.resumed == 0

    run(script)


def test_with_a_node_that_is_its_exit_as_well_a_stream_is_lost_soon() -> None:
    async def script(way: Way) -> None:
        stream = await open_resumable(way.alice, way.ground.web, way.server.port, first=b"flood\n")
        _ = await stream.read()
        _ = await way.kill()
        began_s = way.lab.now_s()

        with pytest.raises(StreamError) as lost:
            _ = await read_all(stream)

        assert lost.value.kind == "node_lost"
        assert way.lab.now_s() - began_s < 5

    run(script)


def test_a_stream_that_its_program_gives_up_is_given_up_at_the_exit() -> None:
    async def script(way: Way) -> None:
        stream = await way.open("flood")
        _ = await stream.read()

        stream.abort()

        assert await until(way.lab, lambda: way.served(0), limit_s=5) is not None
        with pytest.raises(StreamError, match="gave the stream up"):
            _ = await stream.read()

    run(script)


async def was_resumed(*streams: ResumableStream) -> bool:
    return all(stream.resumed for stream in streams)


def test_a_program_whose_connection_is_carried_natively_sees_a_pause() -> None:
    async def script(way: Way) -> None:
        for line, half_closes in ((f"give {MUCH}", False), ("take", True)):
            inside, outside = socket.socketpair()
            outside.settimeout(0)
            stream = await way.open(line)
            async with asyncio.TaskGroup() as group:
                says = MUCH if half_closes else 0
                program = group.create_task(used(outside, says, way))
                pumped = await pump(TcpEnd(inside), StreamEnd(stream, is_settled=True), idle_s=20)
            read = program.result()

            assert stream.resumed == 1
            assert (pumped.ending, pumped.text) == ("ended", "")
            if half_closes:
                assert read.decode() == hashlib.sha256(content(MUCH)).hexdigest()
                assert (pumped.there_bytes, pumped.back_bytes) == (MUCH, 64)
            else:
                assert read == content(MUCH)
                assert (pumped.there_bytes, pumped.back_bytes) == (0, MUCH)
            await attach_fully(way.alice, deadline_s=10)

    run(script)


def test_a_program_that_had_ended_its_direction_before_hears_the_answer() -> None:
    async def script(way: Way) -> None:
        inside, outside = socket.socketpair()
        outside.settimeout(0)
        stream = await way.open("late")
        async with asyncio.TaskGroup() as group:
            pumping = group.create_task(
                pump(TcpEnd(inside), StreamEnd(stream, is_settled=True), idle_s=20)
            )
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(outside, content(A_LITTLE))
            outside.shutdown(socket.SHUT_WR)
            _ = await way.server.has_all.wait()

            _ = await way.kill()
            assert await until(way.lab, lambda: was_resumed(stream), limit_s=5) is not None
            way.server.may_answer.set()
            read = bytearray()
            while piece := await loop.sock_recv(outside, 1 << 20):
                read += piece

        assert read.decode() == hashlib.sha256(content(A_LITTLE)).hexdigest()
        assert (pumping.result().ending, pumping.result().text) == ("ended", "")
        outside.close()

    run(script)


async def used(program: socket.socket, says: int, way: Way) -> bytes:
    """Say and hear all; have the node killed in the middle, and started again."""
    loop = asyncio.get_running_loop()
    killed, read = "", bytearray()
    for start in range(0, says, A_LITTLE):
        await loop.sock_sendall(program, content(says)[start : start + A_LITTLE])
        killed = killed or await way.kill()
    if says:
        program.shutdown(socket.SHUT_WR)
    while piece := await loop.sock_recv(program, 1 << 20):
        read += piece
        if not says and len(read) > A_LITTLE:
            killed = killed or await way.kill()
    program.close()
    await way.lab.start(killed)
    return bytes(read)
