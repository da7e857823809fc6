"""Brokers beside ours: each that is here delivers, and its time is measured."""

import asyncio
import os
from pathlib import Path
from typing import get_args

import pytest

from ei.scenarios.pubsub.rivals import (
    NOT_SUSTAINED,
    Cost,
    Name,
    cost_of,
    is_here,
    median_of,
    rival,
)


def test_the_round_in_the_middle_counts_and_what_was_not_sustained_is_the_lowest() -> None:
    low, middle, high = (
        (Cost(700.0, 80_000.0), Cost(theirs, 80_000.0)) for theirs in (900.0, 1_500.0, 2_000.0)
    )
    none = (Cost(700.0, 80_000.0), NOT_SUSTAINED)

    assert median_of([high, low, middle]) == middle
    assert median_of([high, none, middle]) == middle
    assert median_of([none, none, high]) == none


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
