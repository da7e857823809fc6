"""Servers run until the block ends, and say why they do not."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from ei.errors import LocalError
from ei.scenarios.caching.programs import is_listening, running
from ei.scenarios.ways_in.ground import unused_port

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
        async with running(*words, port=port, folder=tmp_path, environ=os.environ):
            during = await is_listening(port)
        return during, await is_listening(port)

    assert asyncio.run(program()) == (True, False)


def test_a_server_that_does_not_listen_says_why(tmp_path: Path) -> None:
    port = unused_port()

    async def program() -> None:
        words = (sys.executable, "-c", "print('no port for me', flush=True)")
        async with running(*words, port=port, folder=tmp_path, environ=os.environ, limit_s=0.2):
            pass

    with pytest.raises(LocalError, match="no port for me"):
        asyncio.run(program())
