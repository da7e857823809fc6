"""`hit` and `fanout`: what a decided packet costs the node, header sealed per hop."""

import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ei.bench.children import Child, python
from ei.bench.figures import Figure, figure
from ei.bench.hosts import GenerateOrder
from ei.bench.network import Model, Network, open_network
from ei.bench.world import DELIVERY, LOAD_CPU, MULTICAST, NODE_CPU, World, open_world
from ei.sdk.packets import Protection
from ei.services.multicast.messages import Join

SIZES_BYTES = (128, 512, 1_400)
"""Of datagrams at the node. An empty packet of `delivery` has 80 bytes, so 64 cannot be."""

SEALED_BYTES = 16 + 48 + 16
"""Of a host's datagram around the payload: prefix; header and destination, padded; tag."""

LIMITS_NS = {
    (512, "V"): 350.0, (512, "G"): 1_150.0, (512, "W"): 1_800.0,
}  # fmt: skip
"""Figures to reach in the end; see `docs/explanation/performance.md`."""

FAN_OUT = 64
FAN_OUT_LIMIT_NS = 250.0
WARM_S = 0.4
WATCH_S = 1.0
LOWEST_UTILISATION = 0.8
PLAIN_PORT = 7_001


@dataclass(frozen=True, slots=True)
class Run:
    """One run: nanoseconds per packet, or why there are none."""

    cost_ns: float
    utilisation: float


def hit(*, runs: int, sizes_bytes: Iterable[int] = SIZES_BYTES) -> Iterator[Figure]:
    """Measure decided packets beside the plain forwarder, by link model and size."""
    with open_network() as network, open_world(network, sinks=1) as world, world.start_sinks(1):
        for model in network.models:
            network.shape(model)
            for size_bytes in sizes_bytes:
                yield _compare(world, model, size_bytes, runs)


def fanout(*, runs: int) -> Iterator[Figure]:
    """Measure what each of 64 copies costs, beside the plain forwarder's one."""
    with open_network() as network, open_world(network, sinks=FAN_OUT) as world:
        control = msgspec.msgpack.encode(Join(group=world.address("all.bench")))
        with world.start_sinks(FAN_OUT, service=MULTICAST, control=control):
            model = network.models[0]
            network.shape(model)
            yield _compare_copies(world, model, 512, runs)


def _compare(world: World, model: Model, size_bytes: int, runs: int) -> Figure:
    order = GenerateOrder(
        host=world.host("g.bench", world.network.generator_bind),
        service=DELIVERY,
        metadata=world.address("s0.bench"),
        payload_bytes=size_bytes - SEALED_BYTES,
        seconds=WARM_S + WATCH_S + 0.3,
    )
    own: list[Run] = []
    plain: list[Run] = []
    for _ in range(runs):
        plain.append(run_plain(world.network, world.folder, size_bytes))
        own.append(run_node(world, order, per_copy=False))
    return _sum_up(f"hit {model} {size_bytes} B", own, plain, LIMITS_NS.get((size_bytes, model)))


def _compare_copies(world: World, model: Model, size_bytes: int, runs: int) -> Figure:
    order = GenerateOrder(
        host=world.host("g.bench", world.network.generator_bind),
        service=MULTICAST,
        metadata=world.address("all.bench"),
        payload_bytes=size_bytes - SEALED_BYTES,
        seconds=WARM_S + WATCH_S + 0.3,
        protection=Protection.GROUPS,
    )
    own: list[Run] = []
    plain: list[Run] = []
    for _ in range(runs):
        plain.append(run_plain(world.network, world.folder, size_bytes))
        own.append(run_node(world, order, per_copy=True))
    name = f"fanout {FAN_OUT} {model} {size_bytes} B, per copy"
    return _sum_up(name, own, plain, FAN_OUT_LIMIT_NS)


def _sum_up(name: str, own: list[Run], plain: list[Run], limit_ns: float | None) -> Figure:
    lowest = min((run.utilisation for run in own), default=0.0)
    invalid = ""
    if lowest < LOWEST_UTILISATION:
        invalid = f"the generator kept the node busy for {lowest:.0%} only"
    return figure(
        name,
        [run.cost_ns for run in own if run.cost_ns],
        unit="ns CPU/packet",
        limit=limit_ns,
        baseline=[run.cost_ns for run in plain if run.cost_ns],
        invalid=invalid,
        note="baseline: plain forwarder, same sockets and trains",
    )


def run_node(world: World, order: GenerateOrder, *, per_copy: bool) -> Run:
    """Load the node for a second; return its cost per packet received, or per copy sent."""
    with world.start_generator(order) as generator:
        generator.tell("go")
        time.sleep(WARM_S)
        spent = world.watch(WATCH_S)
        _ = generator.hear(deadline_s=5.0)
    packets = spent.sent if per_copy else spent.received
    return Run(spent.cpu_ns / packets if packets else 0.0, spent.utilisation)


def run_plain(network: Network, folder: Path, size_bytes: int) -> Run:
    """Load the plain forwarder for a second; return its cost per packet."""
    host = network.node_bind.rsplit(":", 1)[0]
    bind = f"{host}:{PLAIN_PORT}"
    sink = f"{network.sink_bind.rsplit(':', 1)[0]}:{PLAIN_PORT + 1}"
    command = python("ei.bench.plain", "forward", bind, sink)
    with _child(network.node, "forward", command, NODE_CPU, folder) as forwarder:
        _ = forwarder.hear(deadline_s=5.0)
        seconds = str(WARM_S + WATCH_S + 0.3)
        load = ("ei.bench.plain", "generate", network.generator_bind, bind)
        command = python(*load, str(size_bytes), seconds)
        with _child(network.generator, "load", command, LOAD_CPU, folder) as generator:
            _ = generator.hear(deadline_s=5.0)
            generator.tell("go")
            time.sleep(WARM_S)
            before, before_s = _plain_figures(forwarder), time.monotonic()
            time.sleep(WATCH_S)
            after, after_s = _plain_figures(forwarder), time.monotonic()
            _ = generator.hear(deadline_s=5.0)
    packets = after["received"] - before["received"]
    cpu_ns = after["cpu_ns"] - before["cpu_ns"]
    cost_ns = cpu_ns / packets if packets else 0.0
    return Run(cost_ns, cpu_ns / ((after_s - before_s) * 1e9))


def _plain_figures(forwarder: Child) -> dict[str, int]:
    forwarder.tell("figures")
    return {name: int(str(value)) for name, value in forwarder.hear(deadline_s=5.0).items()}


@contextmanager
def _child(
    prefix: tuple[str, ...], name: str, command: tuple[str, ...], cpu: int, folder: Path
) -> Generator[Child]:
    with Child(name, [*prefix, *command], cpu=cpu, log=folder / f"{name}.log") as child:
        yield child
