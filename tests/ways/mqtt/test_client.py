"""One client at the gateway: what it is answered, and when it is hung up on."""

import asyncio

import pytest
from tests.ways.mqtt.memory import Scene, at_gateway

from ei.errors import DeadlineError, LimitError
from ei.ways.mqtt.limits import MqttLimits
from ei.ways.mqtt.packets import (
    V3,
    Ack,
    Connack,
    Connect,
    Disconnect,
    Kind,
    Packet,
    Ping,
    Publish,
    Subscribe,
    Unsubscribe,
    Verdicts,
    Wanted,
    Will,
)
from ei.ways.mqtt.properties import Properties
from ei.ways.mqtt.reasons import Reason


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_message_reaches_who_wants_it_and_is_acknowledged(version: int, qos: int) -> None:
    async def script(scene: Scene) -> None:
        listener = await scene.connected("listener", version=version)
        assert await listener.subscribe("house/+/temperature", qos=2) == (2,)
        speaker = await scene.connected("speaker", version=version)

        await speaker.send(Publish("house/kitchen/temperature", b"21", qos, number=9 * (qos > 0)))
        got = await listener.message()

        assert (got.topic, got.payload, got.qos) == ("house/kitchen/temperature", b"21", qos)
        assert not got.is_retained
        if qos == 1:
            assert await speaker.receive() == Ack(Kind.PUBACK, 9)
            await listener.send(Ack(Kind.PUBACK, got.number))
        if qos == 2:
            assert await speaker.receive() == Ack(Kind.PUBREC, 9)
            await speaker.send(Ack(Kind.PUBREL, 9))
            assert await speaker.receive() == Ack(Kind.PUBCOMP, 9)
            await listener.send(Ack(Kind.PUBREC, got.number))
            assert await listener.receive() == Ack(Kind.PUBREL, got.number)
            await listener.send(Ack(Kind.PUBCOMP, got.number))
        await listener.nothing()

    at_gateway(script)


