"""Zenoh's router and its clients, each a process: `router`, `publish` or `subscribe`.

Told and saying the same as `rival_clients.py`. Only where the package `eclipse-zenoh` is
installed.
"""

import importlib
import sys
import time
from collections.abc import Callable
from typing import Any, TextIO

import msgspec

from ei.lab.brokers.programs import Say, run_role
from ei.lab.brokers.rival_clients import SUBJECT, TICK_S, Burst, Order, Received, Sent


def session(mode: str, port: int) -> Any:  # noqa: ANN401 a library without types
    """Open a session with the router, or as it."""
    zenoh: Any = importlib.import_module("zenoh")
    config = zenoh.Config()
    place = "listen" if mode == "router" else "connect"
    config.insert_json5("mode", f'"{mode}"')
    config.insert_json5(f"{place}/endpoints", f'["tcp/127.0.0.1:{port}"]')
    config.insert_json5("scouting/multicast/enabled", "false")
    return zenoh.open(config)


def router(told: TextIO, say: Say) -> None:
    """Route until there is nothing more to be told."""
    order = msgspec.json.decode(told.readline(), type=Order)
    opened = session("router", order.port)
    say({"ready": True})
    while told.readline():
        pass
    opened.close()


def subscribe(told: TextIO, say: Say) -> None:
    """Count what comes to many subscribers, each with a connection of its own."""
    order = msgspec.json.decode(told.readline(), type=Order)
    came = [0] * order.clients
    kept: list[Any] = []

    def counting(place: int) -> Callable[[object], None]:
        def count(_sample: object) -> None:
            came[place] += 1

        return count

    for place in range(order.clients):
        opened = session("client", order.port)
        kept += [opened, opened.declare_subscriber(SUBJECT, counting(place))]
    say({"ready": True})
    last = 0
    while told.readline():
        now = sum(came)
        say(Received(now - last))
        last = now


def publish(told: TextIO, say: Say) -> None:
    """Publish whenever told."""
    order = msgspec.json.decode(told.readline(), type=Order)
    opened = session("client", order.port)
    publisher = opened.declare_publisher(SUBJECT)
    data = b"x" * order.data_bytes
    say({"ready": True})
    while line := told.readline():
        burst = msgspec.json.decode(line, type=Burst)
        sent, began_s = 0, time.monotonic()
        while sent < burst.count:
            due = min(burst.count, int((time.monotonic() - began_s) * burst.per_s)) - sent
            for _ in range(due):
                publisher.put(data)
            sent += due
            time.sleep(TICK_S)
        say(Sent(sent, time.monotonic() - began_s))
    opened.close()


if __name__ == "__main__":
    sys.exit(run_role(sys.argv[1], {"router": router, "publish": publish, "subscribe": subscribe}))
