"""`stream`: a file over QUIC through two nodes, beside the same QUIC from end to end."""

import hashlib
import random
import secrets
import shutil
import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from ei.bench.children import Child, python
from ei.bench.figures import Figure, figure
from ei.bench.network import loopback
from ei.bench.stream_ends import EndOrder
from ei.bench.world import START_LIMIT_S, wait_for_node
from ei.errors import LocalError
from ei.lab.bare_hosts import HostOrder
from ei.lab.builder import TopologyBuilder
from ei.lab.daemon_files import write_daemon_files
from ei.lab.layout import Layout
from ei.lab.population import Population, populate
from ei.runtime.loader import load_service

FILE_BYTES = 100_000_000
LOWEST_SHARE = 0.6
RUN_LIMIT_S = 90.0
NODES = ("n1.bench", "n2.bench")
HOSTS = ("giver.bench", "taker.bench")
ANYWHERE = "127.77.1.9:0"


@dataclass(frozen=True, slots=True)
class Ends:
    """Both ends, which are ready."""

    giver: Child
    taker: Child

    def run(self, sha256: str) -> float:
        """Let the file go once; return bytes per second.

        Raises:
            LocalError: Something else came.
        """
        self.taker.tell(None)
        self.giver.tell(None)
        came = self.taker.hear(deadline_s=RUN_LIMIT_S)
        given = self.giver.hear(deadline_s=RUN_LIMIT_S)
        if came["sha256"] != sha256 or came["received"] != given["given"]:
            raise LocalError(f"of {given['given']} bytes came {came['received']}, or others")
        return float(str(given["given"])) / float(str(given["seconds"]))


def stream(*, runs: int) -> Iterator[Figure]:
    """Measure both in turn; all processes share all cores."""
    return stream_of(runs=runs, file_bytes=FILE_BYTES)


def stream_of(*, runs: int, file_bytes: int) -> Iterator[Figure]:
    """Measure with a file of some size."""
    folder = Path(tempfile.mkdtemp(prefix="ei-bench-"))
    path = folder / "file"
    try:
        content = random.Random(1).randbytes(file_bytes)
        _ = path.write_bytes(content)
        sha256 = hashlib.sha256(content).hexdigest()
        with ExitStack() as stack:
            plain = stack.enter_context(plain_ends(folder, path))
            own = stack.enter_context(ends_of_nodes(folder, path))
            # The first run opens the connection.
            pairs = [(plain.run(sha256), own.run(sha256)) for _ in range(runs + 1)][1:]
        yield sum_up([rate for _, rate in pairs], [rate for rate, _ in pairs], file_bytes)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sum_up(own: list[float], plain: list[float], file_bytes: int) -> Figure:
    """Return the figure in megabytes per second."""
    return figure(
        "stream through two nodes",
        [rate / 1e6 for rate in own],
        unit="MB/s",
        limit=round(LOWEST_SHARE * median(plain) / 1e6, 1),
        is_rate=True,
        baseline=[rate / 1e6 for rate in plain],
        note=f"{file_bytes / 1e6:g} MB, SHA-256 equal; baseline: the same QUIC from end to end",
    )


@contextmanager
def plain_ends(folder: Path, path: Path) -> Generator[Ends]:
    """Have both ends talk to each other in plain datagrams."""
    binds = [loopback().node_bind for _ in HOSTS]
    orders = [
        EndOrder(bind=binds[0], endpoint=binds[1], path=str(path)),
        EndOrder(bind=binds[1], endpoint=binds[0]),
    ]
    with ExitStack() as stack:
        yield _started(stack, folder, "plain", orders)


@contextmanager
def ends_of_nodes(folder: Path, path: Path) -> Generator[Ends]:
    """Have each end be a host of a node of its own."""
    population = _populate()
    endpoints = {name: loopback().node_bind for name in (*NODES, *HOSTS)}
    _ = write_daemon_files(
        folder,
        population=population,
        layout=Layout(endpoints, {}),
        service_numbers={"delivery": load_service("delivery").manifest.id},
    )
    with ExitStack() as stack:
        for name in NODES:
            config = str(folder / name / "node.toml")
            command = python("ei", "node", "run", "--config", config)
            node = stack.enter_context(Child(name, command, cpu=None, log=folder / f"{name}.log"))
            _ = stack.callback(node.terminate)
            wait_for_node(folder / name / "admin.sock", node)
        giver, taker = (
            _host(population, name, node, endpoints[node])
            for name, node in zip(HOSTS, NODES, strict=True)
        )
        orders = [
            EndOrder(host=giver, peer=taker.address, path=str(path)),
            EndOrder(host=taker, peer=giver.address),
        ]
        yield _started(stack, folder, "host", orders)


def _populate() -> Population:
    builder = TopologyBuilder("bench")
    builder.domain("bench")
    for name, host in zip(NODES, HOSTS, strict=True):
        builder.node(name, services=("delivery",))
        builder.host(host, nodes=[name])
    return populate(
        builder.build(), randomness=lambda _: secrets.token_bytes(32), unix_s=int(time.time())
    )


def _host(population: Population, name: str, node: str, endpoint: str) -> HostOrder:
    who, at = population.residents[name], population.residents[node]
    return HostOrder(
        address=who.address,
        pipe_secret=who.keys.pipe_secret,
        bind=ANYWHERE,
        node=at.address,
        node_key=at.keys.pipe_key,
        node_endpoint=endpoint,
    )


def _started(stack: ExitStack, folder: Path, kind: str, orders: list[EndOrder]) -> Ends:
    ends: list[Child] = []
    for role, order in zip(("give", "take"), orders, strict=True):
        command = python("ei.bench.stream_ends", role)
        log = folder / f"{kind}-{role}.log"
        end = stack.enter_context(Child(f"{kind} {role}", command, cpu=None, log=log))
        end.tell(order)
        _ = end.hear(deadline_s=START_LIMIT_S)
        ends.append(end)
    return Ends(*ends)
