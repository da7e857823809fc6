"""A whole internet in one process, on a virtual clock, bit for bit from its seed."""

import asyncio
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from ei.errors import ConfigError, ConflictError, NotFoundError
from ei.host.client import Host
from ei.lab.archive import Archive
from ei.lab.clock import VirtualClock
from ei.lab.eventlog import EventLog, whole_digest
from ei.lab.lab import Backend
from ei.lab.layout import lay_out
from ei.lab.load import attach_fully
from ei.lab.network import Leave, Network, capturing
from ei.lab.population import Population, populate
from ei.lab.seeds import derive
from ei.lab.simhost import SimTransport, make_host
from ei.lab.simnode import SimNode, World, config_of, load_services
from ei.lab.topology import HostPlan, Impairment, NodePlan, Topology
from ei.node.routes import RoutesAnswer, routes_of
from ei.node.status import NodeStatus
from ei.records.keys import Keys
from ei.records.record_set import RecordSet
from ei.runtime.stores import MemoryStore, TransactionalStore

UNIX_S = 1_800_000_000
"""The wall clock of every simulation at its start: 15 January 2027."""

SUBNET = "10.0"
DRAIN_STEP_S = 0.02


class Simulation:
    """A lab in virtual time; runs on a `VirtualLoop` of the same clock.

    Args:
        clock: Of the loop.
        topology: What to run.
        seed: Of everything random.
        has_log: Keep the digest of all that happens; costs a fifth of the speed.
        cache_entries: Of each node.
        leave_to: Takes the name of a node or host; returns who gets what is sent there when it runs
            in another process, `None` when it runs here.
    """

    def __init__(  # noqa: PLR0913 all that a lab is made of
        self,
        clock: VirtualClock,
        topology: Topology,
        *,
        seed: int,
        has_log: bool = True,
        cache_entries: int = 4_096,
        leave_to: Callable[[str], Leave | None] = lambda _name: None,
    ) -> None:
        self._clock = clock
        self._topology = topology
        self._seed = seed
        self._cache_entries = cache_entries
        self._leave_to = leave_to
        self._log = EventLog() if has_log else None
        self._unix_offset_ns = UNIX_S * 10**9 - clock.now_ns
        self._services = load_services(topology)
        numbers = {name: service.manifest.id for name, service in self._services.items()}
        self._population = populate(
            topology,
            randomness=lambda label: derive(seed, label),
            unix_s=UNIX_S,
            service_numbers=numbers,
        )
        self._endpoints = lay_out(topology, subnet=SUBNET, has_relays=False).endpoints
        nodes = self._population.node_records(self._endpoints.__getitem__, numbers.__getitem__)
        self._archive = Archive(self._population, nodes, unix_s=UNIX_S)
        self._world = World(
            clock=clock,
            network=Network(
                clock,
                topology,
                seed=seed,
                log=self._log,
                endpoints=self._endpoints,
                leave_to=leave_to,
            ),
            unix_offset_ns=self._unix_offset_ns,
            log=self._log,
        )
        self._stores: dict[str, dict[str, TransactionalStore]] = {}
        self._starts: dict[str, int] = {}
        self._skews_ns: dict[str, int] = {}
        self._nodes: dict[str, SimNode] = {}
        self._hosts: dict[str, Host] = {}
        self._transports: dict[str, SimTransport] = {}

    # -- life -------------------------------------------------------------------------------------

    async def open(self, *, deadline_s: float = 10.0) -> None:
        """Start every node, then every host; return when all hosts are attached.

        Raises:
            DeadlineError: a host found no node.
        """
        self.start_nodes()
        await self.open_hosts(deadline_s=deadline_s)

    def start_nodes(self) -> None:
        """Start every node that is to run here."""
        for plan in self._topology.nodes.values():
            if self._leave_to(plan.name) is None:
                self._start_node(plan)

    async def open_hosts(self, *, deadline_s: float) -> None:
        """Start every host and attach it to all its nodes.

        Raises:
            DeadlineError: one of them found no node.
        """
        self.make_hosts()
        async with asyncio.TaskGroup() as group:
            for host in self._hosts.values():
                _ = group.create_task(
                    attach_fully(host, deadline_s=deadline_s), name=f"attach {host.name}"
                )

    def make_hosts(self) -> None:
        """Make every host that is to run here; none is attached yet."""
        self._hosts = {
            plan.name: self._make_host(plan)
            for plan in self._topology.hosts.values()
            if self._leave_to(plan.name) is None
        }

    def close(self) -> None:
        """End every host and node. Idempotent."""
        for host in self._hosts.values():
            host.close()
        for node in self._nodes.values():
            node.end()

    def digest(self) -> str | None:
        """Return SHA-256 over the event log so far, in hex; `None` when none is kept."""
        return None if self._log is None else whole_digest(self.digests())

    def digests(self) -> dict[str, bytes]:
        """Return SHA-256 over each part of the event log so far, of what runs here."""
        if self._log is None:
            return {}
        for node in self._nodes.values():
            _ = node.take_log()
        for transport in self._transports.values():
            transport.flush_log()
        return self._log.digests()

    # -- what a scenario sees ---------------------------------------------------------------------

    @property
    def backend(self) -> Backend:
        """`simulation`."""
        return "simulation"

    @property
    def seed(self) -> int:
        """Of everything random."""
        return self._seed

    @property
    def topology(self) -> Topology:
        """What it was made from."""
        return self._topology

    @property
    def hosts(self) -> Mapping[str, Host]:
        """All hosts by full name."""
        return self._hosts

    @property
    def running(self) -> Iterable[SimNode]:
        """The nodes that run here now."""
        return self._nodes.values()

    @property
    def log(self) -> EventLog | None:
        """What happened so far; `None` when no log is kept."""
        return self._log

    @property
    def network(self) -> Network:
        """The underlay."""
        return self._world.network

    def host(self, name: str) -> Host:
        """Return one host."""
        return self._hosts[self._find(name, self._hosts)]

    def now_s(self) -> float:
        """Virtual monotonic time."""
        return self._clock.now_s

    def unix_s(self) -> float:
        """Wall clock of the simulation."""
        return (self._clock.now_ns + self._unix_offset_ns) / 1e9

    async def sleep(self, seconds: float) -> None:
        """Let virtual time pass."""
        await asyncio.sleep(seconds)

    async def node_status(self, name: str) -> NodeStatus:
        """Return what a node says of itself."""
        return self._node(name).node.status()

    async def statistics(self, name: str) -> Mapping[str, object]:
        """Return the counters of a node's datapath."""
        return self._node(name).datapath.statistics()

    async def routes(self, name: str) -> RoutesAnswer:
        """Return the routes of a node, and what it has refused."""
        node = self._node(name).node
        return routes_of(node.control.router, node.config.name.partition(".")[2])

    def keys_of(self, name: str) -> Keys:
        """Return the keys of a node or host."""
        return self._population.residents[self._topology.find(name)].keys

    async def say(self, name: str, to: str, service: int, message: bytes) -> None:
        """Let a node send a control message that its program did not make."""
        node = self._node(name)
        self._note(f"say {node.name} {to} {service} {len(message)} B")
        node.node.say(self._node(to).node.address, service, message)
        node.touched()

    @property
    def population(self) -> Population:
        """Who lives here, with the keys of all."""
        return self._population

    def publish(self, *envelopes: bytes) -> RecordSet:
        """Let all nodes and hosts read the records again, now with these; return them.

        A host that the records do not know any more keeps its old ones.
        """
        records = self._archive.add(envelopes, unix_s=self.unix_s())
        self._note(f"publish {len(envelopes)} records")
        for name, node in self._nodes.items():
            node.node.update(self._archive.view(self._topology.nodes[name].domain))
            node.node.check_ages(unix_s=self.unix_s())
            node.touched()
        for name, host in self._hosts.items():
            with suppress(ConfigError):
                host.update(self._archive.view(self._topology.hosts[name].domain))
        return records

    # -- faults -----------------------------------------------------------------------------------

    async def kill(self, name: str) -> None:
        """End a node at once; its stable stores stay."""
        node = self._node(name)
        self._note(f"kill {node.name}")
        self._retire(node)

    async def drain(self, name: str, *, grace_s: float = 10.0) -> int:
        """End a node without loss; return how many peers had not moved."""
        node = self._node(name)
        self._note(f"drain {node.name}")
        node.node.drain(self._clock.now_s, grace_s=grace_s, spread_s=0.0)
        while (ended := node.node.step_drain(self._clock.now_s)) is None:
            node.touched()
            await asyncio.sleep(DRAIN_STEP_S)
        node.node.close()
        node.touched()
        self._note(f"drained {node.name}")
        self._retire(node)
        return len(ended.left)

    async def start(self, name: str) -> None:
        """Start a node that has ended."""
        full = self._topology.find(name)
        if full in self._nodes:
            raise ConflictError(f"{full} runs")
        self._note(f"start {full}")
        self._start_node(self._topology.nodes[full])

    async def kill_worker(self, name: str, service: str) -> None:
        """Lose the worker of one service of a node."""
        node = self._node(name)
        self._note(f"kill worker {service} of {node.name}")
        node.services.kill(node.datapath, self._clock.now_ns, self._services[service].manifest.id)
        node.touched()

    async def freeze(self, name: str) -> None:
        """Stop a node where it is."""
        node = self._node(name)
        self._note(f"freeze {node.name}")
        self._world.network.freeze(node.name)
        node.freeze()

    async def thaw(self, name: str) -> None:
        """Let a frozen node go on."""
        node = self._node(name)
        self._note(f"thaw {node.name}")
        node.thaw()
        self._world.network.thaw(node.name)

    async def skew_clock(self, name: str, seconds: float) -> None:
        """Set the wall clock of a node or host so far from the true one.

        A node that runs goes on with it; hosts, and nodes that start later, begin with it.
        """
        full = self._topology.find(name)
        self._note(f"skew {full} {seconds:g} s")
        self._skews_ns[full] = round(seconds * 1e9)
        if full in self._nodes:
            self._nodes[full].set_clock(self._offset_ns(full))

    async def impair(self, a: str, b: str, impairment: Impairment) -> None:
        """Give the link between two names these properties, both ways."""
        link = (self._topology.find(a), self._topology.find(b))
        self._note(f"impair {link} {impairment}")
        self._world.network.change(*link, impairment)

    async def cut(self, a: str, b: str) -> None:
        """Let nothing pass between two names."""
        await self.impair(a, b, Impairment(is_cut=True))

    async def heal(self, a: str, b: str) -> None:
        """Give the link between two names the properties of the topology again."""
        link = (self._topology.find(a), self._topology.find(b))
        await self.impair(*link, self._topology.impairment(*link))

    @contextmanager
    def capture(self, path: Path) -> Generator[None]:
        """Write every datagram that arrives to a pcapng file."""
        with capturing(self._world.network, path, unix_offset_ns=self._unix_offset_ns):
            yield

    # -- parts ------------------------------------------------------------------------------------

    def _offset_ns(self, name: str) -> int:
        return self._unix_offset_ns + self._skews_ns.get(name, 0)

    def _start_node(self, plan: NodePlan) -> None:
        count = self._starts[plan.name] = self._starts.get(plan.name, 0) + 1
        stores = self._stores.setdefault(
            plan.name,
            {
                name: MemoryStore(limit_bytes=self._services[name].manifest.stable_bytes)
                for name in plan.services
            },
        )
        self._nodes[plan.name] = SimNode(
            replace(self._world, unix_offset_ns=self._offset_ns(plan.name)),
            self._population.residents[plan.name],
            self._endpoints[plan.name],
            config_of(
                plan,
                self._population,
                self._endpoints[plan.name],
                cache_entries=self._cache_entries,
            ),
            records=self._archive.view(plan.domain),
            atlas=self._archive.atlas,
            services=[self._services[name] for name in plan.services],
            folders=self._topology.service_folders,
            seed=derive(self._seed, "node", plan.name, str(count)),
            stores=stores,
        )

    def _make_host(self, plan: HostPlan) -> Host:
        host, self._transports[plan.name] = make_host(
            replace(self._world, unix_offset_ns=self._offset_ns(plan.name)),
            self._population.residents[plan.name],
            self._endpoints[plan.name],
            self._archive.view(plan.domain),
            seed=self._seed,
        )
        return host

    def _retire(self, node: SimNode) -> None:
        node.end()
        _ = node.take_log()
        del self._nodes[node.name]

    def _node(self, name: str) -> SimNode:
        return self._nodes[self._find(name, self._nodes)]

    def _find(self, name: str, known: Mapping[str, object]) -> str:
        full = self._topology.find(name)
        if full not in known:
            raise NotFoundError(f"{full} does not run")
        return full

    def _note(self, text: str) -> None:
        if self._log is not None:
            self._log.note(self._clock.now_ns, text)
