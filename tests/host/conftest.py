"""A small world in memory: real datapaths, nodes, services and host stacks, and a clock of its own.

alice ── sn1 ── sn2 ── bob          all of domain isp-a; every datagram takes 1 ms
"""

import heapq
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

import pytest

from ei._core import Datapath
from ei.directory import Attached
from ei.host.events import HostEvent
from ei.host.stack import Identity, Stack
from ei.lab.fixture import run_simulated
from ei.lab.simulation import Simulation
from ei.lab.topology_file import parse_topology
from ei.node.config import NodeConfig
from ei.node.datapath import PureControl
from ei.node.node import Node
from ei.records.issuer import Issuer
from ei.records.keys import Keys, make_keys
from ei.records.kinds import AttachmentRecord
from ei.records.record_set import RecordSet, verify_records
from ei.runtime.inprocess import InProcess
from ei.runtime.loader import LoadedService, load_service

MS = 1_000_000
UNIX_S = 1_700_000_000
Script = Callable[[Simulation], Coroutine[Any, Any, None]]
SERVICES = ("delivery", "echo")
DOMAIN = make_keys(b"domain".ljust(32))
ISSUER = Issuer("isp-a", 1, DOMAIN, expires_unix_s=UNIX_S + 3_000)


def keys_of(name: str) -> Keys:
    """Return the keys that `name` has in every test."""
    return make_keys(name.encode().ljust(32))


class World:
    """Two nodes and two hosts.

    Attributes:
        nodes: Names of the nodes to their datapaths.
        hosts: Names of the hosts to their stacks.
        events: What happened to each host so far.
        is_lost: Decides, for each datagram (from, to), whether it is lost.
        alter: Returns what becomes of a datagram (from, to, bytes) on its way.
    """

    def __init__(self, attached: dict[str, tuple[str, ...]]) -> None:
        self.now_ns = 1_000 * MS
        self.records = _records(attached)
        self.nodes: dict[str, Datapath] = {}
        self.hosts: dict[str, Stack] = {}
        self.events: dict[str, list[HostEvent]] = {}
        self.is_lost: Callable[[str, str], bool] = lambda _from, _to: False
        self.alter: Callable[[str, str, bytes], bytes] = lambda _from, _to, datagram: datagram
        self._services: dict[str, InProcess] = {}
        self._logic: dict[str, Node] = {}
        self._under_way: list[tuple[int, int, str, str, bytes]] = []
        self._sent = 0
        loaded = [load_service(name) for name in SERVICES]
        for name in ("sn1", "sn2"):
            self._add_node(name, loaded)
        for name in attached:
            self._add_host(name)

    def run(self, duration_ms: int = 100) -> None:
        """Let everything happen that happens in this time."""
        until_ns = self.now_ns + duration_ms * MS
        self._settle()
        while (next_ns := self._next_ns()) <= until_ns:
            self.now_ns = max(self.now_ns, next_ns)
            for datapath in self.nodes.values():
                datapath.poll(self.now_ns)
            while self._under_way and self._under_way[0][0] <= self.now_ns:
                _, _, source, to, datagram = heapq.heappop(self._under_way)
                if to in self.nodes:
                    _ = self.nodes[to].handle(self.now_ns, _endpoint(source), datagram)
                else:
                    _ = self.hosts[to].datapath.handle(self.now_ns, _endpoint(source), datagram)
            for stack in self.hosts.values():
                stack.poll(self.now_ns)
            self._settle()
        self.now_ns = until_ns

    def of(self, host: str, kind: type[HostEvent]) -> list[HostEvent]:
        """Return the events of one kind that happened to a host."""
        return [event for event in self.events[host] if type(event) is kind]

    def registered(self, host: str) -> tuple[bytes, ...]:
        """Return the nodes of a host, the one in use first, as the directory at sn1 knows them."""
        control, query = self._logic["sn1"].control, Attached(keys_of(host).address(1))
        found = control.find(query, now_s=self.now_ns / 1e9, unix_s=UNIX_S)
        assert found is not None
        assert isinstance(found.record, AttachmentRecord)
        return found.record.nodes

    def _add_node(self, name: str, loaded: list[LoadedService]) -> None:
        keys = keys_of(name)
        address = keys.address(1)
        datapath = Datapath(
            role="node", address=address, private_key=keys.pipe_secret, seed=name.encode().ljust(32)
        )
        config = NodeConfig(
            version=1,
            name=f"{name}.isp-a",
            domain_number=1,
            binds=(_endpoint(name),),
            services=SERVICES,
            trust={"isp-a": DOMAIN.identity_key.hex()},
        )
        self._services[name] = InProcess(address, seed=b"1")
        for service in loaded:
            self._services[name].add(service)
        self._logic[name] = Node(
            config,
            keys=keys,
            records=self.records,
            manifests=[service.manifest for service in loaded],
            datapath=PureControl(datapath, lambda: self.now_ns),
        )
        self._logic[name].start()
        self.nodes[name] = datapath

    def restart(self, name: str) -> None:
        """Start a host anew: it has its keys, and has forgotten everything else."""
        self._add_host(name, "again")

    def _add_host(self, name: str, life: str = "") -> None:
        keys = keys_of(name)
        self.hosts[name] = Stack(
            Identity(f"{name}.isp-a", keys.address(1), keys),
            self.records,
            seed=(name + life).encode().ljust(32),
            numbers=Random(name + life),
            unix_offset_ns=UNIX_S * 1_000 * MS,
        )
        self.events[name] = []
        self.hosts[name].start(self.now_ns, _endpoint(name))

    def _settle(self) -> None:
        """Let everything follow that follows from what just happened, and send."""
        for name, datapath in self.nodes.items():
            now_s = self.now_ns / 1e9
            _ = self._logic[name].handle_notices(now_s=now_s, unix_s=UNIX_S)
            _ = self._services[name].pump(datapath, self.now_ns, UNIX_S)
            _ = self._logic[name].handle_notices(now_s=now_s, unix_s=UNIX_S)
            self._logic[name].poll(now_s=now_s, unix_s=UNIX_S)
            self._send(name, datapath)
        for name, stack in self.hosts.items():
            stack.process(self.now_ns)
            self.events[name] += stack.take_events()
            self._send(name, stack.datapath)

    def _send(self, name: str, datapath: Datapath) -> None:
        for endpoint, datagram in datapath.take_datagrams():
            to = _name_at(endpoint)
            if not self.is_lost(name, to):
                self._sent += 1
                changed = self.alter(name, to, datagram)
                heapq.heappush(self._under_way, (self.now_ns + MS, self._sent, name, to, changed))

    def _next_ns(self) -> int:
        deadlines = [
            *(datapath.next_deadline_ns() for datapath in self.nodes.values()),
            *(stack.next_deadline_ns() for stack in self.hosts.values()),
            *(services.next_deadline_ns() for services in self._services.values()),
        ]
        if self._under_way:
            deadlines.append(self._under_way[0][0])
        return min((at for at in deadlines if at is not None), default=2**63)


