"""Two ends of wireguard-go reach each other."""

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from ei.errors import DeniedError
from ei.lab.borrowed import find_program
from ei.lab.namespaces import check_allowed
from ei.lab.wireguard import PROGRAM
from ei.scenarios.ways_in.wireguard import tunnelled


@pytest.mark.slow
def test_two_ends_reach_each_other_and_leave_nothing() -> None:
    if find_program(PROGRAM) is None or shutil.which("ping") is None:
        pytest.skip("needs wireguard-go and ping; make others")
    try:
        check_allowed(environ=os.environ)
    except DeniedError as error:
        pytest.skip(str(error))

    async def program() -> int:
        async with tunnelled(os.environ) as tunnel:
            words = ("nsenter", f"--net={tunnel.namespaces[0]}", "ping", "-c1", "-W5")
            asked = await asyncio.create_subprocess_exec(
                *words, tunnel.addresses[1], stdout=asyncio.subprocess.DEVNULL
            )
            return await asked.wait()

    assert asyncio.run(program()) == 0
    assert not Path("/var/run/wireguard/wg0.sock").exists()
