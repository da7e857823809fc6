"""`directory`: how long a host waits for what its node knows, beside the hand-overs in it."""

import asyncio
import select
import socket
import statistics
import time
from collections.abc import Iterator, Sequence

from ei.bench.awake import awake_cores
from ei.bench.children import allowed_cpu, on_core
from ei.bench.figures import Figure, figure
from ei.bench.latency import LOST_AFTER_S, probe_plain
from ei.bench.miss import hand_overs
from ei.bench.network import loopback
from ei.bench.world import LOAD_CPU, NODE_CPU, World, open_world
from ei.directory import DIRECTORY, Named
from ei.directory.messages import Find, Found, decode, encode
from ei.lab.bare_hosts import BareHost, open_pipes

PROBES = 1_000
WARM_PROBES = 100
HOSTS = 20
"""They ask in turn: a node takes 50 questions a second of each."""

PACE_S = 1 / (45 * HOSTS)
SPIN_US = 50
"""What a node has that says nothing else, and so the plain forwarder here, too."""

RATIO_LIMIT = 2.0
LOWEST_ANSWERED = 0.99


def directory(*, runs: int) -> Iterator[Figure]:
    """Measure questions for a name that the node has the answer to, over loopback."""
    with (
        awake_cores(),
        open_world(loopback(), sinks=HOSTS, spin_us=SPIN_US) as world,
    ):
        yield answers_in(world, runs=runs)


def answers_in(world: World, *, runs: int) -> Figure:
    """Measure in a world with as many sinks as hosts ask.

    The node's thread has core 0; its main loop and the hosts have the other. So it is with the
    baseline's processes: a thread that polls keeps who shares its core waiting for as long.
    """
    cpu = allowed_cpu(LOAD_CPU)
    world.keep_loop_on(cpu)
    own: list[list[float]] = []
    plain: list[float] = []
    for _ in range(runs):
        # Host, the node's thread, its main loop with the directory, the thread again, host.
        forwarded = statistics.median(probe_plain(spin_us=SPIN_US))
        with on_core(NODE_CPU):
            handed = statistics.median(hand_overs(answer_cpu=cpu, answer=answer_in_loop))
        plain.append(forwarded + handed)
        with on_core(LOAD_CPU):
            own.append(probe(world))
    return sum_up(own, plain)


def sum_up(own: Sequence[Sequence[float]], plain: Sequence[float]) -> Figure:
    """Return the figure of runs of `PROBES` each; invalid when too many were lost."""
    fewest = min(map(len, own), default=0)
    return figure(
        "directory, warm answer to a host, p50",
        [statistics.median(times) for times in own if times],
        unit="µs",
        limit=round(RATIO_LIMIT * statistics.median(plain), 1) if plain else None,
        baseline=plain,
        invalid=""
        if fewest >= LOWEST_ANSWERED * PROBES
        else f"only {fewest} of {PROBES} questions were answered",
        note="baseline: plain forwarder over UDP, and to a process's event loop and back; "
        f"node and forwarder poll for {SPIN_US} µs, as nodes do by default",
    )


def answer_in_loop(far: socket.socket) -> None:
    """Send back what comes, out of an event loop as the one of a node, until the socket ends."""

    async def main() -> None:
        ended = asyncio.Event()

        def answer() -> None:
            if message := far.recv(2_048):
                _ = far.send(message)
            else:
                ended.set()

        asyncio.get_running_loop().add_reader(far, answer)
        _ = await ended.wait()

    asyncio.run(main())


def probe(world: World, *, probes: int = PROBES) -> list[float]:
    """Ask one after the other; return how long each answer took, microseconds."""
    hosts = [
        BareHost(world.host(f"s{number}.bench", world.network.sink_bind)) for number in range(HOSTS)
    ]
    if not open_pipes(hosts):
        return []
    taken_us: list[float] = []
    for number in range(WARM_PROBES + probes):
        host = hosts[number % HOSTS]
        start_ns = time.monotonic_ns()
        message = encode(Find(number, Named("s0.bench")))
        host.datapath.send_control(start_ns, host.node, DIRECTORY, message)
        _ = host.socket.flush(host.datapath)
        answered_ns = _answered_ns(host, number)
        if answered_ns is not None and number >= WARM_PROBES:
            taken_us.append((answered_ns - start_ns) / 1e3)
        time.sleep(max(0.0, PACE_S - (time.monotonic_ns() - start_ns) / 1e9))
    return taken_us


def _answered_ns(host: BareHost, number: int) -> int | None:
    """Wait for the answer; return when it was read, `None` when it did not come."""
    ends_s = time.monotonic() + LOST_AFTER_S
    while (left_s := ends_s - time.monotonic()) > 0:
        _ = select.select([host.socket.fileno()], [], [], min(left_s, host.wait_s()))
        now_ns = time.monotonic_ns()
        _ = host.socket.receive(host.datapath, now_ns)
        host.datapath.poll(now_ns)
        heard = [
            decode(notice[3])
            for notice in host.datapath.take_notices()
            if notice[0] == "control" and notice[2] == DIRECTORY
        ]
        read_ns = time.monotonic_ns()
        _ = host.socket.flush(host.datapath)
        # An earlier one that comes late is not this one.
        if any(isinstance(each, Found) and each.number == number for each in heard):
            return read_ns
    return None
