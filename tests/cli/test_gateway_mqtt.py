"""`ei gateway mqtt`, as it is called, and what `ei gateway status` shows of it."""

import io

from tests.cli.conftest import Run

from ei.cli.exits import Exit
from ei.cli.gateway_mqtt import tell_mqtt
from ei.cli.output import Output


def test_without_a_host_it_is_said_how_to_write_one(ei: Run) -> None:
    said = ei("gateway", "mqtt")

    assert said.code == Exit.ERROR
    assert "ei host init" in said.err


def test_an_endpoint_that_is_none_is_refused(ei: Run) -> None:
    said = ei("gateway", "mqtt", "--listen", "here")

    assert said.code == Exit.ERROR
    assert "here" in said.err


def test_counts_are_shown_with_their_words() -> None:
    out = io.StringIO()
    answer = {
        "name": "gate.isp-a", "endpoint": "127.0.0.1:1883", "connections": 2, "sessions": 3,
        "subscriptions": 4, "received": 5, "sent": 6, "endings": {"keep_alive": 1},
        "dropped": {"slow_client": 7},
    }  # fmt: skip

    _ = tell_mqtt(answer, Output(stdout=out, stderr=io.StringIO(), environ={}))

    assert out.getvalue().splitlines() == [
        "gate.isp-a: MQTT at 127.0.0.1:1883, 2 connected",
        "3 sessions, 4 subscriptions",
        "messages from clients 5, to clients 6",
        "connections keep_alive 1",
        "messages dropped slow_client 7",
    ]