def _records(attached: dict[str, tuple[str, ...]]) -> RecordSet:
    numbers = tuple(load_service(name).manifest.id for name in SERVICES)
    envelopes = [ISSUER.domain()]
    envelopes += [
        ISSUER.node(keys_of(node), f"{node}.isp-a", endpoints=(_endpoint(node),), services=numbers)
        for node in ("sn1", "sn2")
    ]
    for host, nodes in attached.items():
        keys = keys_of(host)
        at = tuple(keys_of(node).address(1) for node in nodes)
        envelopes += [
            ISSUER.enrol(keys, f"{host}.isp-a"),
            ISSUER.attach(keys, nodes=at, sequence=1),
        ]
    records = verify_records(envelopes, trust={"isp-a": DOMAIN.identity_key}, unix_s=UNIX_S)
    assert records.refused == ()
    return records


NAMES = ("sn1", "sn2", "alice", "bob", "carol")


def _endpoint(name: str) -> str:
    return f"127.0.0.{NAMES.index(name) + 1}:3535"


def _name_at(endpoint: str) -> str:
    return NAMES[int(endpoint.partition(":")[0].rpartition(".")[2]) - 1]


@pytest.fixture
def world() -> World:
    """Alice at sn1 (then sn2), bob at sn2, all pipes up."""
    made = World({"alice": ("sn1", "sn2"), "bob": ("sn2",)})
    made.run(200)
    return made


@pytest.fixture
def make_world() -> Callable[[dict[str, tuple[str, ...]]], World]:
    """Hosts to the nodes that they are attached to; nothing has happened yet."""
    return World


PAIR = """
version = 1
services = ["delivery", "echo"]
[domains.left.nodes.n1]
[domains.left.nodes.n2]
[domains.left.hosts.alice]
nodes = ["n1", "n2"]
[domains.right.nodes.n1]
[domains.right.hosts.bob]
nodes = ["n1"]
[link_defaults.host]
delay_ms = 1
[link_defaults.node]
delay_ms = 1
[link_defaults.domain]
delay_ms = 5
"""


@pytest.fixture
def in_lab() -> Callable[[Script], None]:
    """Runs a script on a simulated lab: alice at n1 and n2 of left, bob at n1 of right."""
    topology = parse_topology(PAIR, name="pair")

    def run(script: Script) -> None:
        run_simulated(topology, script)

    return run
