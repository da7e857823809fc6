"""Names of the Extensible Internet where programs expect DNS names: `bob.isp-b.ei` is `bob.isp-b`.

Nothing but the last label is added. `ei` is no top-level domain of the DNS, so no name that a
program may use today means something else.
"""

from ei.errors import LocalError
from ei.records.addresses import parse_address
from ei.sdk.packets import Address
from ei.sdk.signatures import PREFIX

ZONE = "ei"
"""The last label of all of them."""


def to_name(text: str) -> str | None:
    """Return the full name of a host that a DNS name means; `None` for a name of the legacy DNS.

    >>> to_name("Bob.isp-b.ei.")
    'bob.isp-b'
    >>> to_name("bob.example")
    """
    plain = text.rstrip(".").lower()
    return plain.removesuffix(f".{ZONE}") if plain.endswith(f".{ZONE}") else None


def to_dns_name(name: str) -> str:
    """Return the DNS name of a host: `bob.isp-b.ei`."""
    return f"{name}.{ZONE}"


def to_address(text: str) -> Address | None:
    """Return the address that `text` writes as IPv6; `None` for anything else."""
    if ":" not in text or not text.lower().startswith(PREFIX.hex()):
        return None
    try:
        return parse_address(text)
    except LocalError:
        return None
