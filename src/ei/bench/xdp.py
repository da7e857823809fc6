"""`xdp`: decided packets that come singly, taken from the device by AF_XDP or from a socket.

Both nodes get the same rate, which each of them can take: the generator's core also pays for what
the kernel does with a packet before anybody has it, and would be all that is measured.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager

import msgspec

from ei.bench.figures import Figure, figure
from ei.bench.hit import LOWEST_HANDED_ON, SIZES_BYTES, Run, order_of, run_node
from ei.bench.network import NODE_DEVICE, Model, Network, open_network
from ei.bench.world import DELIVERY, World, open_world

MODEL: Model = "W"
OFFERED_PER_S = 400_000.0
LOWEST_REACHED = 0.9
LOWEST_CAPTURED = 0.99
"""The sink's own few packets come by another device."""

UNIT = "ns CPU/packet"


def xdp(*, runs: int) -> Iterator[Figure]:
    """Measure both ways in turn."""
    with open_network() as network:
        if network.why_loopback:
            yield figure(f"xdp {MODEL}", [], unit=UNIT, invalid=network.why_loopback)
            return
        network.shape(MODEL)
        with open_world(network, sinks=1) as world, world.start_sinks(1):
            for size_bytes in SIZES_BYTES:
                yield xdp_in(world, size_bytes, runs=runs)


def xdp_in(world: World, size_bytes: int, *, runs: int) -> Figure:
    """Measure one size, beside a world whose node takes packets from its socket."""
    captured: list[Run] = []
    received: list[Run] = []
    for _ in range(runs):
        received.append(_run(world, size_bytes))
        with open_capturing(world.network) as capturing:
            captured.append(_run(capturing, size_bytes))
    return sum_up(f"xdp {MODEL} {size_bytes} B at {OFFERED_PER_S:,.0f}/s", captured, received)


@contextmanager
def open_capturing(network: Network) -> Generator[World]:
    """Run a node that takes packets from its device, and a sink, beside one that does not.

    No longer than it is measured: the device is another for all others meanwhile.
    """
    with (
        open_world(network.second(), sinks=1, xdp=(NODE_DEVICE,)) as world,
        world.start_sinks(1),
    ):
        yield world


def sum_up(name: str, captured: Sequence[Run], received: Sequence[Run]) -> Figure:
    """Return the figure: invalid when the rate was not reached, or packets were dropped."""
    whys = [why for run in (*captured, *received) if (why := _why_invalid(run))]
    whys += [why for run in captured if (why := why_not_captured(run))]
    return figure(
        name,
        [run.cost_ns for run in captured if run.cost_ns],
        unit=UNIT,
        baseline=[run.cost_ns for run in received if run.cost_ns],
        invalid=whys[0] if whys else "",
        note="baseline: the same from a socket",
    )


def _run(world: World, size_bytes: int) -> Run:
    order = order_of(world, DELIVERY, "s0.bench", size_bytes)
    return run_node(world, msgspec.structs.replace(order, packets_per_s=OFFERED_PER_S), copies=1)


def why_not_captured(run: Run) -> str:
    """Say what is wrong with a run in which AF_XDP did not take the packets; else nothing."""
    if run.captured < LOWEST_CAPTURED:
        return f"AF_XDP took {run.captured:.0%} of the packets only"
    return ""


def _why_invalid(run: Run) -> str:
    if run.received_per_s < LOWEST_REACHED * OFFERED_PER_S:
        return f"the node got {run.received_per_s:,.0f} packets a second only"
    if run.handed_on < LOWEST_HANDED_ON:
        return f"the node handed on {run.handed_on:.0%} only"
    return ""
