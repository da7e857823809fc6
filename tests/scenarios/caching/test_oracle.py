"""S3-FIFO misses as often as its authors say, where their implementation is installed."""

import asyncio
import importlib.util
from random import Random

import pytest

from ei.lab.promises import Promise
from ei.scenarios.caching.oracle import ORACLE, equal, misses, zipf


def test_the_popular_is_asked_for_most_and_kept() -> None:
    trace = zipf(Random(1), names=100, count=2_000)

    assert trace.count(0) > trace.count(50)
    assert misses(trace, room=1_000) == len(set(trace))
    assert len(set(trace)) < misses(trace, room=50) < 2_000


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_our_miss_ratio_is_that_of_libcachesim_where_that_is_installed() -> None:
    async def program() -> list[Promise]:
        return [each async for each in equal(35)]

    promises = asyncio.run(program())

    is_there = importlib.util.find_spec(ORACLE) is not None
    assert [each.status for each in promises] == (["ok"] if is_there else [])
