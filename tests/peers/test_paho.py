"""paho, Eclipse's client of MQTT, at the gateway: sessions, QoS 2 once, and what only 5 has."""

import queue
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions
from tests.peers.exchange import Broker, exchanged, wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(120),
    # paho leaves sockets of connections that broke to the collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
SOON_S = 15.0
VERSIONS = [paho.MQTTv311, paho.MQTTv5]


@pytest.fixture(scope="module")
def brokers() -> Generator[tuple[Broker, Broker]]:
    """One in each of two domains."""
    with exchanged() as two:
        yield two


def properties(kind: int, **values: object) -> Properties:
    """Return properties of a packet, under their names in paho."""
    made = Properties(kind)
    for name, value in values.items():
        setattr(made, name, value)
    return made


class Program:
    """A client with a thread, and what it got."""

    def __init__(
        self, broker: Broker, name: str, *, version: int = paho.MQTTv5, lasting: bool = False
    ) -> None:
        is_old = version == paho.MQTTv311
        self.client = paho.Client(
            CallbackAPIVersion.VERSION2,
            name,
            protocol=version,
            clean_session=not lasting if is_old else None,
        )
        self.got: queue.Queue[paho.MQTTMessage] = queue.Queue()
        self.flags: queue.Queue[paho.ConnectFlags] = queue.Queue()
        self.granted = threading.Event()
        self.client.on_message = lambda _client, _data, message: self.got.put(message)
        self.client.on_connect = lambda _c, _d, flags, _code, _p: self.flags.put(flags)
        self.client.on_subscribe = lambda *_: self.granted.set()
        self.client.reconnect_delay_set(min_delay=1, max_delay=1)
        given = properties(PacketTypes.CONNECT, SessionExpiryInterval=1_000) if lasting else None
        self._connect: Callable[[], object] = lambda: self.client.connect(
            "127.0.0.1",
            broker.port,
            **({} if is_old else {"clean_start": not lasting, "properties": given}),
        )

    def start(self) -> paho.ConnectFlags:
        """Connect; return what the gateway says of the session."""
        _ = self._connect()
        _ = self.client.loop_start()
        return self.flags.get(timeout=SOON_S)

    def stop(self) -> None:
        """Leave in order."""
        _ = self.client.disconnect()
        _ = self.client.loop_stop()

    @contextmanager
    def silent(self) -> Generator[None]:
        """Do nothing while the block runs, and connect anew behind it.

        paho publishes what was received already once more, as new, when it fails to reconnect in
        between: it forgets at the second attempt what it was to release.
        """
        _ = self.client.loop_stop()
        yield
        _ = self.client.reconnect()
        _ = self.client.loop_start()

    def subscribe(self, *words: object, **options: object) -> None:
        """Subscribe, and wait until it is so."""
        self.granted.clear()
        _ = self.client.subscribe(*words, **options)  # type: ignore[arg-type]
        assert self.granted.wait(SOON_S)

    def payloads(self, count: int) -> list[bytes]:
        """Return the payloads of so many messages."""
        return [self.got.get(timeout=SOON_S).payload for _ in range(count)]


@contextmanager
def program(broker: Broker, name: str, **options: object) -> Generator[Program]:
    """Run a client while the block runs."""
    made = Program(broker, name, **options)  # type: ignore[arg-type]
    _ = made.start()
    try:
        yield made
    finally:
        made.stop()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("qos", [1, 2])
def test_a_session_has_what_came_meanwhile(
    brokers: tuple[Broker, Broker], version: int, qos: int
) -> None:
    here, there = brokers
    topic, name = f"meanwhile/{version}/{qos}", f"paho-{version}-{qos}"
    listener = Program(there, name, version=version, lasting=True)
    assert not listener.start().session_present
    listener.subscribe(topic, qos)
    listener.stop()

    with program(here, "speaker") as speaker:
        for number in range(5):
            speaker.client.publish(topic, b"%d" % number, qos).wait_for_publish(SOON_S)
    again = Program(there, name, version=version, lasting=True)

    assert again.start().session_present
    assert again.payloads(5) == [b"0", b"1", b"2", b"3", b"4"]
    again.stop()


