"""`hit` and `fanout`: what a decided packet costs the node, header sealed per hop."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ei.bench.brokers import beside_brokers
from ei.bench.children import Child, python
from ei.bench.figures import Figure, figure
from ei.bench.hosts import GenerateOrder
from ei.bench.network import Network, open_network
from ei.bench.world import DELIVERY, LOAD_CPU, MULTICAST, NODE_CPU, World, open_world
from ei.sdk.packets import Protection
from ei.services.multicast.messages import Join

SIZES_BYTES = (128, 512, 1_400)
"""Of datagrams at the node. An empty packet of `delivery` has 80 bytes, so 64 cannot be."""

COVERED_SIZES_BYTES = (128, 512, 1_392)
"""Of those whose payload the pipe seals, too: what is sealed comes in blocks of 16."""

COVERED_BYTES = 16 + 36 + 16
"""Of such a datagram around the payload: prefix; header and destination; tag."""

SEALED_BYTES = 16 + 48 + 16
"""Of a host's datagram around the payload: prefix; header and destination, padded; tag."""

LIMITS_NS = {
    (512, "V"): 350.0, (512, "G"): 1_150.0, (512, "W"): 1_800.0,
}  # fmt: skip
"""Figures to reach in the end; see `docs/explanation/performance.md`."""

FAN_OUT = 64
FAN_OUT_LIMIT_NS = 250.0
OFFERED_COPIES_PER_S = 6_400_000
"""More than a node can send: it is never idle, and drops what is too much."""

WARM_S = 0.4
WATCH_S = 0.6
COVERED_WARM_S = 0.15
COVERED_WATCH_S = 0.4
"""Shorter, since each of them takes as much memory as it is long."""

LOWEST_UTILISATION = 0.8
LOWEST_HANDED_ON = 0.95
SPARE_RUNS = 2
"""How many invalid runs are made again, for each run that is wanted."""

DISCARD_PORT = 7_002
"""Of the sink's host, where nobody listens to the plain forwarder."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run.

    Attributes:
        cost_ns: CPU time of a packet; 0 when there was none.
        utilisation: Share of one core that was used.
        handed_on: Share sent of what should have been: what is dropped costs next to nothing.
        received_per_s: Packets.
        captured: Share of the packets that AF_XDP took.
    """

    cost_ns: float
    utilisation: float
    handed_on: float
    received_per_s: float = 0.0
    captured: float = 0.0

    def why_invalid(self) -> str:
        """Say why its cost means nothing; empty when it does."""
        if self.utilisation < LOWEST_UTILISATION:
            return f"the generator kept the node busy for {self.utilisation:.0%} only"
        if self.handed_on < LOWEST_HANDED_ON:
            return f"the node handed on {self.handed_on:.0%} only"
        return ""


def hit(*, runs: int) -> Iterator[Figure]:
    """Measure decided packets beside the plain forwarder, by link model and size.

    First with the header sealed by the pipe, as nearly all are; then with the payload as well.
    """
    with open_network() as network, open_world(network, sinks=1) as world:
        yield from hit_in(world, runs=runs)
        yield from hit_in(world, runs=runs, sizes_bytes=COVERED_SIZES_BYTES, is_covered=True)


def fanout(*, runs: int) -> Iterator[Figure]:
    """Measure what each of 64 copies costs, beside the plain forwarder's one and other brokers."""
    with open_network() as network, open_world(network, sinks=FAN_OUT) as world:
        copies = fanout_in(world, runs=runs)
    yield copies
    yield from beside_brokers(copies, runs=runs)


def hit_in(
    world: World, *, runs: int, sizes_bytes: Iterable[int] = SIZES_BYTES, is_covered: bool = False
) -> Iterator[Figure]:
    """Measure decided packets in a world with a sink."""
    network = world.network
    with world.start_sinks(1):
        for model in network.models:
            network.shape(model)
            for size_bytes in sizes_bytes:
                order = order_of(world, DELIVERY, "s0.bench", size_bytes)
                if is_covered:
                    order = covered(order, size_bytes)
                own, plain = _compare(world, order, size_bytes, runs=runs, copies=1)
                limit_ns = None if is_covered else LIMITS_NS.get((size_bytes, model))
                yield sum_up(
                    f"hit {model} {size_bytes} B" + is_covered * ", payload covered",
                    own,
                    plain,
                    limit_ns=limit_ns,
                    why_loopback=network.why_loopback,
                )


def fanout_in(world: World, *, runs: int, copies: int = FAN_OUT, size_bytes: int = 512) -> Figure:
    """Measure copies in a world with as many sinks."""
    model = world.network.models[0]
    world.network.shape(model)
    control = msgspec.msgpack.encode(Join(group=world.address("all.bench")))
    with world.start_sinks(copies, service=MULTICAST, control=control):
        order = msgspec.structs.replace(
            order_of(world, MULTICAST, "all.bench", size_bytes),
            packets_per_s=OFFERED_COPIES_PER_S / copies,
            protection=Protection.GROUPS,
        )
        # Pipes that never saw load take the delay that it brings for a failure, and go down.
        _ = run_node(world, order, copies=copies)
        own, plain = _compare(world, order, size_bytes, runs=runs, copies=copies)
    name = f"fanout {copies} {model} {size_bytes} B, per copy"
    why = world.network.why_loopback
    return sum_up(name, own, plain, limit_ns=FAN_OUT_LIMIT_NS, why_loopback=why)


