"""`simulate`: how large a simulated internet may be: events per second, bytes per node and host."""

import asyncio
import time
from collections.abc import Iterator

from ei.bench.figures import Figure, figure
from ei.lab.clock import VirtualClock, run_virtual
from ei.lab.scale import measure_scale

NODES = 1_000
HOSTS = 10_000
EVENTS_PER_S = 100_000.0
NODE_LIMIT_BYTES = 1_048_576.0
HOST_LIMIT_BYTES = 65_536.0
BARE_EVENTS = 400_000
BARE_PENDING = 20_000
"""As many as there are when each host has two deadlines."""

PERIOD_NS = 1_000_000


def simulate(*, runs: int) -> Iterator[Figure]:
    """Measure 10,000 hosts on 1,000 nodes; each run is a round of pings of all of them."""
    return simulate_with(runs=runs, nodes=NODES, hosts=HOSTS)


def simulate_with(*, runs: int, nodes: int, hosts: int) -> Iterator[Figure]:
    """Measure a simulation of some size, beside the same clock with bare events."""
    bare = [bare_events_per_s() for _ in range(runs)]
    scale = measure_scale(nodes=nodes, hosts=hosts, rounds=runs)
    size = f"{nodes:,} nodes, {hosts:,} hosts"
    lost = scale.pings - scale.answered
    yield figure(
        f"simulate {size}",
        scale.events_per_s,
        unit="events/s",
        limit=EVENTS_PER_S,
        is_rate=True,
        baseline=bare,
        invalid=f"{lost} of {scale.pings} pings were lost" if lost else "",
        note="CPU time of one core; baseline: the clock with events that only schedule the next",
    )
    for what, measured, limit in (
        ("node", scale.bytes_per_node, NODE_LIMIT_BYTES),
        ("idle host", scale.bytes_per_host, HOST_LIMIT_BYTES),
    ):
        yield figure(f"simulate {size}, memory per {what}", [measured], unit="bytes", limit=limit)


def bare_events_per_s() -> float:
    """Return how many events that only schedule the next one the clock handles in a second."""

    async def sleep_them_off(clock: VirtualClock) -> float:
        def again(now_ns: int) -> None:
            clock.at(now_ns + PERIOD_NS, again)

        for number in range(BARE_PENDING):
            clock.at(clock.now_ns + number, again)
        began_s = time.process_time()
        await asyncio.sleep(BARE_EVENTS / BARE_PENDING * PERIOD_NS / 1e9)
        return clock.events / (time.process_time() - began_s)

    return run_virtual(sleep_them_off)
