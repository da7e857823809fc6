"""`relays`: CPU of a node in the middle for each packet, beside relays of others in the same place.

All get datagrams of the same length on the wire. The CPU counted is the other's process alone, and
our datapath's thread, beside which a node that has decided does nothing.
The others open and seal whole packets, since they know nothing of what is in them.
"""

import json
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import msgspec

from ei.bench.children import Child, python
from ei.bench.figures import Figure, figure
from ei.bench.hit import LOWEST_HANDED_ON, Run, order_of, run_node
from ei.bench.network import SPARED_PORT, Network, open_network
from ei.bench.splice import cpu_ns
from ei.bench.tunnels import Relayed, running_nebula, running_wireguard
from ei.bench.world import DELIVERY, LOAD_CPU, World, open_world
from ei.bench.xdp import MODEL as SINGLY
from ei.bench.xdp import open_capturing, why_not_captured
from ei.errors import DeadlineError, LocalError

SIZES_BYTES = (512, 1_400)
TIMES_LESS = 5.0
UNIT = "ns CPU/packet"
WARM_S = 0.5
WATCH_S = 0.6
SECONDS = WARM_S + WATCH_S + 0.3
FEWEST = 1_000
"""Packets that a relay must have sent for its cost to say anything."""
MOST_TRIES = 3
FRAME_BYTES = 14 + 20 + 8

Running = Callable[[Network, Path], AbstractContextManager[Relayed]]
OTHERS: Mapping[str, Running] = {
    "wireguard-go": running_wireguard,
    "Nebula": running_nebula,
    "Debian's Nebula": partial(running_nebula, of="-debian"),
}


@dataclass(frozen=True, slots=True)
class Cost:
    """What a relay of others costs.

    Attributes:
        ns: CPU time of a packet.
        version: Of the program.
        failed: Why nothing was measured.
    """

    ns: float = 0.0
    version: str = ""
    failed: str = ""


def relays(*, runs: int) -> Iterator[Figure]:
    """Measure by link model and size, in turn with each of the others."""
    with open_network() as network:
        if network.why_loopback:
            yield figure("relays", [], unit=UNIT, invalid=network.why_loopback)
            return
        network.spare_others()
        with open_world(network, sinks=1) as world, world.start_sinks(1):
            for model in network.models:
                network.shape(model)
                for size_bytes in SIZES_BYTES:
                    yield from relays_in(world, model, size_bytes, runs=runs)


def relays_in(
    world: World, model: str, size_bytes: int, *, runs: int,
    others: Mapping[str, Running] = OTHERS,
) -> Iterator[Figure]:  # fmt: skip
    """Measure one size, ours and each of the others in turn.

    Where packets come singly ours is measured once more, with AF_XDP to take them.
    """
    own: dict[str, list[Run]] = {"": []}
    theirs: dict[str, list[Cost]] = {name: [] for name in others}
    for _ in range(runs):
        own[""].append(run_own(world, size_bytes))
        if model == SINGLY:
            with open_capturing(world.network) as capturing:
                own.setdefault(" by AF_XDP", []).append(run_own(capturing, size_bytes))
        for name, running in others.items():
            theirs[name].append(run_other(world.network, running, size_bytes))
    for way, ways_runs in own.items():
        whys = [why for run in ways_runs if way and (why := why_not_captured(run))]
        for name, costs in theirs.items():
            called = f"relay {model} {size_bytes} B{way} beside {name}"
            yield sum_up(called, ways_runs, costs, invalid=whys[0] if whys else "")


def sum_up(name: str, own: Sequence[Run], theirs: Sequence[Cost], *, invalid: str = "") -> Figure:
    """Return the figure beside one of the others, whose runs may all have failed."""
    whole = [run.cost_ns for run in own if run.handed_on >= LOWEST_HANDED_ON]
    base = [cost.ns for cost in theirs if not cost.failed]
    if not base:
        return figure(name, [], unit=UNIT, invalid="; ".join({cost.failed for cost in theirs}))
    versions = " and ".join(sorted({cost.version for cost in theirs if not cost.failed}))
    return figure(
        name,
        whole,
        unit=UNIT,
        limit=round(median(base) / TIMES_LESS, 1),
        baseline=base,
        invalid=invalid or ("" if len(whole) == len(own) else "the node dropped packets"),
        note=f"CPU of our datapath's thread; of the process of {versions}, which seals the payload",
    )


def run_own(world: World, size_bytes: int) -> Run:
    """Load our node for a moment; again if it dropped packets, as pipes do that never saw load."""
    order = order_of(world, DELIVERY, "s0.bench", size_bytes)
    run = run_node(world, order, copies=1)
    tries = 1
    while run.handed_on < LOWEST_HANDED_ON and tries < MOST_TRIES:
        run = run_node(world, order, copies=1)
        tries += 1
    return run


def run_other(network: Network, running: Running, size_bytes: int) -> Cost:
    """Start a relay of others, load it for a moment and end it."""
    with TemporaryDirectory(prefix="ei-bench-") as folder:
        try:
            with running(network, Path(folder)) as other:
                return _load(network, Path(folder), other, size_bytes)
        except (LocalError, DeadlineError) as error:
            return Cost(failed=str(error))


def _load(network: Network, folder: Path, other: Relayed, size_bytes: int) -> Cost:
    here, there = other.ends
    payload_bytes = str(size_bytes - other.added_bytes)
    load = ("generate", f"{here}:0", f"{there}:{SPARED_PORT}", payload_bytes, str(SECONDS))
    # It shares its core with both ends, which need it more.
    command = (*network.generator, "nice", "-n", "19", *python("ei.bench.plain", *load))
    with Child("load", command, cpu=LOAD_CPU, log=folder / "load.log") as generator:
        _ = generator.hear(deadline_s=5.0)
        generator.tell("go")
        time.sleep(WARM_S)
        before, before_ns = sent_bytes(network), cpu_ns(other.pid)
        time.sleep(WATCH_S)
        after, after_ns = sent_bytes(network), cpu_ns(other.pid)
        _ = generator.hear(deadline_s=10.0)
    packets = (after - before) / size_bytes
    if packets < FEWEST:
        return Cost(failed=f"{other.version} relayed {packets:.0f} packets")
    return Cost((after_ns - before_ns) / packets, other.version)


def sent_bytes(network: Network) -> int:
    """Return the bytes of payloads of UDP that left the relay towards the sink.

    A train that crosses whole counts as one packet, with the headers of one.
    """
    command = (*network.node, "ip", "-json", "-statistics", "link", "show", "dev", "n1")
    told = subprocess.run(command, check=True, capture_output=True).stdout
    (link,) = msgspec.convert(json.loads(told), list[_Link])
    return link.stats64.tx.bytes - link.stats64.tx.packets * FRAME_BYTES


class _Counts(msgspec.Struct):
    bytes: int
    packets: int


class _Stats(msgspec.Struct):
    tx: _Counts


class _Link(msgspec.Struct):
    """What `ip` says of a device."""

    stats64: _Stats
