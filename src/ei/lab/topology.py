"""A lab on paper: domains, nodes, hosts, groups and the links between them. Pure.

A name is `<own>.<domain>`, such as `sn1.isp-a`. Any two may reach each other over the underlay, as
on the Internet; a link says how well. Links that the topology does not list have the properties of
their kind.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from ei.errors import ConfigError, NotFoundError
from ei.lab.names import configured
from ei.records.locations import Location

Probability = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
Milliseconds = Annotated[float, msgspec.Meta(ge=0.0, le=60_000.0)]

OWN_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
MAX_DOMAIN_NUMBER = 2**32 - 1
MAX_ATTACHMENTS = 4
MAX_CHAIN = 8
MAX_ETCD = 9
MAX_SHOWN = 12
NAME_RULE = "must be 1 to 32 of a-z, 0-9 and inner hyphens"


class Impairment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one direction of a link does to datagrams; the default does nothing.

    Attributes:
        delay_ms: Milliseconds from end to end, 0 to 60_000.
        jitter_ms: Up to so many milliseconds more, uniformly.
        loss: Probability.
        reorder: Probability that a datagram overtakes: it skips the delay.
        duplicate: Probability.
        corrupt: Probability that a byte changes.
        rate_mbps: Megabits per second, UDP payload plus 28 bytes; 0 is unlimited.
        queue_kib: KiB that wait for the rate; what exceeds them is lost.
        is_cut: Nothing passes: a partition.
    """

    delay_ms: Milliseconds = 0.0
    jitter_ms: Milliseconds = 0.0
    loss: Probability = 0.0
    reorder: Probability = 0.0
    duplicate: Probability = 0.0
    corrupt: Probability = 0.0
    rate_mbps: Annotated[float, msgspec.Meta(ge=0.0, le=1_000_000.0)] = 0.0
    queue_kib: Annotated[int, msgspec.Meta(ge=2, le=1_048_576)] = 256
    is_cut: bool = False


class LinkKind(StrEnum):
    """What a link joins; decides its default properties."""

    HOST = "host"
    """A host and a node."""
    NODE = "node"
    """Two nodes of one domain."""
    DOMAIN = "domain"
    """Nodes of two domains."""


@dataclass(frozen=True, slots=True)
class ClusterPlan:
    """Nodes of one domain that are members of a cluster.

    Attributes:
        members: Full names.
        etcd: How many members its etcd has, of which most must run.
    """

    members: tuple[str, ...]
    etcd: int = 3


@dataclass(frozen=True, slots=True)
class DomainPlan:
    """One domain.

    Attributes:
        number: Part of every address of the domain, 1 to 2^32 - 1.
        providers, peers: Names of domains that carry its traffic to all others, and of those with
            which it exchanges its own and its customers'. Where no domain has any, each is a direct
            peer of every other one, and nothing is announced.
        explains: What its nodes tell of a packet to who sent it, as in `node.toml`.
        cluster: Nodes that keep copies of one another's state.
        operator: Who runs it, as governance says; empty when it is run by nobody who runs another.
    """

    name: str
    number: int
    providers: tuple[str, ...] = ()
    peers: tuple[str, ...] = ()
    explains: Literal["hops", "domain", "nothing"] = "hops"
    cluster: ClusterPlan | None = None
    operator: str = ""


@dataclass(frozen=True, slots=True)
class NodePlan:
    """One service node.

    Attributes:
        name: Full name, `<own>.<domain>`.
        domain: Name of its domain.
        services: Names of the services that it runs, as the folders of `ei.services`.
        chains: Service name to the names that a packet for it visits, in order, itself last.
        internet: What its services may reach in the legacy Internet, as `allow` of `node.toml`.
        guards: Full name of another node to the services before the pipe to it.
        config: Service name to values that differ from its manifest's `[config]`; a text `@NAME`
            stands for the address of what has this full name.
        location: Roughly where it is, as its record says.
        bundles: Names of the bundles that it expands, in the folders of services.
    """

    name: str
    domain: str
    services: tuple[str, ...]
    chains: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    internet: tuple[str, ...] = ()
    config: Mapping[str, Mapping[str, object]] = field(
        default_factory=dict[str, Mapping[str, object]]
    )
    guards: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    location: Location | None = None
    bundles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HostPlan:
    """One host.

    Attributes:
        name: Full name, `<own>.<domain>`.
        domain: Name of its home domain.
        nodes: Full names of the nodes it attaches to, the preferred first, 1 to 4.
        guards: Names of services that run before the last pipe to it, as its record says.
        aliases: Further full names that lead to it.
    """

    name: str
    domain: str
    nodes: tuple[str, ...]
    guards: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GroupPlan:
    """A group and the nodes where its members meet, the preferred first.

    Attributes:
        senders, members: Who may send to it and join it: names of domains and hosts; `None` for
            everybody.
    """

    name: str
    domain: str
    nodes: tuple[str, ...]
    senders: tuple[str, ...] | None = None
    members: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Topology:
    """A checked topology; every name that it mentions exists.

    Attributes:
        name: For people.
        domains, nodes, hosts, groups: By full name, in the order of the file.
        link_defaults: Properties of links that are not listed.
        links: Listed links by their two ends in alphabetical order, both directions alike.
        service_folders: Further folders of service modules, absolute.
        strangers: Modules of those folders that no node trusts, and whoever starts a lab does not
            load; a simulation loads all.
        watched: Services whose nodes keep what each event cost, for who writes them.
    """

    name: str
    domains: Mapping[str, DomainPlan]
    nodes: Mapping[str, NodePlan]
    hosts: Mapping[str, HostPlan]
    groups: Mapping[str, GroupPlan]
    link_defaults: Mapping[LinkKind, Impairment]
    links: Mapping[tuple[str, str], Impairment]
    service_folders: tuple[Path, ...] = ()
    strangers: tuple[str, ...] = ()
    watched: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check(self)

    def neighbours(self, domain: str) -> dict[str, Literal["customer", "peer", "provider"]]:
        """Return what other domains are to this one; nothing where routing has no policy."""
        plan = self.domains[domain]
        found: dict[str, Literal["customer", "peer", "provider"]] = {}
        for other in self.domains.values():
            if other.name in plan.providers:
                found[other.name] = "provider"
            elif domain in other.providers:
                found[other.name] = "customer"
            elif other.name in plan.peers or domain in other.peers:
                found[other.name] = "peer"
        return found

    @property
    def etcd(self) -> dict[str, str]:
        """Names of all members of the clusters' etcd, each with its domain."""
        return {
            f"etcd{number}.{domain.name}": domain.name
            for domain in self.domains.values()
            if domain.cluster is not None
            for number in range(1, domain.cluster.etcd + 1)
        }

    @property
    def residents(self) -> list[NodePlan | HostPlan]:
        """Nodes, then hosts, in the order of the file."""
        return [*self.nodes.values(), *self.hosts.values()]

    def impairment(self, a: str, b: str) -> Impairment:
        """Return the properties of the link between two names of this topology."""
        listed = self.links.get(ends(a, b))
        return self.link_defaults[self.kind(a, b)] if listed is None else listed

    def kind(self, a: str, b: str) -> LinkKind:
        """Return what the link between two names joins."""
        if a not in self.nodes or b not in self.nodes:
            return LinkKind.HOST
        same = self.nodes[a].domain == self.nodes[b].domain
        return LinkKind.NODE if same else LinkKind.DOMAIN

    def find(self, name: str) -> str:
        """Return the full name that `name` means: itself, an alias, or a unique short name.

        Raises:
            ConfigError: nothing is called so, or several are.
        """
        if name in self.nodes or name in self.hosts or name in self.etcd:
            return name
        found = [
            full
            for full, aliases in self._names()
            if full.split(".", 1)[0] == name or name in aliases
        ]
        match found:
            case [only]:
                return only
            case []:
                known = [full for full, _ in self._names()]
                raise NotFoundError(f"no node or host is called {name!r}{suggestion(name, known)}")
            case _:
                raise NotFoundError(f"{name!r} may mean {', '.join(found)}: use the full name")

    def _names(self) -> list[tuple[str, tuple[str, ...]]]:
        nodes: list[tuple[str, tuple[str, ...]]] = [
            (name, ()) for name in (*self.nodes, *self.etcd)
        ]
        return nodes + [(host.name, host.aliases) for host in self.hosts.values()]


def ends(a: str, b: str) -> tuple[str, str]:
    """Return the two ends of a link in the order in which links are kept."""
    return (a, b) if a <= b else (b, a)


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for a near miss, else a list of what is allowed."""
    allowed = list(known)
    if near := get_close_matches(word, allowed, n=1):
        return f"; did you mean {near[0]!r}?"
    shown = ", ".join(allowed[:MAX_SHOWN]) + (", ..." if len(allowed) > MAX_SHOWN else "")
    return f"; allowed: {shown or 'none'}"


def _check(topology: Topology) -> None:
    if not topology.nodes:
        raise ConfigError("a topology needs at least one node")
    _check_domains(topology)
    _check_relations(topology)
    _check_names(topology)
    _check_attachments(topology)
    _check_chains(topology)
    _check_clusters(topology)
    for word in (*topology.strangers, *topology.watched):
        _expect(word, {each for node in topology.nodes.values() for each in node.services}, "file")
    for link in topology.links:
        for end in link:
            if end not in topology.hosts:
                _expect(end, topology.nodes, f"link {'--'.join(link)}")


def _check_domains(topology: Topology) -> None:
    owners: dict[int, str] = {}
    for domain in topology.domains.values():
        if not OWN_NAME.fullmatch(domain.name):
            raise ConfigError(f"domain {domain.name!r}: {NAME_RULE}")
        if not 1 <= domain.number <= MAX_DOMAIN_NUMBER:
            raise ConfigError(f"domain {domain.name}: number {domain.number} is not 1 to 2^32 - 1")
        if (other := owners.setdefault(domain.number, domain.name)) != domain.name:
            raise ConfigError(
                f"domains {other} and {domain.name}: both have number {domain.number}"
            )


def _check_relations(topology: Topology) -> None:
    for domain in topology.domains.values():
        for other in (*domain.providers, *domain.peers):
            _expect(other, topology.domains, f"domain {domain.name}")
            if other == domain.name:
                raise ConfigError(f"domain {domain.name}: is no neighbour of itself")
        for other in domain.providers:
            if other in domain.peers or domain.name in topology.domains[other].providers:
                raise ConfigError(f"domains {domain.name} and {other}: are two things to another")


def _check_names(topology: Topology) -> None:
    owners: dict[str, str] = {}
    places: list[NodePlan | HostPlan | GroupPlan] = [*topology.residents]
    places += topology.groups.values()
    for place in places:
        _expect(place.domain, topology.domains, f"{place.name}: domain")
        aliases = place.aliases if isinstance(place, HostPlan) else ()
        for name in (place.name, *aliases):
            own, _, domain = name.partition(".")
            if not OWN_NAME.fullmatch(own) or domain != place.domain:
                raise ConfigError(f"{name!r}: must be <own>.{place.domain}; <own> {NAME_RULE}")
            if name in owners:
                raise ConfigError(f"{name}: the name of both {owners[name]} and {place.name}")
            owners[name] = place.name


def _check_attachments(topology: Topology) -> None:
    places: list[HostPlan | GroupPlan] = [*topology.hosts.values(), *topology.groups.values()]
    for group in topology.groups.values():
        for name in (*(group.senders or ()), *(group.members or ())):
            _expect(name, {*topology.domains, *topology.hosts}, f"group {group.name}")
    for place in places:
        if not 1 <= len(place.nodes) <= MAX_ATTACHMENTS:
            raise ConfigError(
                f"{place.name}: has {len(place.nodes)} nodes, needs 1 to {MAX_ATTACHMENTS}"
            )
        if len(set(place.nodes)) != len(place.nodes):
            raise ConfigError(f"{place.name}: names a node twice: {', '.join(place.nodes)}")
        for node in place.nodes:
            _expect(node, topology.nodes, place.name)


def _check_chains(topology: Topology) -> None:
    for node in topology.nodes.values():
        for service, chain in node.chains.items():
            where = f"{node.name}: chain of {service}"
            if not chain or chain[-1] != service or len(chain) > MAX_CHAIN:
                raise ConfigError(f"{where}: must be 1 to {MAX_CHAIN} services, the last {service}")
            for word in chain:
                _expect(word, node.services, where)
        for guarded, services in node.guards.items():
            _expect(guarded, topology.nodes, f"{node.name}: guards")
            for word in services:
                _expect(word, node.services, f"{node.name}: guards of {guarded}")
        for service, values in node.config.items():
            _expect(service, node.services, f"{node.name}: config")
            _ = configured(values, partial(_expect_name, topology, f"{node.name}: config"))


def _expect_name(topology: Topology, where: str, name: str) -> str:
    _expect(name, (*topology.nodes, *topology.hosts, *topology.groups), where)
    return name


def _check_clusters(topology: Topology) -> None:
    for domain in topology.domains.values():
        if domain.cluster is None:
            continue
        where = f"domains.{domain.name}.cluster"
        for member in domain.cluster.members:
            _expect(member, topology.nodes, where)
            if topology.nodes[member].domain != domain.name:
                raise ConfigError(f"{where}: {member} is a node of another domain")
        if not 1 <= domain.cluster.etcd <= MAX_ETCD:
            raise ConfigError(f"{where}: etcd = {domain.cluster.etcd} is not 1 to {MAX_ETCD}")
        if taken := [name for name in topology.etcd if name in topology.nodes]:
            raise ConfigError(f"{where}: {taken[0]} is the name of a node and of etcd")


def _expect(word: str, known: Collection[str], where: str) -> None:
    if word not in known:
        raise ConfigError(f"{where}: there is no {word!r}{suggestion(word, known)}")
