"""`splice`: CPU for the bytes that a node passes on, beside who does nothing else."""

import socket
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import msgspec

from ei.bench.children import Child, python
from ei.bench.figures import Figure, figure
from ei.bench.quic_taker import TakeOrder
from ei.bench.splicing_load import HERE
from ei.bench.splicing_node import Spent, SpliceOrder
from ei.bench.world import LOAD_CPU, NODE_CPU
from ei.errors import LocalError
from ei.lab.borrowed import find_program

AMOUNT_BYTES = 500_000_000
QUIC_BYTES = 100_000_000
LIMIT = 2.0
QUIC_LIMIT = 1.5
START_LIMIT_S = 10.0
RUN_LIMIT_S = 90.0
UNIT = "ns CPU/kB"
HAPROXY = """\
global
    nbthread 1
defaults
    mode tcp
    timeout connect 5s
    timeout client 60s
    timeout server 60s
{options}
listen splice
    bind {here}:{port}
    server giving {here}:{giving}
"""
IN_KERNEL = "    option splice-request\n    option splice-response"


def splice(*, runs: int) -> Iterator[Figure]:
    """Measure from one TCP server to another, and to a host by QUIC, each beside its baseline."""
    with TemporaryDirectory(prefix="ei-bench-") as folder:
        yield tcp_in(Path(folder), runs=runs)
        yield from quic_in(Path(folder), runs=runs)


def tcp_in(
    folder: Path, *, runs: int, amount_bytes: int = AMOUNT_BYTES, haproxy: str | None = None
) -> Figure:
    """Measure the thread of streams between two TCP connections.

    Args:
        folder: For files.
        haproxy: The program; found where it is installed if it is not named.
    """
    program = haproxy or find_program("haproxy")
    own: list[float] = []
    copied: list[float] = []
    spliced: list[float] = []
    with ExitStack() as children:
        load = children.enter_context(start_load(folder, amount_bytes))
        ports = msgspec.convert(load.hear(deadline_s=START_LIMIT_S), SpliceOrder)
        node = children.enter_context(start_node(folder))
        _ = node.hear(deadline_s=START_LIMIT_S)
        proxies = [
            (costs, children.enter_context(running_haproxy(program, folder, ports.giving, options)))
            for costs, options in ((copied, ""), (spliced, IN_KERNEL))
            if program is not None
        ]
        for _ in range(runs):
            for costs, proxy in proxies:
                costs.append(proxy.run(load, amount_bytes) / amount_bytes * 1e3)
            own.append(run_node(node, load, ports, amount_bytes).streams_ns / amount_bytes * 1e3)
    return sum_up(own, copied=copied, spliced=spliced)


def quic_in(folder: Path, *, runs: int, amount_bytes: int = QUIC_BYTES) -> Iterator[Figure]:
    """Measure all threads of a node between TCP and QUIC, and the thread of streams alone."""
    own: list[Spent] = []
    plain: list[float] = []
    with ExitStack() as children:
        load = children.enter_context(start_load(folder, amount_bytes))
        ports = msgspec.convert(load.hear(deadline_s=START_LIMIT_S), SpliceOrder)
        order = SpliceOrder(ports.giving, 0)
        node = children.enter_context(start_node(folder))
        forwarder = children.enter_context(start_plain(folder, ports.giving))
        hosts = [
            children.enter_context(
                start_taker(folder, TakeOrder(endpoint_of(child), has_pipe=child is node))
            )
            for child in (forwarder, node)
        ]
        for _ in range(runs):
            plain.append(run_plain(forwarder, load, hosts[0], amount_bytes) / amount_bytes * 1e3)
            load.tell(None)
            node.tell(order)
            hosts[1].tell("take")
            check_all_arrived(hosts[1], amount_bytes)
            own.append(msgspec.convert(node.hear(deadline_s=RUN_LIMIT_S), Spent))
    note = f"{amount_bytes / 1e6:g} MB; baseline: the same QUIC in plain datagrams"
    sums = [(each.streams_ns + each.datapath_ns) / amount_bytes * 1e3 for each in own]
    yield figure(
        "splice TCP to QUIC, all threads", sums, unit=UNIT, baseline=plain, note=note,
        limit=round(QUIC_LIMIT * median(plain), 1),
    )  # fmt: skip
    streams = [each.streams_ns / amount_bytes * 1e3 for each in own]
    yield figure(
        "splice TCP to QUIC, the thread of streams", streams, unit=UNIT, baseline=plain, note=note
    )


