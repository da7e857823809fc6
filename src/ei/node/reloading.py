"""`node.toml` read again while a node runs: what can change does, the rest waits for a restart."""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from ei.errors import ConfigError
from ei.node.config import NodeConfig, check_node_config, load_node_config
from ei.node.sites import Site, read_sites

CHANGEABLE = (
    "records_file", "governance", "trust", "attachment_limit_s", "revocation_limit_s", "mesh_nodes",
    "guards", "explains", "policy", "guests", "neighbours", "internet",
    "sites", "registry",
)  # fmt: skip
"""Who is believed, who is whose peer, and what may be reached. The rest is what sockets, threads
and workers were made from, and chains, on which cached decisions rest."""


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What a file comes to for a node that runs.

    Attributes:
        config: For the node from now on.
        sites: As their files are now.
        needs_restart: Keys that the file has changed since the node started, and `config` has not.
    """

    config: NodeConfig
    sites: tuple[Site, ...]
    needs_restart: tuple[str, ...]


def read_again(path: Path, running: NodeConfig) -> Reloaded:
    """Read the file of a node that runs.

    Raises:
        ConfigError: it is wrong, or what changed does not fit what needs a restart: what and where.
    """
    found = load_node_config(path)
    config = msgspec.structs.replace(running, **{name: getattr(found, name) for name in CHANGEABLE})
    names = [field.name for field in msgspec.structs.fields(NodeConfig)]
    late = tuple(name for name in names if getattr(found, name) != getattr(config, name))
    try:
        check_node_config(config)
    except ConfigError as error:
        remedy = f"Restart the node, which {', '.join(late)} needs as well."
        raise ConfigError(f"{path}: {error}", remedy=remedy) from error
    sites = read_sites(path.resolve().parent, config.sites)
    return Reloaded(config, sites, late)
