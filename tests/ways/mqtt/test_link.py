"""A connection as packets: whole, in order, however many write at once."""

import asyncio

import pytest
from tests.ways.conftest import joined
from tests.ways.mqtt.memory import Peer

from ei.errors import StreamError
from ei.lab.clock import VirtualClock, run_virtual
from ei.ways.mqtt.link import Link
from ei.ways.mqtt.packets import Connect, Kind, Ping, Publish
from ei.ways.mqtt.reasons import MqttError, Reason


def test_packets_of_many_are_whole_also_when_some_are_cancelled() -> None:
    async def main(_clock: VirtualClock) -> None:
        near, far = joined()
        link, peer = Link(far, limit_bytes=1_000, stall_s=30), Peer(near)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(link.send(Publish("t", bytes([n]) * 10_000))) for n in range(20)
            ]
            await asyncio.sleep(0)
            for task in tasks[::3]:
                _ = task.cancel()
            got = [await peer.message() for _ in range(20)]

        assert [each.payload[:1] for each in got] == [bytes([n]) for n in range(20)]
        assert all(len(each.payload) == 10_000 for each in got)
        await link.close()

    run_virtual(main)


def test_the_first_packet_is_a_connect() -> None:
    async def main(_clock: VirtualClock) -> None:
        near, far = joined()
        await Peer(near).send(Connect("a", 4), Ping(Kind.PINGREQ))
        link = Link(far, limit_bytes=1_000, stall_s=30)
        first = await link.first(limit_s=1)
        assert first is not None
        assert (first.client_id, link.version) == ("a", 4)
        assert await link.receive(silence_s=None) == Ping(Kind.PINGREQ)
        assert "3.1.1" in repr(link)

        near, far = joined()
        await Peer(near).send(Ping(Kind.PINGREQ))
        with pytest.raises(MqttError) as caught:
            _ = await Link(far, limit_bytes=1_000, stall_s=30).first(limit_s=1)
        assert caught.value.reason is Reason.PROTOCOL_ERROR

    run_virtual(main)


def test_who_takes_nothing_is_given_up() -> None:
    async def main(_clock: VirtualClock) -> None:
        _, far = joined()
        link = Link(far, limit_bytes=1_000, stall_s=30)
        _ = await link.send(Publish("t", bytes(60_000)))
        _ = await link.send(Publish("t", bytes(60_000)))
        with pytest.raises(StreamError, match="took nothing for 30 s"):
            _ = await link.send(Publish("t", bytes(60_000)))
        await link.close()

    run_virtual(main)


def test_an_alias_comes_behind_its_topic() -> None:
    async def main(_clock: VirtualClock) -> None:
        near, far = joined()
        link, peer = Link(far, limit_bytes=1_000, stall_s=30), Peer(near)
        link.agree(limit_bytes=60_000, aliases=2)
        assert not await link.send(Publish("a", bytes(70_000)))
        async with asyncio.TaskGroup() as group:
            for number in range(60):
                packet = Publish("abc"[number % 3], bytes(20_000))
                _ = group.create_task(link.send(packet))
            got = [await peer.message() for _ in range(60)]

        seen: set[int] = set()
        for each in got:
            alias = each.properties.alias
            assert each.topic or alias in seen
            if alias is not None:
                seen.add(alias)
        assert seen == {1, 2}
        assert {each.topic for each in got} == {"", "a", "b", "c"}
        await link.close()

    run_virtual(main)
