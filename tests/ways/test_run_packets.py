"""UDP and pings of real programs in a namespace, before a world of the test's own."""

import shutil

import pytest
from tests.ways.namespaced import PYTHON, Enclosed, enclosed

__all__ = ["enclosed"]
pytestmark = pytest.mark.slow

SEND = """
import socket, sys
found = socket.getaddrinfo(sys.argv[1], int(sys.argv[2]), type=socket.SOCK_DGRAM)
family, kind, _, _, place = found[0]
with socket.socket(family, kind) as link:
    link.settimeout(5)
    link.connect(place)
    for word in (b"hello", b"x" * 1200):
        link.send(word)
        try:
            print(link.recv(2000)[:5].decode())
        except OSError as error:
            print(type(error).__name__)
            break
"""
ECHO = """
import socket
with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM, socket.getprotobyname("ipv6-icmp")) as link:
    link.settimeout(5)
    link.sendto(bytes([128, 0, 0, 0, 0, 0, 0, 1]) + b"data", ("fd35:0:2:bbbb::2", 0))
    print(link.recv(100)[8:].decode())
"""


def test_a_datagram_to_a_host_of_ours_goes_there_and_back(enclosed: Enclosed) -> None:
    done = enclosed(PYTHON, "-c", SEND, "bob.isp-b.ei", "7")

    assert done.stdout.split() == ["HELLO", "XXXXX"], done.stderr


def test_datagrams_to_the_legacy_internet_go_on_from_the_node(enclosed: Enclosed) -> None:
    for place in ("www.example.com", "192.0.2.7", "2001:db8::7"):
        done = enclosed(PYTHON, "-c", SEND, place, "4443")

        assert done.stdout.split() == ["first", "hello"], done.stderr


def test_a_datagram_that_has_no_way_is_refused_at_once_and_that_is_said(
    enclosed: Enclosed,
) -> None:
    done = enclosed(PYTHON, "-c", SEND, "192.0.2.7", "9")

    assert done.stdout == "ConnectionRefusedError\n"
    assert "told: 192.0.2.7 port 9: nobody is there" in done.stderr


SEGMENTS = """
import socket
with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as link:
    link.settimeout(5)
    link.setsockopt(socket.IPPROTO_UDP, 103, 100)  # UDP_SEGMENT
    link.sendto(b"x" * 250, ("fd35:0:2:bbbb::2", 7))
    print(*(len(link.recv(2000)) for _ in range(3)))
"""


def test_a_train_of_datagrams_is_taken_apart(enclosed: Enclosed) -> None:
    done = enclosed(PYTHON, "-c", SEGMENTS)

    assert done.stdout == "100 100 50\n", done.stderr


def test_names_are_answered_whoever_is_asked(enclosed: Enclosed) -> None:
    assert shutil.which("dig")
    for server in ("192.0.2.53", "2001:db8::53"):
        done = enclosed("dig", f"@{server}", "+short", "bob.isp-b.ei", "AAAA")

        assert done.stdout == "fd35:0:2:bbbb::2\n", done.stderr
    legacy = enclosed("getent", "ahostsv4", "www.example.com")
    missing = enclosed("getent", "hosts", "nobody.isp-b.ei")
    assert legacy.stdout.split()[0] == "198.19.0.2"
    assert missing.returncode == 2


def test_a_host_of_ours_answers_pings(enclosed: Enclosed) -> None:
    done = enclosed(PYTHON, "-c", ECHO)

    assert done.stdout == "data\n", done.stderr