def test_qos_2_comes_once_although_both_gateways_are_killed(
    brokers: tuple[Broker, Broker],
) -> None:
    here, there = brokers
    count = 400
    with (
        program(there, "once-in", lasting=True) as listener,
        program(here, "once-out", lasting=True) as speaker,
    ):
        listener.subscribe("once", 2)
        got: list[bytes] = []
        for number in range(count):
            _ = speaker.client.publish("once", b"%d" % number, 2)
            if number in (100, 200, 300):
                got += listener.payloads(20)
                killed, client = (here, speaker) if number == 200 else (there, listener)
                with client.silent():
                    assert killed.end(signal.SIGKILL) == -signal.SIGKILL
                    killed.start()
        got += listener.payloads(count - len(got))

        assert got == [b"%d" % number for number in range(count)]
        assert listener.got.empty()


def test_a_delayed_will_is_not_published_when_the_client_is_back(
    brokers: tuple[Broker, Broker],
) -> None:
    here, there = brokers
    with program(there, "heir") as heir:
        heir.subscribe("wills/paho", 1)
        for delay_s in (1_000, 1):
            mortal = Program(here, "mortal", lasting=True)
            delay = properties(PacketTypes.WILLMESSAGE, WillDelayInterval=delay_s)
            mortal.client.will_set("wills/paho", b"%d" % delay_s, 1, properties=delay)
            _ = mortal.start()
            mortal.client.socket().close()  # type: ignore[union-attr]
            _ = mortal.client.loop_stop()

        assert heir.payloads(1) == [b"1"]
        assert heir.got.empty()


def test_options_and_identifiers_of_subscriptions(brokers: tuple[Broker, Broker]) -> None:
    here, _ = brokers
    with program(here, "self") as self_, program(here, "other") as other:
        options = SubscribeOptions(qos=1, noLocal=True, retainAsPublished=True)
        numbered = properties(PacketTypes.SUBSCRIBE, SubscriptionIdentifier=7)
        self_.subscribe("mine/#", options=options, properties=numbered)
        given = properties(
            PacketTypes.PUBLISH, ContentType="text/plain", MessageExpiryInterval=60, TopicAlias=3
        )
        given.UserProperty = [("a", "1"), ("a", "2")]

        self_.client.publish("mine/x", b"own", 1).wait_for_publish(SOON_S)
        other.client.publish("mine/x", b"other", 1, retain=True, properties=given).wait_for_publish(
            SOON_S
        )
        message = self_.got.get(timeout=SOON_S)

        assert (message.payload, message.retain) == (b"other", True)
        found = message.properties
        assert found is not None
        assert found.SubscriptionIdentifier == [7]
        assert found.UserProperty == [("a", "1"), ("a", "2")]
        assert (found.ContentType, found.MessageExpiryInterval) == ("text/plain", 60)


def test_a_burst_is_taken_as_fast_as_the_window_allows(brokers: tuple[Broker, Broker]) -> None:
    here, there = brokers
    with program(there, "sink") as sink, program(here, "burst") as burst:
        sink.subscribe("burst", 1)
        sent = [burst.client.publish("burst", bytes(1_000) + b"%d" % n, 1) for n in range(1_000)]
        for each in sent:
            each.wait_for_publish(SOON_S)

        assert [each[1_000:] for each in sink.payloads(1_000)] == [b"%d" % n for n in range(1_000)]


def test_whoever_comes_later_with_a_name_has_it(brokers: tuple[Broker, Broker]) -> None:
    here, _ = brokers
    first = Program(here, "double")
    codes: queue.Queue[str] = queue.Queue()
    first.client.on_disconnect = lambda _c, _d, _f, code, _p: codes.put(str(code))
    _ = first.start()

    with program(here, "double"):
        assert codes.get(timeout=SOON_S) == "Session taken over"
        _ = first.client.loop_stop()
        wait_until(lambda: here.status()["connections"] == 1)
