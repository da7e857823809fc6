"""`miss`: packets that Python decides: how many a second, and how much later than the others."""

import os
import socket
import statistics
import time
from collections.abc import Iterator

from ei.bench.figures import Figure, figure
from ei.bench.hosts import GenerateOrder
from ei.bench.latency import PROBES, RATE_PER_S, probe_node
from ei.bench.network import loopback
from ei.bench.world import DELIVERY, World, open_world

RATE_LIMIT_PER_S = 80_000.0
OFFERED_PER_S = 130_000.0
ADDED_RATIO_LIMIT = 2.0
WARM_S = 0.5
WATCH_S = 1.5
PAYLOAD_BYTES = 512


def miss(*, runs: int) -> Iterator[Figure]:
    """Measure the slow path with `delivery` in one worker, over loopback."""
    with open_world(loopback(), sinks=1, is_pinned=False) as world, world.start_sinks(1):
        rates = [_rate(world) for _ in range(runs)]
        yield figure(
            "miss, decided in Python, one worker",
            [answered for answered, _ in rates],
            unit="packets/s",
            limit=RATE_LIMIT_PER_S,
            is_rate=True,
            invalid=_why_invalid([offered for _, offered in rates], rates),
            note=f"delivery, {PAYLOAD_BYTES} B, offered {OFFERED_PER_S:,.0f}/s",
        )
    with open_world(loopback(), sinks=2, is_pinned=False) as world:
        added: list[float] = []
        hand_over: list[float] = []
        for _ in range(runs):
            hit_us = statistics.median(probe_node(world, is_new_connection=False))
            miss_us = statistics.median(probe_node(world, is_new_connection=True))
            added.append(miss_us - hit_us)
            hand_over.append(statistics.median(_hand_overs()))
        limit_us = ADDED_RATIO_LIMIT * statistics.median(hand_over)
        yield figure(
            f"miss, added to a hit at {RATE_PER_S:,}/s, p50",
            added,
            unit="µs",
            limit=round(limit_us, 1),
            baseline=hand_over,
            note="baseline: two hand-overs between processes over a sequenced socket",
        )


def _why_invalid(offered: list[float], rates: list[tuple[float, float]]) -> str:
    """A rate that all of the offer reached says nothing about the limit, unless it is above it."""
    if any(
        answered > 0.98 * sent and answered < RATE_LIMIT_PER_S
        for (answered, _), sent in zip(rates, offered, strict=True)
    ):
        return f"only {min(offered):,.0f}/s were offered"
    return ""


def _rate(world: World) -> tuple[float, float]:
    """Return (answered per second, offered per second)."""
    order = GenerateOrder(
        host=world.host("g.bench", world.network.generator_bind),
        service=DELIVERY,
        metadata=world.address("s0.bench"),
        payload_bytes=PAYLOAD_BYTES,
        connections=0,
        seconds=WARM_S + WATCH_S + 0.3,
        packets_per_s=OFFERED_PER_S,
    )
    with world.start_generator(order) as generator:
        generator.tell("go")
        time.sleep(WARM_S)
        spent = world.watch(WATCH_S)
        sent = generator.hear(deadline_s=5.0)
    offered = float(str(sent["sent"])) / float(str(sent["seconds"]))
    return spent.answered / spent.seconds, offered


def _hand_overs() -> list[float]:
    """Microseconds for a message to another process and back."""
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    child = os.fork()
    if child == 0:
        near.close()
        while message := far.recv(2_048):
            _ = far.send(message)
        os._exit(0)
    far.close()
    taken_us: list[float] = []
    message = bytes(PAYLOAD_BYTES + 100)
    with near:
        for _ in range(PROBES):
            start_ns = time.monotonic_ns()
            _ = near.send(message)
            _ = near.recv(2_048)
            taken_us.append((time.monotonic_ns() - start_ns) / 1e3)
            time.sleep(1 / RATE_PER_S)
    _ = os.waitpid(child, 0)
    return taken_us
