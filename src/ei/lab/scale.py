"""How large a simulation may be: events per second, and bytes per node and idle host."""

import asyncio
import gc
import time
from pathlib import Path
from random import Random

import msgspec

from ei.errors import DeadlineError
from ei.host.client import Host
from ei.lab.builder import regular
from ei.lab.clock import VirtualClock, run_virtual
from ei.lab.load import gather_bounded
from ei.lab.simulation import Simulation

PAGE_BYTES = 4_096
SPREAD_S = 5.0


class Scale(msgspec.Struct, frozen=True):
    """What a large simulation took.

    Attributes:
        nodes, hosts: How many there were.
        events: Datagrams and deadlines handled while there was traffic.
        events_per_s: Of CPU time, on one core, in each round.
        datagrams: That crossed links, in all.
        answered: Pings that were answered, of `pings`.
        bytes_per_node: Memory of a node with its services, before there are hosts.
        bytes_per_host: Memory of an idle, attached host and of its pipes at its nodes.
        build_s: CPU seconds until all nodes were there.
        attach_s: Until all hosts were attached.
        meet_s: Until each host had met its partner: keys and pipes.
        run_s: Of the traffic.
    """

    nodes: int
    hosts: int
    events: int
    events_per_s: tuple[float, ...]
    datagrams: int
    pings: int
    answered: int
    bytes_per_node: int
    bytes_per_host: int
    build_s: float
    attach_s: float
    meet_s: float
    run_s: float


def measure_scale(
    *, nodes: int = 1_000, hosts: int = 10_000, rounds: int = 2, seed: int = 1
) -> Scale:
    """Simulate `hosts` on `nodes` that ping one another within their domains.

    Args:
        nodes: In domains of 10.
        hosts: Dealt to the nodes; each has one partner, at random.
        rounds: How often each host pings its partner, at a random moment of 5 virtual seconds.
        seed: Of everything.
    """
    return run_virtual(lambda clock: _measure(clock, nodes, hosts, rounds, seed))


async def _measure(clock: VirtualClock, nodes: int, hosts: int, rounds: int, seed: int) -> Scale:
    topology = regular(nodes=nodes, hosts=hosts)
    watch = _Watch()
    simulation = Simulation(clock, topology, seed=seed, has_log=False, cache_entries=1_024)
    base = _resident_bytes()
    simulation.start_nodes()
    build_s = watch.lap()
    with_nodes = _resident_bytes()
    await simulation.open_hosts(deadline_s=60.0)
    attach_s = watch.lap()
    with_hosts = _resident_bytes()
    random = Random(seed)
    partners = _partners(simulation, random)
    _ = await _ping(partners, random)
    meet_s = watch.lap()
    first = clock.events
    answered = 0
    rates: list[float] = []
    laps_s: list[float] = []
    for _round in range(rounds):
        before = clock.events
        answered += await _ping(partners, random)
        laps_s.append(watch.lap())
        rates.append(round((clock.events - before) / laps_s[-1]))
    events = clock.events - first
    simulation.close()
    return Scale(
        nodes=nodes,
        hosts=hosts,
        events=events,
        events_per_s=tuple(rates),
        datagrams=simulation.network.datagrams,
        pings=rounds * len(partners),
        answered=answered,
        bytes_per_node=(with_nodes - base) // nodes,
        bytes_per_host=(with_hosts - with_nodes) // hosts,
        build_s=round(build_s, 2),
        attach_s=round(attach_s, 2),
        meet_s=round(meet_s, 2),
        run_s=round(sum(laps_s), 2),
    )


def _partners(simulation: Simulation, random: Random) -> list[tuple[Host, Host]]:
    by_domain: dict[str, list[Host]] = {}
    for host in simulation.hosts.values():
        by_domain.setdefault(host.name.partition(".")[2], []).append(host)
    return [
        (host, random.choice([mate for mate in mates if mate is not host]))
        for mates in by_domain.values()
        if len(mates) > 1
        for host in mates
    ]


async def _ping(partners: list[tuple[Host, Host]], random: Random) -> int:
    """Have each host ping its partner within `SPREAD_S`; return how many were answered."""

    async def one(start_s: float, source: Host, to: Host) -> bool:
        await asyncio.sleep(start_s)
        try:
            _ = await source.ping(to.address, deadline_s=5.0)
        except DeadlineError:
            return False
        return True

    calls = [one(random.uniform(0.0, SPREAD_S), source, to) for source, to in partners]
    return sum(await gather_bounded(calls, at_once=len(calls)))


class _Watch:
    """CPU time of this process, lap by lap."""

    def __init__(self) -> None:
        self._last_s = time.process_time()

    def lap(self) -> float:
        last_s, self._last_s = self._last_s, time.process_time()
        return self._last_s - last_s


def _resident_bytes() -> int:
    """Return the memory of this process that is in RAM."""
    _ = gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES
