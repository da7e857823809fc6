"""One service node in simulation: the real `Node`, datapath and services, between two events."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import ceil, inf
from pathlib import Path

from ei._core import Datapath
from ei.bundles import prepare_bundles
from ei.lab.capture import fate_comment, opened_form, read_log
from ei.lab.clock import VirtualClock
from ei.lab.eventlog import EventLog
from ei.lab.network import Network, Port, Tap
from ei.lab.population import LIFETIME_S, Population, Resident
from ei.lab.topology import NodePlan, Topology
from ei.node.config import NodeConfig
from ei.node.datapath import PureControl
from ei.node.node import Node
from ei.records.record_set import RecordSet
from ei.routing import Atlas
from ei.runtime.inprocess import InProcess
from ei.runtime.limits import VirtualCost
from ei.runtime.loader import LoadedService, load_service
from ei.runtime.stores import TransactionalStore

NS_PER_S = 1_000_000_000
NEVER_NS = 2**63
WORKER_NS = 60_000
"""From a miss to its worker's answer: two hand-overs of a socket on a 2-core machine. Packets that
miss meanwhile are in the same batch, as with a real worker."""


@dataclass(frozen=True, slots=True)
class World:
    """What every inhabitant of a simulation shares."""

    clock: VirtualClock
    network: Network
    unix_offset_ns: int
    log: EventLog | None

    def unix_s(self, now_ns: int) -> float:
        """Return the wall clock at a virtual time."""
        return (now_ns + self.unix_offset_ns) / 1e9


def config_of(
    plan: NodePlan, population: Population, endpoint: str, *, cache_entries: int
) -> NodeConfig:
    """Return the configuration of a node, as a real one reads it from its file."""
    topology = population.topology
    return NodeConfig(
        version=1,
        name=plan.name,
        domain_number=topology.domains[plan.domain].number,
        binds=(endpoint,),
        services=plan.services,
        bundles=plan.bundles,
        cache_entries=cache_entries,
        attachment_limit_s=LIFETIME_S,
        explains=topology.domains[plan.domain].explains,
        trust=population.trust,
        policy="lab-permissive",
        neighbours=dict(topology.neighbours(plan.domain)),
        chains=dict(plan.chains),
        guards=dict(plan.guards),
        config=population.config_of(plan.name),
    )


def load_services(topology: Topology) -> dict[str, LoadedService]:
    """Load the services of all nodes, by name."""
    names = {service: None for node in topology.nodes.values() for service in node.services}
    return {name: load_service(name, topology.service_folders) for name in names}


class SimNode:
    """One node.

    Args:
        world: Where it is.
        resident: Who it is.
        endpoint: Where it answers.
        config: As a real node's.
        records: What its domain has of them.
        atlas: Of their domains and nodes.
        services: Loaded, those of `config.services`.
        folders: Where bundles are.
        seed: 32 bytes.
        stores: Stable stores by service name, which outlive the node; missing ones are made.
    """

    def __init__(  # noqa: PLR0913 all that a node is made of
        self,
        world: World,
        resident: Resident,
        endpoint: str,
        config: NodeConfig,
        *,
        records: RecordSet,
        atlas: Atlas,
        services: Iterable[LoadedService],
        folders: Sequence[Path] = (),
        seed: bytes,
        stores: dict[str, TransactionalStore],
    ) -> None:
        self.name = resident.name
        self._world = world
        self._clock = world.clock
        self._network = world.network
        loaded = list(services)
        manifests = [service.manifest for service in loaded]
        self.datapath = Datapath(
            role="node",
            address=resident.address,
            private_key=resident.keys.pipe_secret,
            seed=seed,
            unix_offset_ns=world.unix_offset_ns,
            cache_entries=config.cache_entries,
            max_datagram_bytes=config.max_datagram_bytes,
            has_log=world.log is not None,
        )
        self.node = Node(
            config,
            keys=resident.keys,
            records=records,
            atlas=atlas,
            manifests=manifests,
            bundles=prepare_bundles(config.bundles, folders, manifests, chains=config.chains),
            datapath=PureControl(self.datapath, lambda: world.clock.now_ns),
        )
        self.services = InProcess(resident.address, seed=seed, cost=VirtualCost())
        for service in loaded:
            name = service.manifest.name
            self.services.add(service, config=config.config.get(name, {}), stable=stores.get(name))
        self._port = world.network.attach(
            self.name, endpoint, self._arrive, shows_headers=world.log is not None
        )
        self._network.run(
            self._port,
            self.datapath,
            on_news=self._settle,
            on_services_due=self._serve,
            on_logged=self.take_log,
        )
        self._services_ns = NEVER_NS
        self._is_worker_due = False
        self._is_alive = True
        self._is_frozen = False
        self.node.start(unix_s=world.unix_s(world.clock.now_ns))
        self._work(self._clock.now_ns)

    @property
    def port(self) -> Port:
        """Where it touches the underlay."""
        return self._port

    def take_log(self) -> bytes:
        """Move the datapath's log to the log of the run; return what was moved."""
        log = self.datapath.take_log()
        if self._world.log is not None:
            self._world.log.headers(self.name, log)
        return log

    def touched(self) -> None:
        """Somebody did something to its parts: let what follows follow."""
        self._plan_services()
        self._settle(self._clock.now_ns)

    def set_clock(self, unix_offset_ns: int) -> None:
        """Go on with another wall clock: it minus virtual time is `unix_offset_ns` from now on."""
        self._world = replace(self._world, unix_offset_ns=unix_offset_ns)
        self.node.check_ages(unix_s=self._world.unix_s(self._clock.now_ns))
        self.touched()

    def end(self) -> None:
        """Stop at once, as a killed process does."""
        self._is_alive = False
        self._network.detach(self.name)

    def freeze(self) -> None:
        """Do nothing until `thaw`."""
        self._is_frozen = True

    def thaw(self) -> None:
        """Go on: what is overdue happens now."""
        self._is_frozen = False
        now_ns = self._clock.now_ns
        self.datapath.poll(now_ns)
        if self._services_ns <= now_ns:
            self._pump(now_ns)
        self._settle(now_ns)

    def _arrive(self, now_ns: int, source: str, datagrams: list[bytes]) -> list[str]:
        """Take what does not come to the datapath by itself: somebody sees it, or it waited."""
        tap = self._network.tap
        if tap is None or self._world.log is None:
            handle = self.datapath.handle
            fates = [handle(now_ns, source, datagram) for datagram in datagrams]
        else:
            fates = [self._handle_tapped(tap, now_ns, source, each) for each in datagrams]
        self._settle(now_ns)
        _ = self.take_log()
        return fates

    def _handle_tapped(self, tap: Tap, now_ns: int, source: str, datagram: bytes) -> str:
        """Handle one datagram and show it to the tap as the datapath opened it."""
        _ = self.take_log()
        fate = self.datapath.handle(now_ns, source, datagram)
        entries = read_log(self.take_log())
        header = entries[0].header if entries else b""
        opened = opened_form(datagram, header)
        tap(now_ns, source, self._port.endpoint, opened, comment=fate_comment(fate))
        return fate

    def _settle(self, now_ns: int) -> None:
        """Let the node's program hear of what happened, and what follows follow."""
        unix_s = self._world.unix_s(now_ns)
        now_s = now_ns / NS_PER_S
        _ = self.node.handle_notices(now_s=now_s, unix_s=unix_s)
        if self.node.next_deadline_s() <= now_s:
            self.node.poll(now_s=now_s, unix_s=unix_s)
        due_s = self.node.next_deadline_s()
        if not self._is_worker_due and self.datapath.services_with_events():
            self._is_worker_due = True
            self._clock.at(now_ns + WORKER_NS, self._work)
        self._network.settle(
            self._port,
            now_ns,
            # Deadlines are floats of seconds: a nanosecond too early would poll for ever.
            program_ns=ceil(due_s * NS_PER_S) + 1 if due_s < inf else NEVER_NS,
            services_ns=self._services_ns,
        )

    def _work(self, now_ns: int) -> None:
        self._is_worker_due = False
        if self._is_alive and not self._is_frozen:
            self._serve(now_ns)

    def _serve(self, now_ns: int) -> None:
        self._pump(now_ns)
        self._settle(now_ns)

    def _pump(self, now_ns: int) -> None:
        _ = self.services.pump(self.datapath, now_ns, self._world.unix_s(now_ns))
        self._plan_services()

    def _plan_services(self) -> None:
        due_ns = self.services.next_deadline_ns()
        self._services_ns = NEVER_NS if due_ns is None else due_ns
