"""`node.toml`: what an operator says about a service node."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from ei.daemons.config_file import read_config, toml_string
from ei.daemons.exporting import check_collector
from ei.errors import ConfigError, LocalError
from ei.node.cluster_config import ClusterConfig, check_cluster
from ei.node.internet import InternetConfig, check_internet
from ei.node.registry_config import RegistryConfig, check_registry
from ei.node.site_config import MAX_SITES, SiteConfig, SiteName, check_sites
from ei.records.endpoints import parse_endpoint
from ei.records.kinds import MAX_ATTACHMENT_S
from ei.records.revocation import REVOCATION_LIMIT_S
from ei.records.trust import Trust, check_trust
from ei.routing.policy import Word

Endpoint = Annotated[str, Meta(min_length=3, max_length=64)]
Device = Annotated[str, Meta(min_length=1, max_length=15)]
"""Of the system's network; the kernel has no longer names."""


DEFAULT_SERVICES = ("delivery", "reach", "echo", "multicast", "termination")


class TelemetryConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A collector of OpenTelemetry.

    Attributes:
        otlp: Its URL, OTLP over HTTP: metrics are posted to `/v1/metrics` below it, traced packets
            to `/v1/traces`.
        every_s: How often.
    """

    otlp: Annotated[str, Meta(max_length=2_048)]
    every_s: Annotated[float, Meta(ge=0.1, le=3_600)] = 10.0


class NodeConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The parsed `node.toml`. Relative paths start at the file's folder.

    Attributes:
        version: Of this format.
        name: Full name, as in the node's record: `sn1.isp-a`.
        domain_number: Of the home domain, part of the node's address.
        binds: Endpoints on which pipes are answered, at most one of IPv4 and one of IPv6.
        key_file, records_file: See `ei.records`.
        state_directory: Stable stores of the services.
        admin_socket: Where `ei status` and the like ask.
        metrics_bind: Endpoint of `/metrics`, `/healthz` and `/readyz` over HTTP, for whoever
            reaches it: 127.0.0.1:9464 is for this machine alone. Empty serves none.
        services: Names of the services that run here, in the folders of `service_folders`.
        service_folders: Further folders of service modules, searched before those that come with
            this program.
        workers: A process for each service, or all services in one worker process.
        jail: Whether worker processes are kept from all but their services' business: `closed`, or
            `open` to find out what that is in the way of.
        trusted_services: Services of others that run as well where a layer of the jail is missing;
            those that come with this program do.
        watched_services: Of these the node keeps what each event cost and came to, for who writes
            them (`ei dev`); see decision 0263.
        threads: Of the datapath.
        spin_us: Microseconds that a datapath thread polls before it sleeps.
        xdp: Network devices whose packets come singly, and are taken by AF_XDP before a socket gets
            them; see decision 0282. With one thread alone.
        cache_entries: Most cached decisions.
        memory_limit_mib: What the node and its workers may hold, half of that streams; over it the
            worker that holds most is ended. 0: half of the machine's memory, or of its group's.
        copies_per_s: That the packets of one peer may become, as with multicast and pub/sub; more
            are dropped (`copies_capped`). 0: no bound.
        max_datagram_bytes: Largest datagram sent; see decisions 0041 and 0226.
        mesh_nodes: Other nodes are called at start while there are at most so many; else a pipe
            opens with the first packet.
        attachment_limit_s: Longest life of an attachment that counts; see decision 0081.
        revocation_limit_s: With domains whose list of revoked keys is older, no new pipe opens; see
            decision 0085.
        domain_key_file: The domain's key, at one node of a domain: it signs the list of revoked
            keys every minute, into the record file. Empty leaves that to `ei domain refresh`.
        governance: File that says who governs, such as "governance.toml": whose lists of domains
            are believed. Empty believes none.
        explains: What is told of a packet to who sent it, over the nodes on its way: `hops` each of
            its hops, `domain` what became of it here and no nodes, `nothing` that nothing is told.
        trust: Domain name to Ed25519 key, 64 hexadecimal digits; counts before governance.
        policy: `strict` takes packets of the own domain, of nodes of `neighbours` and of hosts of
            `guests`; `lab-permissive` takes those of everybody known, and without `neighbours`
            every known domain is a direct peer.
        guests: Names of other domains whose hosts may use this node.
        neighbours: Domain name to what it is to this one: customer, peer or provider; routes are
            told accordingly.
        internet: What services may reach in the legacy Internet: `allow`, a list of networks with
            ports; see `ei.node.internet`.
        sites: Name to certificate and key of the sites whose TLS ends here; see
            `ei.node.site_config`.
        bundles: Names of the bundles that are expanded here, in the folders of `service_folders`;
            the services of each are among `services`.
        chains: Service to the services that a packet for it visits, in order, itself last;
            where a bundle has the service, what is before it comes before the bundle's.
        guards: Name of a host attached here to the services that run before the last pipe to it, or
            of another node to those that the operator has put before the pipe to that.
        config: Service to values that differ from its manifest's `[config]`.
        cluster: The cluster that this node is a member of; see `ei.node.cluster_config`.
        telemetry: Whom the node tells what it counts and traces; needs the extra `otel`.
        registry: A registry that says which versions of some services and bundles run; see
            `ei.node.registry_config`.
        copies: Service with replicated state to how many members must have what is acknowledged,
            where that differs from its manifest. 1 keeps it on this node alone, without a cluster.
    """

    version: Literal[1]
    name: Annotated[str, Meta(min_length=3, max_length=128)]
    domain_number: Annotated[int, Meta(ge=1, le=2**32 - 1)]
    binds: Annotated[tuple[Endpoint, ...], Meta(min_length=1, max_length=2)]
    key_file: str = "key"
    records_file: str = "records.eir"
    state_directory: str = "state"
    admin_socket: str = "admin.sock"
    metrics_bind: Annotated[str, Meta(max_length=64)] = ""
    services: tuple[str, ...] = DEFAULT_SERVICES
    service_folders: tuple[str, ...] = ()
    bundles: tuple[str, ...] = ()
    workers: Literal["process", "inline"] = "process"
    jail: Literal["closed", "open"] = "closed"
    trusted_services: tuple[str, ...] = ()
    watched_services: tuple[str, ...] = ()
    threads: Annotated[int, Meta(ge=1, le=16)] = 1
    spin_us: Annotated[int, Meta(ge=0, le=1_000_000)] = 50
    xdp: Annotated[tuple[Device, ...], Meta(max_length=4)] = ()
    cache_entries: Annotated[int, Meta(ge=0, le=2**24)] = 65_536
    memory_limit_mib: Annotated[int, Meta(ge=0, le=2**24)] = 0
    copies_per_s: Annotated[int, Meta(ge=0, le=2**40)] = 1_000_000
    max_datagram_bytes: Annotated[int, Meta(ge=1_360, le=65_000)] = 1_452
    mesh_nodes: Annotated[int, Meta(ge=0, le=2**20)] = 64
    attachment_limit_s: Annotated[int, Meta(ge=1, le=10 * 365 * 86_400)] = MAX_ATTACHMENT_S
    revocation_limit_s: Annotated[int, Meta(ge=1, le=10 * 365 * 86_400)] = REVOCATION_LIMIT_S
    domain_key_file: Annotated[str, Meta(max_length=4_096)] = ""
    governance: Annotated[str, Meta(max_length=4_096)] = ""
    explains: Literal["hops", "domain", "nothing"] = "hops"
    trust: Trust = {}
    policy: Literal["strict", "lab-permissive"] = "strict"
    guests: tuple[str, ...] = ()
    neighbours: dict[str, Word] = {}
    internet: InternetConfig = InternetConfig()
    sites: Annotated[dict[SiteName, SiteConfig], Meta(max_length=MAX_SITES)] = {}
    chains: dict[str, tuple[str, ...]] = {}
    guards: dict[str, tuple[str, ...]] = {}
    config: dict[str, dict[str, Any]] = {}
    cluster: ClusterConfig | None = None
    telemetry: TelemetryConfig | None = None
    registry: RegistryConfig | None = None
    copies: dict[str, Annotated[int, Meta(ge=1, le=16)]] = {}

    @property
    def known_services(self) -> tuple[str, ...]:
        """The services that run here, and those that do once the registry has a release of them."""
        followed = () if self.registry is None else self.registry.services
        return tuple(dict.fromkeys((*self.services, *followed)))

    @property
    def relations(self) -> Mapping[str, Word] | None:
        """What each neighbour domain is; `None` where every known domain is a direct peer."""
        return self.neighbours or (None if self.policy == "lab-permissive" else {})


