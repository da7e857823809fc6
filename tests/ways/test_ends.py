"""Both kinds of byte streams have one face."""

import asyncio
import socket
from collections.abc import Coroutine
from typing import Any

import pytest
from tests.ways.conftest import Run, joined

from ei.errors import DeadlineError, StreamError
from ei.lab.catalogue import find_topology
from ei.lab.fixture import run_simulated
from ei.lab.simulation import Simulation
from ei.ways.ends import FLUSH_S, End, StreamEnd, TcpEnd, connect_tcp, part


async def pair_of_tcp() -> tuple[TcpEnd, socket.socket]:
    """Return an end, and a plain socket on the other side of it."""
    near, far = socket.socketpair()
    far.settimeout(5)
    return TcpEnd(near), far


def checked(script: Coroutine[Any, Any, None]) -> None:
    asyncio.run(script)


def test_a_tcp_connection_is_read_written_and_ended() -> None:
    async def script() -> None:
        end, far = await pair_of_tcp()
        with far:
            await end.write(b"hello")
            await end.finish()
            assert await asyncio.to_thread(far.recv, 100) == b"hello"
            assert await asyncio.to_thread(far.recv, 100) == b""
            far.sendall(b"back")
            far.shutdown(socket.SHUT_WR)

            assert await end.read() == b"back"
            assert await end.read() == b""
            await end.close()

    checked(script())


def test_a_tcp_connection_that_broke_is_a_stream_error() -> None:
    async def script() -> None:
        end, far = await pair_of_tcp()
        far.close()
        with pytest.raises(StreamError, match="the connection broke"):
            await end.write(bytes(10_000_000))
        end.abort()
        end.abort()

    checked(script())


def test_a_server_that_refuses_or_is_not_there_is_told_apart() -> None:
    async def script() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            port: int = taken.getsockname()[1]
            with pytest.raises(StreamError, match="refuses connections") as refused:
                _ = await connect_tcp("127.0.0.1", port, deadline_s=5)
        with pytest.raises(StreamError) as unreachable:
            _ = await connect_tcp("255.255.255.255", 1, deadline_s=5)
        with pytest.raises(DeadlineError):
            _ = await connect_tcp("127.0.0.1", port, deadline_s=0)

        assert (refused.value.kind, unreachable.value.kind) == ("refused", "unreachable")

    checked(script())


def test_a_stream_of_a_host_is_an_end() -> None:
    async def script(lab: Simulation) -> None:
        with lab.host("bob").accept_streams(80) as listener:
            near: End = StreamEnd(await lab.host("alice").open_stream("bob.isp-b", 80))
            await near.settle()
            await near.write(b"hello")
            far: End = StreamEnd(await listener.accept())
            assert await far.read() == b"hello"
            far.abort(3)

            with pytest.raises(StreamError, match="refuses connections") as caught:
                _ = await near.read()

        assert caught.value.kind == "refused"
        await near.close()

    run_simulated(find_topology("threedomains"), script)


def test_a_stream_that_was_answered_already_is_waited_for_no_more() -> None:
    async def script(lab: Simulation) -> None:
        with lab.host("bob").accept_streams(80):
            stream = await lab.host("alice").open_stream("bob.isp-b", 80)
            began_s = lab.now_s()
            await StreamEnd(stream, is_settled=True).settle()
            assert lab.now_s() == began_s

            await StreamEnd(stream).settle()

            assert lab.now_s() > began_s

    run_simulated(find_topology("threedomains"), script)


def test_a_port_where_nobody_listens_is_known_after_a_round_trip() -> None:
    async def script(lab: Simulation) -> None:
        near = StreamEnd(await lab.host("alice").open_stream("bob.isp-b", 99))
        began_s = lab.now_s()

        with pytest.raises(StreamError, match="nobody listens there"):
            await near.settle()

        assert lab.now_s() - began_s < 0.5

    run_simulated(find_topology("threedomains"), script)


def test_what_is_complete_ends_by_itself_or_is_given_up(run: Run[Any]) -> None:
    async def script() -> None:
        loop = asyncio.get_running_loop()
        near, far = joined()
        await far.finish()
        await part(near)
        assert (near.is_closed, near.code) == (True, None)

        near, _ = joined()
        began_s = loop.time()
        await part(near)

        assert near.code is not None
        assert loop.time() - began_s == pytest.approx(FLUSH_S)

    run(script)
