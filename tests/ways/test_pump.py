"""Bytes go both ways, their ends too, no faster than they are taken, and never wait for ever."""

import asyncio
import socket
from typing import Any

import pytest
from tests.ways.conftest import WINDOW_BYTES, Memory, Run, joined

from ei.errors import StreamError
from ei.host.stream_codes import IDLE, LOST
from ei.lab.catalogue import find_topology
from ei.lab.fixture import run_simulated
from ei.lab.simulation import Simulation
from ei.ways.ends import StreamEnd, TcpEnd
from ei.ways.pump import PIECE_BYTES, Pumped, pump

IDLE_S = 30.0


async def between(program: Memory, server: Memory) -> Pumped:
    """Pump between the other ends of two."""
    return await pump(program.other, server.other, idle_s=IDLE_S)


def test_bytes_go_both_ways_and_one_end_leaves_the_other_direction_open(run: Run[Any]) -> None:
    async def script() -> None:
        program, server = joined()[0], joined()[0]
        async with asyncio.TaskGroup() as group:
            pumping = group.create_task(between(program, server))
            await program.write(b"question")
            await program.finish()
            assert await server.rest() == b"question"

            await server.write(b"answer")
            await server.finish()

            assert await program.rest() == b"answer"
        assert pumping.result() == Pumped(8, 6, "ended")
        assert program.other.is_closed
        assert server.other.is_closed

    run(script)


def test_a_slow_reader_slows_the_writer_and_little_waits_between(run: Run[Any]) -> None:
    async def script() -> None:
        program, server = joined()[0], joined()[0]
        written = 0

        async def write() -> None:
            nonlocal written
            for _ in range(64):
                await program.write(bytes(PIECE_BYTES))
                written += PIECE_BYTES
            await program.finish()

        async with asyncio.TaskGroup() as group:
            _ = group.create_task(between(program, server))
            _ = group.create_task(write())
            await asyncio.sleep(1)
            assert written <= 2 * WINDOW_BYTES + 2 * PIECE_BYTES

            assert len(await server.rest()) == 64 * PIECE_BYTES
            await server.finish()

    run(script)


def test_silence_both_ways_gives_both_ends_up(run: Run[Any]) -> None:
    async def script() -> None:
        loop = asyncio.get_running_loop()
        program, server = joined()[0], joined()[0]
        began_s = loop.time()

        came = await between(program, server)

        assert came == Pumped(0, 0, "deadline")
        assert loop.time() - began_s == pytest.approx(IDLE_S)
        assert (program.other.code, server.other.code) == (IDLE, IDLE)

    run(script)


def test_bytes_in_one_direction_keep_the_other_one_alive(run: Run[Any]) -> None:
    async def script() -> None:
        program, server = joined()[0], joined()[0]
        async with asyncio.TaskGroup() as group:
            pumping = group.create_task(between(program, server))
            for _ in range(5):
                await asyncio.sleep(IDLE_S - 1)
                await server.write(b"x")
            await server.finish()
            assert await program.rest() == b"xxxxx"
            await program.finish()
        assert pumping.result().ending == "ended"

    run(script)


def test_an_end_that_breaks_breaks_the_other_one(run: Run[Any]) -> None:
    async def script() -> None:
        program, server = joined()[0], joined()[0]
        async with asyncio.TaskGroup() as group:
            pumping = group.create_task(between(program, server))
            await server.write(b"half an ans")
            assert await program.until(b"ans")

            server.abort()
        assert pumping.result() == Pumped(0, 11, "reset", "the other end gave it up")
        assert program.other.code == LOST
        with pytest.raises(StreamError):
            _ = await program.read()

    run(script)


def test_a_pump_that_is_cancelled_leaves_nothing_open(run: Run[Any]) -> None:
    async def script() -> None:
        program, server = joined()[0], joined()[0]
        async with asyncio.TaskGroup() as group:
            pumping = group.create_task(between(program, server))
            await asyncio.sleep(0.1)

            _ = pumping.cancel()

        assert None not in {program.other.code, server.other.code}

    run(script)


def test_a_stream_and_a_connection_are_joined_and_counted_from_the_first_end() -> None:
    async def script(lab: Simulation) -> None:
        inside, program = socket.socketpair()
        with program, lab.host("bob").accept_streams(80) as listener:
            near = StreamEnd(await lab.host("alice").open_stream("bob.isp-b", 80))
            program.sendall(b" and this")
            program.shutdown(socket.SHUT_WR)
            async with asyncio.TaskGroup() as group:
                pumping = group.create_task(
                    pump(TcpEnd(inside), near, idle_s=IDLE_S, early=b"this")
                )
                far = await listener.accept()
                assert await far.read_all() == b"this and this"
                await far.write(b"answer")
                await far.finish()

            assert pumping.result() == Pumped(13, 6, "ended")
            assert (program.recv(100), program.recv(100)) == (b"answer", b"")

    run_simulated(find_topology("threedomains"), script)


def test_a_connection_whose_stream_is_given_up_is_reset() -> None:
    async def script(lab: Simulation) -> None:
        inside, program = socket.socketpair()
        with program, lab.host("bob").accept_streams(80) as listener:
            near = await lab.host("alice").open_stream("bob.isp-b", 80)
            async with asyncio.TaskGroup() as group:
                await near.write(b"half")
                far = StreamEnd(await listener.accept())
                pumping = group.create_task(pump(far, TcpEnd(inside), idle_s=IDLE_S))
                await asyncio.sleep(1)
                near.abort()

            came = pumping.result()
            assert (came.there_bytes, came.ending) == (4, "aborted")
            assert program.recv(100) == b"half"

    run_simulated(find_topology("threedomains"), script)


def test_silence_between_a_stream_and_a_connection_gives_both_up() -> None:
    async def script(lab: Simulation) -> None:
        inside, program = socket.socketpair()
        with program, lab.host("bob").accept_streams(80) as listener:
            near = await lab.host("alice").open_stream("bob.isp-b", 80)
            far = StreamEnd(await listener.accept())

            assert await pump(far, TcpEnd(inside), idle_s=IDLE_S) == Pumped(0, 0, "deadline")

            with pytest.raises(StreamError, match="nothing came or went for too long"):
                _ = await near.read()
            assert program.recv(100) == b""

    run_simulated(find_topology("threedomains"), script)
