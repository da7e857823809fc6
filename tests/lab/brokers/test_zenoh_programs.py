"""Zenoh's programs run in processes of their own, where it is installed."""

import io

import pytest

from ei.lab.brokers.beside import is_here
from ei.lab.brokers.zenoh_programs import router


@pytest.mark.slow
def test_a_router_ends_when_there_is_nothing_more_to_be_told() -> None:
    if not is_here("Zenoh"):
        pytest.skip("Zenoh is installed by make others")
    said: list[object] = []

    router(io.StringIO('{"protocol": "nats", "port": 0}\n'), said.append)

    assert said == [{"ready": True}]
