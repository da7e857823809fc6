"""Other brokers beside ours: the CPU time of a broker for each delivery of one hot topic.

Each has four subscribers of one topic, and a publisher that sends what is due every millisecond, at
the highest of a few rates at which at least 99.9 % arrive, up to 80,000 deliveries a second.
Counted is the broker alone, with all its processes and what the kernel did for it; of ours that is
the node with its workers, which decrypts and encrypts all that passes.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from math import inf
from pathlib import Path

from ei.lab.borrowed import find_program
from ei.lab.brokers.beside import (
    CLIENTS,
    DATA_BYTES,
    PACKAGES,
    SUBSCRIBERS,
    Broker,
    Cost,
    Name,
    cost_of,
    is_here,
    rival,
)
from ei.lab.brokers.programs import Program, started
from ei.lab.brokers.rival_clients import SUBJECT, Order
from ei.lab.foreign import running, unused_port
from ei.lab.promises import Promise, promise, unsupported
from ei.scenarios.pubsub.crowd import Counted, Crowd, Publisher
from ei.scenarios.pubsub.ground import Ground

ROUNDS = 3
RATIO_LIMIT = 2.0


async def compared(ground: Ground, environ: Mapping[str, str]) -> AsyncIterator[Promise]:
    """Measure ours and each of the others that is here, in turn; the median of the rounds."""
    rounds: dict[Name, list[tuple[Cost, Cost]]] = {}
    for _ in range(ROUNDS):
        async with ours(ground, environ) as broker:
            own = await cost_of(broker)
        for name in filter(is_here, PACKAGES):
            async with rival(name, ground.folder, environ) as broker:
                rounds.setdefault(name, []).append((own, await cost_of(broker)))
    for name, package in PACKAGES.items():
        text = f"CPU of {name} for a delivery of a hot topic, times ours"
        if name not in rounds:
            yield unsupported(f"{text}; {package}", ">=", RATIO_LIMIT, unit="x")
            continue
        own, cost = median_of(rounds[name])
        yield promise(
            f"{text}: {cost.ns:.0f} ns at {cost.per_s:.0f}/s, ours {own.ns:.0f} ns at "
            f"{own.per_s:.0f}/s",
            round(cost.ns / own.ns, 2) if own.ns else 0.0,
            ">=",
            RATIO_LIMIT,
            unit="x",
            baseline=1.0,
            is_valid=bool(own.per_s and cost.per_s),
        )


def median_of(rounds: Sequence[tuple[Cost, Cost]]) -> tuple[Cost, Cost]:
    """Return the round, ours and theirs, whose ratio is in the middle.

    One in which something was not sustained counts as the lowest.
    """
    return sorted(rounds, key=lambda each: each[1].ns / (each[0].ns or inf))[len(rounds) // 2]


# -- ours -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Crowd:
    program: Program

    async def take(self) -> int:
        return (await self.program.ask(None, Counted)).received


@asynccontextmanager
async def ours(ground: Ground, environ: Mapping[str, str]) -> AsyncGenerator[Broker]:
    """Let hosts of our own publish and subscribe."""
    hosts = tuple(ground.order(f"s{number}.pubsub") for number in range(SUBSCRIBERS))
    crowd = Crowd(hosts=hosts, wishes=(SUBJECT,) * SUBSCRIBERS, is_looked_at=False)
    order = Publisher(
        host=ground.order("source.pubsub"), subjects=(SUBJECT,), data_bytes=DATA_BYTES
    )
    module, folder = "ei.scenarios.pubsub.crowd", ground.folder
    async with (
        started(module, "subscribe", order=crowd, environ=environ, folder=folder) as sinks,
        started(module, "publish", order=order, environ=environ, folder=folder) as publisher,
    ):
        yield Broker(ground.pid, publisher, _Crowd(sinks))


# -- theirs ---------------------------------------------------------------------------------------


@asynccontextmanager
async def jetstream(
    folder: Path, environ: Mapping[str, str]
) -> AsyncGenerator[tuple[int, Program]]:
    """Run NATS with a stream that syncs each write; yield its process id and a publisher."""
    port = unused_port()
    config = folder / "jetstream.conf"
    _ = config.write_text(
        f'listen: "127.0.0.1:{port}"\n'
        f'jetstream {{ store_dir: "{folder / "jetstream"}", sync_interval: always }}\n'
    )
    order = Order(protocol="nats", port=port, data_bytes=DATA_BYTES)
    program = find_program("nats-server") or ""
    async with (
        running(program, "-c", str(config), at=port, folder=folder, environ=environ) as pid,
        started(CLIENTS, "acknowledged", order=order, environ=environ, folder=folder) as publisher,
    ):
        yield pid, publisher
