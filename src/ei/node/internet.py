"""What services may reach in the legacy Internet: the rules of `[internet]`. Pure.

    allow = ["0.0.0.0/0:80,443", "[2000::]/3:80,443", "udp 9.9.9.9:53"]

A rule is `NETWORK:PORTS`, for one transport `tcp NETWORK:PORTS` or `udp NETWORK:PORTS`. Addresses
that are not for everybody (loopback, private, link-local, multicast and the like) are reached only
by a rule whose network lies inside of such a range; those of the machine itself only by a rule of
exactly that address. A name is resolved first, and each address of it counts by itself.
"""

from collections.abc import Iterable
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Annotated

import msgspec
from msgspec import Meta

from ei.errors import ConfigError

MAX_PORT = 65_535
REMEDY = 'Such as allow = ["0.0.0.0/0:80,443", "[2000::]/3:80,443", "udp 9.9.9.9:53"]'

Rule = Annotated[str, Meta(min_length=3, max_length=256)]


class InternetConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What services with the capability `internet` may reach.

    Attributes:
        allow: Networks with ports, such as "0.0.0.0/0:80,443"; nothing by default.
    """

    allow: Annotated[tuple[Rule, ...], Meta(max_length=1_024)] = ()


def check_internet(config: InternetConfig) -> None:
    """Check each rule.

    Raises:
        ConfigError: the rule that is wrong, why, and one that is right.
    """
    for rule in config.allow:
        try:
            _check(rule)
        except ValueError as error:
            raise ConfigError(f"internet.allow: {rule!r}: {error}", remedy=REMEDY) from error


def line_for(address: str, port: int, allow: Iterable[str]) -> str:
    """Return what a configuration says to let services reach an address: table and line."""
    shown = f"[{address}]" if isinstance(ip_address(address), IPv6Address) else address
    rules = ", ".join(f'"{rule}"' for rule in (*allow, f"{shown}:{port}"))
    return f"[internet] allow = [{rules}]"


def _check(rule: str) -> None:
    transport, _, target = rule.rpartition(" ")
    if transport not in {"", "tcp", "udp"}:
        raise ValueError(f"{transport!r} seen, tcp, udp or nothing allowed")
    network, colon, ports = target.rpartition(":")
    if not colon or (":" in network and not network.startswith("[")):
        raise ValueError("NETWORK:PORTS allowed, an IPv6 network in brackets")
    _ = ip_network(network.replace("[", "", 1).replace("]", "", 1))
    for part in ports.split(",") if ports != "*" else ():
        first, dash, last = part.partition("-")
        _check_ports(int(first), int(last) if dash else int(first))


def _check_ports(first: int, last: int) -> None:
    if not 1 <= first <= last <= MAX_PORT:
        raise ValueError(f"ports {first}-{last} seen, 1 to {MAX_PORT} allowed, the lower first")
