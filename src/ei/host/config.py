"""`host.toml`: who this host is and which nodes it attaches to."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from ei.daemons.config_file import read_config
from ei.errors import ConfigError, LocalError
from ei.host.sizes import MIN_PACKET_BYTES
from ei.records.dns_zone import check_zone
from ei.records.endpoints import parse_endpoint
from ei.records.kinds import MAX_ATTACHMENT_S
from ei.records.revocation import REVOCATION_LIMIT_S
from ei.records.trust import Trust, check_trust


class HostConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The parsed `host.toml`. Relative paths start at the file's folder.

    Attributes:
        version: Of this format.
        name: Full name, as in the host's enrolment: `alice.isp-a`.
        domain_number: Of the home domain, part of the host's address.
        bind: Endpoint of the host's one UDP socket; port 0 takes any.
        nodes: Full names of the nodes to attach to, the preferred first; empty takes those of the
            host's attachment record.
        dns_domain: Whose SRV records `_ei._udp` say which nodes to attach to, such as
            "isp-a.example"; `nodes` are for when the DNS does not say. See decision 0130.
        resolvers: Endpoints of the DNS resolvers to ask; empty asks the system's.
        guards: Services that the nodes of this host are to run before the pipe to it, in order: by
            name, or by number those that do not come with this program. The host signs them; an
            empty list takes back what it signed before. A node that has one not drops what is for
            this host.
        avoid_domains, require_domains: Names of domains that packets to other hosts must not pass,
            and that they must; at most 8 in all.
        key_file, records_file: See `ei.records`.
        admin_socket: Of `ei host run`.
        max_datagram_bytes: Largest datagram sent; see decisions 0041 and 0226.
        attachment_limit_s: Longest life of an attachment that counts; see decision 0081.
        revocation_limit_s: With domains whose list of revoked keys is older, no new pipe opens; see
            decision 0085.
        governance: File that says who governs, such as "governance.toml": whose lists of domains
            are believed. Empty believes none.
        trust: Domain name to Ed25519 key, 64 hexadecimal digits; counts before governance.
    """

    version: Literal[1]
    name: Annotated[str, Meta(min_length=3, max_length=128)]
    domain_number: Annotated[int, Meta(ge=1, le=2**32 - 1)]
    bind: Annotated[str, Meta(min_length=3, max_length=64)] = "0.0.0.0:0"
    nodes: Annotated[tuple[str, ...], Meta(max_length=8)] = ()
    dns_domain: Annotated[str, Meta(max_length=253)] = ""
    resolvers: Annotated[tuple[str, ...], Meta(max_length=3)] = ()
    guards: Annotated[tuple[str | int, ...], Meta(max_length=8)] | None = None
    avoid_domains: Annotated[tuple[str, ...], Meta(max_length=8)] = ()
    require_domains: Annotated[tuple[str, ...], Meta(max_length=8)] = ()
    key_file: str = "key"
    records_file: str = "records.eir"
    admin_socket: str = "admin.sock"
    max_datagram_bytes: Annotated[int, Meta(ge=MIN_PACKET_BYTES, le=65_000)] = 1_452
    attachment_limit_s: Annotated[int, Meta(ge=1, le=10 * 365 * 86_400)] = MAX_ATTACHMENT_S
    revocation_limit_s: Annotated[int, Meta(ge=1, le=10 * 365 * 86_400)] = REVOCATION_LIMIT_S
    governance: Annotated[str, Meta(max_length=4_096)] = ""
    trust: Trust = {}


def load_host_config(path: Path) -> HostConfig:
    """Read and check a `host.toml`.

    Raises:
        ConfigError: what is wrong, where, and what is allowed.
    """
    config = read_config(path, HostConfig)
    try:
        check_trust(config.trust, is_governed=bool(config.governance))
        _check_bind(config.bind)
        _check_dns(config)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}", remedy=error.remedy) from error
    return config


def _check_bind(bind: str) -> None:
    try:
        _ = parse_endpoint(bind)
    except LocalError as error:
        raise ConfigError(f"bind: {error}", remedy='Such as bind = "0.0.0.0:0"') from error


def _check_dns(config: HostConfig) -> None:
    if config.dns_domain:
        check_zone(config.dns_domain.rstrip("."))
    for resolver in config.resolvers:
        try:
            _ = parse_endpoint(resolver)
        except LocalError as error:
            raise ConfigError(
                f"resolvers: {error}", remedy='Such as resolvers = ["192.0.2.53:53"]'
            ) from error