MAX_CHAIN = 8
MAX_TRUSTED = 256
LEAST_MEMORY_MIB = 32
"""The node itself has about as much before anybody has come."""


def load_node_config(path: Path) -> NodeConfig:
    """Read and check a `node.toml`.

    Raises:
        ConfigError: what is wrong, where, and what is allowed.
    """
    config = read_config(path, NodeConfig)
    try:
        check_node_config(config)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}", remedy=error.remedy) from error
    return config


def check_node_config(config: NodeConfig) -> None:
    """Check what no field can say alone.

    Raises:
        ConfigError: see `load_node_config`.
    """
    check_trust(config.trust, is_governed=bool(config.governance))
    _check_binds(config.binds)
    _check_xdp(config)
    _check_metrics_bind(config.metrics_bind)
    check_internet(config.internet)
    if 0 < config.memory_limit_mib < LEAST_MEMORY_MIB:
        raise ConfigError(
            f"memory_limit_mib: {config.memory_limit_mib} seen; allowed are 0, which is half of the"
            f" machine's, or {LEAST_MEMORY_MIB} and more"
        )
    if config.telemetry is not None:
        check_collector(config.telemetry.otlp, where="telemetry.otlp")
    for what, names in (("service", config.services), ("bundle", config.bundles)):
        if len(set(names)) != len(names):
            raise ConfigError(f"{what}s: each {what} is named once")
    if config.registry is not None:
        check_registry(config.registry)
    _check_chains(config)
    _check_services(config, "trusted_services", config.trusted_services, most=MAX_TRUSTED)
    _check_services(config, "watched_services", config.watched_services)
    for host, guards in config.guards.items():
        _check_services(config, f"guards.{toml_string(host)}", guards)
    for service in config.config:
        _check_services(config, f"config.{service}", (service,))
    check_sites(config.sites, config.config)
    _check_cluster(config)


