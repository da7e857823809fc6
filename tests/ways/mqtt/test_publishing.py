"""Messages in any mixture: each is taken as often as its QoS says, answers are in order."""

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ways.mqtt.memory import Scene, at_gateway

from ei.ways.mqtt.packets import Ack, Kind, Publish

MIXTURES = st.lists(st.integers(0, 2), min_size=1, max_size=60)


@settings(max_examples=25)
@given(MIXTURES, st.sampled_from([4, 5]))
def test_answers_come_in_the_order_of_the_messages(mixture: list[int], version: int) -> None:
    async def script(scene: Scene) -> None:
        peer = await scene.connected("speaker", version=version)
        packets = [
            Publish("t", b"%d" % number, qos, number=number * (qos > 0))
            for number, qos in enumerate(mixture, 1)
        ]

        await peer.send(*packets)
        answers = [await peer.receive() for qos in mixture if qos]

        kinds = {1: Kind.PUBACK, 2: Kind.PUBREC}
        assert answers == [Ack(kinds[each.qos], each.number) for each in packets if each.qos]
        assert sorted(int(each.payload) for each in scene.bus.log.values()) == [
            each.number for each in packets if each.qos
        ]

    at_gateway(script)


def test_a_message_of_qos_2_that_is_repeated_is_taken_once() -> None:
    async def script(scene: Scene) -> None:
        peer = await scene.connected("speaker")
        packet = Publish("t", b"once", 2, number=3)
        scene.bus.keeping.clear()

        await peer.send(packet, packet, packet)
        await peer.nothing()
        scene.bus.keeping.set()

        assert [await peer.receive() for _ in range(3)] == [Ack(Kind.PUBREC, 3)] * 3
        assert len(scene.bus.log) == 1
        await peer.send(Ack(Kind.PUBREL, 3), Ack(Kind.PUBREL, 3))
        first, second = await peer.receive(), await peer.receive()
        assert first == Ack(Kind.PUBCOMP, 3)
        assert isinstance(second, Ack)
        assert second.reason == 0x92

    at_gateway(script)


def test_a_long_message_of_qos_0_goes_as_one_that_is_kept() -> None:
    async def script(scene: Scene) -> None:
        listener = await scene.connected("listener")
        assert await listener.subscribe("t", qos=2) == (2,)
        peer = await scene.connected("speaker")
        scene.bus.live_bytes = 1_000

        await peer.send(Publish("t", bytes(5_000)))

        got = await listener.message()
        assert (got.qos, len(got.payload)) == (0, 5_000)

    at_gateway(script)
