"""What is handed over reaches the collector in order; a bad collector costs nobody any time."""

import socket
import time
from collections.abc import Callable

import pytest
from tests.daemons.conftest import Collector

from ei.daemons.exporting import WAITING, Exporter, check_collector
from ei.errors import ConfigError

LIMIT_S = 10.0


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + LIMIT_S
    while not is_so():
        assert time.monotonic() < deadline_s
        time.sleep(0.002)


def test_bodies_are_posted_in_order(collector: Collector) -> None:
    exporter = Exporter(collector.url + "/")
    exporter.open()

    for number in range(3):
        exporter.offer("/v1/metrics", bytes([number]))
    wait_until(lambda: exporter.statistics()["sent"] == 3)
    exporter.close()

    kind = "application/x-protobuf"
    assert collector.posted == [("/v1/metrics", kind, bytes([number])) for number in range(3)]
    assert exporter.statistics() == {"sent": 3, "failed": 0, "dropped": 0}
    assert exporter.trouble == ""


def test_a_collector_that_refuses_is_counted_and_asked_again(collector: Collector) -> None:
    exporter = Exporter(collector.url)
    exporter.open()
    collector.status = 503

    exporter.offer("/v1/traces", b"x")
    wait_until(lambda: exporter.statistics()["failed"] == 1)
    assert "Service Unavailable" in exporter.trouble
    collector.status = 200
    exporter.offer("/v1/traces", b"y")
    wait_until(lambda: exporter.statistics()["sent"] == 1)
    exporter.close()

    assert exporter.trouble == ""


def test_a_collector_that_never_answers_stalls_nobody() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        exporter = Exporter(f"http://127.0.0.1:{silent.getsockname()[1]}")
        exporter.open()
        began_s = time.monotonic()

        for _ in range(WAITING + 20):
            exporter.offer("/v1/metrics", b"x")
        dropped = exporter.statistics()["dropped"]
        exporter.close()

        assert time.monotonic() - began_s < 1.0
        assert dropped >= 19


def test_a_collector_that_is_gone_is_counted() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        url = f"http://127.0.0.1:{gone.getsockname()[1]}"
    exporter = Exporter(url)
    exporter.open()

    exporter.offer("/v1/metrics", b"x")
    wait_until(lambda: exporter.statistics()["failed"] == 1)
    exporter.close()

    assert exporter.trouble


@pytest.mark.parametrize("url", ["", "collector:4318", "ftp://a", "http://", "http://a:b", "//a"])
def test_what_is_no_url_is_said_with_one_that_is(url: str) -> None:
    with pytest.raises(ConfigError, match=r"telemetry\.otlp: .* is no URL") as raised:
        check_collector(url, where="telemetry.otlp")

    assert "http://127.0.0.1:4318" in raised.value.remedy
