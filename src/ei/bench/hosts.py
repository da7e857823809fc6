"""Hosts without an application: a datapath, a socket and a loop, for generators and sinks.

A generator is `python -m ei.bench.hosts generate`, a sink `python -m ei.bench.hosts sink`; each
reads one JSON line (a `GenerateOrder` or `SinkOrder`) and answers in JSON lines.
"""

import secrets
import sys
import time
from collections.abc import Callable

import msgspec

from ei._core import Salvo
from ei.lab.bare_hosts import UP_LIMIT_S, BareHost, HostOrder, open_pipes, pump_all
from ei.sdk.packets import Protection

TRAIN = 64
SALVO_PACKETS = 6_000_000
"""About 100 B of memory each, unless the payload is sealed too."""

COVERED_BYTES = 1_500_000_000
"""Of memory for those whose payload is."""

SALVO_PER_S = 4_500_000
"""More than a core can send."""


class GenerateOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What a generator sends, once it was told to start.

    Attributes:
        host: Who sends.
        service, metadata: Of every packet.
        payload_bytes: Of every packet.
        connections: Used in turn; with 0 every packet has a new one.
        seconds: How long.
        packets_per_s: Offered rate; 0 is as fast as it can.
        protection: As the hosts would have sealed the payload end to end.
        is_covered: The pipe seals the payload too.
        up_limit_s: How long the pipe may take to be up.
    """

    host: HostOrder
    service: int
    metadata: bytes
    payload_bytes: int
    connections: int = 1
    seconds: float = 1.0
    packets_per_s: float = 0.0
    protection: Protection = Protection.DATAGRAMS
    is_covered: bool = False
    up_limit_s: float = UP_LIMIT_S


class SinkOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Hosts that keep their pipes up, until the standard input ends.

    Attributes:
        hosts: One process serves all.
        control: Sent to `service` of the node once per second, if not empty.
        up_limit_s: How long the pipes may take to be up.
    """

    hosts: tuple[HostOrder, ...]
    service: int = 0
    control: bytes = b""
    up_limit_s: float = UP_LIMIT_S


def generate(order: GenerateOrder, say: Callable[[object], None]) -> int:
    """Open the pipe, wait for a line, send; tell how many packets were sent."""
    host = BareHost(order.host)
    if not open_pipes([host], limit_s=order.up_limit_s):
        say({"error": f"no pipe to {order.host.node_endpoint} within {order.up_limit_s:g} s"})
        return 1
    send = _prepare(host, order)
    say({"ready": True})
    # Of packets that are sealed beforehand nothing may get ahead, not even a probe.
    while not order.connections and sys.stdin.fileno() not in pump_all(
        [host], further=(sys.stdin.fileno(),)
    ):
        pass
    if not sys.stdin.readline():
        return 0
    start_s = time.monotonic()
    sent = send()
    say({"sent": sent, "seconds": time.monotonic() - start_s})
    return 0


def _prepare(host: BareHost, order: GenerateOrder) -> Callable[[], int]:
    """Return what sends: packets sealed beforehand, or one new connection after the other."""
    # Of no other run: the node has decisions for those.
    connection = secrets.randbits(32) << 32
    if not order.connections:
        return lambda: _send_connections(host, order, connection)
    rate = order.packets_per_s or SALVO_PER_S
    most = COVERED_BYTES // (order.payload_bytes + 100) if order.is_covered else SALVO_PACKETS
    packets = min(most, SALVO_PACKETS, int(rate * order.seconds))
    salvo = Salvo(
        host.datapath,
        packets,
        peer=host.node,
        service=order.service,
        connection=connection,
        connections=order.connections,
        metadata=order.metadata,
        payload_bytes=order.payload_bytes,
        protection=order.protection,
        is_covered=order.is_covered,
    )
    # Where memory bounds them they are spread over the time.
    rate = packets / order.seconds
    return lambda: salvo.send(host.socket, seconds=order.seconds, packets_per_s=rate)


def _send_connections(host: BareHost, order: GenerateOrder, connection: int) -> int:
    payload = [bytes(order.payload_bytes)]
    sent = rounds = 0
    start_s = time.monotonic()
    while (elapsed_s := time.monotonic() - start_s) < order.seconds:
        rounds += 1
        # Heartbeats and what else comes in between.
        if rounds % 16 == 0:
            host.pump()
        if order.packets_per_s and sent > order.packets_per_s * elapsed_s:
            time.sleep(min(0.0002, TRAIN / order.packets_per_s))
            continue
        for _ in range(TRAIN):
            sent += host.datapath.send(
                time.monotonic_ns(), host.node, order.service, connection + sent,
                order.metadata, payload, protection=order.protection,
            )  # fmt: skip
        _ = host.socket.flush(host.datapath)
    return sent


def sink(order: SinkOrder, say: Callable[[object], None]) -> int:
    """Keep the pipes of all hosts up until the standard input ends; tell what they received."""
    hosts = [BareHost(host) for host in order.hosts]
    if not open_pipes(hosts, limit_s=order.up_limit_s):
        up = sum(host.is_up for host in hosts)
        say({"error": f"{up} of {len(hosts)} pipes are up after {order.up_limit_s:g} s"})
        return 1
    say({"ready": True})
    joined_s = 0.0
    received = 0
    while True:
        if order.control and time.monotonic() - joined_s > 1.0:
            joined_s = time.monotonic()
            for host in hosts:
                host.datapath.send_control(
                    time.monotonic_ns(), host.node, order.service, order.control
                )
                host.pump()
        ready = pump_all(hosts, further=(sys.stdin.fileno(),))
        for host in hosts:
            received += sum(len(run[-1]) for run in host.datapath.take_received())
        if ready == [sys.stdin.fileno()] and not sys.stdin.read(1):
            say({"received": received})
            return 0


def main(role: str) -> int:
    """Run one role in this process."""

    def say(message: object) -> None:
        _ = sys.stdout.write(msgspec.json.encode(message).decode() + "\n")
        _ = sys.stdout.flush()

    line = sys.stdin.readline()
    match role:
        case "generate":
            return generate(msgspec.json.decode(line, type=GenerateOrder), say)
        case "sink":
            return sink(msgspec.json.decode(line, type=SinkOrder), say)
        case _:
            say({"error": f"role {role!r} is neither generate nor sink"})
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
