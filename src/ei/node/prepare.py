"""From `node.toml` to all that a node is made of, read and checked."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ei.bundles import Rows, prepare_bundles
from ei.daemons.known_records import load_records, read_seen
from ei.errors import ConfigError
from ei.node.config import NodeConfig, load_node_config
from ei.node.node import Node
from ei.node.remembering import RememberingControl
from ei.node.shelf import Shelf
from ei.node.sites import Site, read_sites
from ei.records.enrolling import find_domain
from ei.records.key_files import read_keys
from ei.records.keys import Keys
from ei.records.record_files import read_records
from ei.records.record_set import RecordSet
from ei.runtime.loader import (
    FoundService,
    LoadedService,
    folder_of,
    is_ours,
    load_service,
    read_service,
)
from ei.runtime.tables import convert_table
from ei.sdk.packets import Address

SEEN_FILE = "seen.eir"


@dataclass(frozen=True, slots=True)
class PreparedNode:
    """All that was read and checked before anything runs; `path` is that of `node.toml`."""

    path: Path
    config: NodeConfig
    keys: Keys
    domain_keys: Keys | None
    services: tuple[FoundService, ...]
    records: RecordSet
    sites: tuple[Site, ...] = ()
    bundles: tuple[Rows, ...] = ()

    @property
    def folder(self) -> Path:
        """At which relative paths start."""
        return self.path.parent

    @property
    def address(self) -> Address:
        """The node's address."""
        return self.keys.address(self.config.domain_number)

    @property
    def state(self) -> Path:
        """The folder of the stable stores."""
        return self.folder / self.config.state_directory

    @property
    def replicated(self) -> dict[int, tuple[str, int]]:
        """Number to name and copies of the services whose state has copies."""
        return {
            each.manifest.id: (each.manifest.name, copies)
            for each in self.services
            if each.manifest.state == "replicated"
            for copies in (self.config.copies.get(each.manifest.name, each.manifest.copies),)
        }

    @property
    def seen(self) -> Path:
        """Where the lists that were seen are kept."""
        return self.state / SEEN_FILE


def prepare_node(path: Path) -> PreparedNode:
    """Read and check all that a `node.toml` names: what `ei node check` does. Writes nothing.

    Raises:
        EiError: what is wrong and what to do.
    """
    config = load_node_config(path)
    folder = path.resolve().parent
    folders = [folder / extra for extra in config.service_folders]
    shelf = Shelf(folder / config.state_directory)
    places = {name: shelf.chosen(name) for name in config.known_services}
    places.update({name: places[name] or folder_of(name, folders) for name in config.services})
    # Of a service that only the registry names there may be no release yet.
    services = tuple(_find_service(path, config, place) for place in places.values() if place)
    manifests = [service.manifest for service in services]
    bundles = prepare_bundles(config.bundles, folders, manifests, chains=config.chains)
    keys = read_keys(folder / config.key_file)
    known = read_seen(folder / config.state_directory / SEEN_FILE)
    records = load_records(folder, config, unix_s=time.time(), known=known)
    # What a node finds wrong with its records, it finds without a datapath as well.
    _ = Node(
        config,
        keys=keys,
        records=records,
        manifests=manifests,
        bundles=bundles,
        datapath=RememberingControl(),
    )
    domain_keys = _read_domain_keys(folder, config) if config.domain_key_file else None
    sites = read_sites(folder, config.sites)
    prepared = PreparedNode(
        path.resolve(), config, keys, domain_keys, services, records, sites, bundles
    )
    _check_copies(prepared)
    return prepared


def _find_service(path: Path, config: NodeConfig, folder: Path) -> FoundService:
    """Find a service and check it, without running a line of a stranger's.

    Raises:
        EiError: what is wrong with it, or with what the configuration says to it.
    """
    name = folder.name
    is_trusted = is_ours(folder) or config.workers == "inline" or name in config.trusted_services
    if not is_trusted:
        return read_service(folder)
    service = load_service(folder)
    _check_values(path, service, config.config.get(name, {}))
    return service


def _check_copies(prepared: PreparedNode) -> None:
    """Check that what services promise of their state can be kept here.

    Raises:
        ConfigError: a service's state is to have copies, and this node is in no cluster.
    """
    if prepared.config.cluster is not None:
        _check_bundles(prepared)
        return
    for name, copies in prepared.replicated.values():
        if copies > 1:
            raise ConfigError(
                f"{prepared.path}: services: the state of {name} is to be on {copies} members,"
                " and this node is in no cluster",
                remedy=f"Say [cluster], or that one is enough: copies = {{ {name} = 1 }}",
            )


def _check_bundles(prepared: PreparedNode) -> None:
    """Check that no bundle needs a state that another member of the cluster may have.

    Raises:
        ConfigError: one does: packets go to the owner of the state by the service that they name.
    """
    for rows in prepared.bundles:
        for number in (rows.visited | rows.behind) & prepared.replicated.keys():
            raise ConfigError(
                f"{prepared.path}: bundles: {rows.bundle.name} has"
                f" {prepared.replicated[number][0]}, whose state is the cluster's",
                remedy="Run the bundle at a node that is in no cluster.",
            )


def _read_domain_keys(folder: Path, config: NodeConfig) -> Keys:
    """Read the key of the node's domain, with which the node is to sign.

    Raises:
        ConfigError: it is the key of another domain, or of none.
    """
    keys = read_keys(folder / config.domain_key_file)
    own = config.name.partition(".")[2]
    found = find_domain(read_records(folder / config.records_file), keys)
    if found is None or found.name != own:
        whose = "of no domain in the records" if found is None else f"of domain {found.name}"
        raise ConfigError(
            f"domain_key_file: {config.domain_key_file} is the key {whose}, not of {own}",
            remedy="Name the key that ei domain init has made, or leave domain_key_file out.",
        )
    return keys


class _Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of services that have no configuration."""


def _check_values(path: Path, service: LoadedService, values: Mapping[str, object]) -> None:
    """Check what a configuration says to a service, as the configuration's fault."""
    if not values:
        _ = service.parse_config({})
        return
    try:
        _ = convert_table(
            {**service.manifest.config, **values},
            service.config_type or _Nothing,
            where=f"config.{service.manifest.name}",
        )
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
