"""How large a simulation may be: events per second, and bytes per node and idle host.

Hosts attach, meet and ping one another by a timetable: so they do the same however the domains are
dealt to processes.
"""

import asyncio
import gc
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import msgspec

from ei.errors import DeadlineError
from ei.host.client import Host
from ei.lab.accounts import Books
from ei.lab.builder import regular
from ei.lab.clock import START_NS, VirtualClock
from ei.lab.eventlog import whole_digest
from ei.lab.layout import check_residents
from ei.lab.load import attach_fully
from ei.lab.pages import gather_pages
from ei.lab.seeds import derive_number
from ei.lab.shares import Share, run_shares
from ei.lab.simulation import Simulation
from ei.sdk.packets import Address

PAGE_BYTES = 4_096
SPREAD_S = 2.0
"""Of a phase: each host begins at a random moment of it."""
PATIENCE_S = 1.0
"""And waits so long for what it wants."""
PHASE_S = SPREAD_S + PATIENCE_S
ABROAD = 4
"""One of so many hosts has its partner in another domain."""


class Scale(msgspec.Struct, frozen=True, kw_only=True):
    """What a large simulation took.

    Attributes:
        nodes, hosts, processes: How many there were.
        digest: SHA-256 over its event log, in hex; `None` when none was kept.
        events: Datagrams and deadlines handled while there was traffic.
        events_per_s: Of CPU time, on one core, in each round.
        datagrams: That crossed links, in all.
        attached: Hosts whose pipes to all their nodes came up.
        answered: Pings that were answered, of `pings`.
        homeless: Packets, misses and copies at nodes without a fate, or with two (law 6).
        bytes_per_node: Memory of a node with its services, before there are hosts.
        bytes_per_host: Memory of an idle, attached host and of its pipes at its nodes.
        build_s: CPU seconds until all nodes were there.
        attach_s: Until all hosts were attached.
        meet_s: Until each host had met its partner: keys and pipes.
        run_s: Of the traffic.
        wall_s: Seconds that all of it took.
    """

    nodes: int
    hosts: int
    processes: int
    digest: str | None
    events: int
    events_per_s: tuple[float, ...]
    datagrams: int
    attached: int
    pings: int
    answered: int
    homeless: int
    bytes_per_node: int
    bytes_per_host: int
    build_s: float
    attach_s: float
    meet_s: float
    run_s: float
    wall_s: float


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be simulated; see `measure_scale`."""

    nodes: int
    hosts: int
    rounds: int
    seed: int
    has_log: bool


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What one process measured: of `Scale`, sums; `laps` are events and CPU seconds by phase."""

    digests: dict[str, bytes]
    laps: list[tuple[int, float]]
    datagrams: int
    attached: int
    pings: int
    answered: int
    homeless: int
    node_bytes: int
    host_bytes: int


def measure_scale(  # noqa: PLR0913 each is a question of its own
    *,
    nodes: int = 1_000,
    hosts: int = 10_000,
    rounds: int = 2,
    seed: int = 1,
    processes: int = 1,
    has_log: bool = False,
    on_said: Callable[[str], object] = str,
) -> Scale:
    """Simulate `hosts` on `nodes` that ping one another.

    Args:
        nodes: In domains of 10.
        hosts: Dealt to the nodes; each has one partner, at random, every fourth in another domain.
        rounds: How often each host pings its partner, at a random moment of 2 virtual seconds.
        seed: Of everything.
        processes: Among which the domains are dealt; also a single one is a process of its own,
            whose memory holds nothing else.
        has_log: Keep the digest of all that happens.
        on_said: Gets a line for each phase.

    Raises:
        ConfigError: there are more processes than domains.
        LimitError: more than 32_767 nodes and hosts.
        LocalError: one of them failed.
    """
    check_residents(nodes + hosts)
    began_s = time.monotonic()
    size = Size(nodes=nodes, hosts=hosts, rounds=rounds, seed=seed, has_log=has_log)
    topology = regular(nodes=nodes, hosts=hosts)
    parts = run_shares(measure_part, size, topology, processes=processes, on_said=on_said)
    return _whole(size, parts, wall_s=time.monotonic() - began_s)


def _whole(size: Size, parts: Sequence[Part], *, wall_s: float) -> Scale:
    laps = [
        (sum(events for events, _ in phase), sum(cpu_s for _, cpu_s in phase))
        for phase in zip(*(part.laps for part in parts), strict=True)
    ]
    build, attach, meet, *rounds = laps
    digests = {name: digest for part in parts for name, digest in part.digests.items()}
    return Scale(
        nodes=size.nodes,
        hosts=size.hosts,
        processes=len(parts),
        digest=whole_digest(digests) if size.has_log else None,
        events=sum(events for events, _ in rounds),
        events_per_s=tuple(round(events / cpu_s) for events, cpu_s in rounds),
        datagrams=sum(part.datagrams for part in parts),
        attached=sum(part.attached for part in parts),
        pings=sum(part.pings for part in parts),
        answered=sum(part.answered for part in parts),
        homeless=sum(part.homeless for part in parts),
        bytes_per_node=sum(part.node_bytes for part in parts) // size.nodes,
        bytes_per_host=sum(part.host_bytes for part in parts) // size.hosts,
        build_s=round(build[1], 2),
        attach_s=round(attach[1], 2),
        meet_s=round(meet[1], 2),
        run_s=round(sum(cpu_s for _, cpu_s in rounds), 2),
        wall_s=round(wall_s, 2),
    )


