"""Clients of other brokers, as cheap as can be: they send and count bytes, and look at none.

Run as `python -m ei.lab.brokers.rival_clients publish|subscribe|acknowledged`, which is told
and says JSON lines: an order, `{"ready": true}`, then a line for a line.
"""

import selectors
import socket
import sys
import time
from typing import Literal, TextIO

import msgspec

from ei.lab.brokers.programs import Say, run_role

TICK_S = 0.001
RECEIVE_BYTES = 1 << 20
LIMIT_S = 20.0
SUBJECT = "hot"
STREAM = "KEPT"
INBOX = b"_INBOX.a"
INFLIGHT = 64


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """Which broker, and how many clients of it.

    Attributes:
        protocol: That it speaks.
        port: Of the loopback.
        clients: Subscribers.
        data_bytes: Of a message.
    """

    protocol: Literal["nats", "mqtt"]
    port: int
    clients: int = 1
    data_bytes: int = 128


class Burst(msgspec.Struct, frozen=True, kw_only=True):
    """How much to publish."""

    count: int
    per_s: float


class Received(msgspec.Struct, frozen=True):
    """What came since the last time."""

    received: int


class Sent(msgspec.Struct, frozen=True):
    """What was sent, or acknowledged, in how long."""

    sent: int
    seconds: float


# -- protocols ------------------------------------------------------------------------------------


def connect(order: Order) -> socket.socket:
    """Connect, and return when the broker has taken it."""
    opened = socket.create_connection(("127.0.0.1", order.port), timeout=LIMIT_S)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if order.protocol == "nats":
        _ = until(opened, b"\r\n")  # INFO
        opened.sendall(b'CONNECT {"verbose":false,"pedantic":false}\r\nPING\r\n')
        _ = until(opened, b"PONG\r\n")
    else:
        body = b"\0\4MQTT\4\2\0\0\0\0"
        opened.sendall(b"\x10" + bytes((len(body),)) + body)
        _ = exactly(opened, 4)
    return opened


def subscribe_to(opened: socket.socket, order: Order) -> None:
    """Subscribe, and return when the broker has taken it."""
    if order.protocol == "nats":
        opened.sendall(f"SUB {SUBJECT} 1\r\nPING\r\n".encode())
        _ = until(opened, b"PONG\r\n")
    else:
        body = b"\0\1" + len(SUBJECT).to_bytes(2, "big") + SUBJECT.encode() + b"\0"
        opened.sendall(b"\x82" + bytes((len(body),)) + body)
        _ = exactly(opened, 5)


def sent_message(order: Order) -> bytes:
    """Return what publishes one message."""
    data = b"x" * order.data_bytes
    if order.protocol == "nats":
        return b"PUB %s %d\r\n%s\r\n" % (SUBJECT.encode(), len(data), data)
    return mqtt_message(data)


def received_bytes(order: Order) -> int:
    """Return how long a message is that comes."""
    if order.protocol == "nats":
        return len(b"MSG %s 1 %d\r\n\r\n" % (SUBJECT.encode(), order.data_bytes)) + order.data_bytes
    return len(mqtt_message(bytes(order.data_bytes)))


def mqtt_message(data: bytes) -> bytes:
    """Return a message of QoS 0."""
    body = len(SUBJECT).to_bytes(2, "big") + SUBJECT.encode() + data
    length = len(body)
    digits = bytearray()
    while True:
        length, digit = divmod(length, 128)
        digits.append(digit | (128 if length else 0))
        if not length:
            return b"\x30" + bytes(digits) + body


def until(opened: socket.socket, end: bytes) -> bytes:
    """Read until something has come."""
    said = b""
    while end not in said:
        piece = opened.recv(RECEIVE_BYTES)
        if not piece:
            raise ConnectionError(f"closed after {said[-200:]!r}")
        said += piece
    return said


def exactly(opened: socket.socket, count: int) -> bytes:
    """Read so many bytes."""
    said = b""
    while len(said) < count:
        piece = opened.recv(count - len(said))
        if not piece:
            raise ConnectionError(f"closed after {said!r}")
        said += piece
    return said


# -- roles ----------------------------------------------------------------------------------------


def subscribe(told: TextIO, say: Say) -> None:
    """Count what comes to many subscribers."""
    order = msgspec.json.decode(told.readline(), type=Order)
    selector, length, came = selectors.DefaultSelector(), received_bytes(order), 0
    for _ in range(order.clients):
        opened = connect(order)
        subscribe_to(opened, order)
        opened.settimeout(0)
        _ = selector.register(opened, selectors.EVENT_READ)
    _ = selector.register(told, selectors.EVENT_READ)
    say({"ready": True})
    while True:
        for key, _ in selector.select():
            if key.fileobj is not told:
                came += len(key.fileobj.recv(RECEIVE_BYTES))  # type: ignore[union-attr]
            elif not told.readline():
                return
            else:
                say(Received(came // length))
                came = 0


def publish(told: TextIO, say: Say) -> None:
    """Publish whenever told, at an even rate, of which as many as are due go at once."""
    order = msgspec.json.decode(told.readline(), type=Order)
    opened, message = connect(order), sent_message(order)
    say({"ready": True})
    while line := told.readline():
        burst = msgspec.json.decode(line, type=Burst)
        sent, began_s = 0, time.monotonic()
        while sent < burst.count:
            due = min(burst.count, int((time.monotonic() - began_s) * burst.per_s)) - sent
            opened.sendall(message * due)
            sent += due
            time.sleep(TICK_S)
        say(Sent(sent, time.monotonic() - began_s))


def acknowledged(told: TextIO, say: Say) -> None:
    """Publish to a stream of JetStream, with some unacknowledged at a time."""
    order = msgspec.json.decode(told.readline(), type=Order)
    opened = connect(order)
    stream = msgspec.json.encode(
        {"name": STREAM, "subjects": [SUBJECT], "storage": "file", "retention": "limits"}
    )
    opened.sendall(b"SUB %s 1\r\n" % INBOX)
    create = f"$JS.API.STREAM.CREATE.{STREAM}".encode()
    opened.sendall(b"PUB %s %s %d\r\n%s\r\n" % (create, INBOX, len(stream), stream))
    said = until(opened, b"}\r\n")
    if b'"error"' in said:
        say({"error": said.decode(errors="replace")})
        return
    data = b"x" * order.data_bytes
    message = b"PUB %s %s %d\r\n%s\r\n" % (SUBJECT.encode(), INBOX, len(data), data)
    say({"ready": True})
    while line := told.readline():
        burst = msgspec.json.decode(line, type=Burst)
        began_s = time.monotonic()
        taken = sent = 0
        rest = b""
        while taken < burst.count:
            more = min(burst.count, taken + INFLIGHT) - sent
            opened.sendall(message * more)
            sent += more
            rest += opened.recv(RECEIVE_BYTES)
            # Each acknowledgement is one object: {"stream":"KEPT", "seq":7}.
            taken += rest.count(b'"seq":')
            rest = rest[rest.rfind(b'"seq":') + 6 :] if b'"seq":' in rest else rest
        say(Sent(taken, time.monotonic() - began_s))


if __name__ == "__main__":
    sys.exit(
        run_role(
            sys.argv[1], {"publish": publish, "subscribe": subscribe, "acknowledged": acknowledged}
        )
    )
