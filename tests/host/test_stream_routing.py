"""Streams find their listener, and whoever waits for a connection hears of its end."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from ei.errors import DeadlineError, LimitError, LocalError, StreamError
from ei.host.client import Host
from ei.host.stream_ports import MOST_BESIDE
from ei.lab.simulation import Simulation

ANNOUNCED = 64
"""Streams that are over: QUIC tells the room of some together (RFC 9000, 4.6)."""
InLab = Callable[[Callable[[Simulation], Coroutine[Any, Any, None]]], None]


def test_a_host_that_does_not_answer_costs_the_deadline(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        await lab.cut("bob", "n1.right")

        with pytest.raises(DeadlineError, match=r"no stream to bob\.right port 80"):
            _ = await lab.host("alice").open_stream("bob.right", 80, deadline_s=1)

    in_lab(script)


def test_whoever_waits_hears_why_a_connection_failed(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        await lab.cut("bob", "n1.right")

        with pytest.raises(StreamError, match=r"connection to bob\.right is gone") as caught:
            _ = await lab.host("alice").open_stream("bob.right", 80, deadline_s=60)

        assert caught.value.kind == "handshake_timeout"

    in_lab(script)


def test_whoever_waits_is_told_when_the_host_closes(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        alice = lab.host("alice")
        await lab.cut("bob", "n1.right")
        began_s = lab.now_s()
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(_refusal(alice, "bob.right"))
            await asyncio.sleep(0.1)
            alice.close()

        assert "alice.left was closed" in waiting.result()
        assert lab.now_s() - began_s < 1
        assert "alice.left was closed" in await _refusal(alice, "bob.right")

    in_lab(script)


async def _refusal(host: Host, to: str) -> str:
    with pytest.raises(LocalError) as caught:
        _ = await host.open_stream(to, 80, deadline_s=60)
    return str(caught.value)


def test_a_stream_on_which_nobody_says_anything_stays_open(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        with lab.host("bob").accept_streams(80) as listener:
            near = await lab.host("alice").open_stream("bob.right", 80, deadline_s=2)
            far = await listener.accept(deadline_s=2)

            await lab.sleep(600)

            await near.write(b"still here")
            assert await far.read(deadline_s=2) == b"still here"

    in_lab(script)


def test_one_stream_more_than_a_connection_carries_goes_by_another_one(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        alice = lab.host("alice")
        with lab.host("bob").accept_streams(80, limit_items=300):
            streams = [await alice.open_stream("bob.right", 80, deadline_s=5) for _ in range(257)]

        connections = [each.connection for each in streams]
        assert len(set(connections[:256])) == 1
        assert connections[256] not in connections[:256]

    in_lab(script)


@pytest.mark.slow
def test_one_stream_more_than_the_other_host_allows_is_a_limit_and_not_silence(
    in_lab: InLab,
) -> None:
    most = 256 * MOST_BESIDE

    async def script(lab: Simulation) -> None:
        alice = lab.host("alice")
        with lab.host("bob").accept_streams(80, limit_items=most) as listener:
            streams = [await alice.open_stream("bob.right", 80, deadline_s=5) for _ in range(most)]

            with pytest.raises(LimitError, match=r"bob\.right port 80: as many are open as it"):
                _ = await alice.open_stream("bob.right", 80, deadline_s=1)
            for each in streams[:ANNOUNCED]:
                (await listener.accept()).abort()
                each.abort()

            streams[0] = await alice.open_stream("bob.right", 80, deadline_s=5)

    in_lab(script)


def test_a_connection_without_streams_is_let_go_of(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        alice = lab.host("alice")
        with lab.host("bob").accept_streams(80) as listener:
            near = await alice.open_stream("bob.right", 80, deadline_s=2)
            far = await listener.accept(deadline_s=2)
            first = near.connection
            for end in (near, far):
                end.abort()
            await lab.sleep(120)

            again = await alice.open_stream("bob.right", 80, deadline_s=2)

        assert again.connection != first

    in_lab(script)


def test_streams_of_a_lost_connection_end_with_its_reason(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        with lab.host("bob").accept_streams(80):
            stream = await lab.host("alice").open_stream("bob.right", 80, deadline_s=2)
            await lab.cut("bob", "n1.right")

            with pytest.raises(StreamError) as caught:
                _ = await stream.read(deadline_s=60)

        assert caught.value.kind == "timed_out"

    in_lab(script)


def test_a_new_stream_finds_a_new_connection_after_a_loss(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        alice = lab.host("alice")
        with lab.host("bob").accept_streams(80) as listener:
            first = await alice.open_stream("bob.right", 80, deadline_s=2)
            _ = await listener.accept(deadline_s=5)
            await lab.cut("bob", "n1.right")
            with pytest.raises(StreamError):
                _ = await first.read(deadline_s=60)
            await lab.heal("bob", "n1.right")

            second = await alice.open_stream("bob.right", 80, deadline_s=30)
            await second.write(b"x")
            far = await listener.accept(deadline_s=5)

            assert second.connection != first.connection
            assert await far.read(deadline_s=5) == b"x"

    in_lab(script)


def test_more_streams_than_a_listener_holds_are_refused(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        alice = lab.host("alice")
        with lab.host("bob").accept_streams(80, limit_items=1):
            kept = await alice.open_stream("bob.right", 80, deadline_s=2)
            refused = await alice.open_stream("bob.right", 80, deadline_s=2)
            with pytest.raises(StreamError):
                _ = await refused.read(deadline_s=2)
            with pytest.raises(DeadlineError):
                _ = await kept.read(deadline_s=0.5)
            with pytest.raises(StreamError):
                _ = await (await alice.open_stream("bob.right", 81)).read(deadline_s=2)

        dropped = lab.host("bob").status().dropped
        assert (dropped["receiver_busy"], dropped["no_listener"]) == (1, 1)

    in_lab(script)


@pytest.mark.parametrize("port", [-1, 65_536])
def test_a_port_out_of_range_is_refused(in_lab: InLab, port: int) -> None:
    async def script(lab: Simulation) -> None:
        with pytest.raises(LocalError, match="is not 0 to 65535"):
            _ = lab.host("alice").accept_streams(port)
        with pytest.raises(LocalError, match="is not 0 to 65535"):
            _ = await lab.host("alice").open_stream("bob.right", port, deadline_s=1)

    in_lab(script)


def test_streams_end_when_their_host_closes(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        alice, bob = lab.host("alice"), lab.host("bob")
        with bob.accept_streams(80) as listener:
            near = await alice.open_stream("bob.right", 80, deadline_s=2)
            far = await listener.accept(deadline_s=2)
            alice.close()

            with pytest.raises(StreamError, match="was closed"):
                _ = await near.read(deadline_s=1)
            with pytest.raises(StreamError) as caught:
                _ = await far.read(deadline_s=2)

        assert caught.value.kind == "closed"

    in_lab(script)
