"""Servers run until the block ends, and say why they do not."""

import asyncio
import os
import socket
import sys
from pathlib import Path

import pytest

from ei.errors import LocalError
from ei.lab.foreign import end, is_listening, running, unused_port

SERVER = """
import socket, sys, time
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as server:
    while True:
        server.accept()[0].close()
"""


def test_a_server_listens_until_the_block_ends(tmp_path: Path) -> None:
    port = unused_port()

    async def program() -> tuple[bool, bool]:
        words = (sys.executable, "-c", SERVER, str(port))
        async with running(*words, at=port, folder=tmp_path, environ=os.environ):
            during = is_listening(port)
        return during, is_listening(port)

    assert asyncio.run(program()) == (True, False)


def test_a_server_that_does_not_listen_says_why(tmp_path: Path) -> None:
    port = unused_port()

    async def program() -> None:
        words = (sys.executable, "-c", "print('no port for me', flush=True)")
        async with running(*words, at=port, folder=tmp_path, environ=os.environ, limit_s=0.2):
            pass

    with pytest.raises(LocalError, match="no port for me"):
        asyncio.run(program())


def test_a_server_that_ends_is_waited_for_no_longer(tmp_path: Path) -> None:
    async def program() -> None:
        words = (sys.executable, "-c", "raise SystemExit('nothing to serve')")
        async with running(*words, at=unused_port(), folder=tmp_path, environ=os.environ):
            pass

    with pytest.raises(LocalError, match="ended with 1: 'nothing to serve'"):
        asyncio.run(program())


def test_a_socket_of_the_file_system_is_known_by_its_path(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        before = is_listening(tmp_path / "socket")
        server.bind(str(tmp_path / "socket"))

        assert (before, is_listening(tmp_path / "socket")) == (False, True)


def test_a_program_is_ended_and_one_that_has_ended_stays_so() -> None:
    async def ended(*words: str) -> list[int | None]:
        process = await asyncio.create_subprocess_exec(sys.executable, "-S", "-c", *words)
        await end(process)
        first = process.returncode
        await end(process)
        return [first, process.returncode]

    assert asyncio.run(ended("import time; time.sleep(60)")) == [-15, -15]