def test_connack_tells_the_bounds() -> None:
    async def script(scene: Scene) -> None:
        peer = scene.peer()

        connack = await peer.connect(Connect("", keep_alive_s=60))

        properties = connack.properties
        assert (properties.receive_maximum, properties.maximum_packet_bytes) == (64, 57_344)
        assert (properties.alias_maximum, properties.server_keep_alive_s) == (32, None)
        assert str(properties.assigned_client_id).startswith("auto-")

    at_gateway(script)


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (Connect("again"), Reason.PROTOCOL_ERROR),
        (Connack(), Reason.PROTOCOL_ERROR),
        (Ping(Kind.PINGRESP), Reason.PROTOCOL_ERROR),
        (Publish("a/+", b""), Reason.BAD_TOPIC),
        (Publish("$SYS/a", b""), Reason.NOT_AUTHORIZED),
        (Publish("a/" * 40, b""), Reason.BAD_TOPIC),
        (Publish("", b""), Reason.PROTOCOL_ERROR),
        (Publish("a", b"", properties=Properties(alias=33)), Reason.BAD_ALIAS),
        (Publish("", b"", properties=Properties(alias=3)), Reason.PROTOCOL_ERROR),
        (Publish("a", b"", properties=Properties(subscriptions=(1,))), Reason.PROTOCOL_ERROR),
        (Publish("a", bytes(70_000)), Reason.PACKET_TOO_LARGE),
        (Subscribe(1, (Wanted("$share/g/a", is_foreign=True),)), Reason.PROTOCOL_ERROR),
        (
            Disconnect(properties=Properties(session_expiry_s=5)),
            Reason.PROTOCOL_ERROR,
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_breaks_the_protocol_ends_the_connection_with_the_reason(
    packet: Packet, reason: Reason
) -> None:
    async def script(scene: Scene) -> None:
        peer = await scene.connected("bad")

        await peer.send(packet)
        answer = await peer.receive()

        assert isinstance(answer, Disconnect)
        assert answer.reason is reason
        assert answer.properties.reason_text
        assert await peer.receive() is None
        assert scene.endings == [reason.name.lower()]

    at_gateway(script)


@pytest.mark.parametrize(
    "data",
    [b"\x00\x00", b"\x31\x02\x00\x05", b"\x10\xff\xff\xff\xff\x01", b"GET / HTTP/1.1\r\n\r\n"],
)
def test_bytes_that_are_no_mqtt_are_hung_up_on(data: bytes) -> None:
    async def script(scene: Scene) -> None:
        peer = scene.peer()

        await peer.end.write(data)

        await scene.ended()
        assert scene.endings in (["malformed"], ["packet_too_large"], ["silent"])

    at_gateway(script)


def test_a_client_that_says_nothing_at_first_is_given_up() -> None:
    async def script(scene: Scene) -> None:
        _ = scene.peer()
        await asyncio.sleep(9.9)
        assert scene.endings == []
        await asyncio.sleep(0.2)
        assert scene.endings == ["silent"]

    at_gateway(script)


@pytest.mark.parametrize("version", [4, 5])
def test_silence_beyond_the_keep_alive_is_an_end(version: int) -> None:
    async def script(scene: Scene) -> None:
        peer = await scene.connected("quiet", keep_alive_s=10, version=version)
        await asyncio.sleep(14)
        await peer.send(Ping(Kind.PINGREQ))
        assert await peer.receive() == Ping(Kind.PINGRESP)
        await asyncio.sleep(14)
        assert scene.endings == []
        await asyncio.sleep(2)
        assert scene.endings == ["keep_alive"]

    at_gateway(script)


def test_a_client_that_takes_nothing_is_given_up_and_others_go_on() -> None:
    async def script(scene: Scene) -> None:
        stuck = await scene.connected("stuck")
        assert await stuck.subscribe("a") == (0,)
        other = await scene.connected("other")
        assert await other.subscribe("a") == (0,)
        speaker = await scene.connected("speaker")

        for _ in range(50):
            await speaker.send(Publish("a", bytes(10_000)))
            assert len((await other.message()).payload) == 10_000
        await asyncio.sleep(31)

        assert scene.endings == ["stalled"]
        await speaker.send(Publish("a", b"still here"))
        assert (await other.message()).payload == b"still here"

    at_gateway(script)


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("qos", [1, 2])
def test_who_sends_more_at_once_than_was_told_waits(version: int, qos: int) -> None:
    async def script(scene: Scene) -> None:
        peer = await scene.connected("flood", version=version)
        scene.bus.keeping.clear()
        await peer.send(*(Publish("a", b"", qos, number=number) for number in range(1, 100)))
        await peer.nothing()

        scene.bus.keeping.set()

        kind = Kind.PUBACK if qos == 1 else Kind.PUBREC
        for number in range(1, 100):
            assert await peer.receive() == Ack(kind, number)

    at_gateway(script)


def test_the_window_of_a_client_is_kept() -> None:
    async def script(scene: Scene) -> None:
        peer = await scene.connected("narrow", properties=Properties(receive_maximum=2))
        assert await peer.subscribe("a", qos=1) == (1,)
        speaker = await scene.connected("speaker")
        await speaker.send(*(Publish("a", b"%d" % n, 1, number=n) for n in range(1, 5)))

        first, second = await peer.message(), await peer.message()
        await peer.nothing()
        await peer.send(Ack(Kind.PUBACK, first.number))
        third = await peer.message()
        await peer.nothing()

        assert [each.payload for each in (first, second, third)] == [b"1", b"2", b"3"]

    at_gateway(script)


@pytest.mark.parametrize("qos", [1, 2])
def test_what_pubsub_refuses_is_told_to_5_and_ends_3_1_1(qos: int) -> None:
    async def script(scene: Scene) -> None:
        new = await scene.connected("new")
        old = await scene.connected("old", version=V3)
        scene.bus.failure = LimitError("the log is full")

        await new.send(Publish("a", b"", qos, number=1))
        await old.send(Publish("a", b"", qos, number=1))

        answer = await new.receive()
        assert isinstance(answer, Ack)
        assert (answer.reason, answer.properties.reason_text) == (0x97, "the log is full")
        assert await old.receive() is None

    at_gateway(script)


def test_what_pubsub_does_not_answer_ends_the_connection() -> None:
    async def script(scene: Scene) -> None:
        peer = await scene.connected("unlucky")
        scene.bus.failure = DeadlineError("no answer from sn1")

        await peer.send(Publish("a", b"", 1, number=1))

        answer = await peer.receive()
        assert isinstance(answer, Disconnect)
        assert answer.reason is Reason.UNAVAILABLE

    at_gateway(script)


def test_filters_that_are_none_are_refused_one_by_one() -> None:
    async def script(scene: Scene) -> None:
        peer = await scene.connected("odd")

        verdicts = await peer.subscribe("a/#/b", "good", "$share/g", "x" * 201, "a/" * 40, qos=1)

        assert verdicts == (0x8F, 1, 0x8F, 0x8F, 0x8F)
        await peer.send(Unsubscribe(3, ("good", "never")))
        assert await peer.receive() == Verdicts(
            Kind.UNSUBACK, 3, (Reason.SUCCESS, Reason.NO_SUBSCRIPTION)
        )

    at_gateway(script)


def test_more_subscriptions_than_allowed_are_refused() -> None:
    async def script(scene: Scene) -> None:
        peer = await scene.connected("greedy")

        assert await peer.subscribe("a", "b", "c") == (0, 0, 0x97)

    at_gateway(script, MqttLimits(subscriptions=2))


def test_aliases_identifiers_and_properties_go_along() -> None:
    async def script(scene: Scene) -> None:
        listener = await scene.connected("listener", properties=Properties(alias_maximum=1))
        given = Properties(
            payload_format=1,
            expiry_s=100,
            content_type="text/plain",
            response_topic="answers",
            correlation=b"7",
            user=(("a", "1"), ("a", "2")),
        )
        assert await listener.subscribe("t/#", properties=Properties(subscriptions=(5,))) == (0,)
        speaker = await scene.connected("speaker")
        told = Properties(alias=1, **{name: getattr(given, name) for name in ("user",)})

        await speaker.send(Publish("t/1", b"one", properties=told))
        await speaker.send(Publish("", b"two", properties=Properties(alias=1)))
        await speaker.send(Publish("t/2", b"three", properties=given))
        one, two, three = [await listener.message() for _ in range(3)]

        assert (one.topic, one.properties.alias, one.properties.user) == ("t/1", 1, given.user)
        assert one.properties.subscriptions == (5,)
        assert (two.topic, two.properties.alias) == ("", 1)
        assert (three.topic, three.properties.alias) == ("t/2", None)
        assert three.properties.content_type == "text/plain"
        assert three.properties.correlation == b"7"

    at_gateway(script)


def test_retained_messages_come_as_the_subscription_says() -> None:
    async def script(scene: Scene) -> None:
        speaker = await scene.connected("speaker")
        await speaker.send(Publish("a", b"old", 1, number=1, is_retained=True))
        assert await speaker.receive() == Ack(Kind.PUBACK, 1)
        peer = await scene.connected("late")

        for retained, comes in ((0, True), (1, False), (2, False), (0, True)):
            assert await peer.subscribe(Wanted("a", retained=retained)) == (0,)
            if comes:
                got = await peer.message()
                assert (got.payload, got.is_retained) == (b"old", True)
            else:
                await peer.nothing()
        await speaker.send(Publish("a", b"", is_retained=True))
        assert not (await peer.message()).is_retained
        other = await scene.connected("later")
        assert await other.subscribe("a") == (0,)
        await other.nothing()

    at_gateway(script)


def test_who_does_not_want_its_own_messages_gets_those_of_others() -> None:
    async def script(scene: Scene) -> None:
        peer = await scene.connected("self")
        assert await peer.subscribe(Wanted("a", is_foreign=True, as_published=True)) == (0,)
        other = await scene.connected("other")

        await peer.send(Publish("a", b"own"))
        await other.send(Publish("a", b"other", is_retained=True))

        got = await peer.message()
        assert (got.payload, got.is_retained) == (b"other", True)

    at_gateway(script)


def test_a_packet_that_is_too_long_for_the_client_is_left_out_and_counted() -> None:
    async def script(scene: Scene) -> None:
        peer = await scene.connected("small", properties=Properties(maximum_packet_bytes=60))
        assert await peer.subscribe("a", qos=1) == (1,)
        speaker = await scene.connected("speaker")

        await speaker.send(Publish("a", bytes(100), 1, number=1))
        await speaker.send(Publish("a", b"short", 1, number=2))

        assert (await peer.message()).payload == b"short"
        assert scene.broker.status().dropped == {"too_large_for_client": 1}

    at_gateway(script)


def test_each_member_of_a_shared_subscription_gets_its_part() -> None:
    async def script(scene: Scene) -> None:
        members = [await scene.connected(f"worker{n}") for n in range(2)]
        for each in members:
            assert await each.subscribe("$share/workers/jobs/#", qos=2) == (1,)
        speaker = await scene.connected("speaker")

        await speaker.send(*(Publish("jobs/x", b"%d" % n, 1, number=n) for n in range(1, 5)))
        first = [await members[0].message() for _ in range(2)]
        second = [await members[1].message() for _ in range(2)]
        assert [each.payload for each in (*first, *second)] == [b"1", b"3", b"2", b"4"]
        members[1].end.abort()

        again = [await members[0].message() for _ in range(2)]

        assert [each.payload for each in again] == [b"2", b"4"]

    at_gateway(script)


def test_the_gateway_says_how_it_is() -> None:
    async def script(scene: Scene) -> None:
        peer = await scene.connected("curious")
        assert await peer.subscribe("$SYS/broker/clients/connected") == (0,)

        first = await peer.message()
        _ = await scene.connected("other")
        second = await peer.message()

        assert (first.payload, second.payload) == (b"1", b"2")

    at_gateway(script)


@pytest.mark.parametrize("word", [Reason.SUCCESS, Reason.WITH_WILL, None])
def test_a_will_is_published_unless_the_client_said_good_bye(word: Reason | None) -> None:
    async def script(scene: Scene) -> None:
        heir = await scene.connected("heir")
        assert await heir.subscribe("wills/#", qos=1) == (1,)
        mortal = await scene.connected("mortal", will=Will("wills/m", b"gone", 1))

        if word is None:
            mortal.end.abort()
        else:
            await mortal.send(Disconnect(word))

        if word is Reason.SUCCESS:
            await heir.nothing()
        else:
            assert (await heir.message()).payload == b"gone"

    at_gateway(script)


def test_one_filter_twice_in_a_packet_is_one_subscription() -> None:
    async def script(scene: Scene) -> None:
        peer = await scene.connected("twice")
        assert await peer.subscribe("a", "b", "a", qos=1) == (1, 1, 1)
        assert await peer.subscribe(Wanted("a", 0), Wanted("a", 1), Wanted("a", 2)) == (0, 1, 2)
        speaker = await scene.connected("speaker")

        await speaker.send(Publish("a", b"once", 1, number=1))

        assert (await peer.message()).payload == b"once"
        await peer.nothing()
        assert scene.broker.status().subscriptions == 2

    at_gateway(script)


def test_a_session_that_another_one_takes_over_is_free_at_once_even_if_its_client_is_stuck() -> (
    None
):
    async def script(scene: Scene) -> None:
        stuck = await scene.connected("one")
        assert await stuck.subscribe("a") == (0,)
        speaker = await scene.connected("speaker")
        await speaker.send(*(Publish("a", bytes(50_000)) for _ in range(10)))
        began_s = asyncio.get_running_loop().time()

        _ = await scene.connected("one")

        assert asyncio.get_running_loop().time() - began_s < 3

    at_gateway(script)


def test_a_flood_of_acknowledgements_that_reads_nothing_is_read_no_further() -> None:
    async def script(scene: Scene) -> None:
        peer = await scene.connected("flood")
        flood = asyncio.get_running_loop().create_task(
            peer.send(*(Ack(Kind.PUBREL, 1 + n % 9) for n in range(200_000)))
        )
        await asyncio.sleep(20)

        assert len(asyncio.all_tasks()) < 100
        assert not flood.done()
        await asyncio.sleep(20)
        assert scene.endings == ["stalled"]
        _ = flood.cancel()

    at_gateway(script)
