"""Sessions at the gateway: taken up again, taken over, ended, and after the gateway itself died."""

import asyncio

import pytest
from tests.ways.mqtt.memory import Peer, Scene, at_gateway

from ei.errors import DeadlineError, DeniedError, LimitError
from ei.ways.mqtt.limits import MqttLimits
from ei.ways.mqtt.packets import (
    V3,
    Ack,
    Connack,
    Connect,
    Disconnect,
    Kind,
    Publish,
    Subscribe,
    Unsubscribe,
    Wanted,
    Will,
)
from ei.ways.mqtt.properties import NONE, Properties
from ei.ways.mqtt.reasons import Reason

LASTING = Properties(session_expiry_s=1_000)


async def back(
    scene: Scene, name: str, *, properties: Properties = LASTING, version: int = 5
) -> tuple[Peer, Connack]:
    """Return a client that comes for the session it had, and what it is told."""
    peer = scene.peer(version=version)
    properties = NONE if version == V3 else properties
    connect = Connect(name, version, is_clean=False, properties=properties)
    return peer, await peer.connect(connect)


async def listening(scene: Scene, *, qos: int = 2, version: int = 5) -> Peer:
    """Return a client with a session that lasts, and one subscription."""
    peer, connack = await back(scene, "listener", version=version)
    assert not connack.is_present
    assert await peer.subscribe("a/#", qos=qos) == (qos,)
    return peer


async def published(scene: Scene, *payloads: bytes, qos: int = 2) -> None:
    """Publish, and see it acknowledged."""
    speaker = await scene.connected("speaker")
    for number, payload in enumerate(payloads, 1):
        await speaker.send(Publish("a/b", payload, qos, number=number))
        assert isinstance(await speaker.receive(), Ack)
    await speaker.send(Disconnect())


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("qos", [1, 2])
def test_what_came_meanwhile_is_sent_when_the_client_is_back(version: int, qos: int) -> None:
    async def script(scene: Scene) -> None:
        peer = await listening(scene, qos=qos, version=version)
        await peer.send(Disconnect())
        await scene.ended()
        await published(scene, b"1", b"2", b"3", qos=qos)

        again, connack = await back(scene, "listener", version=version)

        assert connack.is_present
        assert [(await again.message()).payload for _ in range(3)] == [b"1", b"2", b"3"]

    at_gateway(script)


def test_what_was_not_acknowledged_comes_again_under_its_number() -> None:
    async def script(scene: Scene) -> None:
        peer = await listening(scene)
        await published(scene, b"1", b"2", b"3")
        one, two, three = [await peer.message() for _ in range(3)]
        await peer.send(Ack(Kind.PUBREC, two.number), Ack(Kind.PUBREC, three.number))
        assert await peer.receive() == Ack(Kind.PUBREL, two.number)
        assert await peer.receive() == Ack(Kind.PUBREL, three.number)
        await peer.send(Ack(Kind.PUBCOMP, three.number))
        await peer.nothing()
        peer.end.abort()

        again, _ = await back(scene, "listener")

        first, second = await again.receive(), await again.receive()
        assert isinstance(first, Publish)
        assert (first.number, first.payload, first.is_repeated) == (one.number, b"1", True)
        assert second == Ack(Kind.PUBREL, two.number)
        await again.nothing()

    at_gateway(script)


@pytest.mark.parametrize("stage", ["sent", "received", "done"])
def test_nothing_of_qos_2_comes_twice_when_the_gateway_dies(stage: str) -> None:
    async def script(scene: Scene) -> None:
        peer = await listening(scene)
        await published(scene, b"1")
        got = await peer.message()
        if stage != "sent":
            await peer.send(Ack(Kind.PUBREC, got.number))
            assert await peer.receive() == Ack(Kind.PUBREL, got.number)
        if stage == "done":
            await peer.send(Ack(Kind.PUBCOMP, got.number))
            await peer.nothing()
            for marks in scene.bus.places.values():
                marks |= set(scene.bus.log)  # pubsub has not heard of it
        await scene.kill()
        await scene.start()

        again, connack = await back(scene, "listener")

        assert connack.is_present
        if stage == "sent":
            repeated = await again.message()
            assert (repeated.number, repeated.is_repeated) == (got.number, True)
        if stage == "received":
            assert await again.receive() == Ack(Kind.PUBREL, got.number)
        await again.nothing()

    at_gateway(script)


