"""Hosts by the hundred, without an application each: they publish packets, or subscribe and count.

Run as `python -m ei.scenarios.pubsub.crowd publish|subscribe`; it is told and says JSON lines. The
first is an order, the answer `{"ready": true}`. A publisher sends for each further line, a count
of packets and a rate, and answers what it sent; subscribers answer each line with what came since.
"""

import select
import sys
import time
from typing import TextIO

import msgspec

from ei.errors import LocalError
from ei.lab.bare_hosts import BareHost, HostOrder, open_pipes, pump_all
from ei.lab.brokers.programs import Say, run_role
from ei.lab.brokers.rival_clients import Burst
from ei.sdk import Protection
from ei.services.pubsub.messages import LIVE, Want, Wish, write_payload

PUBSUB = 50
STAMP_BYTES = 8
EVERY = 16
"""Of so many messages one tells how long it took."""
WISH_S = 1.0
TICK_S = 0.001
UP_LIMIT_S = 40.0
DIALS_PER_S = 100.0
"""Each has an address of its own."""


class Crowd(msgspec.Struct, frozen=True, kw_only=True):
    """Subscribers.

    Attributes:
        hosts: Who they are.
        wishes: What each wants of live messages.
        kept: What each wants of those that are kept; empty for nothing.
        is_looked_at: Order and times are; else messages are counted alone.
        pause_s: Between two looks at their sockets: many cost less to look at seldom.
    """

    hosts: tuple[HostOrder, ...]
    wishes: tuple[str, ...]
    kept: tuple[str, ...] = ()
    is_looked_at: bool = True
    pause_s: float = 0.0


class Publisher(msgspec.Struct, frozen=True, kw_only=True):
    """A publisher of packets, to one subject after the other."""

    host: HostOrder
    subjects: tuple[str, ...]
    data_bytes: int


class Counted(msgspec.Struct, frozen=True):
    """What came since the last time.

    Attributes:
        received: Live messages, of all hosts.
        kept: Messages that are kept.
        late: Live ones that came after a newer one of their publisher.
        least: Of the host that got the fewest live ones.
        waits_ms: How long some took, sorted.
    """

    received: int
    kept: int
    late: int
    least: int
    waits_ms: tuple[float, ...]


class Sink:
    """One subscriber.

    Args:
        order: Who it is.
        wishes: What it wants.
        is_looked_at: As in `Crowd`.
    """

    def __init__(
        self, order: HostOrder, wishes: tuple[Wish, ...], *, is_looked_at: bool = True
    ) -> None:
        self.host = BareHost(order)
        self._want = msgspec.msgpack.encode(Want(1, is_whole=True, added=wishes))
        self._is_looked_at = is_looked_at
        self._newest = 0
        self.clear()

    def clear(self) -> None:
        """Count from 0."""
        self.received = self.kept = self.late = 0
        self.waits_ns: list[int] = []

    def want(self) -> None:
        """Say what it wants; again and again, as nodes forget."""
        now_ns = time.monotonic_ns()
        self.host.datapath.send_control(now_ns, self.host.node, PUBSUB, self._want)
        self.host.pump()

    def take(self) -> None:
        """Count what came."""
        for run in self.host.datapath.take_received():
            payloads: list[bytes] = run[-1]
            if self._is_looked_at:
                self.count(payloads)
            else:
                self.received += len(payloads)

    def count(self, payloads: list[bytes]) -> None:
        """Count messages by what they say."""
        for payload in payloads:
            number = int.from_bytes(payload[:8], "little")
            if number < FIRST_NUMBER:  # a position in a log
                self.kept += 1
                continue
            self.received += 1
            if number <= self._newest:
                self.late += 1
            self._newest = number
            if number % EVERY == 0:
                sent_ns = int.from_bytes(payload[10 : 10 + STAMP_BYTES], "little")
                self.waits_ns.append(time.monotonic_ns() - sent_ns)


FIRST_NUMBER = 1 << 40
"""Of what a crowd publishes: no log is so long."""


