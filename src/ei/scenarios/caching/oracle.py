"""How often S3-FIFO misses, beside libcachesim, whose authors it is of: decision 163."""

import asyncio
import importlib
import importlib.util
from collections.abc import AsyncIterator
from random import Random
from typing import Any

from ei.lab.promises import Promise, promise
from ei.runtime.stores import MemoryStore
from ei.runtime.undo import UndoLog
from ei.services.caching.s3fifo import S3Fifo

ORACLE = "libcachesim"
NAMES = 10_000
COUNT = 100_000
SKEW = 0.9
ROOM = 500
APART_LIMIT = 0.5
STORE_BYTES = 1_000_000_000


async def equal(seed: int) -> AsyncIterator[Promise]:
    """Ask both for the same objects; nothing is promised where libcachesim is not installed."""
    if importlib.util.find_spec(ORACLE) is None:
        return
    trace = zipf(Random(seed))
    ours = await asyncio.to_thread(misses, trace)
    theirs = await asyncio.to_thread(misses_of_oracle, trace)
    apart = 100 * abs(ours - theirs) / len(trace)
    name = "miss ratios of our S3-FIFO and of libcachesim's are apart, on one Zipf trace,"
    yield promise(name, round(apart, 3), "<=", APART_LIMIT, unit="points")


def zipf(random: Random, *, names: int = NAMES, count: int = COUNT) -> list[int]:
    """Return which objects are asked for, one after the other."""
    weights = [1 / rank**SKEW for rank in range(1, names + 1)]
    return random.choices(range(names), weights, k=count)


def misses(trace: list[int], *, room: int = ROOM) -> int:
    """Return how often S3-FIFO misses, with room for so many objects of one byte."""
    store = MemoryStore(limit_bytes=STORE_BYTES)
    store.begin(0.0, UndoLog())
    queues = S3Fifo(store, limit_bytes=room)
    missed = 0
    for number in trace:
        name = number.to_bytes(4, "big")
        if name in queues:
            queues.use(name)
        else:
            missed += 1
            _ = list(queues.add(name, 1))
    return missed


def misses_of_oracle(trace: list[int], *, room: int = ROOM) -> int:
    """As `misses`, of libcachesim.

    Raises:
        ImportError: It is not installed.
    """
    oracle: Any = importlib.import_module(ORACLE)
    cache = oracle.S3FIFO(cache_size=room)
    request = oracle.Request()
    missed = 0
    for number in trace:
        request.obj_id, request.obj_size = number + 1, 1
        missed += not cache.get(request)
    return missed
