"""Fan-out of others: what a broker spends on each delivery to many subscribers of one subject."""

import asyncio
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from ei.bench.figures import Figure, figure
from ei.lab.brokers.beside import PACKAGES, Cost, Name, cost_of, is_here, rival

SUBSCRIBERS: Mapping[Name, int] = {"NATS": 64, "Zenoh": 8}
"""As many as each serves with its clients on one other core."""
DATA_BYTES = 512
RATES_PER_S = (4_000, 2_000, 1_000, 500)
BURST_S = 1.5
TIMES_MORE = 3.0
UNIT = "ns CPU/packet"


def beside_brokers(copies: Figure, *, runs: int) -> Iterator[Figure]:
    """Yield a figure of ours beside that of each broker that is here."""
    for name, subscribers in SUBSCRIBERS.items():
        if is_here(name):
            costs = [_cost(name, subscribers) for _ in range(runs)]
            yield sum_up(f"{copies.name}, beside {name}", copies, costs, subscribers=subscribers)
        else:
            missing = f"{name} is not installed: {PACKAGES[name]}"
            yield figure(f"{copies.name}, beside {name}", [], unit=UNIT, invalid=missing)


def sum_up(name: str, copies: Figure, costs: Sequence[Cost], *, subscribers: int) -> Figure:
    """Return the figure beside one broker; invalid when it did not sustain any rate."""
    base = [cost.ns for cost in costs if cost.per_s]
    per_s = min((cost.per_s for cost in costs), default=0.0)
    return figure(
        name,
        [copies.measured] if copies.status != "invalid" else [],
        unit=UNIT,
        limit=round(median(base) / TIMES_MORE, 1) if base else None,
        baseline=base,
        invalid="" if base else "the broker sustained none of the rates",
        note=f"{subscribers} subscribers by TCP on the loopback, {per_s:,.0f} deliveries/s",
    )


def _cost(name: Name, subscribers: int) -> Cost:
    async def program() -> Cost:
        with TemporaryDirectory(prefix="ei-bench-") as folder:
            running = rival(
                name, Path(folder), os.environ, subscribers=subscribers, data_bytes=DATA_BYTES
            )
            async with running as broker:
                return await cost_of(
                    broker, rates_per_s=RATES_PER_S, subscribers=subscribers, seconds=BURST_S
                )

    return asyncio.run(program())
