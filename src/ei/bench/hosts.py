"""Hosts without an application: a datapath, a socket and a loop, for generators and sinks.

A generator is `python -m ei.bench.hosts generate`, a sink `python -m ei.bench.hosts sink`; each
reads one JSON line (a `GenerateOrder` or `SinkOrder`) and answers in JSON lines.
"""

import secrets
import select
import sys
import time
from collections.abc import Callable

import msgspec

from ei._core import Datapath, Salvo, Socket
from ei.sdk.packets import Protection

TRAIN = 64
SALVO_PACKETS = 6_000_000
"""About 100 B of memory each."""

SALVO_PER_S = 3_000_000
"""More than a core can send."""

UP_LIMIT_S = 20.0
DIALS_PER_S = 15.0
"""A node answers 20 handshakes a second of one address; what is too much waits seconds to retry."""


class HostOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Who a host is, and which node it uses.

    Attributes:
        address, pipe_secret: Its own, 16 and 32 bytes.
        bind: Endpoint; port 0 takes any.
        node, node_key, node_endpoint: Of the node.
    """

    address: bytes
    pipe_secret: bytes
    bind: str
    node: bytes
    node_key: bytes
    node_endpoint: str


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


class BenchHost:
    """One host; `pump` does what is due and returns what was received."""

    def __init__(self, order: HostOrder) -> None:
        self._order = order
        self.datapath = Datapath(
            role="host", address=order.address, private_key=order.pipe_secret,
            unix_offset_ns=time.time_ns() - time.monotonic_ns(),
        )  # fmt: skip
        self.socket = Socket(order.bind)
        self.datapath.add_peer(
            order.node, order.node_key, kind="node", endpoint=order.node_endpoint
        )
        self.is_up = False

    @property
    def node(self) -> bytes:
        """Address of its node."""
        return self._order.node

    def dial(self) -> None:
        """Open the pipe; `is_up` says when it is."""
        self.datapath.dial(time.monotonic_ns(), self._order.node)
        _ = self.socket.flush(self.datapath)

    def pump(self) -> None:
        """Receive, do what is due, send."""
        now_ns = time.monotonic_ns()
        _ = self.socket.receive(self.datapath, now_ns)
        self.datapath.poll(now_ns)
        for notice in self.datapath.take_notices():
            match notice:
                case ("peer_up", _):
                    self.is_up = True
                case ("peer_down", _):
                    self.is_up = False
                case _:
                    pass
        _ = self.socket.flush(self.datapath)

    def wait_s(self) -> float:
        """Seconds until something is due, at most 0.1."""
        deadline_ns = self.datapath.next_deadline_ns()
        if deadline_ns is None:
            return 0.1
        return min(max(deadline_ns - time.monotonic_ns(), 0) / 1e9, 0.1)


def open_pipes(hosts: list[BenchHost], *, limit_s: float = UP_LIMIT_S) -> bool:
    """Dial from one host after the other; return whether all pipes are up within the limit."""
    dialled = 0
    start_s = time.monotonic()
    while (elapsed_s := time.monotonic() - start_s) < limit_s:
        if dialled < len(hosts) and dialled <= elapsed_s * DIALS_PER_S:
            hosts[dialled].dial()
            dialled += 1
        _ = pump_all(hosts, most_s=1 / DIALS_PER_S)
        if all(host.is_up for host in hosts):
            return True
    return False


def pump_all(
    hosts: list[BenchHost], *, further: tuple[int, ...] = (), most_s: float = 0.1
) -> list[int]:
    """Wait for the first of `hosts` with work to do, then pump it; return ready descriptors."""
    wait_s = min(most_s, *(host.wait_s() for host in hosts))
    ready, _, _ = select.select([*hosts_by_descriptor(hosts), *further], [], [], wait_s)
    for host in hosts:
        if host.socket.fileno() in ready or host.wait_s() == 0.0:
            host.pump()
    return ready


def hosts_by_descriptor(hosts: list[BenchHost]) -> list[int]:
    """Return the descriptors to wait for."""
    return [host.socket.fileno() for host in hosts]


def generate(order: GenerateOrder, say: Callable[[object], None]) -> int:
    """Open the pipe, wait for a line, send; tell how many packets were sent."""
    host = BenchHost(order.host)
    if not open_pipes([host], limit_s=order.up_limit_s):
        say({"error": f"no pipe to {order.host.node_endpoint} within {order.up_limit_s:g} s"})
        return 1
    send = _prepare(host, order)
    say({"ready": True})
    while sys.stdin.fileno() not in pump_all([host], further=(sys.stdin.fileno(),)):
        pass
    if not sys.stdin.readline():
        return 0
    start_s = time.monotonic()
    sent = send()
    say({"sent": sent, "seconds": time.monotonic() - start_s})
    return 0


def _prepare(host: BenchHost, order: GenerateOrder) -> Callable[[], int]:
    """Return what sends: packets sealed beforehand, or one new connection after the other."""
    # Of no other run: the node has decisions for those.
    connection = secrets.randbits(32) << 32
    if not order.connections:
        return lambda: _send_connections(host, order, connection)
    rate = order.packets_per_s or SALVO_PER_S
    salvo = Salvo(
        host.datapath,
        min(SALVO_PACKETS, int(rate * order.seconds)),
        peer=host.node,
        service=order.service,
        connection=connection,
        connections=order.connections,
        metadata=order.metadata,
        payload_bytes=order.payload_bytes,
        protection=order.protection,
    )
    # Sealing takes seconds, in which the node got no answer: be up again before the load starts.
    host.pump()
    return lambda: salvo.send(host.datapath, host.socket, seconds=order.seconds, packets_per_s=rate)


def _send_connections(host: BenchHost, order: GenerateOrder, connection: int) -> int:
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
    hosts = [BenchHost(host) for host in order.hosts]
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
