"""Whatever breaks between a client and the gateway: QoS 2 comes once, QoS 1 at least once."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ways.mqtt.memory import Peer, Scene, at_gateway

from ei.ways.mqtt.packets import Ack, Connect, Kind, Publish
from ei.ways.mqtt.properties import Properties

LASTING = Properties(session_expiry_s=1_000, receive_maximum=3)
COUNT = 12


class Memory:
    """What a client remembers between its connections (MQTT 5, 4.1)."""

    def __init__(self) -> None:
        self.unreleased: set[int] = set()
        self.got: list[bytes] = []

    async def take(self, peer: Peer, limit: int) -> None:
        """Take at most so many packets, and answer all."""
        for _ in range(limit):
            match await peer.soon():
                case Publish(qos=1, number=number, payload=payload):
                    self.got.append(payload)
                    await peer.send(Ack(Kind.PUBACK, number))
                case Publish(qos=2, number=number, payload=payload):
                    if number not in self.unreleased:
                        self.got.append(payload)
                    self.unreleased.add(number)
                    await peer.send(Ack(Kind.PUBREC, number))
                case Ack(kind=Kind.PUBREL, number=number):
                    self.unreleased.discard(number)
                    await peer.send(Ack(Kind.PUBCOMP, number))
                case _:
                    return


@pytest.mark.slow
@pytest.mark.parametrize("qos", [1, 2])
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_messages_survive_connections_and_gateways_that_break(qos: int, seed: int) -> None:
    async def script(scene: Scene) -> None:
        random, memory = Random(seed), Memory()
        first = await scene.connected("listener", is_clean=False, properties=LASTING)
        assert await first.subscribe("t", qos=qos) == (qos,)
        first.end.abort()
        await scene.ended()
        for number in range(COUNT):
            await scene.bus.keep("t", b"%d" % number, b"")

        for round_ in range(40):
            if random.random() < 0.3:
                await scene.kill()
                await scene.start()
            peer = scene.peer()
            connack = await peer.connect(Connect("listener", is_clean=False, properties=LASTING))
            assert connack.is_present, round_
            await memory.take(peer, random.randrange(1, 6))
            peer.end.abort()
        peer = scene.peer()
        _ = await peer.connect(Connect("listener", is_clean=False, properties=LASTING))
        await memory.take(peer, 10 * COUNT)

        expected = [b"%d" % number for number in range(COUNT)]
        assert sorted(set(memory.got), key=int) == expected
        if qos == 2:
            assert memory.got == expected

    at_gateway(script)
