"""Reads `topology.toml`.

```toml
version = 1
services = ["delivery", "echo"]       # of every node that lists none
service_folders = ["services"]        # further modules, beside this file
strangers = ["mine"]                  # those of them that nodes are not to trust
bundles = ["small"]                   # of every node that lists none; in those folders
internet = ["127.0.0.0/8:*"]          # what services may reach, at every node that lists nothing

[domains.isp-a]                       # without providers and peers anywhere: all are peers
providers = ["transit"]               # domains that carry its traffic to all others
peers = ["isp-b"]                     # that exchange theirs and their customers' with it
operator = "example-net"              # who runs it, says governance; itself unless said
explains = "domain"                   # what its nodes tell of packets: hops, domain or nothing
[domains.isp-a.nodes.sn1]             # sn1.isp-a
config.caching.nodes = ["@sn1"]       # as [config] of node.toml; @NAME: an address of the lab
location = [48, 11]                   # latitude and longitude, in whole degrees
[domains.isp-a.hosts.alice]           # alice.isp-a
nodes = ["sn1", "sn2", "sn1.isp-b"]   # own domain unless said

[domains.isp-a.groups.news]
nodes = ["sn1"]
senders = ["alice"]                   # hosts and domains; everybody unless said
members = ["isp-a", "bob.isp-b"]

[link_defaults.domain]                # kinds: host, node, domain
delay_ms = 10

[domains.isp-a.cluster]               # nodes that keep copies of one another's state
members = ["sn1", "sn2"]
etcd = 3                              # members of etcd: etcd1.isp-a to etcd3.isp-a

[[links]]                             # the rest as the kind says
between = ["sn1.isp-a", "sn1.isp-b"]
loss = 0.01
```
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Literal, TypeVar, cast

import msgspec

from ei.daemons.config_file import parse_table
from ei.errors import ConfigError, LocalError
from ei.lab.names import SIGN, configured
from ei.lab.topology import (
    ClusterPlan,
    DomainPlan,
    GroupPlan,
    HostPlan,
    Impairment,
    LinkKind,
    NodePlan,
    Topology,
    ends,
    suggestion,
)
from ei.records.locations import MAX_LATITUDE, MAX_LONGITUDE

Table = dict[str, object]
RowT = TypeVar("RowT", bound=msgspec.Struct)

Latitude = Annotated[int, msgspec.Meta(ge=-MAX_LATITUDE, le=MAX_LATITUDE)]
Longitude = Annotated[int, msgspec.Meta(ge=-MAX_LONGITUDE, le=MAX_LONGITUDE)]

VERSION = 1
KINDS = [kind.value for kind in LinkKind]
DEFAULT_SERVICES = ("delivery", "reach", "echo", "multicast")


class _File(msgspec.Struct, frozen=True):
    version: int
    domains: dict[str, Table]
    services: tuple[str, ...] = DEFAULT_SERVICES
    service_folders: tuple[str, ...] = ()
    strangers: tuple[str, ...] = ()
    bundles: tuple[str, ...] = ()
    internet: tuple[str, ...] = ()
    link_defaults: dict[str, Table] = {}
    links: list[Table] = []


class _Domain(msgspec.Struct, frozen=True):
    number: int | None = None
    providers: tuple[str, ...] = ()
    peers: tuple[str, ...] = ()
    explains: Literal["hops", "domain", "nothing"] = "hops"
    cluster: Table | None = None
    operator: str = ""
    nodes: dict[str, Table] = {}
    hosts: dict[str, Table] = {}
    groups: dict[str, Table] = {}


class _Cluster(msgspec.Struct, frozen=True):
    members: tuple[str, ...]
    etcd: int = 3


class _Node(msgspec.Struct, frozen=True):
    services: tuple[str, ...] | None = None
    bundles: tuple[str, ...] | None = None
    chains: dict[str, tuple[str, ...]] = {}
    internet: tuple[str, ...] | None = None
    config: dict[str, Table] = {}
    guards: dict[str, tuple[str, ...]] = {}
    location: tuple[Latitude, Longitude] | None = None


class _Host(msgspec.Struct, frozen=True):
    nodes: tuple[str, ...]
    guards: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()


class _Group(msgspec.Struct, frozen=True):
    nodes: tuple[str, ...]
    senders: tuple[str, ...] | None = None
    members: tuple[str, ...] | None = None


def load_topology(path: Path) -> Topology:
    """Read a topology file; it is named after the file, or after its folder.

    Raises:
        ConfigError: unreadable, or something in it is wrong: what and where.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
    name = path.parent.name if path.stem == "topology" else path.stem
    try:
        return parse_topology(text, name=name, folder=path.parent)
    except LocalError as error:
        raise ConfigError(f"{path}: {error}") from error


def parse_topology(text: str, *, name: str, folder: Path = Path()) -> Topology:
    """Parse the text of a topology file.

    Args:
        text: TOML.
        name: Of the topology.
        folder: At which relative paths start.

    Raises:
        ConfigError: see `load_topology`.
    """
    file = _row(_File, parse_table(text), "")
    if file.version != VERSION:
        raise ConfigError(f"version = {file.version}: this build reads version {VERSION}")
    domains = {own: _row(_Domain, table, f"domains.{own}") for own, table in file.domains.items()}
    defaults = _link_defaults(file.link_defaults)
    nodes = _nodes(domains, file)
    unlinked = Topology(
        name=name,
        domains=_domain_plans(domains),
        nodes=nodes,
        hosts=_hosts(domains),
        groups=_groups(domains),
        link_defaults=defaults,
        links={},
        service_folders=tuple((folder / each).resolve() for each in file.service_folders),
        strangers=file.strangers,
    )
    return replace(unlinked, links=_links(file.links, unlinked))


