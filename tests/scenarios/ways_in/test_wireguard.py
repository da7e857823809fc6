"""Two ends of wireguard-go reach each other."""

import asyncio
import os
import socket
from pathlib import Path

import pytest

from ei.errors import DeniedError
from ei.lab.borrowed import find_program
from ei.lab.namespaces import check_allowed, inside
from ei.lab.wireguard import PROGRAM
from ei.scenarios.ways_in.wireguard import ADDRESSES, tunnelled


@pytest.mark.slow
def test_two_ends_reach_each_other_and_leave_nothing() -> None:
    if find_program(PROGRAM) is None:
        pytest.skip("needs wireguard-go; make others")
    try:
        check_allowed(environ=os.environ)
    except DeniedError as error:
        pytest.skip(str(error))

    async def program() -> str:
        async with tunnelled(os.environ) as tunnel:
            here, there = tunnel.namespaces
            with inside(there):
                server = socket.create_server((tunnel.addresses[1], 0))
            with inside(here):
                # Not by ping: some kernels answer none.
                link = socket.create_connection(server.getsockname(), timeout=5)
            with server, link:
                address: str = link.getsockname()[0]
                return address

    assert asyncio.run(program()) == ADDRESSES[0]
    assert not Path("/var/run/wireguard/wg0.sock").exists()
