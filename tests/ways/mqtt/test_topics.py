"""Topics and filters mean what the standard says (4.7)."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ei.ways.mqtt.reasons import MqttError, Reason
from ei.ways.mqtt.topics import check_filter, check_published, check_topic, matches, parse_filter


@pytest.mark.parametrize(
    ("wanted", "topic", "is_meant"),
    [
        ("sport/tennis/player1/#", "sport/tennis/player1", True),
        ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", True),
        ("sport/#", "sport", True),
        ("#", "a/b", True),
        ("sport/tennis/+", "sport/tennis/player1", True),
        ("sport/tennis/+", "sport/tennis/player1/ranking", False),
        ("sport/+", "sport", False),
        ("sport/+", "sport/", True),
        ("+/+", "/finance", True),
        ("/+", "/finance", True),
        ("+", "/finance", False),
        ("#", "$SYS/uptime", False),
        ("+/uptime", "$SYS/uptime", False),
        ("$SYS/#", "$SYS/uptime", True),
        ("$SYS/monitor/+", "$SYS/monitor/Clients", True),
        ("ACCOUNTS", "Accounts", False),
        ("a/b", "a/b/c", False),
    ],
)
def test_examples_of_the_standard(wanted: str, topic: str, *, is_meant: bool) -> None:
    check_filter(wanted)
    check_topic(topic)

    assert matches(wanted, topic) is is_meant


LEVELS = st.lists(st.sampled_from(["a", "b", "", "+", "$x"]), min_size=1, max_size=5)


@pytest.mark.slow
@given(LEVELS, LEVELS, st.booleans())
def test_a_filter_is_a_regular_expression(
    wanted: list[str],
    names: list[str],
    ends_open: bool,  # noqa: FBT001 drawn
) -> None:
    topic = "/".join("a" if each == "+" else each for each in names)
    pattern = "/".join("[^/]*" if each == "+" else re.escape(each) for each in wanted)
    text = "/".join(wanted) + ("/#" if ends_open else "")
    hidden = topic.startswith("$") and wanted[0] == "+"

    found = re.fullmatch(pattern + ("(/.*)?" if ends_open else ""), topic) is not None

    assert matches(text, topic) is (found and not hidden)


@pytest.mark.parametrize("wanted", ["", "a#", "a/#/b", "a+/b", "+a", "x" * 201, "#/"])
def test_a_filter_that_is_none_is_refused(wanted: str) -> None:
    with pytest.raises(MqttError) as caught:
        check_filter(wanted)

    assert caught.value.reason is Reason.BAD_FILTER


@pytest.mark.parametrize(
    ("topic", "reason"),
    [
        ("", Reason.BAD_TOPIC),
        ("a/+", Reason.BAD_TOPIC),
        ("ä" * 101, Reason.BAD_TOPIC),
        ("$SYS/x", Reason.NOT_AUTHORIZED),
    ],
)
def test_a_topic_that_nobody_may_publish_to_is_refused(topic: str, reason: Reason) -> None:
    with pytest.raises(MqttError) as caught:
        check_published(topic)

    assert caught.value.reason is reason


def test_a_shared_subscription_has_a_group_and_a_filter() -> None:
    assert parse_filter("$share/g/a/+/#") == ("g", "a/+/#")
    assert parse_filter("a/b") == ("", "a/b")
    for bad in ("$share", "$share/g", "$share/g/", "$share//a", "$share/+/a", "$share/g/a#"):
        with pytest.raises(MqttError):
            _ = parse_filter(bad)