def subscribe(told: TextIO, say: Say) -> None:
    """Keep many subscribers going until there is nothing more to be told."""
    order = msgspec.json.decode(told.readline(), type=Crowd)
    sinks = [
        Sink(host, wishes, is_looked_at=order.is_looked_at)
        for host, wishes in zip(order.hosts, wishes_of(order), strict=True)
    ]
    hosts = [sink.host for sink in sinks]
    if not open_pipes(hosts, limit_s=UP_LIMIT_S, dials_per_s=DIALS_PER_S):
        up = sum(host.is_up for host in hosts)
        raise LocalError(f"{up} of {len(hosts)} pipes are up")
    for sink in sinks:
        sink.want()
    say({"ready": True})
    turn, next_s = 0, time.monotonic()
    while True:
        now_s = time.monotonic()
        while now_s >= next_s:  # each about once a second, one after the other
            sinks[turn].want()
            turn, next_s = (turn + 1) % len(sinks), next_s + WISH_S / len(sinks)
        time.sleep(order.pause_s)
        ready = pump_all(hosts, further=(told.fileno(),), most_s=WISH_S / len(sinks))
        for sink in sinks:
            sink.take()
        if told.fileno() in ready:
            if not told.readline():
                return
            say(count(sinks))


def wishes_of(order: Crowd) -> list[tuple[Wish, ...]]:
    """Return what each of a crowd wants."""
    live = [(Wish(subject),) for subject in order.wishes]
    if not order.kept:
        return list(live)
    kept = (Wish(subject, is_kept=True) for subject in order.kept)
    return [(*one, other) for one, other in zip(live, kept, strict=True)]


def count(sinks: list[Sink]) -> Counted:
    """Return what all of them got, and begin anew."""
    waits_ns = sorted(wait for sink in sinks for wait in sink.waits_ns)
    counted = Counted(
        received=sum(sink.received for sink in sinks),
        kept=sum(sink.kept for sink in sinks),
        late=sum(sink.late for sink in sinks),
        least=min(sink.received for sink in sinks),
        waits_ms=tuple(round(wait / 1e6, 3) for wait in waits_ns),
    )
    for sink in sinks:
        sink.clear()
    return counted


def publish(told: TextIO, say: Say) -> None:
    """Publish whenever told."""
    order = msgspec.json.decode(told.readline(), type=Publisher)
    host = BareHost(order.host)
    if not open_pipes([host], limit_s=UP_LIMIT_S):
        raise LocalError(f"no pipe to {order.host.node_endpoint}")
    say({"ready": True})
    number = FIRST_NUMBER
    while True:
        if told.fileno() not in pump_all([host], further=(told.fileno(),)):
            continue
        line = told.readline()
        if not line:
            return
        burst = msgspec.json.decode(line, type=Burst)
        began_s = time.monotonic()
        number += send(host, order, burst, number)
        say({"sent": burst.count, "seconds": time.monotonic() - began_s})


def send(host: BareHost, order: Publisher, burst: Burst, first: int) -> int:
    """Publish so many at an even rate, of which as many as are due go at once."""
    subjects = [bytes((LIVE,)) + subject.encode() for subject in order.subjects]
    padding = bytes(order.data_bytes - STAMP_BYTES)
    sent, began_s = 0, time.monotonic()
    while sent < burst.count:
        due = min(burst.count, int((time.monotonic() - began_s) * burst.per_s)) - sent
        stamp = time.monotonic_ns().to_bytes(STAMP_BYTES, "little") + padding
        for _ in range(due):
            number = first + sent
            metadata = subjects[sent % len(subjects)]
            payload = write_payload(number, b"", stamp)
            _ = host.datapath.send(
                time.monotonic_ns(), host.node, PUBSUB, 1, metadata, [payload],
                protection=Protection.NONE, is_covered=True,
            )  # fmt: skip
            sent += 1
        host.pump()
        _ = select.select([host.socket.fileno()], [], [], TICK_S)
    return sent


if __name__ == "__main__":
    sys.exit(run_role(sys.argv[1], {"publish": publish, "subscribe": subscribe}))
