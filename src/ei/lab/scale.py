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


class Scale(msgspec.Struct, frozen=True):
    """What a large simulation took.

    Attributes:
        nodes, hosts: How many there were.
        events: Datagrams and deadlines handled while there was traffic.
        events_per_s: Of CPU time, on one core.
        datagrams: That crossed links, in all.
        answered: Pings that were answered, of `pings`.
        bytes_per_node: Memory of a node with its services and pipes to its domain.
        bytes_per_host: Memory of an idle, attached host and of its pipes at its nodes.
        build_s: CPU seconds until all nodes and hosts were there, before they attached.
        attach_s: Until all hosts were attached.
        run_s: Of the traffic.
    """

    nodes: int
    hosts: int
    events: int
    events_per_s: float
    datagrams: int
    pings: int
    answered: int
    bytes_per_node: int
    bytes_per_host: int
    build_s: float
    attach_s: float
    run_s: float


def measure_scale(
    *, nodes: int = 1_000, hosts: int = 10_000, pings: int = 20_000, seed: int = 1
) -> Scale:
    """Simulate `hosts` on `nodes` that ping one another within their domains.

    Args:
        nodes: In domains of 10.
        hosts: Dealt to the nodes.
        pings: In all, between random hosts of one domain, spread over 10 virtual seconds.
        seed: Of everything.
    """
    return run_virtual(lambda clock: _measure(clock, nodes, hosts, pings, seed))


async def _measure(clock: VirtualClock, nodes: int, hosts: int, pings: int, seed: int) -> Scale:
    topology = regular(nodes=nodes, hosts=hosts)
    began_s = time.process_time()
    simulation = Simulation(clock, topology, seed=seed, has_log=False, cache_entries=1_024)
    base = _resident_bytes()
    simulation.start_nodes()
    with_nodes = _resident_bytes()
    built_s = time.process_time()
    await simulation.open_hosts(deadline_s=60.0)
    attached_s = time.process_time()
    with_hosts = _resident_bytes()
    before = clock.events
    answered = await _ping(simulation, Random(seed), pings)
    run_s = time.process_time() - attached_s
    events = clock.events - before
    simulation.close()
    return Scale(
        nodes=nodes,
        hosts=hosts,
        events=events,
        events_per_s=round(events / run_s),
        datagrams=simulation.network.datagrams,
        pings=pings,
        answered=answered,
        bytes_per_node=(with_nodes - base) // nodes,
        bytes_per_host=(with_hosts - with_nodes) // hosts if hosts else 0,
        build_s=round(built_s - began_s, 2),
        attach_s=round(attached_s - built_s, 2),
        run_s=round(run_s, 2),
    )


async def _ping(simulation: Simulation, random: Random, pings: int) -> int:
    by_domain: dict[str, list[Host]] = {}
    for host in simulation.hosts.values():
        by_domain.setdefault(host.name.partition(".")[2], []).append(host)
    domains = [mates for mates in by_domain.values() if len(mates) > 1]

    async def one(start_s: float, source: Host, to: Host) -> bool:
        await asyncio.sleep(start_s)
        try:
            _ = await source.ping(to.address, deadline_s=5.0)
        except DeadlineError:
            return False
        return True

    calls = []
    for _ in range(pings):
        source, to = random.sample(random.choice(domains), 2)
        calls.append(one(random.uniform(0, 10), source, to))
    return sum(await gather_bounded(calls, at_once=len(calls)))


def _resident_bytes() -> int:
    """Return the memory of this process that is in RAM."""
    _ = gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES
