"""Consumers that take nothing, and what the others notice of it."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from statistics import median

from ei.lab.brokers.programs import Program, started
from ei.lab.brokers.rival_clients import Burst, Sent
from ei.lab.promises import Promise, promise
from ei.scenarios.pubsub.crowd import Counted, Crowd, Publisher
from ei.scenarios.pubsub.ground import Ground
from ei.scenarios.pubsub.kept import Kept, p99, publish, read
from ei.services.pubsub.client import PubSub, Subscription, open_pubsub

WINDOWS = 9
"""The 99th percentile of one of them is one stall of a disk."""
WINDOW_S = 1.5
LIVE_PER_S = 4_000
KEPT_PER_S = 400.0
OTHERS = 20
QUEUE = 100
SETTLE_S = 0.3
WORSE_LIMIT = 1.2
MODULE = "ei.scenarios.pubsub.crowd"


async def unharmed(
    ground: Ground, environ: Mapping[str, str], subjects: tuple[str, ...]
) -> AsyncIterator[Promise]:
    """Measure how long messages take beside two consumers that take all, and that are stuck."""
    hosts = tuple(ground.order(f"s{number}.pubsub") for number in range(OTHERS))
    crowd = Crowd(hosts=hosts, wishes=subjects[:OTHERS])
    source = Publisher(
        host=ground.order("source.pubsub"), subjects=subjects[:OTHERS], data_bytes=100
    )
    folder = ground.folder
    awake: list[tuple[float, float]] = []
    asleep: list[tuple[float, float]] = []
    async with (
        started(MODULE, "subscribe", order=crowd, environ=environ, folder=folder) as sinks,
        started(MODULE, "publish", order=source, environ=environ, folder=folder) as live,
        ground.host("alice.pubsub") as alice,
        ground.host("bob.pubsub") as bob,
        ground.host("carol.pubsub") as carol,
        open_pubsub(alice) as publisher,
        open_pubsub(bob) as reader,
        open_pubsub(carol) as sleeper,
        reader.subscribe("k/#") as subscription,
    ):
        for _ in range(WINDOWS):
            for is_stuck, figures in ((False, awake), (True, asleep)):
                async with consuming(ground, environ, sleeper, is_stuck=is_stuck):
                    figures.append(await window(live, sinks, publisher, subscription))
    for place, kind in enumerate(("live", "kept")):
        before, after = (median(each[place] for each in all_) for all_ in (awake, asleep))
        yield promise(
            f"p99 of {kind} messages beside consumers that are stuck, times beside the same awake: "
            f"{after:.2f} ms",
            round(after / before, 2) if before else 0.0,
            "<=",
            WORSE_LIMIT,
            unit="x",
            baseline=1.0,
            is_valid=bool(before),
        )


async def window(
    live: Program, sinks: Program, publisher: PubSub, subscription: Subscription
) -> tuple[float, float]:
    """Publish for a while; return the 99th percentiles in ms, of live and of kept messages."""
    await asyncio.sleep(SETTLE_S)
    _ = await sinks.ask(None, Counted)
    kept = Kept()
    burst = Burst(count=int(LIVE_PER_S * WINDOW_S), per_s=LIVE_PER_S)
    async with read(subscription, kept):
        _ = await asyncio.gather(
            live.ask(burst, Sent),
            publish(publisher, kept, ("k/1",), per_s=KEPT_PER_S, seconds=WINDOW_S),
        )
    await asyncio.sleep(SETTLE_S)
    came = await sinks.ask(None, Counted)
    return p99(came.waits_ms), p99(kept.waits_s) * 1_000


@asynccontextmanager
async def consuming(
    ground: Ground, environ: Mapping[str, str], sleeper: PubSub, *, is_stuck: bool
) -> AsyncGenerator[None]:
    """Have one who subscribed to all packets, and one who reads the log; or is stuck, and does not.

    Args:
        sleeper: Of the one who reads the log.
        is_stuck: The former is frozen, the latter takes nothing.
    """
    crowd = Crowd(hosts=(ground.order("frozen.pubsub"),), wishes=("#",))
    folder = ground.folder
    async with (
        sleeper.subscribe("k/#", queue=QUEUE) as subscription,
        started(MODULE, "subscribe", order=crowd, environ=environ, folder=folder) as frozen,
        asyncio.TaskGroup() as tasks,
    ):
        if not is_stuck:
            taking = tasks.create_task(take(subscription))
            yield
            _ = taking.cancel()
            return
        os.kill(frozen.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(frozen.pid, signal.SIGCONT)


async def take(subscription: Subscription) -> None:
    """Take all that comes."""
    async for _ in subscription:
        pass
