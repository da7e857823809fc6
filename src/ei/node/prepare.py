"""From `node.toml` to all that a node is made of, read and checked."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ei.daemons.config_file import convert_table
from ei.errors import ConfigError
from ei.node.config import NodeConfig, load_node_config
from ei.node.node import Node
from ei.node.remembering import RememberingControl
from ei.records.key_files import read_keys
from ei.records.keys import Keys
from ei.records.record_files import read_records
from ei.records.record_set import RecordSet, verify_records
from ei.records.trust import trusted_keys
from ei.runtime.loader import LoadedService, load_service
from ei.sdk.packets import Address


@dataclass(frozen=True, slots=True)
class PreparedNode:
    """All that was read and checked before anything runs."""

    folder: Path
    config: NodeConfig
    keys: Keys
    services: tuple[LoadedService, ...]
    records: RecordSet

    @property
    def address(self) -> Address:
        """The node's address."""
        return self.keys.address(self.config.domain_number)

    @property
    def state(self) -> Path:
        """The folder of the stable stores."""
        return self.folder / self.config.state_directory


def prepare_node(path: Path) -> PreparedNode:
    """Read and check all that a `node.toml` names: what `ei node check` does. Writes nothing.

    Raises:
        EiError: what is wrong and what to do.
    """
    config = load_node_config(path)
    folder = path.resolve().parent
    folders = [folder / extra for extra in config.service_folders]
    services = tuple(load_service(name, folders) for name in config.services)
    for service in services:
        _check_values(path, service, config.config.get(service.manifest.name, {}))
    keys = read_keys(folder / config.key_file)
    records = load_records(folder, config)
    # What a node finds wrong with its records, it finds without a datapath as well.
    _ = Node(
        config,
        keys=keys,
        records=records,
        manifests=[service.manifest for service in services],
        datapath=RememberingControl(),
    )
    return PreparedNode(folder, config, keys, services, records)


def load_records(folder: Path, config: NodeConfig) -> RecordSet:
    """Read and verify the record file that a configuration names.

    Raises:
        EiError: it cannot be read. Records that do not verify are in `refused`.
    """
    return verify_records(
        read_records(folder / config.records_file),
        trust=trusted_keys(config.trust),
        unix_s=time.time(),
        attachment_limit_s=config.attachment_limit_s,
    )


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
