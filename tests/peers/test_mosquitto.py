"""Unmodified clients of Debian's mosquitto publish and subscribe through the gateway."""

import signal
import subprocess
from collections.abc import Generator

import pytest
from tests.peers.exchange import Broker, exchanged, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("mosquitto"), pytest.mark.timeout(120)]
VERSIONS = ["mqttv311", "mqttv5"]


@pytest.fixture(scope="module")
def brokers() -> Generator[tuple[Broker, Broker]]:
    """One in each of two domains."""
    with exchanged() as two:
        yield two


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("qos", ["0", "1", "2"])
def test_messages_cross_domains_in_order(
    brokers: tuple[Broker, Broker], version: str, qos: str
) -> None:
    here, there = brokers
    words = ("-V", version, "-q", qos)
    lines = [f"line {number}" for number in range(20)]
    topic = f"order/{version}/{qos}"

    with there.subscribed(*words, "-t", f"order/{version}/+", "-F", "%t %q %p") as subscriber:
        here.publish(*words, "-t", topic, "-l", data="\n".join(lines).encode())

        assert subscriber.lines(20) == [f"{topic} {qos} {line}" for line in lines]


@pytest.mark.parametrize(
    ("wanted", "meant"),
    [
        ("wild/+/leaf", {"wild/a/leaf", "wild/b/leaf"}),
        ("wild/#", {"wild/a/leaf", "wild/b/leaf", "wild/a", "wild"}),
        ("wild/a/#", {"wild/a/leaf", "wild/a"}),
        ("+/a", {"wild/a"}),
    ],
)
def test_wildcards(brokers: tuple[Broker, Broker], wanted: str, meant: set[str]) -> None:
    here, there = brokers

    with there.subscribed("-t", wanted, "-t", "end", "-q", "1", "-F", "%t") as subscriber:
        for topic in ("wild/a/leaf", "wild/b/leaf", "wild/a", "wild", "other/x", "end"):
            here.publish("-t", topic, "-m", "x", "-q", "1")

        got = subscriber.lines(len(meant) + 1)

    assert set(got) == {*meant, "end"}


@pytest.mark.parametrize("version", VERSIONS)
def test_retained_messages_wait_for_who_comes_later(
    brokers: tuple[Broker, Broker], version: str
) -> None:
    here, there = brokers
    topic = f"state/{version}/lamp"
    here.publish("-V", version, "-t", topic, "-m", "old", "-q", "1", "-r")
    here.publish("-V", version, "-t", topic, "-m", "on", "-q", "1", "-r")

    words = ("-V", version, "-t", f"state/{version}/#", "-q", "1", "-F", "%r %p")
    with there.subscribed(*words) as subscriber:
        assert subscriber.lines(1) == ["1 on"]
        here.publish("-V", version, "-t", topic, "-n", "-r", "-q", "1")
        assert subscriber.lines(1) == ["0 "]
    with there.subscribed(*words) as subscriber:
        here.publish("-V", version, "-t", topic, "-m", "new", "-q", "1")
        assert subscriber.lines(1) == ["0 new"]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_will_is_published_when_its_client_is_killed(
    brokers: tuple[Broker, Broker], version: str
) -> None:
    here, there = brokers
    topic = f"wills/{version}"
    will = ("--will-topic", topic, "--will-payload", "gone", "--will-qos", "1")

    with there.subscribed("-t", topic, "-q", "1") as heir:
        with here.subscribed("-V", version, "-t", "any", *will):
            pass  # killed
        assert heir.lines(1) == ["gone"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("qos", ["1", "2"])
def test_a_session_is_taken_up_again_also_by_a_gateway_that_was_killed(
    brokers: tuple[Broker, Broker], version: str, qos: str
) -> None:
    here, there = brokers
    name = f"sleeper-{version}-{qos}"
    lasting = ("-x", "1000") if version == "mqttv5" else ()
    words = ("-V", version, "-i", name, "-c", *lasting, "-q", qos, "-t", f"sleep/{name}")
    with there.subscribed(*words) as subscriber:
        here.publish("-t", f"sleep/{name}", "-m", "awake", "-q", "2")
        assert subscriber.lines(1) == ["awake"]

    here.publish("-t", f"sleep/{name}", "-m", "asleep", "-q", "2")
    assert there.end(signal.SIGKILL) == -signal.SIGKILL
    here.publish("-t", f"sleep/{name}", "-m", "gateway dead", "-q", "2")
    there.start()

    with there.connected(*words) as subscriber:
        assert subscriber.lines(2) == ["asleep", "gateway dead"]


def test_properties_of_5_go_along(brokers: tuple[Broker, Broker]) -> None:
    here, there = brokers
    properties = (
        *("-D", "publish", "content-type", "text/plain"),
        *("-D", "publish", "response-topic", "answers"),
        *("-D", "publish", "correlation-data", "7"),
        *("-D", "publish", "user-property", "key", "value"),
        *("-D", "publish", "message-expiry-interval", "100"),
    )

    with there.subscribed(
        "-V", "5", "-t", "props", "-q", "1", "-F", "%C %R %D %P %E"
    ) as subscriber:
        here.publish("-V", "5", "-t", "props", "-m", "x", "-q", "1", *properties)

        assert subscriber.lines(1)[0].startswith("text/plain answers 7 key:value ")


def test_a_question_is_answered(brokers: tuple[Broker, Broker]) -> None:
    here, there = brokers
    with there.subscribed("-V", "5", "-t", "questions", "-q", "1") as subscriber:
        asking = subprocess.Popen(
            here.words("mosquitto_rr", "-V", "5", "-t", "questions", "-e", "answers", "-m", "how?"),
            stdout=subprocess.PIPE,
        )
        assert subscriber.lines(1) == ["how?"]
        there.publish("-V", "5", "-t", "answers", "-m", "well", "-q", "1")
        said, _ = asking.communicate(timeout=20)

    assert said == b"well\n"


def test_members_of_a_shared_subscription_share(brokers: tuple[Broker, Broker]) -> None:
    here, there = brokers
    words = ("-V", "5", "-t", "$share/crew/jobs/#", "-q", "1", "-C", "5")
    with there.subscribed(*words) as one, there.subscribed(*words) as two:
        here.publish("-t", "jobs/x", "-q", "1", "-l", data=b"\n".join(b"%d" % n for n in range(10)))

        got = [*one.lines(5), *two.lines(5)]

    assert sorted(got) == [str(number) for number in range(10)]


def test_the_gateway_says_of_itself(brokers: tuple[Broker, Broker]) -> None:
    here, _ = brokers

    with here.subscribed("-t", "$SYS/broker/version", "-C", "1") as subscriber:
        assert subscriber.lines(1) == ["Extensible Internet, gate.isp-a"]


def test_it_ends_in_order_and_begins_again(brokers: tuple[Broker, Broker]) -> None:
    here, _ = brokers

    with here.subscribed("-t", "x", "-V", "mqttv311") as subscriber:
        assert here.end(signal.SIGTERM) == 0
        here.start()
        wait_until(lambda: here.status()["connections"] == 1)
        assert subscriber.process.poll() is None
