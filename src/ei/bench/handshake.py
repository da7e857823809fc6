"""`handshake`: how many pipes a second one core can open, as the end that is asked."""

import time
from collections.abc import Callable, Iterator
from statistics import median

from ei._core import encapsulate, encapsulation_key, public_key, shared_secret
from ei.bench.figures import Figure, figure
from ei.bench.indoors import NODE_SECRET, Indoors
from ei.errors import LocalError

RATE_LIMIT_PER_S = 4_000.0
"""Of what is not ML-KEM."""
HYBRID_RATE_LIMIT_PER_S = 2_500.0
RATIO_LIMIT = 6.0
HANDSHAKES = 400
WARM = 50


def handshake(*, runs: int) -> Iterator[Figure]:
    """Measure a responder beside one X25519 of the same library."""
    return handshake_with(runs=runs, handshakes=HANDSHAKES)


def handshake_with(*, runs: int, handshakes: int) -> Iterator[Figure]:
    """Measure so many handshakes a run, of a new host each."""
    indoors = Indoors(cache_entries=0)
    whole: list[float] = []
    classical: list[float] = []
    single: list[float] = []
    for number in range(runs + 1):
        first = number * handshakes
        cost_us = _responder_us(indoors, range(first, first + (handshakes if number else WARM)))
        base_us = _cost_us(_x25519(), handshakes)
        kem_us = _cost_us(_encapsulation(), handshakes)
        # The first warms up.
        if number:
            whole.append(cost_us)
            classical.append(cost_us - kem_us)
            single.append(base_us)
    yield figure(
        "handshake, responder, without ML-KEM",
        classical,
        unit="µs CPU",
        limit=round(RATIO_LIMIT * median(single), 1),
        baseline=single,
        note="initiation in, response out, less one encapsulation; "
        "baseline: one X25519 of the same library",
    )
    for name, costs_us, limit in (
        ("handshakes, responder, one core, without ML-KEM", classical, RATE_LIMIT_PER_S),
        ("handshakes, responder, one core", whole, HYBRID_RATE_LIMIT_PER_S),
    ):
        yield figure(
            name,
            [1e6 / cost_us for cost_us in costs_us],
            unit="handshakes/s",
            limit=limit,
            is_rate=True,
            baseline=[1e6 / base_us for base_us in single],
            note="baseline: X25519s a second",
        )


def _responder_us(indoors: Indoors, numbers: range) -> float:
    """Return what the node spends on the initiation of a new host, microseconds.

    Raises:
        LocalError: it answered one of them with anything but a response.
    """
    spent_ns = 0
    for number in numbers:
        host = indoors.dialling(number)
        ((_, initiation),) = host.datapath.take_datagrams()
        began_ns = time.thread_time_ns()
        fate = indoors.node.handle(indoors.now_ns, host.endpoint, initiation)
        spent_ns += time.thread_time_ns() - began_ns
        if fate != "consumed" or len(indoors.node.take_datagrams()) != 1:
            raise LocalError(f"initiation {number} was answered with {fate}")
    return spent_ns / len(numbers) / 1e3


def _x25519() -> Callable[[], object]:
    public = public_key(bytes(range(32)))
    return lambda: shared_secret(NODE_SECRET, public)


def _encapsulation() -> Callable[[], object]:
    key = encapsulation_key(bytes(64))
    return lambda: encapsulate(key, bytes(32))


def _cost_us(work: Callable[[], object], count: int) -> float:
    began_ns = time.thread_time_ns()
    for _ in range(count):
        _ = work()
    return (time.thread_time_ns() - began_ns) / count / 1e3
