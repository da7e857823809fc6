"""From `host.toml` to a host."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom

from ei.daemons.known_records import load_records, read_seen
from ei.errors import ConfigError
from ei.host.client import Host
from ei.host.config import HostConfig, load_host_config
from ei.host.constraints import constraints_of
from ei.host.dns import DnsAnswer, ask_dns
from ei.host.finding import find_enrolment, find_nodes
from ei.host.guards import guard_numbers
from ei.host.stack import Identity, Stack
from ei.host.udp import SocketTransport
from ei.records.key_files import read_keys
from ei.records.record_set import RecordSet
from ei.sdk.packets import Address

FILE_NAME = "host.toml"
SEEN_FILE = "seen.eir"


@dataclass(frozen=True, slots=True)
class PreparedHost:
    """All that was read and checked before anything runs.

    Attributes:
        nodes: To attach to, the preferred first.
        located: What the DNS said of them; `None` where it is not asked.
    """

    folder: Path
    config: HostConfig
    identity: Identity
    records: RecordSet
    nodes: tuple[Address, ...]
    located: DnsAnswer | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the nodes that configuration or DNS name; else the attachment record does."""
        if self.located is not None and self.located.nodes:
            return tuple(self.records.name_of(node) for node in self.nodes)
        return self.config.nodes


def connect(path: Path | str | None = None, *, environ: Mapping[str, str] = os.environ) -> Host:
    """Return the host of a `host.toml`; `async with` attaches it.

    Args:
        path: By default `$EI_CONFIG`, `~/.config/ei/host.toml` or `/etc/ei/host.toml`.

    Raises:
        EiError: what is wrong and what to do.
    """
    return make_host(prepare_host(find_host_config(path, environ=environ)))


def find_host_config(path: Path | str | None, *, environ: Mapping[str, str]) -> Path:
    """Return the `host.toml` to use; see `connect`.

    Raises:
        ConfigError: there is none.
    """
    if path is not None:
        return Path(path)
    if named := environ.get("EI_CONFIG"):
        return Path(named)
    own = Path(environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME", "/")) / ".config")
    places = (own / "ei" / FILE_NAME, Path("/etc/ei") / FILE_NAME)
    for place in places:
        if place.exists():
            return place
    raise ConfigError(
        f"no host.toml in {places[0].parent} or {places[1].parent}",
        remedy="Write one: ei host init. In a lab: ei lab shell alice",
    )


def prepare_host(path: Path) -> PreparedHost:
    """Read and check all that a `host.toml` names: what `ei host check` does. Writes nothing.

    Where the DNS is to say which nodes to attach to, it is asked, for 3 s at most.

    Raises:
        EiError: what is wrong and what to do.
    """
    config = load_host_config(path)
    folder = path.resolve().parent
    keys = read_keys(folder / config.key_file)
    known = read_seen(folder / SEEN_FILE)
    records = load_records(folder, config, unix_s=time.time(), known=known)
    identity = Identity(config.name, keys.address(config.domain_number), keys)
    located = ask_dns(config, records, random=SystemRandom())
    if located is not None and located.nodes:
        _ = find_enrolment(identity, records)
        return PreparedHost(folder, config, identity, records, located.nodes, located)
    try:
        nodes = tuple(find_nodes(identity, records, config.nodes))
    except ConfigError as error:
        if located is None:
            raise
        raise ConfigError(f"{located.trouble}; {error}", remedy=error.remedy) from error
    return PreparedHost(folder, config, identity, records, nodes, located)


def make_host(prepared: PreparedHost) -> Host:
    """Bind the host's socket and build its stack.

    Raises:
        EiError: what is wrong and what to do.
    """
    config = prepared.config
    constraints = constraints_of(
        prepared.records.domains, avoid=config.avoid_domains, require=config.require_domains
    )
    transport = SocketTransport(config.bind)
    try:
        stack = Stack(
            prepared.identity,
            prepared.records,
            nodes=prepared.names,
            numbers=SystemRandom(),
            unix_offset_ns=transport.unix_offset_ns(),
            max_datagram_bytes=config.max_datagram_bytes,
            revocation_limit_s=config.revocation_limit_s,
            guards=guard_numbers(config.guards),
        )
    except BaseException:
        transport.close()
        raise
    stack.constraints = constraints
    return Host(stack, transport)
