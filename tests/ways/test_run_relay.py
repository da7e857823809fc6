"""TCP of real programs in a namespace, before a world of the test's own."""

import pytest
from tests.ways.namespaced import PYTHON, Enclosed, enclosed

__all__ = ["enclosed"]
pytestmark = pytest.mark.slow

TALK = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=5) as link:
    ends = link.getpeername()[0], link.getsockname()[0]
    link.sendall(b"hello")
    link.shutdown(socket.SHUT_WR)
    said = b"".join(iter(lambda: link.recv(65536), b""))
    print(said.decode(), *ends)
"""
LISTEN = """
import socket, sys
with socket.create_connection((sys.argv[1], 22), timeout=5) as link:
    print(link.recv(100).decode().strip())
"""
LAST_WORDS = """
import os, socket
link = socket.create_connection(("bob.isp-b.ei", 9_000))
link.sendall(b"x" * 100_000)
os._exit(3)
"""
MANY = """
import asyncio
async def talk(number):
    reader, writer = await asyncio.open_connection("www.example.com", 8000 + number)
    writer.write(b"x" * 200_000)
    writer.write_eof()
    assert len(await reader.read()) == 200_000 + len(f"www.example.com {8000 + number}\\n")
    writer.close()
async def main():
    async with asyncio.TaskGroup() as group:
        for number in range(50):
            group.create_task(talk(number))
asyncio.run(main())
print("all")
"""


def test_a_name_of_ours_a_legacy_name_and_an_address_lead_to_who_was_meant(
    enclosed: Enclosed,
) -> None:
    bob = enclosed(PYTHON, "-c", TALK, "bob.isp-b.ei", "80")
    legacy = enclosed(PYTHON, "-c", TALK, "www.example.com", "8080")
    address = enclosed(PYTHON, "-c", TALK, "192.0.2.7", "80")

    assert bob.stdout.splitlines() == [
        "fd35:0:2:bbbb::2 80", "hello fd35:0:2:bbbb::2 fd35:0:1:aaaa::1",
    ], bob.stderr  # fmt: skip
    assert legacy.stdout.splitlines() == [
        "www.example.com 8080", "hello 198.19.0.2 198.19.0.1",
    ], legacy.stderr  # fmt: skip
    assert address.stdout.splitlines()[0] == "192.0.2.7 80"


def test_a_server_may_speak_first(enclosed: Enclosed) -> None:
    done = enclosed(PYTHON, "-c", LISTEN, "bob.isp-b.ei")

    assert done.stdout == "SSH-2.0-greeting\n"


def test_a_destination_that_refuses_resets_the_connection_and_is_named(enclosed: Enclosed) -> None:
    done = enclosed(PYTHON, "-c", TALK, "bob.isp-b.ei", "9")

    assert done.returncode == 1
    assert "ConnectionResetError" in done.stderr
    assert "told: fd35:0:2:bbbb::2 port 9: fd35:0:2:bbbb::2 listens not there" in done.stderr


def test_what_a_program_wrote_before_it_ended_is_carried(enclosed: Enclosed) -> None:
    done = enclosed(PYTHON, "-c", LAST_WORDS)

    assert done.returncode == 3


def test_many_connections_at_once_are_all_carried(enclosed: Enclosed) -> None:
    done = enclosed(PYTHON, "-c", MANY)

    assert done.stdout == "all\n", done.stderr


def test_names_are_answered_by_tcp_too(enclosed: Enclosed) -> None:
    done = enclosed("dig", "@192.0.2.53", "+tcp", "+short", "bob.isp-b.ei", "AAAA")

    assert done.stdout == "fd35:0:2:bbbb::2\n"
