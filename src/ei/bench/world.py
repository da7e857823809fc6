"""One real node with the hosts that a figure needs: its files, its process, its statistics."""

import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from ei.bench.children import Child, python
from ei.bench.hosts import GenerateOrder, SinkOrder
from ei.bench.indoors import MODULES
from ei.bench.network import Network
from ei.daemons.client import ask
from ei.errors import DeadlineError, LocalError, UnreachableError
from ei.lab.bare_hosts import HostOrder
from ei.lab.builder import TopologyBuilder
from ei.lab.daemon_files import write_daemon_files
from ei.lab.layout import Layout
from ei.lab.population import Population, populate
from ei.runtime.loader import load_service

NODE_CPU = 0
LOAD_CPU = 1
START_LIMIT_S = 40.0
SERVICES = ("delivery", "echo", "multicast", "stamp")
DELIVERY, ECHO, MULTICAST, STAMP = 16, 17, 48, 4_026_531_843


@dataclass(frozen=True, slots=True)
class Spent:
    """What the node's datapath did between two looks.

    Attributes:
        received, sent, answered, captured: Packets; answered are those that a service decided,
            captured those that AF_XDP took.
        cpu_ns: User and system time of the datapath threads.
        seconds: Between the looks.
    """

    received: int
    sent: int
    answered: int
    cpu_ns: int
    seconds: float
    captured: int = 0

    @property
    def utilisation(self) -> float:
        """Share of one core that the datapath used."""
        return self.cpu_ns / (self.seconds * 1e9)


class World:
    """A running node; `generator` and `sinks` describe hosts that may attach to it.

    Attributes:
        pid: Of the node, once it runs.
    """

    def __init__(self, folder: Path, network: Network, population: Population) -> None:
        self.pid = 0
        self.folder = folder
        self.network = network
        self._population = population
        self._admin = folder / "n.bench" / "admin.sock"

    def address(self, name: str) -> bytes:
        """Return the address of a node, host or group."""
        resident = self._population.residents.get(name)
        return self._population.groups[name] if resident is None else resident.address

    def host(self, name: str, bind: str) -> HostOrder:
        """Return the order for a host process."""
        who = self._population.residents[name]
        node = self._population.residents["n.bench"]
        return HostOrder(
            address=who.address,
            pipe_secret=who.keys.pipe_secret,
            bind=bind,
            node=node.address,
            node_key=node.keys.pipe_key,
            node_endpoint=self.network.node_bind,
        )

    def start_sinks(self, count: int, *, service: int = 0, control: bytes = b"") -> Child:
        """Start a process with the first `count` sink hosts; return when their pipes are up."""
        hosts = tuple(
            self.host(f"s{number}.bench", self.network.sink_bind) for number in range(count)
        )
        order = SinkOrder(hosts=hosts, service=service, control=control)
        return self._start("sink", self.network.sink, order)

    def start_generator(self, order: GenerateOrder) -> Child:
        """Start a generator; it sends when it is told anything."""
        return self._start("generate", self.network.generator, order)

    def _start(self, role: str, prefix: tuple[str, ...], order: object) -> Child:
        command = [*prefix, *python("ei.bench.hosts", role)]
        with ExitStack() as stack:
            log = self.folder / f"{role}.log"
            child = stack.enter_context(Child(role, command, cpu=LOAD_CPU, log=log))
            child.tell(order)
            _ = child.hear(deadline_s=START_LIMIT_S)
            # Now it is the caller's.
            _ = stack.pop_all()
        return child

    def keep_workers_on(self, cpu: int) -> None:
        """Move the workers to a core; those that run now, and not their successors."""
        for worker in _workers_of(self._admin):
            for thread in Path(f"/proc/{worker.pid}/task").iterdir():
                os.sched_setaffinity(int(thread.name), {cpu})

    def keep_loop_on(self, cpu: int) -> None:
        """Move the node's main loop to a core, and none of its other threads."""
        os.sched_setaffinity(self.pid, {cpu})

    def look(self) -> dict[str, object]:
        """Return the native statistics of the node."""
        answer = ask(self._admin, "statistics")["statistics"]
        return msgspec.convert(answer, dict[str, object])

    def watch(self, seconds: float) -> Spent:
        """Look, wait, look again; return what happened in between."""
        before, before_s = self.look(), time.monotonic()
        time.sleep(seconds)
        after, after_s = self.look(), time.monotonic()

        def grown(name: str) -> int:
            return _number(after, name) - _number(before, name)

        return Spent(
            received=grown("received"),
            sent=grown("sent"),
            answered=grown("answered"),
            cpu_ns=_cpu_ns(after) - _cpu_ns(before),
            seconds=after_s - before_s,
            captured=grown("captured"),
        )