def order_of(world: World, service: int, to: str, size_bytes: int) -> GenerateOrder:
    """Return what loads the node with packets to one host or group."""
    return GenerateOrder(
        host=world.host("g.bench", world.network.generator_bind),
        service=service,
        metadata=world.address(to),
        payload_bytes=size_bytes - SEALED_BYTES,
        seconds=WARM_S + WATCH_S + 0.3,
    )


def covered(order: GenerateOrder, size_bytes: int) -> GenerateOrder:
    """Return the order for as long datagrams whose payload the pipe seals, for a shorter while."""
    return msgspec.structs.replace(
        order,
        payload_bytes=size_bytes - COVERED_BYTES,
        is_covered=True,
        seconds=COVERED_WARM_S + COVERED_WATCH_S + 0.1,
    )


def _compare(
    world: World, order: GenerateOrder, size_bytes: int, *, runs: int, copies: int
) -> tuple[list[Run], list[Run]]:
    """Run the node and the plain forwarder in turn.

    A run that did not load the node is made again, a few times: with single packets the generator's
    core is hardly faster than the node's, and now one leads and now the other.
    """
    own: list[Run] = []
    plain: list[Run] = []
    spare = SPARE_RUNS * runs
    while len(own) < runs:
        before = run_plain(world.network, world.folder, size_bytes)
        run = run_node(world, order, copies=copies)
        if spare and run.why_invalid():
            spare -= 1
            continue
        plain.append(before)
        own.append(run)
    return own, plain


def sum_up(
    name: str,
    own: Sequence[Run],
    plain: Sequence[Run],
    *,
    limit_ns: float | None,
    why_loopback: str = "",
) -> Figure:
    """Return the figure of `own`: invalid when a run did not load the node, or it dropped much."""
    invalid = next(filter(None, (run.why_invalid() for run in own)), "")
    return figure(
        name,
        [run.cost_ns for run in own if run.cost_ns],
        unit="ns CPU/packet",
        limit=limit_ns,
        baseline=[run.cost_ns for run in plain if run.cost_ns],
        invalid=invalid,
        note="baseline: plain forwarder, same sockets and trains"
        + (f"; over loopback, {why_loopback}" if why_loopback else ""),
    )


def run_node(world: World, order: GenerateOrder, *, copies: int) -> Run:
    """Load the node for a moment; return its cost per packet received, or per copy sent."""
    with world.start_generator(order) as generator:
        generator.tell("go")
        time.sleep(COVERED_WARM_S if order.is_covered else WARM_S)
        spent = world.watch(COVERED_WATCH_S if order.is_covered else WATCH_S)
        _ = generator.hear(deadline_s=5.0)
    packets = spent.received if copies == 1 else spent.sent
    return Run(
        cost_ns=spent.cpu_ns / packets if packets else 0.0,
        utilisation=spent.utilisation,
        handed_on=spent.sent / (spent.received * copies) if spent.received else 0.0,
        received_per_s=spent.received / spent.seconds,
        captured=spent.captured / spent.received if spent.received else 0.0,
    )


def run_plain(network: Network, folder: Path, size_bytes: int) -> Run:
    """Load the plain forwarder for a moment; return its cost per packet."""
    bind = f"{_host(network.node_bind)}:0"
    to = f"{_host(network.sink_bind)}:{DISCARD_PORT}"
    command = (*network.node, *python("ei.bench.plain", "forward", bind, to, "0"))
    with Child("forward", command, cpu=NODE_CPU, log=folder / "forward.log") as forwarder:
        endpoint = str(forwarder.hear(deadline_s=5.0)["endpoint"])
        load = ("generate", network.generator_bind, endpoint, str(size_bytes))
        seconds = str(WARM_S + WATCH_S + 0.3)
        command = (*network.generator, *python("ei.bench.plain", *load, seconds))
        with Child("load", command, cpu=LOAD_CPU, log=folder / "load.log") as generator:
            _ = generator.hear(deadline_s=5.0)
            generator.tell("go")
            time.sleep(WARM_S)
            before, before_s = _plain_figures(forwarder), time.monotonic()
            time.sleep(WATCH_S)
            after, after_s = _plain_figures(forwarder), time.monotonic()
            _ = generator.hear(deadline_s=5.0)
    received, sent, cpu_ns = (after[it] - before[it] for it in ("received", "sent", "cpu_ns"))
    return Run(
        cost_ns=cpu_ns / received if received else 0.0,
        utilisation=cpu_ns / ((after_s - before_s) * 1e9),
        handed_on=sent / received if received else 0.0,
    )


def _plain_figures(forwarder: Child) -> dict[str, int]:
    forwarder.tell("figures")
    return {name: int(str(value)) for name, value in forwarder.hear(deadline_s=5.0).items()}


def _host(endpoint: str) -> str:
    return endpoint.rsplit(":", 1)[0]
