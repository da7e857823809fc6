"""What is agreed at CONNECT: bounds of both sides, names, and what cannot be served."""

import pytest

from ei.ways.mqtt.limits import MqttLimits
from ei.ways.mqtt.opening import accept, agree
from ei.ways.mqtt.packets import V3, V5, Connack, Connect, Will
from ei.ways.mqtt.properties import Properties
from ei.ways.mqtt.reasons import MqttError, Reason

LIMITS = MqttLimits(session_s=1_000, keep_alive_s=600, at_once=20)


@pytest.mark.parametrize(
    ("connect", "reason"),
    [
        (Connect("x" * 129), Reason.BAD_CLIENT_ID),
        (Connect("", V3, is_clean=False), Reason.BAD_CLIENT_ID),
        (Connect("a", properties=Properties(auth_method="SCRAM")), Reason.BAD_AUTHENTICATION),
        (Connect("a", will=Will("w/#", b"")), Reason.BAD_TOPIC),
        (Connect("a", will=Will("$SYS/w", b"")), Reason.NOT_AUTHORIZED),
    ],
)
def test_what_cannot_be_served_is_refused(connect: Connect, reason: Reason) -> None:
    with pytest.raises(MqttError) as caught:
        _ = agree(connect, LIMITS, drawn="auto-1")

    assert caught.value.reason is reason


@pytest.mark.parametrize(
    ("connect", "expiry_s"),
    [
        (Connect("a", V3, is_clean=True), 0),
        (Connect("a", V3, is_clean=False), 1_000),
        (Connect("a", V5, is_clean=False), 0),
        (Connect("a", properties=Properties(session_expiry_s=10)), 10),
        (Connect("a", properties=Properties(session_expiry_s=0xFFFF_FFFF)), 1_000),
    ],
)
def test_how_long_a_session_lasts(connect: Connect, expiry_s: int) -> None:
    assert agree(connect, LIMITS, drawn="").expiry_s == expiry_s


@pytest.mark.parametrize(
    ("version", "asked_s", "silence_s", "told_s"),
    [(V3, 0, None, None), (V3, 2_000, 3_000, None), (V5, 0, 900, 600), (V5, 2_000, 900, 600),
     (V5, 60, 90, None)],
)  # fmt: skip
def test_how_long_a_client_may_be_silent(
    version: int, asked_s: int, silence_s: float | None, told_s: int | None
) -> None:
    connect = Connect("a", version, keep_alive_s=asked_s)
    agreed = agree(connect, LIMITS, drawn="")

    assert agreed.silence_s == silence_s
    connack = accept(connect, agreed, LIMITS, is_present=False)
    assert connack.properties.server_keep_alive_s == told_s


def test_the_smaller_window_counts() -> None:
    few = Connect("a", properties=Properties(receive_maximum=3, alias_maximum=99))

    assert (agree(few, LIMITS, drawn="").window, agree(Connect("a"), LIMITS, drawn="").window) == (
        3,
        20,
    )
    assert agree(few, LIMITS, drawn="").aliases == 32


def test_connack_says_what_differs() -> None:
    connect = Connect("", properties=Properties(session_expiry_s=5_000), keep_alive_s=60)
    agreed = agree(connect, LIMITS, drawn="auto-1")

    properties = accept(connect, agreed, LIMITS, is_present=True).properties

    assert (properties.assigned_client_id, properties.session_expiry_s) == ("auto-1", 1_000)
    old = Connect("a", V3)
    assert accept(old, agreed, LIMITS, is_present=True) == Connack(is_present=True)