def _domain_plans(domains: Mapping[str, _Domain]) -> dict[str, DomainPlan]:
    taken = {domain.number for domain in domains.values()}
    free = (number for number in range(1, len(domains) + len(taken) + 1) if number not in taken)
    return {
        own: DomainPlan(
            own,
            next(free) if domain.number is None else domain.number,
            providers=domain.providers,
            peers=domain.peers,
            explains=domain.explains,
            cluster=_cluster(domain.cluster, own),
            operator=domain.operator,
        )
        for own, domain in domains.items()
    }


def _cluster(table: Table | None, domain: str) -> ClusterPlan | None:
    if table is None:
        return None
    row = _row(_Cluster, table, f"domains.{domain}.cluster")
    return ClusterPlan(_in_domain(row.members, domain), row.etcd)


def _nodes(domains: Mapping[str, _Domain], file: _File) -> dict[str, NodePlan]:
    plans: dict[str, NodePlan] = {}
    for domain, rows in domains.items():
        for own, table in rows.nodes.items():
            row = _row(_Node, table, f"domains.{domain}.nodes.{own}")
            runs = file.services if row.services is None else row.services
            expands = file.bundles if row.bundles is None else row.bundles
            reaches = file.internet if row.internet is None else row.internet
            config = {
                service: configured(values, partial(_as_name, domain=domain))
                for service, values in row.config.items()
            }
            name = f"{own}.{domain}"
            guards = {_full_name(node, domain): words for node, words in row.guards.items()}
            plans[name] = NodePlan(
                name, domain, runs, row.chains, reaches, config, guards, row.location, expands
            )
    return plans


def _hosts(domains: Mapping[str, _Domain]) -> dict[str, HostPlan]:
    plans: dict[str, HostPlan] = {}
    for domain, rows in domains.items():
        for own, table in rows.hosts.items():
            row = _row(_Host, table, f"domains.{domain}.hosts.{own}")
            plans[f"{own}.{domain}"] = HostPlan(
                f"{own}.{domain}",
                domain,
                _in_domain(row.nodes, domain),
                row.guards,
                _in_domain(row.aliases, domain),
            )
    return plans


def _groups(domains: Mapping[str, _Domain]) -> dict[str, GroupPlan]:
    plans: dict[str, GroupPlan] = {}
    for domain, rows in domains.items():
        for own, table in rows.groups.items():
            row = _row(_Group, table, f"domains.{domain}.groups.{own}")
            name = f"{own}.{domain}"
            who = {
                "senders": None if row.senders is None else _who(row.senders, domain, domains),
                "members": None if row.members is None else _who(row.members, domain, domains),
            }
            plans[name] = GroupPlan(name, domain, _in_domain(row.nodes, domain), **who)
    return plans


def _who(names: tuple[str, ...], domain: str, domains: Mapping[str, _Domain]) -> tuple[str, ...]:
    """Return names of domains as they are, and those of hosts in full."""
    return tuple(name if name in domains else _in_domain((name,), domain)[0] for name in names)


def _in_domain(names: tuple[str, ...], domain: str) -> tuple[str, ...]:
    return tuple(_full_name(name, domain) for name in names)


def _full_name(name: str, domain: str) -> str:
    return name if "." in name else f"{name}.{domain}"


def _as_name(name: str, domain: str) -> str:
    return f"{SIGN}{_full_name(name, domain)}"


def _link_defaults(tables: Mapping[str, Table]) -> dict[LinkKind, Impairment]:
    for word in tables:
        if word not in KINDS:
            raise ConfigError(f"link_defaults: no kind {word!r}{suggestion(word, KINDS)}")
    return {
        kind: _row(Impairment, tables.get(kind, {}), f"link_defaults.{kind}") for kind in LinkKind
    }


def _links(tables: list[Table], topology: Topology) -> dict[tuple[str, str], Impairment]:
    links: dict[tuple[str, str], Impairment] = {}
    for index, table in enumerate(tables):
        where = f"links[{index}]"
        match table.get("between"):
            case [str() as a, str() as b] if a != b:
                link = ends(topology.find(a), topology.find(b))
            case other:
                raise ConfigError(f"{where}: between = {other!r} must be two names")
        given = {key: value for key, value in table.items() if key != "between"}
        if link in links:
            raise ConfigError(f"{where}: {'--'.join(link)} is listed twice")
        default = msgspec.structs.asdict(topology.impairment(*link))
        links[link] = _row(Impairment, default | given, where)
    return links


def _row(kind: type[RowT], table: object, where: str) -> RowT:
    """Convert one TOML table; say where in the file an error is."""
    prefix = f"{where}." if where else ""
    if not isinstance(table, dict):
        raise ConfigError(f"{where or 'file'}: must be a table, not {table!r}")
    known = [info.name for info in msgspec.structs.fields(kind)]
    for key in cast("Table", table):
        if key not in known:
            raise ConfigError(f"{where or 'top level'}: no key {key!r}{suggestion(key, known)}")
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        text = re.sub(r"`\$\.?([^`]*)`", rf"`{prefix}\1`", str(error)).replace("Object ", "")
        raise ConfigError(text if where in text else f"{where}: {text}") from error
