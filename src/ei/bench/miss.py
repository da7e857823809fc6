"""`miss`: packets that Python decides: how many a second, and how much later than the others."""

import os
import socket
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ei.bench.awake import awake_cores
from ei.bench.children import allowed_cpu, on_core
from ei.bench.figures import Figure, figure
from ei.bench.hosts import GenerateOrder
from ei.bench.latency import PROBES, RATE_PER_S, probe_node, quantile, why_lost
from ei.bench.network import loopback
from ei.bench.world import DELIVERY, LOAD_CPU, NODE_CPU, STAMP, World, open_world

RATE_LIMIT_PER_S = 80_000.0
OFFERED_PER_S = 130_000.0
ADDED_RATIO_LIMIT = 2.0
WRITTEN_LIMIT_PER_S = 10_000.0
WRITTEN_OFFERED_PER_S = 40_000.0
WRITTEN_LIMIT_MS = 25.0
PROBED_S = 30.0
"""As long as the probes take, at most."""

WARM_S = 0.5
WATCH_S = 1.5
PAYLOAD_BYTES = 512


@dataclass(frozen=True, slots=True)
class Rate:
    """One run: packets per second that a service decided, and that were sent."""

    answered_per_s: float
    offered_per_s: float


def miss(*, runs: int) -> Iterator[Figure]:
    """Measure the slow path with `delivery` in one worker, over loopback."""
    with open_world(loopback(), sinks=1, is_pinned=False) as world:
        yield rate_in(world, runs=runs)
    for workers_cpu in (LOAD_CPU, NODE_CPU):
        with awake_cores(), open_world(loopback(), sinks=2) as world:
            yield added_in(world, runs=runs, workers_cpu=workers_cpu)
    with open_world(loopback(), sinks=2, is_pinned=False) as world:
        yield from written_in(world, runs=runs)


def rate_in(world: World, *, runs: int) -> Figure:
    """Measure how many packets of new connections are answered, in a world with a sink."""
    with world.start_sinks(1):
        rates = [run_rate(world) for _ in range(runs)]
    return figure(
        "miss, decided in Python, one worker",
        [rate.answered_per_s for rate in rates],
        unit="packets/s",
        limit=RATE_LIMIT_PER_S,
        is_rate=True,
        invalid=why_invalid(rates),
        note=f"delivery, {PAYLOAD_BYTES} B, offered {OFFERED_PER_S:,.0f}/s",
    )


def added_in(world: World, *, runs: int, workers_cpu: int) -> Figure:
    """Measure how much later a packet of a new connection comes, in a world with two sinks.

    The node's thread is on core 0, and the baseline's processes are where node and workers are:
    else the kernel has either pair now on one core and now on two, which is twice as dear.
    """
    cpu = allowed_cpu(workers_cpu)
    world.keep_workers_on(cpu)
    hits: list[list[float]] = []
    misses: list[list[float]] = []
    hand_over: list[float] = []
    for _ in range(runs):
        with on_core(LOAD_CPU):
            hits.append(probe_node(world, is_new_connection=False))
            misses.append(probe_node(world, is_new_connection=True))
        with on_core(NODE_CPU):
            hand_over.append(statistics.median(hand_overs(answer_cpu=cpu)))
    is_one_core = workers_cpu == NODE_CPU
    limit_us = round(ADDED_RATIO_LIMIT * statistics.median(hand_over), 1)
    return figure(
        f"miss, added to a hit at {RATE_PER_S:,}/s, p50" + (", all on one core" * is_one_core),
        [
            statistics.median(miss_us) - statistics.median(hit_us)
            for hit_us, miss_us in zip(hits, misses, strict=True)
            if hit_us and miss_us
        ],
        unit="µs",
        limit=None if is_one_core else limit_us,
        baseline=hand_over,
        invalid=why_lost([*hits, *misses]),
        note="baseline: two hand-overs between processes over a sequenced socket, on "
        + ("one core as well" if is_one_core else "two cores, as node and worker"),
    )


