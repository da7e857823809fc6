"""Endpoints as text, in the one form that the datapath takes: address and port, no names."""

import re
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address

from ei.errors import LocalError

ENDPOINT = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)):([0-9]{1,5})")
MAX_PORT = 2**16 - 1

Endpoint = tuple[IPv4Address | IPv6Address, int]


def parse_endpoint(text: str) -> Endpoint:
    """Return the address and the port (0 to 65,535) that `text` writes.

    Raises:
        LocalError: it is no endpoint, such as a name, or an address without a port.
    """
    found = ENDPOINT.fullmatch(text)
    with suppress(ValueError):
        if found is not None and (port := int(found[3])) <= MAX_PORT:
            return IPv6Address(found[1]) if found[1] else IPv4Address(found[2]), port
    raise LocalError(f"{text!r} is not IP:PORT, such as 192.0.2.1:3535 or [2001:db8::1]:3535")


def first_reachable(endpoints: Iterable[str], *, own: Iterable[str]) -> str | None:
    """Return the first of a peer's endpoints whose IP family one of the own sockets has.

    Args:
        own: Endpoints of the own sockets; each speaks its own family alone.

    Raises:
        LocalError: as `parse_endpoint`.
    """
    families = {_family(text) for text in own}
    return next((text for text in endpoints if _family(text) in families), None)


@lru_cache(maxsize=4_096)
def _family(text: str) -> int:
    # Each of a thousand simulated nodes looks at the endpoint of each other.
    return parse_endpoint(text)[0].version
