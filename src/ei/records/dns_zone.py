"""What an operator publishes in the DNS so that hosts find its nodes, as lines of a zone file."""

import re
from collections.abc import Iterable
from ipaddress import IPv6Address

from ei.errors import ConfigError
from ei.records.endpoints import parse_endpoint
from ei.records.kinds import NodeRecord

SERVICE = "_ei._udp"
"""Name of the SRV records below a domain (RFC 2782)."""
ZONE_NAME = re.compile(
    r"(?=.{1,253}$)[A-Za-z0-9_](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    r"(?:\.[A-Za-z0-9_](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
)
PRIORITY = 10
WEIGHT = 10
"""The same for all nodes: hosts share themselves out among them."""


def zone_lines(nodes: Iterable[NodeRecord], zone: str, *, ttl_s: int) -> list[str]:
    """Return the lines for `nodes` in the zone of a DNS domain: SRV, then the addresses.

    Args:
        zone: Such as `isp-a.example`, with or without a dot at its end.

    Raises:
        ConfigError: `zone` is no name of a DNS domain.
    """
    name = zone.rstrip(".").lower()
    check_zone(name)
    services: list[str] = []
    addresses: list[str] = []
    for node in sorted(nodes, key=lambda node: node.name):
        target = f"{node.name.partition('.')[0]}.{name}."
        parsed = [parse_endpoint(endpoint) for endpoint in node.endpoints]
        services += [
            f"{SERVICE}.{name}. {ttl_s} IN SRV {PRIORITY} {WEIGHT} {port} {target}"
            for port in dict.fromkeys(port for _, port in parsed)
        ]
        addresses += [
            f"{target} {ttl_s} IN {'AAAA' if isinstance(address, IPv6Address) else 'A'} {address}"
            for address in dict.fromkeys(address for address, _ in parsed)
        ]
    return services + addresses


def check_zone(name: str) -> None:
    """Refuse what is no name of a DNS domain.

    Raises:
        ConfigError: what was seen and what is allowed.
    """
    if ZONE_NAME.fullmatch(name) is None:
        raise ConfigError(
            f"{name!r} is not the name of a DNS domain: labels of 1 to 63 of a-z, 0-9 and -, with"
            " dots between",
            remedy="Such as isp-a.example",
        )
