"""`latency`: how long a packet takes through one node, beside the plain forwarder."""

import select
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from ei.bench.awake import awake_cores
from ei.bench.children import Child, on_core, python
from ei.bench.figures import Figure, figure
from ei.bench.network import loopback
from ei.bench.world import DELIVERY, LOAD_CPU, NODE_CPU, World, open_world
from ei.lab.bare_hosts import BareHost, open_pipes

RATE_PER_S = 2_000
PROBES = 1_000
WARM_PROBES = 100
PAYLOAD_BYTES = 512
RATIO_LIMIT = 1.25
LOST_AFTER_S = 0.2
TIMES_MORE_RUNS = 3
"""Than of other figures: a neighbour that takes a core for a second is most of a p99."""

LOWEST_ARRIVED = 0.99


def latency(*, runs: int) -> Iterator[Figure]:
    """Measure one-way times at 2,000 packets/s over loopback: sleeping, then polling threads.

    Cores are kept awake meanwhile (`ei.bench.awake`), for the node and the baseline alike, and who
    sends and receives has one to itself: else it is now woken beside the node, and now elsewhere.
    """
    for name, spin_us in (("sleeping", 0), ("polling", 1_000)):
        own: list[list[float]] = []
        plain: list[list[float]] = []
        with awake_cores(), open_world(loopback(), sinks=2, spin_us=spin_us) as world:
            for _ in range(TIMES_MORE_RUNS * runs):
                plain.append(probe_plain(spin_us=spin_us))
                with on_core(LOAD_CPU):
                    own.append(probe_node(world, is_new_connection=False))
        yield from sum_up(name, own, plain)


def sum_up(
    name: str, own: Sequence[Sequence[float]], plain: Sequence[Sequence[float]]
) -> Iterator[Figure]:
    """Yield the figures of runs of `PROBES` each; invalid when too many were lost."""
    for rank, label in ((0.5, "p50"), (0.99, "p99")):
        base = [quantile(times, rank) for times in plain if times]
        yield figure(
            f"latency {label}, one hop, {name}",
            [quantile(times, rank) for times in own if times],
            unit="µs",
            limit=round(RATIO_LIMIT * statistics.median(base), 1) if base else None,
            baseline=base,
            invalid=why_lost([*own, *plain]),
            note="512 B, both hosts in one process; baseline: plain forwarder in the same mode",
        )


def why_lost(runs: Sequence[Sequence[float]]) -> str:
    """Say what is wrong with runs of `PROBES` each: lost ones would have been the slowest."""
    fewest = min((len(times) for times in runs), default=0)
    return "" if fewest >= LOWEST_ARRIVED * PROBES else f"only {fewest} of {PROBES} probes arrived"


def quantile(times: Sequence[float], rank: float) -> float:
    """Return the time that a share of `rank` is below."""
    ordered = sorted(times)
    return ordered[min(int(len(ordered) * rank), len(ordered) - 1)]


def probe_node(
    world: World, *, is_new_connection: bool, probes: int = PROBES, service: int = DELIVERY
) -> list[float]:
    """Send from one host to another through the node; return one-way times, microseconds.

    From the sending of the sealed packet until the receiver's socket is ready: sealing and opening
    by the hosts are no part of it. Of the probes that arrived; none without a pipe to the node.
    """
    sender, receiver = (
        BareHost(world.host(name, world.network.sink_bind)) for name in ("s0.bench", "s1.bench")
    )
    hosts = [sender, receiver]
    if not open_pipes(hosts):
        return []
    taken_us: list[float] = []
    connection = time.time_ns()
    metadata = world.address("s1.bench")
    for number in range(WARM_PROBES + probes):
        payload = _payload(number)
        _ = sender.datapath.send(
            time.monotonic_ns(), sender.node, service, connection + number * is_new_connection,
            metadata, [payload], protection=1,
        )  # fmt: skip
        start_ns = time.monotonic_ns()
        _ = sender.socket.flush(sender.datapath)
        ends_s = time.monotonic() + LOST_AFTER_S
        while time.monotonic() < ends_s:
            _ = select.select([receiver.socket.fileno()], [], [], 0.05)
            arrived_ns = time.monotonic_ns()
            receiver.pump()
            # An earlier one that comes late is not this one.
            if any(payload in run[-1] for run in receiver.datapath.take_received()):
                if number >= WARM_PROBES:
                    taken_us.append((arrived_ns - start_ns) / 1e3)
                break
        sender.pump()
        time.sleep(max(0.0, 1 / RATE_PER_S - (time.monotonic_ns() - start_ns) / 1e9))
    return taken_us


def probe_plain(*, spin_us: int = 0, probes: int = PROBES) -> list[float]:
    """Send from one socket to another through the plain forwarder; microseconds."""
    with (
        tempfile.TemporaryDirectory() as folder,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
    ):
        receiver.bind(("127.0.0.1", 0))
        to = f"127.0.0.1:{receiver.getsockname()[1]}"
        command = python("ei.bench.plain", "forward", "127.0.0.1:0", to, str(spin_us))
        with Child("forward", command, cpu=NODE_CPU, log=Path(folder) / "log") as forwarder:
            endpoint = str(forwarder.hear(deadline_s=5.0)["endpoint"])
            host, port = endpoint.rsplit(":", 1)
            sender.connect((host, int(port)))
            with on_core(LOAD_CPU):
                return probe_sockets(sender, receiver, probes=probes)


def probe_sockets(
    sender: socket.socket, receiver: socket.socket, *, probes: int = PROBES
) -> list[float]:
    """Send from one socket, wait for another; microseconds until that is ready."""
    taken_us: list[float] = []
    for number in range(WARM_PROBES + probes):
        payload = _payload(number)
        start_ns = time.monotonic_ns()
        _ = sender.send(payload)
        while select.select([receiver], [], [], LOST_AFTER_S)[0]:
            arrived_ns = time.monotonic_ns()
            # An earlier one that comes late is not this one.
            if receiver.recv(2_048) == payload:
                if number >= WARM_PROBES:
                    taken_us.append((arrived_ns - start_ns) / 1e3)
                break
        time.sleep(max(0.0, 1 / RATE_PER_S - (time.monotonic_ns() - start_ns) / 1e9))
    return taken_us


def _payload(number: int) -> bytes:
    return number.to_bytes(4, "little") + bytes(PAYLOAD_BYTES - 4)
