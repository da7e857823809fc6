"""`latency`: how long a packet takes through one node, beside the plain forwarder."""

import select
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from ei.bench.children import Child, python
from ei.bench.figures import Figure, figure
from ei.bench.hosts import BenchHost, open_pipes
from ei.bench.network import loopback
from ei.bench.world import DELIVERY, NODE_CPU, World, open_world

RATE_PER_S = 2_000
PROBES = 1_000
WARM_PROBES = 100
PAYLOAD_BYTES = 512
RATIO_LIMIT = 1.25
LOST_AFTER_S = 0.2


def latency(*, runs: int) -> Iterator[Figure]:
    """Measure one-way times at 2,000 packets/s over loopback: sleeping, then polling threads."""
    for name, spin_us in (("sleeping", 0), ("polling", 1_000)):
        own: list[list[float]] = []
        plain: list[list[float]] = []
        with open_world(loopback(), sinks=2, spin_us=spin_us) as world:
            for _ in range(runs):
                plain.append(probe_plain())
                own.append(probe_node(world, is_new_connection=False))
        for rank, label, ratio in ((0.5, "p50", RATIO_LIMIT), (0.99, "p99", None)):
            base = [_quantile(times, rank) for times in plain]
            yield figure(
                f"latency {label}, one hop, {name}",
                [_quantile(times, rank) for times in own],
                unit="µs",
                limit=ratio and round(ratio * statistics.median(base), 1),
                baseline=base,
                note="512 B, both hosts in one process; baseline: plain forwarder (sleeping)",
            )


def probe_node(world: World, *, is_new_connection: bool) -> list[float]:
    """Send from one host to another through the node; return one-way times, microseconds."""
    sender, receiver = (
        BenchHost(world.host(name, world.network.sink_bind)) for name in ("s0.bench", "s1.bench")
    )
    hosts = [sender, receiver]
    if not open_pipes(hosts):
        return []
    taken_us: list[float] = []
    connection = time.time_ns()
    metadata = world.address("s1.bench")
    for number in range(PROBES + WARM_PROBES):
        start_ns = time.monotonic_ns()
        _ = sender.datapath.send(
            start_ns, sender.node, DELIVERY, connection + number * is_new_connection,
            metadata, [bytes(PAYLOAD_BYTES)], protection=1,
        )  # fmt: skip
        _ = sender.socket.flush(sender.datapath)
        ends_s = time.monotonic() + LOST_AFTER_S
        while time.monotonic() < ends_s:
            _ = select.select([receiver.socket.fileno()], [], [], 0.05)
            receiver.pump()
            if receiver.datapath.take_received():
                taken_us.append((time.monotonic_ns() - start_ns) / 1e3)
                break
        sender.pump()
        time.sleep(max(0.0, 1 / RATE_PER_S - (time.monotonic_ns() - start_ns) / 1e9))
    return taken_us[WARM_PROBES:]


def probe_plain() -> list[float]:
    """Send from one socket to another through the plain forwarder; microseconds."""
    with (
        tempfile.TemporaryDirectory() as folder,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
    ):
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(LOST_AFTER_S)
        to = f"127.0.0.1:{receiver.getsockname()[1]}"
        command = python("ei.bench.plain", "forward", "127.0.0.1:0", to)
        with Child("forward", command, cpu=NODE_CPU, log=Path(folder) / "log") as forwarder:
            endpoint = str(forwarder.hear(deadline_s=5.0)["endpoint"])
            host, port = endpoint.rsplit(":", 1)
            sender.connect((host, int(port)))
            return _probe_sockets(sender, receiver)[WARM_PROBES:]


def _probe_sockets(sender: socket.socket, receiver: socket.socket) -> list[float]:
    taken_us: list[float] = []
    for _ in range(PROBES + WARM_PROBES):
        start_ns = time.monotonic_ns()
        _ = sender.send(bytes(PAYLOAD_BYTES))
        try:
            _ = receiver.recv(2_048)
        except TimeoutError:
            continue
        taken_us.append((time.monotonic_ns() - start_ns) / 1e3)
        time.sleep(max(0.0, 1 / RATE_PER_S - (time.monotonic_ns() - start_ns) / 1e9))
    return taken_us


def _quantile(times: list[float], rank: float) -> float:
    ordered = sorted(times)
    return ordered[min(int(len(ordered) * rank), len(ordered) - 1)]
