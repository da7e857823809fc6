"""What a delivery costs a broker: of other brokers, each with its clients, and how it is measured.

Counted is the broker alone, with all its processes and what the kernel did for it.
"""

import asyncio
import importlib.util
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from ei.lab.borrowed import find_program
from ei.lab.brokers.programs import Program, started
from ei.lab.brokers.rival_clients import Burst, Order, Received, Sent
from ei.lab.cpu_time import used_s
from ei.lab.foreign import running, unused_port

SUBSCRIBERS = 4
DATA_BYTES = 128
RATES_PER_S = (20_000, 10_000, 5_000, 2_000, 1_000)
BURST_S = 5.0
SETTLE_S = 0.5
SUSTAINED = 0.999
CLIENTS = "ei.lab.brokers.rival_clients"
ZENOH = "ei.lab.brokers.zenoh_programs"

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


async def cost_of(
    broker: Broker,
    *,
    rates_per_s: Sequence[int] = RATES_PER_S,
    subscribers: int = SUBSCRIBERS,
    seconds: float = BURST_S,
) -> Cost:
    """Measure at the highest rate that it sustains."""
    for rate in rates_per_s:
        _ = await broker.publisher.ask(Burst(count=rate // 4, per_s=rate), Sent)
        await asyncio.sleep(SETTLE_S)
        _ = await broker.sink.take()
        count = int(rate * seconds)
        began_s = await asyncio.to_thread(used_s, {broker.pid})
        sent = await broker.publisher.ask(Burst(count=count, per_s=rate), Sent)
        await asyncio.sleep(SETTLE_S)
        taken_s = await asyncio.to_thread(used_s, {broker.pid}) - began_s
        came = await broker.sink.take()
        is_in_time = sent.seconds <= 1.1 * seconds
        if is_in_time and came >= SUSTAINED * count * subscribers:
            return Cost(taken_s * 1e9 / came, came / sent.seconds)
    return NOT_SUSTAINED


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
async def rival(
    name: Name,
    folder: Path,
    environ: Mapping[str, str],
    *,
    subscribers: int = SUBSCRIBERS,
    data_bytes: int = DATA_BYTES,
) -> AsyncGenerator[Broker]:
    """Run a broker with its clients."""
    port = unused_port()
    order = Order(
        protocol="mqtt" if name == "mosquitto" else "nats",
        port=port,
        clients=subscribers,
        data_bytes=data_bytes,
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