def test_what_a_client_publishes_with_qos_2_is_taken_once_even_if_the_gateway_dies() -> None:
    async def script(scene: Scene) -> None:
        peer, _ = await back(scene, "speaker")
        packet = Publish("a", b"once", 2, number=5)
        await peer.send(packet)
        assert await peer.receive() == Ack(Kind.PUBREC, 5)
        await scene.kill()
        await scene.start()
        peer, connack = await back(scene, "speaker")
        assert connack.is_present

        await peer.send(Publish("a", b"once", 2, is_repeated=True, number=5))
        assert await peer.receive() == Ack(Kind.PUBREC, 5)
        await peer.send(Ack(Kind.PUBREL, 5))
        assert await peer.receive() == Ack(Kind.PUBCOMP, 5)
        assert [each.payload for each in scene.bus.log.values()] == [b"once"]

        await peer.send(Publish("a", b"next", 2, number=5))
        assert await peer.receive() == Ack(Kind.PUBREC, 5)
        assert [each.payload for each in scene.bus.log.values()] == [b"once", b"next"]

    at_gateway(script)


def test_ordinals_go_on_when_all_was_released_and_the_gateway_dies() -> None:
    async def script(scene: Scene) -> None:
        for payload in (b"1", b"2"):
            peer, _ = await back(scene, "speaker")
            await peer.send(Publish("a", payload, 2, number=1))
            assert await peer.receive() == Ack(Kind.PUBREC, 1)
            await peer.send(Ack(Kind.PUBREL, 1))
            assert await peer.receive() == Ack(Kind.PUBCOMP, 1)
            await scene.kill()
            await scene.start()

        assert [each.payload for each in scene.bus.log.values()] == [b"1", b"2"]

    at_gateway(script)


def test_a_clean_start_forgets_all_that_was() -> None:
    async def script(scene: Scene) -> None:
        peer = await listening(scene)
        await peer.send(Disconnect())
        await scene.ended()
        assert len(scene.bus.places) == 1

        again = scene.peer()
        connack = await again.connect(Connect("listener"))

        assert not connack.is_present
        await published(scene, b"1")
        await again.nothing()
        assert not scene.bus.places
        await again.send(Disconnect())
        await scene.ended(3)
        assert not scene.keeper.entries

    at_gateway(script)


def test_a_session_ends_in_time_also_when_the_gateway_died_meanwhile() -> None:
    async def script(scene: Scene) -> None:
        properties = Properties(session_expiry_s=100)
        peer = await scene.connected("mayfly", is_clean=False, properties=properties)
        assert await peer.subscribe("a", qos=1) == (1,)
        await peer.send(Disconnect())
        await scene.ended()
        await asyncio.sleep(50)
        await scene.kill()
        await scene.start()
        await asyncio.sleep(49)
        assert scene.broker.status().sessions == 1
        await asyncio.sleep(2)

        assert scene.broker.status().sessions == 0
        assert (scene.keeper.entries, scene.bus.places) == ({}, {})

    at_gateway(script)


def test_what_pubsub_has_not_heard_is_told_again() -> None:
    async def script(scene: Scene) -> None:
        peer = await listening(scene)
        scene.bus.failure = DeadlineError("no answer from sn1")
        await peer.send(Unsubscribe(3, ("a/#",)))
        assert await peer.receive() is not None
        await scene.kill()
        await scene.start()
        assert len(scene.bus.places) == 1
        scene.bus.failure = None

        await asyncio.sleep(11)

        assert not scene.bus.places
        assert not [key for key in scene.keeper.entries if key.startswith(b"f")]

    at_gateway(script)


@pytest.mark.parametrize("version", [4, 5])
def test_whoever_comes_later_with_a_name_has_it(version: int) -> None:
    async def script(scene: Scene) -> None:
        first = await listening(scene, version=version)

        second, connack = await back(scene, "listener", version=version)

        assert connack.is_present
        end = await first.receive()
        assert end is None or (isinstance(end, Disconnect) and end.reason is Reason.TAKEN_OVER)
        await published(scene, b"1")
        assert (await second.message()).payload == b"1"
        assert scene.endings[0] == "taken_over"

    at_gateway(script)


def test_many_who_come_at_once_with_one_name_leave_one() -> None:
    async def script(scene: Scene) -> None:
        peers = [scene.peer() for _ in range(10)]
        for peer in peers:
            await peer.send(Connect("one", is_clean=False, properties=LASTING))
        await asyncio.sleep(1)

        assert scene.broker.status().connections == 1
        assert scene.endings == ["taken_over"] * 9

    at_gateway(script)


@pytest.mark.parametrize(("delay_s", "expiry_s", "due_s"), [(30, 100, 30), (30, 10, 10)])
def test_a_will_waits_and_is_not_published_when_the_client_is_back(
    delay_s: int, expiry_s: int, due_s: int
) -> None:
    async def script(scene: Scene) -> None:
        heir = await scene.connected("heir")
        assert await heir.subscribe("wills") == (0,)
        will = Will("wills", b"gone", properties=Properties(will_delay_s=delay_s))
        properties = Properties(session_expiry_s=expiry_s)
        for is_back in (True, False):
            mortal = await scene.connected(
                "mortal", will=will, is_clean=False, properties=properties
            )
            mortal.end.abort()
            await asyncio.sleep(due_s - 2 if is_back else due_s - 1)
        await heir.nothing()
        assert (await heir.message()).payload == b"gone"

    at_gateway(script)


