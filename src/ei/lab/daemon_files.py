"""Writes what daemons read: the files that `ei node init` and `ei host init` write for users."""

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

from ei.daemons.config_file import toml_string, toml_value
from ei.daemons.governance_file import write_governance
from ei.lab.etcd import CLIENT_PORT, find_etcd, write_etcd
from ei.lab.layout import Layout
from ei.lab.population import LIFETIME_S, Population
from ei.lab.run_folder import Daemon
from ei.lab.topology import HostPlan, NodePlan, Topology
from ei.records.addresses import format_address
from ei.records.key_files import write_keys
from ei.records.record_files import write_records
from ei.runtime.loader import find_services, is_ours
from ei.sdk.manifest import load_manifest

NODE_FILE = "node.toml"
HOST_FILE = "host.toml"
GOVERNANCE_FILE = "governance.toml"


def write_daemon_files(
    folder: Path,
    *,
    population: Population,
    layout: Layout,
    service_numbers: Mapping[str, int],
    etcd: Mapping[str, str] | None = None,
) -> dict[str, Daemon]:
    """Write a folder for each node, host and member of etcd; return the daemons by name.

    Args:
        folder: Of the lab; exists.
        population: Who they are.
        layout: Where they answer.
        service_numbers: By service name.
        etcd: Name to IP address of the members of the clusters' etcd.

    Raises:
        NotFoundError: etcd is not installed, and there is a cluster.
        OSError: the system refused, such as on a full disk.
    """
    topology = population.topology
    believed = _believed(population)
    etcd = etcd or {}
    daemons = _write_etcd(folder, topology, etcd)
    for plan in topology.residents:
        own = folder / plan.name
        own.mkdir()
        resident = population.residents[plan.name]
        endpoint = layout.endpoints[plan.name]
        seen = partial(layout.seen_from, plan.name)
        nodes = population.node_records(seen, service_numbers.__getitem__)
        write_keys(own / "key", resident.keys)
        known = (*population.public, *nodes, *population.private[plan.domain])
        write_records(own / "records.eir", known)
        if (governance := population.governance) is not None:
            write_governance(own / GOVERNANCE_FILE, tuple(governance.keys), governance.threshold)
        if isinstance(plan, NodePlan):
            text = _node_toml(plan, topology, endpoint, believed) + _cluster_toml(
                plan, topology, etcd
            )
            text += _config_toml(population.config_of(plan.name))
            _ = (own / NODE_FILE).write_text(text)
        else:
            _ = (own / HOST_FILE).write_text(_host_toml(plan, topology, endpoint, believed))
        daemons[plan.name] = Daemon(
            name=plan.name,
            kind="node" if isinstance(plan, NodePlan) else "host",
            address=format_address(resident.address),
            endpoint=endpoint,
            folder=str(own),
            admin=str(own / "admin.sock"),
        )
    return daemons


def _write_etcd(folder: Path, topology: Topology, etcd: Mapping[str, str]) -> dict[str, Daemon]:
    """Write the folders of etcd; each domain's members know one another alone."""
    daemons: dict[str, Daemon] = {}
    for name, domain in topology.etcd.items():
        members = {each: etcd[each] for each, whose in topology.etcd.items() if whose == domain}
        write_etcd(find_etcd(), name, members, folder / name)
        daemons[name] = Daemon(
            name=name,
            kind="etcd",
            address="",
            endpoint=f"{etcd[name]}:{CLIENT_PORT}",
            folder=str(folder / name),
            admin="",
        )
    return daemons


def _cluster_toml(plan: NodePlan, topology: Topology, etcd: Mapping[str, str]) -> str:
    cluster = topology.domains[plan.domain].cluster
    if cluster is None or plan.name not in cluster.members:
        return ""
    members = [name for name, domain in topology.etcd.items() if domain == plan.domain]
    endpoints = _list(f"{etcd[name]}:{CLIENT_PORT}" for name in members)
    return f"\n[cluster]\nname = {toml_string(plan.domain)}\netcd = {endpoints}\n"


def _config_toml(config: Mapping[str, Mapping[str, object]]) -> str:
    lines: list[str] = []
    for service, values in config.items():
        lines += ["", f"[config.{toml_string(service)}]"]
        lines += [f"{toml_string(key)} = {toml_value(value)}" for key, value in values.items()]
    return "".join(f"{line}\n" for line in lines)


def _others(plan: NodePlan, topology: Topology) -> list[str]:
    """Return the services of a node that do not come with this program, and are trusted."""
    found = find_services(topology.service_folders)
    others = (name for name in plan.services if name in found and not is_ours(found[name]))
    return [name for name in others if name not in topology.strangers]


def _watched(plan: NodePlan, topology: Topology) -> list[str]:
    """Return what is said of services that are watched while they are written."""
    names = [name for name in plan.services if name in topology.watched]
    found = find_services(topology.service_folders)
    alone = [name for name in names if load_manifest(found[name]).state == "replicated"]
    return [
        *([f"watched_services = {_list(names)}"] if names else []),
        *(f"copies.{name} = 1" for name in alone),
    ]


def _node_toml(plan: NodePlan, topology: Topology, endpoint: str, believed: list[str]) -> str:
    lines = [
        *_head(plan.name, topology.domains[plan.domain].number),
        f"binds = {_list([endpoint])}",
        f"services = {_list(plan.services)}",
        f"service_folders = {_list(map(str, topology.service_folders))}",
        *([f"bundles = {_list(plan.bundles)}"] if plan.bundles else []),
        'policy = "lab-permissive"',
        f"explains = {toml_string(topology.domains[plan.domain].explains)}",
        # Many nodes share a few cores here: none may poll.
        "spin_us = 0",
        # Who writes a lab has read its modules.
        *([f"trusted_services = {_list(trusted)}"] if (trusted := _others(plan, topology)) else []),
        *_watched(plan, topology),
        *believed,
        *_neighbours(topology.neighbours(plan.domain)),
        *_lists("internet", {"allow": plan.internet} if plan.internet else {}),
        *_lists("chains", plan.chains),
        *_lists("guards", plan.guards),
    ]
    return "\n".join(lines) + "\n"


def _host_toml(plan: HostPlan, topology: Topology, endpoint: str, believed: list[str]) -> str:
    lines = [
        *_head(plan.name, topology.domains[plan.domain].number),
        f"bind = {toml_string(endpoint)}",
        f"nodes = {_list(plan.nodes)}",
        *believed,
    ]
    return "\n".join(lines) + "\n"


def _head(name: str, domain_number: int) -> list[str]:
    return [
        "# Written by ei lab up.",
        "version = 1",
        f"name = {toml_string(name)}",
        f"domain_number = {domain_number}",
        f"attachment_limit_s = {LIFETIME_S}",
    ]


def _believed(population: Population) -> list[str]:
    rows = (f"{toml_string(name)} = {toml_string(key)}" for name, key in population.trust.items())
    governance = "" if population.governance is None else GOVERNANCE_FILE
    return [f"governance = {toml_string(governance)}", "", "[trust]", *rows]


def _neighbours(neighbours: Mapping[str, str]) -> list[str]:
    if not neighbours:
        return []
    rows = (f"{toml_string(name)} = {toml_string(word)}" for name, word in neighbours.items())
    return ["", "[neighbours]", *rows]


def _lists(table: str, rows: Mapping[str, tuple[str, ...]]) -> list[str]:
    if not rows:
        return []
    return ["", f"[{table}]", *(f"{toml_string(key)} = {_list(rows[key])}" for key in rows)]


def _list(words: Iterable[str]) -> str:
    return f"[{', '.join(map(toml_string, words))}]"