async def measure_part(clock: VirtualClock, share: Share, size: Size) -> Part:
    """Simulate the domains of one share."""
    # Nearly all that is made here stays to the end: what does not is looked for between phases.
    gc.disable()
    watch = _Watch(clock)
    share.say("keys and records")
    topology = regular(nodes=size.nodes, hosts=size.hosts)
    simulation = Simulation(
        clock,
        topology,
        seed=size.seed,
        has_log=size.has_log,
        cache_entries=1_024,
        leave_to=share.leave_to,
    )
    share.join(clock, simulation.network.take)
    base = _resident_bytes()
    share.say("nodes")
    simulation.start_nodes()
    laps = [watch.lap()]
    with_nodes = _resident_bytes()
    share.say("hosts attach")
    simulation.make_hosts()
    crowd = _Crowd(simulation, size)
    async with asyncio.TaskGroup() as group:
        for host in simulation.hosts.values():
            _ = group.create_task(crowd.live(host), name=host.name)
        await _at(PHASE_S)
        laps.append(watch.lap())
        with_hosts = _resident_bytes()
        for phase in range(size.rounds + 1):
            _settle_down()
            share.say("hosts meet" if phase == 0 else f"pings, {phase} of {size.rounds}")
            watch.skip()
            await _at(PHASE_S * (phase + 2))
            laps.append(watch.lap())
    part = Part(
        digests=simulation.digests(),
        laps=laps,
        datagrams=simulation.network.datagrams,
        attached=crowd.attached,
        pings=size.rounds * len(simulation.hosts),
        answered=crowd.answered,
        homeless=sum(
            msgspec.convert(node.datapath.statistics(), Books, strict=False).imbalance
            for node in simulation.running
        ),
        node_bytes=with_nodes - base,
        host_bytes=with_hosts - with_nodes,
    )
    simulation.close()
    return part


class _Crowd:
    """What the hosts do: each by itself, at times of its own."""

    def __init__(self, simulation: Simulation, size: Size) -> None:
        self._size = size
        self._residents = simulation.population.residents
        self._all = list(simulation.topology.hosts)
        self._mates: dict[str, list[str]] = {}
        for name, plan in simulation.topology.hosts.items():
            self._mates.setdefault(plan.domain, []).append(name)
        self.attached = 0
        self.answered = 0

    async def live(self, host: Host) -> None:
        """Attach, meet a partner and ping it, each in its phase."""
        partner, moments_s = self._plan(host.name)
        await _at(moments_s[0])
        try:
            await attach_fully(host, deadline_s=PATIENCE_S)
        except DeadlineError:
            return
        self.attached += 1
        for phase, moment_s in enumerate(moments_s[1:]):
            await _at(moment_s)
            try:
                _ = await host.ping(partner, deadline_s=PATIENCE_S)
            except DeadlineError:
                continue
            self.answered += phase > 0

    def _plan(self, name: str) -> tuple[Address, list[float]]:
        """Draw whom a host pings, and when it begins in each phase."""
        random = Random(derive_number(self._size.seed, "crowd", name))
        phases = range(self._size.rounds + 2)
        moments_s = [PHASE_S * phase + random.uniform(0.0, SPREAD_S) for phase in phases]
        return self._partner(name, random), moments_s

    def _partner(self, name: str, random: Random) -> Address:
        near = self._mates[name.partition(".")[2]]
        among = self._all if len(near) == 1 or random.randrange(ABROAD) == 0 else near
        others = [other for other in random.sample(among, min(2, len(among))) if other != name]
        return self._residents[(others or [name])[0]].address


class _Watch:
    """Events and CPU time of this process, lap by lap."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._last = (clock.events, time.process_time())

    def lap(self) -> tuple[int, float]:
        (events, cpu_s), self._last = self._last, (self._clock.events, time.process_time())
        return self._last[0] - events, self._last[1] - cpu_s

    def skip(self) -> None:
        """Leave out what was since the last lap."""
        self._last = (self._clock.events, time.process_time())


async def _at(after_s: float) -> None:
    """Wait until `after_s` seconds after the start."""
    loop = asyncio.get_running_loop()
    await asyncio.sleep(max(START_NS / 1e9 + after_s - loop.time(), 0.0))


def _settle_down() -> None:
    """Throw away what is garbage, and let what stays be found in fewer steps."""
    _ = gc.collect()
    _ = gather_pages()


def _resident_bytes() -> int:
    """Return the memory of this process that is in RAM."""
    _ = gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES
