"""Clients of other brokers: what they send is as long as they count on."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ei.lab.brokers.rival_clients import (
    Order,
    connect,
    exactly,
    mqtt_message,
    received_bytes,
    sent_message,
    until,
)


@contextmanager
def saying(*said: bytes) -> Iterator[int]:
    """Serve one connection, which is answered by these; yield the port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                for each in said:
                    connection.sendall(each)
                    _ = connection.recv(1_000)

        thread = threading.Thread(target=answer)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


def test_a_message_of_mqtt_has_its_length_in_sevens_of_bits() -> None:
    assert mqtt_message(b"x") == b"\x30\x06\x00\x03hotx"
    assert mqtt_message(bytes(200))[:3] == b"\x30\xcd\x01"


@pytest.mark.parametrize("protocol", ["nats", "mqtt"])
def test_what_comes_is_as_long_as_the_protocol_says(protocol: str) -> None:
    order = Order(protocol="nats" if protocol == "nats" else "mqtt", port=1, data_bytes=128)

    assert sent_message(order).count(b"x" * 128) == 1
    assert received_bytes(order) > 128


def test_a_broker_of_nats_is_greeted() -> None:
    with saying(b"INFO {}\r\n", b"PONG\r\n") as port:
        connect(Order(protocol="nats", port=port)).close()


def test_a_broker_that_hangs_up_is_said() -> None:
    with saying(b"INFO") as port, socket.create_connection(("127.0.0.1", port)) as opened:
        opened.sendall(b"x")
        with pytest.raises(ConnectionError, match="INFO"):
            _ = until(opened, b"\r\n")
        with pytest.raises(ConnectionError):
            _ = exactly(opened, 1)