def sum_up(own: list[float], *, copied: list[float], spliced: list[float]) -> Figure:
    """Return the figure beside HAProxy, in the way of working that costs it less."""
    name = "splice TCP to TCP, the thread of streams"
    if not copied or not spliced:
        missing = "no baseline: haproxy is not installed: apt-get install haproxy"
        return figure(name, own, unit=UNIT, invalid=missing)
    baseline, other = sorted((copied, spliced), key=median)
    return figure(
        name,
        own,
        unit=UNIT,
        limit=round(LIMIT * median(baseline), 1),
        baseline=baseline,
        note=f"{AMOUNT_BYTES / 1e6:g} MB; baseline: HAProxy in TCP mode, "
        f"{'splicing' if baseline is spliced else 'copying'}; "
        f"{'copying' if baseline is spliced else 'splicing'} it takes {median(other):.1f}",
    )


# -- those who pass on ---------------------------------------------------------------------------


def start_load(folder: Path, amount_bytes: int) -> Child:
    """Start both ends; they say their ports first."""
    command = python("ei.bench.splicing_load", str(amount_bytes))
    return Child("load", command, cpu=LOAD_CPU, log=folder / "load.log")


def start_node(folder: Path) -> Child:
    """Start a node; it says its endpoint first."""
    command = python("ei.bench.splicing_node")
    return Child("node", command, cpu=NODE_CPU, log=folder / "node.log")


def start_plain(folder: Path, giving: int) -> Child:
    """Start the plain forwarder; it says its endpoint first."""
    command = python("ei.bench.plain_quic", f"{HERE}:{giving}")
    return Child("forwarder", command, cpu=NODE_CPU, log=folder / "forwarder.log")


def start_taker(folder: Path, order: TakeOrder) -> Child:
    """Start a host; return it when it is attached."""
    command = python("ei.bench.quic_taker")
    with ExitStack() as stack:
        log = folder / f"taker-{'pipe' if order.has_pipe else 'plain'}.log"
        child = stack.enter_context(Child("taker", command, cpu=LOAD_CPU, log=log))
        child.tell(order)
        _ = child.hear(deadline_s=START_LIMIT_S)
        # Now it is the caller's.
        _ = stack.pop_all()
    return child


def endpoint_of(child: Child) -> str:
    """Return where it listens, as it says first."""
    return str(child.hear(deadline_s=START_LIMIT_S)["endpoint"])


def run_plain(forwarder: Child, load: Child, host: Child, amount_bytes: int) -> int:
    """Let the plain forwarder pass everything on once; return the nanoseconds of CPU it took."""

    def look() -> int:
        forwarder.tell("figures")
        return int(str(forwarder.hear(deadline_s=START_LIMIT_S)["cpu_ns"]))

    before_ns = look()
    load.tell(None)
    host.tell("take")
    check_all_arrived(host, amount_bytes)
    return look() - before_ns


def run_node(node: Child, load: Child, ports: SpliceOrder, amount_bytes: int) -> Spent:
    """Let a node splice once; return what it took.

    Raises:
        LocalError: not all arrived.
    """
    load.tell(0)
    node.tell(ports)
    spent = msgspec.convert(node.hear(deadline_s=RUN_LIMIT_S), Spent)
    check_all_arrived(load, amount_bytes)
    return spent


class Haproxy:
    """HAProxy with one thread, running."""

    def __init__(self, child: Child, port: int) -> None:
        self._child = child
        self._port = port

    def run(self, load: Child, amount_bytes: int) -> int:
        """Let it pass everything on once; return the nanoseconds of CPU it took.

        Raises:
            LocalError: not all arrived.
        """
        before_ns = cpu_ns(self._child.pid)
        load.tell(self._port)
        check_all_arrived(load, amount_bytes)
        return cpu_ns(self._child.pid) - before_ns


@contextmanager
def running_haproxy(program: str, folder: Path, giving: int, options: str) -> Generator[Haproxy]:
    """Run HAProxy before the server on the port `giving` until the block ends."""
    with socket.create_server((HERE, 0)) as free:
        port = int(free.getsockname()[1])
    path = folder / f"haproxy-{port}.cfg"
    _ = path.write_text(HAPROXY.format(options=options, here=HERE, port=port, giving=giving))
    log = folder / f"haproxy-{port}.log"
    with Child("haproxy", (program, "-db", "-f", str(path)), cpu=NODE_CPU, log=log) as child:
        try:
            yield Haproxy(child, port)
        finally:
            child.terminate()


def check_all_arrived(load: Child, amount_bytes: int) -> None:
    """Wait for the end of a run.

    Raises:
        LocalError: not all arrived.
    """
    received = load.hear(deadline_s=RUN_LIMIT_S)["received"]
    if received != amount_bytes:
        raise LocalError(f"of {amount_bytes:,} bytes {received:,} arrived")


def cpu_ns(pid: int) -> int:
    """Return the CPU time of a process, by its clock; see clock_getcpuclockid(3)."""
    return time.clock_gettime_ns((~pid << 3) | 2)
