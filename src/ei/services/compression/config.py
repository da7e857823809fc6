"""What an operator says of compression: with whom, whose dictionaries, and the caps."""

from functools import lru_cache
from ipaddress import IPv6Address
from typing import Annotated

import msgspec
from msgspec import Meta

from ei.sdk import Address


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Times in seconds, caps, and whom it concerns.

    Attributes:
        nodes: Addresses of the nodes with which payloads are compressed.
        tenants: Address of a host to that of the host whose dictionaries its payloads use. A host
            that is not here is a tenant by itself.
        decision_s: How long packets are treated the same way without asking again.
        offer_s: How long a node has to say that it has a dictionary before it is offered again.
        overlap_s: A tenant's next version is taken so long after the one before it at the earliest,
            longer than any packet is under way.
        ratio: Most times that a payload may be as long as its frame, 1 to 1_000.
        limit_bytes: Longest payload of a frame, 1 to 65_000. A node whose limit is lower than this
            one is sent payloads as they are.
        dictionaries: Most tenants and services with a dictionary here, 1 to 1_024. Each has up to
            three, which take 0.3 MB of each thread at 8 KiB and 0.6 MB at 32 KiB.
        services_per_tenant: Most of them of one tenant.
    """

    nodes: list[str]
    tenants: dict[str, str]
    decision_s: float
    offer_s: float
    overlap_s: float
    ratio: Annotated[int, Meta(ge=1, le=1_000)]
    limit_bytes: Annotated[int, Meta(ge=1, le=65_000)]
    dictionaries: Annotated[int, Meta(ge=1, le=1_024)]
    services_per_tenant: Annotated[int, Meta(ge=1, le=1_024)]

    def __post_init__(self) -> None:
        for where, text in (
            *(("nodes", node) for node in self.nodes),
            *((f"tenants.{host}", text) for host, tenant in self.tenants.items()
              for text in (host, tenant)),
        ):  # fmt: skip
            try:
                address = IPv6Address(text)
            except ValueError as error:
                raise ValueError(f"{where}: not the address of a host or node: {error}") from error
            if str(address) != text:
                raise ValueError(f"{where}: {text} seen, which is written {address}")

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Those of the nodes."""
        return tuple(Address(IPv6Address(node).packed) for node in self.nodes)

    def has_node(self, address: Address) -> bool:
        """Return whether payloads are compressed with a node."""
        return written(address) in self.nodes

    def tenant_of(self, source: Address) -> Address:
        """Return whose dictionaries the payloads of a host use."""
        if not self.tenants:
            return source
        tenant = self.tenants.get(written(source))
        return source if tenant is None else Address(IPv6Address(tenant).packed)


@lru_cache(maxsize=4_096)
def written(address: bytes) -> str:
    """Return the form of an address that the configuration has; each miss asks for some."""
    return str(IPv6Address(address))
