"""Other brokers beside ours: the CPU time of a broker for each delivery of one hot topic.

Each has four subscribers of one topic, and a publisher that sends what is due every millisecond, at
the highest of a few rates at which at least 99.9 % arrive, up to 80,000 deliveries a second.
Counted is the broker alone, with all its processes and what the kernel did for it; of ours that is
the node with its workers, which decrypts and encrypts all that passes.
"""

import asyncio
import importlib.util
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Literal, Protocol

from ei.lab.borrowed import find_program
from ei.lab.cpu_time import used_s
from ei.lab.foreign import running, unused_port
from ei.lab.promises import Promise, promise, unsupported
from ei.scenarios.pubsub.crowd import Burst, Counted, Crowd, Publisher
from ei.scenarios.pubsub.ground import Ground
from ei.scenarios.pubsub.programs import Program, started
from ei.scenarios.pubsub.rival_clients import SUBJECT, Order, Received, Sent

SUBSCRIBERS = 4
DATA_BYTES = 128
RATES_PER_S = (20_000, 10_000, 5_000, 2_000, 1_000)
BURST_S = 5.0
SETTLE_S = 0.5
ROUNDS = 3
SUSTAINED = 0.999
RATIO_LIMIT = 2.0
CLIENTS = "ei.scenarios.pubsub.rival_clients"
ZENOH = "ei.scenarios.pubsub.zenoh_programs"

Name = Literal["mosquitto", "NATS", "Zenoh"]
PACKAGES: Mapping[Name, str] = {
    "mosquitto": "apt-get install mosquitto",
    "NATS": "go install github.com/nats-io/nats-server/v2",
    "Zenoh": "pip install eclipse-zenoh",
}


class Sink(Protocol):
    """What tells how much came."""

    async def take(self) -> int:
        """Return how many messages came since the last time."""
        ...


@dataclass(frozen=True, slots=True)
class Broker:
    """A broker with its clients.

    Attributes:
        pid: Its process, the leader of its session or alone.
        publisher: Takes a `Burst`.
        sink: Counts.
    """

    pid: int
    publisher: Program
    sink: Sink


@dataclass(frozen=True, slots=True)
class Cost:
    """What a delivery costs.

    Attributes:
        ns: CPU time of the broker.
        per_s: Deliveries per second at which it was measured; 0 when none was sustained.
    """

    ns: float
    per_s: float


NOT_SUSTAINED = Cost(0.0, 0.0)


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


async def cost_of(broker: Broker, *, rates_per_s: Sequence[int] = RATES_PER_S) -> Cost:
    """Measure at the highest rate that it sustains."""
    for rate in rates_per_s:
        _ = await broker.publisher.ask(Burst(count=rate // 4, per_s=rate), Sent)
        await asyncio.sleep(SETTLE_S)
        _ = await broker.sink.take()
        count = int(rate * BURST_S)
        began_s = await asyncio.to_thread(used_s, {broker.pid})
        sent = await broker.publisher.ask(Burst(count=count, per_s=rate), Sent)
        await asyncio.sleep(SETTLE_S)
        taken_s = await asyncio.to_thread(used_s, {broker.pid}) - began_s
        came = await broker.sink.take()
        is_in_time = sent.seconds <= 1.1 * BURST_S
        if is_in_time and came >= SUSTAINED * count * SUBSCRIBERS:
            return Cost(taken_s * 1e9 / came, came / sent.seconds)
    return NOT_SUSTAINED


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


@dataclass(frozen=True, slots=True)
class _Clients:
    program: Program

    async def take(self) -> int:
        return (await self.program.ask(None, Received)).received


def is_here(name: Name) -> bool:
    """Return whether a broker is installed."""
    match name:
        case "mosquitto":
            return find_program("mosquitto") is not None
        case "NATS":
            return find_program("nats-server") is not None
        case "Zenoh":
            return importlib.util.find_spec("zenoh") is not None


@asynccontextmanager
async def rival(name: Name, folder: Path, environ: Mapping[str, str]) -> AsyncGenerator[Broker]:
    """Run a broker with its clients."""
    port = unused_port()
    order = Order(
        protocol="mqtt" if name == "mosquitto" else "nats",
        port=port,
        clients=SUBSCRIBERS,
        data_bytes=DATA_BYTES,
    )
    module = ZENOH if name == "Zenoh" else CLIENTS
    async with (
        _broker(name, port, folder, environ) as pid,
        started(module, "subscribe", order=order, environ=environ, folder=folder) as sinks,
        started(module, "publish", order=order, environ=environ, folder=folder) as publisher,
    ):
        yield Broker(pid, publisher, _Clients(sinks))


@asynccontextmanager
async def _broker(
    name: Name, port: int, folder: Path, environ: Mapping[str, str]
) -> AsyncGenerator[int]:
    if name == "Zenoh":
        order = Order(protocol="nats", port=port)
        async with started(ZENOH, "router", order=order, environ=environ, folder=folder) as router:
            yield router.pid
    elif name == "NATS":
        listen = ("-a", "127.0.0.1", "-p", str(port))
        program = find_program("nats-server") or ""
        async with running(program, *listen, at=port, folder=folder, environ=environ) as pid:
            yield pid
    else:
        config = folder / "mosquitto.conf"
        _ = config.write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nuser root\n"
        )
        program = find_program("mosquitto") or ""
        async with running(
            program, "-c", str(config), at=port, folder=folder, environ=environ
        ) as pid:
            yield pid


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