def _check_chains(config: NodeConfig) -> None:
    for service, chain in config.chains.items():
        if not chain or chain[-1] != service:
            raise ConfigError(f"chains.{service}: must end with {service!r}")
        _check_services(config, f"chains.{service}", chain)


def _check_cluster(config: NodeConfig) -> None:
    for service in config.copies:
        _check_services(config, f"copies.{service}", (service,))
    if config.cluster is not None:
        check_cluster(config.cluster)
        if config.workers == "inline":
            raise ConfigError('workers: "inline" seen, "process" allowed with [cluster]')


def _check_binds(binds: tuple[str, ...]) -> None:
    remedy = 'Such as binds = ["0.0.0.0:3535", "[::]:3535"]'
    try:
        families = [parse_endpoint(bind)[0].version for bind in binds]
    except LocalError as error:
        raise ConfigError(f"binds: {error}", remedy=remedy) from error
    if len(set(families)) != len(families):
        raise ConfigError(f"binds: {list(binds)}: at most one is IPv4 and one IPv6", remedy=remedy)


def _check_xdp(config: NodeConfig) -> None:
    if len(set(config.xdp)) != len(config.xdp):
        raise ConfigError("xdp: each device is named once")
    if config.xdp and config.threads > 1:
        raise ConfigError(f"threads: {config.threads} seen; 1 allowed with xdp")


def _check_metrics_bind(bind: str) -> None:
    try:
        _ = bind and parse_endpoint(bind)
    except LocalError as error:
        remedy = 'Such as metrics_bind = "127.0.0.1:9464"'
        raise ConfigError(f"metrics_bind: {error}", remedy=remedy) from error


def _check_services(
    config: NodeConfig, where: str, services: tuple[str, ...], *, most: int = MAX_CHAIN
) -> None:
    if len(services) > most:
        raise ConfigError(f"{where}: names {len(services)} services, allowed are {most}")
    if len(set(services)) != len(services):
        raise ConfigError(f"{where}: each service is named once")
    for service in services:
        if service not in config.known_services:
            allowed = ", ".join(config.known_services) or "none"
            raise ConfigError(f"{where}: {service!r} does not run here; services are {allowed}")
