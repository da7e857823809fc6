"""`ei config`: what a configuration file comes to."""

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from ei.cli.exits import Exit
from ei.cli.host import check_host
from ei.cli.node import DEFAULT_FILE, check_node, expect_file
from ei.cli.output import Output
from ei.cli.parser import Verbs

Kind = Literal["node", "host", "topology", "governance"]
Table = Mapping[str, object]

NAMES: Mapping[str, Kind] = {
    "node.toml": "node",
    "host.toml": "host",
    "topology.toml": "topology",
    "governance.toml": "governance",
}
SIGNS: Mapping[str, Kind] = {"domains": "topology", "binds": "node", "threshold": "governance"}
"""Keys by which a file under another name than its kind's is known; what has none is a host's."""

EXAMPLES = """\
examples:
  ei config check node.toml
  ei config show node.toml --effective --origin
"""


def add_parser(commands: Verbs) -> None:
    """Add `ei config` and its verbs."""
    verbs = commands.add_noun("config", summary="configuration files, and what they come to")
    check = verbs.add(
        "check", summary="read a configuration and all that it names", execute=check_file
    )
    show = verbs.add("show", summary="show what a configuration says", execute=show_file)
    for verb in (check, show):
        verb.takes(
            "file",
            nargs="?",
            type=Path,
            metavar="FILE",
            help="node.toml, host.toml, topology.toml or governance.toml"
            f" (default: $EI_CONFIG, else {DEFAULT_FILE}, else host.toml where programs look)",
        )
        verb.ends(EXAMPLES)
    show.takes("--effective", action="store_true", help="the defaults that count, too")
    show.takes("--origin", action="store_true", help="where each value comes from")


def check_file(arguments: argparse.Namespace, output: Output) -> Exit:
    """Check the file as `ei node check`, `ei host check` and `ei lab up` do."""
    path = _file_of(arguments)
    match _kind_of(path):
        case "node":
            return check_node(path, output)
        case "host":
            return check_host(path, output)
        case "topology":
            return _check_topology(path, output)
        case "governance":
            return _check_governance(path, output)


def show_file(arguments: argparse.Namespace, output: Output) -> Exit:
    """Print each key as TOML."""
    from ei.daemons.settings import settings_of

    path = _file_of(arguments)
    kind = _kind_of(path)
    # What is not valid as a whole is not shown in parts.
    others = _others(path, kind)
    found = settings_of(path.read_text(encoding="utf-8"), others if arguments.effective else {})
    width = max((len(str(setting)) for setting in found), default=0)
    for setting in found:
        comment = f"  # {setting.origin}" if arguments.origin else ""
        output.data(f"{setting!s:{min(width, 50)}}{comment}" if comment else str(setting))
    settings = [
        {"key": setting.key, "value": setting.value, "origin": setting.origin} for setting in found
    ]
    output.document("ei.config/1", {"path": str(path), "kind": kind, "settings": settings})
    if not (arguments.effective and arguments.origin):
        output.next(f"ei config show {path} --effective --origin")
    return Exit.OK


def _file_of(arguments: argparse.Namespace) -> Path:
    from ei.host.connect import find_host_config

    path: Path | None = arguments.file
    if path is None and not os.environ.get("EI_CONFIG") and DEFAULT_FILE.exists():
        path = DEFAULT_FILE
    return expect_file(find_host_config(path, environ=os.environ), init="ei node init")


def _kind_of(path: Path) -> Kind:
    from ei.daemons.config_file import read_table

    if path.name in NAMES:
        return NAMES[path.name]
    table = read_table(path)
    kinds: list[Kind] = [kind for key, kind in SIGNS.items() if key in table]
    return kinds[0] if kinds else "host"


def _check_topology(path: Path, output: Output) -> Exit:
    from ei.lab.topology_file import load_topology

    topology = load_topology(path)
    output.data(
        f"{topology.name}: {len(topology.domains)} domains, {len(topology.nodes)} nodes,"
        f" {len(topology.hosts)} hosts"
    )
    content = {
        "name": topology.name,
        "domains": list(topology.domains),
        "nodes": list(topology.nodes),
        "hosts": list(topology.hosts),
    }
    output.document("ei.topology-check/1", content)
    output.next(f"ei lab up {path}")
    return Exit.OK


def _check_governance(path: Path, output: Output) -> Exit:
    from ei.daemons.governance_file import load_governance

    governance = load_governance(path)
    output.data(f"{governance.threshold} of {len(governance.keys)} keys sign a list of domains")
    content = {"threshold": governance.threshold, "keys": len(governance.keys)}
    output.document("ei.governance-check/1", content)
    return Exit.OK


def _others(path: Path, kind: Kind) -> dict[str, Table]:
    """Return what counts where a file is silent, by its origin.

    Raises:
        ConfigError: the file is wrong.
    """
    from ei.daemons.settings import defaults_of

    match kind:
        case "node":
            from ei.node.config import NodeConfig, load_node_config

            manifests = _manifest_tables(path, load_node_config(path).services)
            return {**manifests, "default": defaults_of(NodeConfig)}
        case "host":
            from ei.host.config import HostConfig, load_host_config

            _ = load_host_config(path)
            return {"default": defaults_of(HostConfig)}
        case "topology":
            return _topology_tables(path)
        case "governance":
            from ei.daemons.governance_file import load_governance

            _ = load_governance(path)
            return {}


def _manifest_tables(path: Path, services: tuple[str, ...]) -> dict[str, Table]:
    from ei.node.config import load_node_config
    from ei.runtime.loader import find_services
    from ei.sdk.manifest import load_manifest

    folders = load_node_config(path).service_folders
    found = find_services(path.resolve().parent / folder for folder in folders)
    return {
        f"manifest of {name}": {"config": {name: load_manifest(found[name]).config}}
        for name in services
        if name in found
    }


def _topology_tables(path: Path) -> dict[str, Table]:
    import msgspec

    from ei.lab.topology_file import load_topology

    topology = load_topology(path)
    domains = {
        domain.name: {
            "number": domain.number,
            "nodes": {
                node.name.removesuffix(f".{domain.name}"): {"services": list(node.services)}
                for node in topology.nodes.values()
                if node.domain == domain.name
            },
        }
        for domain in topology.domains.values()
    }
    links = {
        kind.value: msgspec.structs.asdict(impairment)
        for kind, impairment in topology.link_defaults.items()
    }
    return {"derived": {"domains": domains}, "default": {"link_defaults": links}}
