"""Streams of asyncio programs, in a simulated lab."""

import asyncio
import weakref
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from ei.errors import DeadlineError, LimitError, LocalError, StreamError
from ei.host.client import Host
from ei.host.streams import Stream
from ei.lab.simulation import Simulation

InLab = Callable[[Callable[[Simulation], Coroutine[Any, Any, None]]], None]


async def joined(lab: Simulation, port: int = 80) -> tuple[Stream, Stream]:
    """Return a stream from alice to bob, and its other end."""
    alice, bob = lab.host("alice"), lab.host("bob")
    with bob.accept_streams(port) as listener:
        near = await alice.open_stream("bob.right", port, deadline_s=2)
        far = await listener.accept(deadline_s=2)
    return near, far


def test_bytes_cross_both_ways_in_order(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        near, far = await joined(lab)
        assert (near.port, far.port, far.peer) == (80, 80, lab.host("alice").address)
        data = bytes(range(256)) * 4_000

        async with asyncio.TaskGroup() as group:
            sending = group.create_task(_send(near, data))
            got = await far.read_all(deadline_s=60)
            await far.write(b"thanks")
            await far.finish()
            await sending

        assert got == data
        assert await near.read_all() == b"thanks"
        assert await near.read() == b""

    in_lab(script)


async def _send(stream: Stream, data: bytes) -> None:
    await stream.write(data, deadline_s=60)
    await stream.finish(deadline_s=60)


def test_two_streams_share_a_connection_and_their_ports_differ(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        one, _ = await joined(lab, 80)
        two, there = await joined(lab, 81)

        assert one.connection == two.connection
        assert there.port == 81

    in_lab(script)


def test_a_stream_that_the_program_let_go_of_takes_no_memory(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        near, far = await joined(lab)
        await near.write(b"all that there is to say")
        await near.finish()
        assert await far.read_all()
        ends = [weakref.ref(near), weakref.ref(far)]

        del near, far

        assert [end() for end in ends] == [None, None]

    in_lab(script)


def test_a_port_where_nobody_listens_refuses(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        stream = await lab.host("alice").open_stream("bob.right", 99, deadline_s=2)

        with pytest.raises(StreamError, match=r"gave up|nobody listens"):
            _ = await stream.read(deadline_s=2)
        with pytest.raises(StreamError, match="nobody listens there"):
            await stream.write(b"x", deadline_s=2)

    in_lab(script)


def test_a_stream_that_is_given_up_tells_the_other_end(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        near, far = await joined(lab)
        near.abort()
        near.abort()

        with pytest.raises(StreamError, match="the peer gave up sending"):
            _ = await far.read(deadline_s=2)
        with pytest.raises(StreamError, match="this host gave the stream up"):
            await near.write(b"x", deadline_s=2)

    in_lab(script)


def test_an_error_in_the_block_gives_the_stream_up(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        near, far = await joined(lab)
        with pytest.raises(ValueError, match="of the application"):
            async with near:
                raise ValueError("of the application")

        with pytest.raises(StreamError, match="the peer gave up sending"):
            _ = await far.read(deadline_s=2)

    in_lab(script)


def test_a_reader_waits_no_longer_than_its_deadline(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        near, _ = await joined(lab)

        with pytest.raises(DeadlineError, match=r"within 0\.5 s there was no byte"):
            _ = await near.read(deadline_s=0.5)

    in_lab(script)


@pytest.mark.slow
def test_a_writer_waits_no_longer_than_its_deadline(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        near, _ = await joined(lab)

        # Nobody reads: the windows fill.
        with pytest.raises(DeadlineError, match="no room on the stream"):
            await near.write(bytes(64 * 1024 * 1024), deadline_s=5)

    in_lab(script)


@pytest.mark.slow
def test_b7_a_stream_that_nobody_reads_is_bounded_and_the_next_one_goes_on(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        stuck, _ = await joined(lab, 80)
        with pytest.raises(DeadlineError):
            await stuck.write(bytes(64 * 1024 * 1024), deadline_s=5)

        near, far = await joined(lab, 81)
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(_send(near, bytes(1_000_000)))
            got = await far.read_all(deadline_s=5)
            await sending

        assert stuck.connection == near.connection
        assert len(got) == 1_000_000

    in_lab(script)


def test_an_end_that_comes_too_early_is_an_error(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        near, far = await joined(lab)
        await near.write(b"short")
        await near.finish()

        with pytest.raises(StreamError, match="ended 5 B too early"):
            _ = await far.read_exactly(10, deadline_s=2)

    in_lab(script)


def test_more_than_is_allowed_gives_the_stream_up(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        near, far = await joined(lab)
        await near.write(bytes(10_000))

        with pytest.raises(LimitError, match="exceeds the allowed 1000 B"):
            _ = await far.read_all(limit_bytes=1_000, deadline_s=2)

    in_lab(script)


def test_a_listener_that_closes_accepts_no_more(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        bob: Host = lab.host("bob")
        listener = bob.accept_streams(80)
        with pytest.raises(LocalError, match="port 80 already"):
            _ = bob.accept_streams(80)
        listener.close()

        with pytest.raises(LocalError, match="listener on port 80 is closed"):
            _ = await listener.accept(deadline_s=1)
        bob.accept_streams(80).close()

    in_lab(script)


def test_who_watches_a_stream_is_told_once_that_it_is_lost_and_gets_what_had_come(
    in_lab: InLab,
) -> None:
    async def script(lab: Simulation) -> None:
        near, far = await joined(lab)
        lost: list[StreamError] = []
        far.watch(lost.append)
        await near.write(b"all that there is")
        await lab.sleep(1)

        far.lose(StreamError("the connection is gone", kind="lost"))
        far.lose(StreamError("and again", kind="lost"))

        assert [error.kind for error in lost] == ["lost"]
        assert far.received() == (b"all that there is", False)
        far.watch(lost.append)
        assert len(lost) == 2, "one that is lost already says so at once"

    in_lab(script)


def test_who_watches_a_stream_to_its_end_is_let_go_of(in_lab: InLab) -> None:
    class Watcher:
        def lose(self, _: StreamError) -> None:
            raise AssertionError

    async def script(lab: Simulation) -> None:
        near, far = await joined(lab)
        watcher = Watcher()
        left = weakref.ref(watcher)
        far.watch(watcher.lose)
        del watcher
        await near.write(b"all that there is")
        await near.finish()
        await far.finish()
        assert left() is not None

        _ = await far.read_all()

        assert left() is None

    in_lab(script)


def test_what_has_come_is_there_without_waiting_with_its_end(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        near, far = await joined(lab)
        assert far.received() == (b"", False)
        await near.write(b"bye")
        await near.finish()

        assert far.received() == (b"bye", True)
        assert await far.read() == b""

    in_lab(script)
