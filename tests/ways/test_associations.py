"""Datagrams of a SOCKS program, to a host and back."""

import socket
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import pytest
from tests.ways.places import Place

import ei
from ei.host.sync import Host
from ei.records.addresses import format_address
from ei.ways.socks import read_datagram, write_datagram

pytestmark = pytest.mark.slow

GREETING = b"\x05\x01\x00"
ASSOCIATE = b"\x05\x03\x00\x01" + bytes(6)


@pytest.fixture(scope="module")
def bob(place: Place) -> Iterator[Host]:
    """The host that programs talk to."""
    with ei.connect(place.host_file("bob.campus")) as host:
        yield host


@contextmanager
def associated(place: Place) -> Generator[tuple[socket.socket, tuple[str, int]]]:
    """Ask for an association; the value is a socket, and where to send to."""
    with (
        place.proxied() as control,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as program,
    ):
        control.sendall(GREETING + ASSOCIATE)
        answer = control.makefile("rb").read(12)
        assert answer[:6] == b"\x05\x00\x05\x00\x00\x01"
        program.settimeout(10)
        yield program, (socket.inet_ntoa(answer[6:10]), int.from_bytes(answer[10:], "big"))


def test_a_datagram_reaches_a_port_of_a_host_and_its_answer_comes_back(
    place: Place, bob: Host
) -> None:
    with bob.datagrams(7) as port, associated(place) as (program, to):
        _ = program.sendto(write_datagram("bob.campus.ei", 7, b"ping"), to)
        got = port.receive(deadline_s=10)
        assert got.data == b"ping"
        assert port.try_send(got.source, b"pong", port=got.source_port)

        assert read_datagram(program.recv(2_000)) == ("bob.campus.ei", 7, b"pong")


def test_an_answer_comes_from_where_the_program_has_sent_to(place: Place, bob: Host) -> None:
    with bob.datagrams(7) as port, associated(place) as (program, to):
        _ = program.sendto(write_datagram(format_address(bob.address), 7, b"ping"), to)
        got = port.receive(deadline_s=10)
        assert port.try_send(got.source, b"pong", port=got.source_port)

        assert read_datagram(program.recv(2_000)) == (format_address(bob.address), 7, b"pong")


def test_a_datagram_to_the_legacy_internet_goes_on_from_the_node(place: Place) -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server,
        associated(place) as (program, to),
    ):
        server.bind(("127.0.0.1", 0))
        server.settimeout(10)
        port: int = server.getsockname()[1]
        _ = program.sendto(write_datagram("127.0.0.1", port, b"ping"), to)
        data, at = server.recvfrom(100)
        assert data == b"ping"
        _ = server.sendto(b"pong", at)

        assert read_datagram(program.recv(2_000)) == ("127.0.0.1", port, b"pong")


def test_what_is_no_datagram_or_for_nobody_costs_nothing(place: Place, bob: Host) -> None:
    with bob.datagrams(7) as port, associated(place) as (program, to):
        for junk in (
            b"",
            b"\0\0\x01\x01",
            b"\0\0\0\x03",
            write_datagram("www.example.org", 53, b"legacy"),
            write_datagram("nobody.campus.ei", 7, b"nobody"),
        ):
            _ = program.sendto(junk, to)

        _ = program.sendto(write_datagram("bob.campus", 7, b"still"), to)

        assert port.receive(deadline_s=10).data == b"still"


def test_privately_datagrams_go_by_the_exit_and_never_to_a_host(private_place: Place) -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server,
        associated(private_place) as (program, to),
    ):
        server.bind(("127.0.0.1", 0))
        server.settimeout(10)
        port: int = server.getsockname()[1]
        for host in ("bob.isp-b.ei", "bob.isp-b", "fd35:0:1::1"):
            _ = program.sendto(write_datagram(host, 7, b"ping"), to)
        _ = program.sendto(write_datagram("127.0.0.1", port, b"ping"), to)
        data, at = server.recvfrom(100)
        _ = server.sendto(b"pong", at)

        assert data == b"ping"
        assert read_datagram(program.recv(2_000)) == ("127.0.0.1", port, b"pong")
        log = (private_place.folder / "proxy").read_text().splitlines()
        assert sum("datagram not carried" in line and "would see" in line for line in log) == 3