@pytest.mark.parametrize("properties", [NONE, LASTING], ids=["clean", "lasting"])
def test_the_will_of_who_was_there_is_published_when_the_gateway_died(
    properties: Properties,
) -> None:
    async def script(scene: Scene) -> None:
        will = Will("wills", b"gone", 1, is_retained=True)
        _ = await scene.connected("mortal", will=will, properties=properties)
        await scene.kill()
        await scene.start()

        heir = await scene.connected("heir")
        assert await heir.subscribe("wills") == (0,)

        assert (await heir.message()).payload == b"gone"

    at_gateway(script)


def test_more_sessions_than_allowed_are_refused() -> None:
    async def script(scene: Scene) -> None:
        _ = await scene.connected("one")
        connack = await scene.peer().connect(Connect("two"))

        assert connack.reason is Reason.QUOTA

    at_gateway(script, MqttLimits(sessions=1))


def test_a_disk_that_is_full_refuses_what_would_rest_on_it() -> None:
    async def script(scene: Scene) -> None:
        peer = await listening(scene)
        scene.keeper.failure = LimitError("the disk is full")

        connack = await scene.peer().connect(Connect("late", properties=LASTING))
        assert connack.reason is Reason.UNAVAILABLE
        await peer.send(Publish("a", b"", 2, number=1))
        answer = await peer.receive()
        assert isinstance(answer, Ack)
        assert answer.reason is Reason.QUOTA
        assert not scene.bus.log

        scene.keeper.failure = None
        _ = await scene.connected("late", properties=LASTING)

    at_gateway(script)


def test_at_its_end_the_gateway_says_so() -> None:
    async def script(scene: Scene) -> None:
        peer = await listening(scene)

        await scene.broker.close()

        answer = await peer.receive()
        assert isinstance(answer, Disconnect)
        assert answer.reason is Reason.SHUTTING_DOWN
        status = scene.broker.status("127.0.0.1:1883")
        assert (status.connections, status.sessions, status.subscriptions) == (0, 1, 1)
        assert "Broker 0 of 1" in repr(scene.broker)

    at_gateway(script)


def test_what_a_feed_was_about_to_send_comes_when_it_begins_again() -> None:
    async def script(scene: Scene) -> None:
        peer = await listening(scene)
        await peer.send(Disconnect())
        await scene.ended()
        await published(scene, b"1", b"2")

        again = scene.peer()
        connect = Connect("listener", is_clean=False, properties=LASTING)
        await again.send(connect, Subscribe(1, (Wanted("a/#", 2),)))
        got = [await again.receive() for _ in range(4)]

        assert {each.payload for each in got if isinstance(each, Publish)} == {b"1", b"2"}

    at_gateway(script)


def test_a_session_that_is_to_last_no_longer_gets_what_waited_for_it_and_leaves_nothing() -> None:
    async def script(scene: Scene) -> None:
        peer = await listening(scene)
        await peer.send(Disconnect())
        await scene.ended()
        await published(scene, b"1", b"2")

        again, connack = await back(scene, "listener", properties=NONE)

        assert connack.is_present
        assert [(await again.message()).payload for _ in range(2)] == [b"1", b"2"]
        await again.send(Disconnect())
        await scene.ended(3)
        await asyncio.sleep(1)
        assert (scene.bus.places, scene.keeper.entries) == ({}, {})

    at_gateway(script)


def test_a_subscription_that_pubsub_does_not_take_just_now_stays() -> None:
    async def script(scene: Scene) -> None:
        peer = await listening(scene)
        await peer.send(Disconnect())
        await scene.ended()
        scene.bus.failure = LimitError("the pipe is full")
        again, connack = await back(scene, "listener")
        assert connack.is_present
        answer = await again.receive()
        assert isinstance(answer, Disconnect)
        assert answer.reason is Reason.UNAVAILABLE
        scene.bus.failure = None

        assert (await back(scene, "listener"))[1].is_present
        assert scene.broker.status().subscriptions == 1

    at_gateway(script)


def test_a_subscription_that_pubsub_refuses_does_not_cost_the_session() -> None:
    async def script(scene: Scene) -> None:
        peer, _ = await back(scene, "listener")
        assert await peer.subscribe("a/#", qos=1) == (1,)
        scene.bus.failure = DeniedError("too many names")
        assert await peer.subscribe("b", qos=1) == (0x97,)
        peer.end.abort()
        again, connack = await back(scene, "listener")
        assert connack.is_present
        await again.nothing()
        assert scene.broker.status().subscriptions == 0
        scene.bus.failure = None
        assert await again.subscribe("a/#", qos=1) == (1,)

    at_gateway(script)