@contextmanager
def open_world(
    network: Network,
    *,
    sinks: int,
    spin_us: int = 0,
    is_pinned: bool = True,
    xdp: tuple[str, ...] = (),
) -> Generator[World]:
    """Write the files of a node and its hosts and run the node until the block ends.

    Args:
        spin_us: That a datapath thread polls before it sleeps.
        is_pinned: The node and its workers stay on core 0.
        xdp: Devices whose packets AF_XDP takes.

    Raises:
        LocalError: the node did not start; with what it said last.
    """
    folder = Path(tempfile.mkdtemp(prefix="ei-bench-"))
    try:
        population = _populate(sinks)
        _write(folder, network, population, spin_us=spin_us, xdp=xdp)
        world = World(folder, network, population)
        command = [
            *network.node,
            *python("ei", "node", "run", "--config", str(folder / "n.bench" / "node.toml")),
        ]
        cpu = NODE_CPU if is_pinned else None
        with Child("node", command, cpu=cpu, log=folder / "node.log") as node:
            try:
                world.pid = node.pid
                wait_for_node(folder / "n.bench" / "admin.sock", node)
                yield world
            finally:
                node.terminate()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _populate(sinks: int) -> Population:
    builder = TopologyBuilder("bench")
    builder.domain("bench")
    builder.node("n.bench", services=SERVICES)
    builder.host("g.bench", nodes=["n.bench"])
    for number in range(sinks):
        builder.host(f"s{number}.bench", nodes=["n.bench"])
    builder.group("all.bench", nodes=["n.bench"])
    return populate(
        replace(builder.build(), service_folders=(MODULES,)),
        randomness=lambda _label: secrets.token_bytes(32),
        unix_s=int(time.time()),
    )


def _write(
    folder: Path,
    network: Network,
    population: Population,
    *,
    spin_us: int,
    xdp: tuple[str, ...],
) -> None:
    topology = population.topology
    endpoints = dict.fromkeys((plan.name for plan in topology.hosts.values()), network.sink_bind)
    endpoints["n.bench"] = network.node_bind
    numbers = {name: load_service(name, (MODULES,)).manifest.id for name in SERVICES}
    _ = write_daemon_files(
        folder,
        population=population,
        layout=Layout(endpoints, {}),
        service_numbers=numbers,
    )
    path = folder / "n.bench" / "node.toml"
    # What copies cost is measured, not how many are allowed.
    lines = [f"spin_us = {spin_us}", "copies_per_s = 0", f"xdp = {list(xdp)}"]
    _ = path.write_text(path.read_text().replace("spin_us = 0", "\n".join(lines)))


def wait_for_node(admin: Path, node: Child) -> None:
    """Return when all workers of a node run.

    Args:
        admin: Its socket.

    Raises:
        LocalError: it did not start; with what it said last.
    """
    ends_s = time.monotonic() + START_LIMIT_S
    while not is_ready(admin):
        if node.has_ended or time.monotonic() > ends_s:
            said = node.last_words() or "it said nothing"
            raise LocalError(f"the node did not start: {said}")
        time.sleep(0.02)


def is_ready(admin: Path) -> bool:
    """Return whether a node answers, and all of its workers run."""
    try:
        workers = _workers_of(admin)
    except (UnreachableError, DeadlineError):
        return False
    return all(worker.pid for worker in workers)


def _workers_of(admin: Path) -> list["_Worker"]:
    return msgspec.convert(ask(admin, "status")["workers"], list[_Worker])


def _number(statistics: dict[str, object], name: str) -> int:
    value = statistics[name]
    if not isinstance(value, int):
        raise LocalError(f"statistics: {name} is {value!r}, not a number")
    return value


def _cpu_ns(statistics: dict[str, object]) -> int:
    threads = msgspec.convert(statistics["threads"], list[_Thread])
    return sum(thread.cpu_ns for thread in threads)


class _Worker(msgspec.Struct):
    """What is read of a worker's status; no worker has pid 0."""

    pid: int


class _Thread(msgspec.Struct):
    """What is read of a datapath thread's statistics."""

    cpu_ns: int
