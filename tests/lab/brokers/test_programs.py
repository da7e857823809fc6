"""Programs are told and say JSON lines; what goes wrong with one is said."""

import asyncio
import os
from pathlib import Path

import pytest

from ei.errors import LocalError
from ei.lab.brokers.programs import started

CLIENTS = "ei.lab.brokers.rival_clients"


@pytest.mark.slow
def test_a_program_that_ends_at_once_is_said_with_why(tmp_path: Path) -> None:
    async def program() -> None:
        async with started(CLIENTS, "sing", order={}, environ=os.environ, folder=tmp_path):
            pass

    with pytest.raises(LocalError, match="role 'sing': publish, subscribe, acknowledged allowed"):
        asyncio.run(program())
