"""A stream and a TCP connection are one, until both have ended or one has broken."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from ei.errors import DeadlineError, StreamError
from ei.host.streams import Stream, StreamListener
from ei.lab.simulation import Simulation

InLab = Callable[[Callable[[Simulation], Coroutine[Any, Any, None]]], None]
IDLE_S = 30.0


@asynccontextmanager
async def joinable(
    lab: Simulation,
) -> AsyncGenerator[tuple[Stream, Stream, socket.socket, socket.socket]]:
    """Yield both ends of a stream, and both of a connection."""
    inside, outside = socket.socketpair()
    with inside, outside, lab.host("bob").accept_streams(80) as listener:
        near = await lab.host("alice").open_stream("bob.right", 80)
        yield near, await listener.accept(), inside, outside


def test_everything_goes_both_ways_and_is_counted(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        async with joinable(lab) as (near, far, inside, outside):
            outside.sendall(b"answer")
            outside.shutdown(socket.SHUT_WR)
            async with asyncio.TaskGroup() as group:
                _ = group.create_task(far.carry(inside, idle_s=IDLE_S))
                await near.write(b"question")
                await near.finish()
                assert await near.read_all() == b"answer"
            carried = far.carried()
            far.part(is_reset=False)

            assert (outside.recv(100), outside.recv(100)) == (b"question", b"")
            assert (carried.there_bytes, carried.back_bytes) == (8, 6)
            with pytest.raises(StreamError, match="not joined"):
                _ = far.carried()

    in_lab(script)


def test_silence_is_a_deadline(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        async with joinable(lab) as (near, far, inside, _outside):
            began_s = lab.now_s()
            async with asyncio.TaskGroup() as group:
                carrying = group.create_task(_deadline_of(far, inside))
                await asyncio.sleep(IDLE_S - 5)
                await near.write(b"not yet")

            assert carrying.result() - began_s == pytest.approx(2 * IDLE_S - 5, abs=0.5)

    in_lab(script)


def test_a_stream_that_is_given_up_ends_it_with_the_reason(
    in_lab: InLab,
) -> None:
    async def script(lab: Simulation) -> None:
        async with joinable(lab) as (near, far, inside, _outside):
            near.abort(6)

            with pytest.raises(StreamError, match="as many connections as it allows") as caught:
                await far.carry(inside, idle_s=IDLE_S)

            assert caught.value.kind == "busy"

    in_lab(script)


def test_a_connection_that_breaks_ends_it_with_the_systems_words(
    in_lab: InLab,
) -> None:
    async def script(lab: Simulation) -> None:
        async with joinable(lab) as (near, far, inside, outside):
            outside.close()
            await near.write(b"for nobody")

            with pytest.raises(StreamError, match="the connection broke: Broken pipe") as caught:
                await far.carry(inside, idle_s=IDLE_S)

            assert caught.value.kind == "lost"

    in_lab(script)


@pytest.mark.slow
def test_nothing_overtakes_the_beginning_of_a_stream(in_lab: InLab) -> None:
    """Else the other host would take the first bytes of the connection for a port."""

    async def script(lab: Simulation) -> None:
        inside, outside = socket.socketpair()
        bob = lab.host("bob")
        with inside, outside, bob.accept_streams(80) as full, bob.accept_streams(81) as listener:
            near = await _open_when_full(lab)
            outside.sendall(b"\x00\x50question")
            outside.shutdown(socket.SHUT_WR)
            async with asyncio.TaskGroup() as group:
                _ = group.create_task(near.carry(inside, idle_s=IDLE_S))
                await asyncio.sleep(1)
                reading = group.create_task(_read_all(full))
                far = await listener.accept()
                assert await far.read_all() == b"\x00\x50question"
                await far.finish()
                _ = reading.cancel()
            near.part(is_reset=False)

    in_lab(script)


@pytest.mark.slow
def test_a_connection_stays_the_callers_while_its_stream_has_not_begun(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        inside, outside = socket.socketpair()
        with inside, outside, lab.host("bob").accept_streams(80):
            near = await _open_when_full(lab)

            with pytest.raises(DeadlineError, match="no room on the stream with port 81"):
                await near.carry(inside, idle_s=1)
            near.part(is_reset=True)

            inside.sendall(b"!")
            assert outside.recv(1) == b"!"

    in_lab(script)


async def _read_all(listener: StreamListener) -> None:
    async with asyncio.TaskGroup() as group:
        while True:
            stream = await listener.accept(deadline_s=60)
            _ = group.create_task(stream.read_all(limit_bytes=1 << 30, deadline_s=60))


async def _open_when_full(lab: Simulation) -> Stream:
    """Fill a connection by streams that nobody reads, and return one more, to port 81."""
    while True:
        stream = await lab.host("alice").open_stream("bob.right", 80)
        said = 0
        with suppress(DeadlineError):
            while True:
                await stream.write(bytes(65_536), deadline_s=1)
                said += 1
        if not said:
            return await lab.host("alice").open_stream("bob.right", 81)


async def _deadline_of(stream: Stream, connection: socket.socket) -> float:
    with pytest.raises(DeadlineError, match="no byte on the stream with port 80 within 30 s"):
        await stream.carry(connection, idle_s=IDLE_S)
    return asyncio.get_running_loop().time()