def written_in(world: World, *, runs: int) -> Iterator[Figure]:
    """Measure packets of which a record is on disk before they go on, in a world with two sinks.

    The rate is of more than is asked for; how long one takes is measured at what is asked for.
    """
    with world.start_sinks(1):
        rates = [
            run_rate(world, service=STAMP, offered_per_s=WRITTEN_OFFERED_PER_S) for _ in range(runs)
        ]
    note = f"a write of a random key each, {PAYLOAD_BYTES} B"
    yield figure(
        "miss, with a stable write, one worker",
        [rate.answered_per_s for rate in rates],
        unit="packets/s",
        limit=WRITTEN_LIMIT_PER_S,
        is_rate=True,
        invalid=why_invalid(rates, limit_per_s=WRITTEN_LIMIT_PER_S),
        note=f"{note}, offered {WRITTEN_OFFERED_PER_S:,.0f}/s",
    )
    taken = [probe_written(world) for _ in range(runs)]
    yield figure(
        f"miss, with a stable write, p99 at {WRITTEN_LIMIT_PER_S:,.0f}/s",
        [quantile(taken_us, 0.99) / 1e3 for taken_us in taken if taken_us],
        unit="ms",
        limit=WRITTEN_LIMIT_MS,
        invalid=why_lost(taken),
        note=note,
    )


def probe_written(world: World) -> list[float]:
    """Return how long packets take, microseconds, while others come at the rate asked for."""
    order = load(world, service=STAMP, offered_per_s=WRITTEN_LIMIT_PER_S, seconds=PROBED_S)
    with world.start_generator(order) as generator:
        generator.tell("go")
        return probe_node(world, is_new_connection=True, service=STAMP)


def load(world: World, *, service: int, offered_per_s: float, seconds: float) -> GenerateOrder:
    """Return what loads a node with packets of new connections."""
    return GenerateOrder(
        host=world.host("g.bench", world.network.generator_bind),
        service=service,
        metadata=world.address("s0.bench"),
        payload_bytes=PAYLOAD_BYTES,
        connections=0,
        seconds=seconds,
        packets_per_s=offered_per_s,
    )


def why_invalid(rates: Sequence[Rate], *, limit_per_s: float = RATE_LIMIT_PER_S) -> str:
    """A rate that all of the offer reached says nothing about the limit, unless it is above it."""
    if any(
        rate.answered_per_s > 0.98 * rate.offered_per_s and rate.answered_per_s < limit_per_s
        for rate in rates
    ):
        return f"only {min(rate.offered_per_s for rate in rates):,.0f}/s were offered"
    return ""


def run_rate(
    world: World, *, service: int = DELIVERY, offered_per_s: float = OFFERED_PER_S
) -> Rate:
    """Load the node with packets of new connections for some seconds."""
    seconds = WARM_S + WATCH_S + 0.3
    order = load(world, service=service, offered_per_s=offered_per_s, seconds=seconds)
    with world.start_generator(order) as generator:
        generator.tell("go")
        time.sleep(WARM_S)
        spent = world.watch(WATCH_S)
        sent = generator.hear(deadline_s=5.0)
    offered = float(str(sent["sent"])) / float(str(sent["seconds"]))
    return Rate(spent.answered / spent.seconds, offered)


def hand_overs(
    *,
    count: int = PROBES,
    answer_cpu: int | None = None,
    answer: Callable[[socket.socket], None] | None = None,
) -> list[float]:
    """Microseconds for a message to another process and back.

    Args:
        answer_cpu: The core of that process; by default it is where the kernel puts it.
        answer: What it does; by default it waits for each message alone.
    """
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    child = os.fork()
    if child == 0:
        # Whatever ends it, such as Ctrl-C: this process must not go on as its parent would.
        try:
            near.close()
            if answer_cpu is not None:
                os.sched_setaffinity(0, {answer_cpu})
            (answer or _answer)(far)
        finally:
            os._exit(0)
    far.close()
    taken_us: list[float] = []
    message = bytes(PAYLOAD_BYTES + 100)
    with near:
        for _ in range(count):
            start_ns = time.monotonic_ns()
            _ = near.send(message)
            _ = near.recv(2_048)
            taken_us.append((time.monotonic_ns() - start_ns) / 1e3)
            time.sleep(1 / RATE_PER_S)
    _ = os.waitpid(child, 0)
    return taken_us


def _answer(far: socket.socket) -> None:
    while message := far.recv(2_048):
        _ = far.send(message)
