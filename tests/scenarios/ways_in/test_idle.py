"""Connections are held open, and what they cost is read as it is meant."""

import asyncio
import mmap
import os
import socketserver
import threading
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from ei.errors import LocalError
from ei.scenarios.ways_in.idle import held, memory_kib

PIECE = 20_000_000


@contextmanager
def proxy_that_says(status: bytes) -> Generator[tuple[str, set[bytes]]]:
    """Run what answers every question with a status; yield where, and what was asked."""
    asked = set[bytes]()

    class Answer(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            asked.add(self.rfile.readline() + self.rfile.readline() + self.rfile.readline())
            self.wfile.write(b"HTTP/1.1 " + status + b"\r\n\r\n")
            _ = self.rfile.read()

    class Server(socketserver.ThreadingTCPServer):
        request_queue_size = 128

    with Server(("127.0.0.1", 0), Answer) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        yield f"127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()
        serving.join()


def test_so_many_are_open_as_are_wanted_until_the_block_ends() -> None:
    async def script(at: str) -> None:
        async with held(at, "bob.isp-b.ei:7", 100) as connections:
            assert len({each.getsockname() for each in connections}) == 100
        assert {each.fileno() for each in connections} == {-1}

    with proxy_that_says(b"200 OK") as (at, asked):
        asyncio.run(script(at))

    assert asked == {b"CONNECT bob.isp-b.ei:7 HTTP/1.1\r\nHost: bob.isp-b.ei:7\r\n\r\n"}


def test_one_that_is_refused_is_an_error() -> None:
    async def script(at: str) -> None:
        with pytest.raises(LocalError, match="502 Bad Gateway"):
            async with held(at, "bob.isp-b.ei:7", 1):
                pass

    with proxy_that_says(b"502 Bad Gateway") as (at, _):
        asyncio.run(script(at))


def test_memory_is_what_a_process_has_for_itself() -> None:
    before = memory_kib({os.getpid()})
    # Pages of its own: what a heap gave back may be in it still.
    with mmap.mmap(-1, PIECE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as kept:
        _ = kept.write(b"1" * PIECE)

        assert memory_kib({os.getpid()}) - before >= PIECE // 1024 // 2
