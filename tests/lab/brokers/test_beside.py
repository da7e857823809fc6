"""Brokers beside ours: each that is here delivers, and its time is measured."""

import asyncio
import os
from pathlib import Path
from typing import get_args

import pytest

from ei.lab.brokers.beside import Cost, Name, cost_of, is_here, rival


@pytest.mark.slow
@pytest.mark.parametrize("name", get_args(Name))
def test_a_broker_that_is_here_delivers(name: Name, tmp_path: Path) -> None:
    if not is_here(name):
        pytest.skip(f"{name} is installed by make others")

    async def program() -> Cost:
        async with rival(name, tmp_path, os.environ) as broker:
            return await cost_of(broker, rates_per_s=(500,))

    cost = asyncio.run(program())

    assert cost.per_s > 500
