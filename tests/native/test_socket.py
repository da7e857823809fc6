"""A host's socket: what it takes at once, and what it makes of what is no packet."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest
from tests.native.rig import Rig, address, key, pump_until

from ei._core import Datapath, Socket, monotonic_ns
from ei.errors import DeniedError
from ei.lab.namespaces import check_allowed

MOST_AT_ONCE = 256
BATCH_TRAINS = 8


@pytest.fixture
def host() -> Datapath:
    return Datapath(role="host", address=address(1), private_key=key(1))


@pytest.fixture
def receiving() -> Iterator[Socket]:
    made = Socket("127.0.0.1:0")
    yield made
    made.close()


def send(to: Socket, datagrams: list[bytes]) -> None:
    ip, _, port = to.endpoint.rpartition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
        for datagram in datagrams:
            _ = sending.sendto(datagram, (ip, int(port)))


def test_an_empty_datagram_is_one_and_has_its_fate(host: Datapath, receiving: Socket) -> None:
    send(receiving, [b""])

    assert receiving.receive(host, monotonic_ns()) == 1

    counted = host.statistics()
    assert (counted["received"], counted["dropped"]) == (1, {"truncated": 1})


def test_datagrams_that_find_the_buffer_full_are_counted(receiving: Socket) -> None:
    send(receiving, [bytes(60_000)] * 1_000)

    assert receiving.overflows in range(1, 1_000)
    receiving.close()
    assert receiving.overflows == 0


@pytest.mark.slow
def test_a_host_whose_buffer_overflowed_shows_its_node_that_it_lives() -> None:
    with Rig() as rig:
        host = rig.host(1)
        pump_until(lambda: host.is_up, host)

        def heard() -> object:
            peers = rig.node.statistics()["peers"]
            assert isinstance(peers, dict)
            return peers[host.address.hex()]["received"]

        before = heard()

        def is_heard() -> bool:
            send(host.socket, [bytes(60_000)] * 1_000)
            host.pump()
            return heard() != before

        # An idle host would say so after 15 s.
        pump_until(is_heard)


@pytest.mark.parametrize("datagram", [b"", b"x"])
def test_so_many_datagrams_are_taken_and_then_the_caller_has_its_turn(
    host: Datapath, receiving: Socket, datagram: bytes
) -> None:
    send(receiving, [datagram] * 400)

    first = receiving.receive(host, monotonic_ns())
    second = receiving.receive(host, monotonic_ns())

    assert MOST_AT_ONCE <= first < MOST_AT_ONCE + BATCH_TRAINS
    assert first + second == 400


@pytest.mark.slow
@pytest.mark.alone
def test_a_train_that_the_system_does_not_take_holds_its_thread_up_for_two_milliseconds() -> None:
    try:
        check_allowed(environ=os.environ)
    except DeniedError as error:
        pytest.skip(str(error))

    command = ["unshare", "--net", sys.executable, "-m", "tests.native.slow_link"]
    said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)

    # Not 2 ms for each datagram of it, 100 in all: within that a node is taken for dead.
    assert 1 < float(said.stdout) < 20
