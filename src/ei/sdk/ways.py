"""Where a packet of the delivery service goes, its metadata; and by which peer.

    destination 16 B [| node 16 B [| kind u8, domain u32 little-endian, of each constraint]]

A host writes its destination alone. The first node adds the node that the destination is attached
to, when that is in another domain, so that the domains between need not ask for it; zeros mean
that nobody asked yet. Constraints are the host's: 0 avoid, 1 require, at most 8 of them.
"""

from collections.abc import Iterable, Iterator
from typing import Any, cast

import msgspec

from ei.sdk.packets import ADDRESS_BYTES, Address, Packet, domain_number_of
from ei.sdk.records import Query, Route, RouteTo
from ei.sdk.service import Context

CONSTRAINT_BYTES = 5
MAX_CONSTRAINTS = 8
UNKNOWN = bytes(ADDRESS_BYTES)
AVOID, REQUIRE = 0, 1


class Way(msgspec.Struct, frozen=True, gc=False):
    """A destination and what is known of the way to it.

    Attributes:
        destination: A host.
        node: That it is attached to; `None` while nobody asked.
        avoid: Numbers of domains that the packet may not pass.
        require: Numbers of domains that it must pass; with `avoid` at most 8.
    """

    destination: Address
    node: Address | None = None
    avoid: tuple[int, ...] = ()
    require: tuple[int, ...] = ()


def write_way(way: Way) -> bytes:
    """Return the metadata, in its shortest form."""
    if not (way.avoid or way.require):  # most ways by far
        return way.destination if way.node is None else way.destination + way.node
    constraints = b"".join(
        bytes((kind,)) + domain.to_bytes(4, "little")
        for kind, domains in ((AVOID, way.avoid), (REQUIRE, way.require))
        for domain in domains
    )
    return way.destination + (way.node or UNKNOWN) + constraints


def read_way(metadata: bytes) -> Way | None:
    """Return what the metadata say; `None` when they are no way."""
    if len(metadata) == ADDRESS_BYTES:  # most ways by far
        return Way(cast("Address", metadata))  # each miss comes by: a call of `Address` costs more
    rest = len(metadata) - 2 * ADDRESS_BYTES
    if rest < 0 or rest % CONSTRAINT_BYTES or rest > MAX_CONSTRAINTS * CONSTRAINT_BYTES:
        return None
    node = metadata[ADDRESS_BYTES : 2 * ADDRESS_BYTES]
    constraints = list(_constraints(metadata))
    if any(kind not in (AVOID, REQUIRE) for kind, _ in constraints):
        return None
    return Way(
        Address(metadata[:ADDRESS_BYTES]),
        None if node == UNKNOWN else Address(node),
        tuple(domain for kind, domain in constraints if kind == AVOID),
        tuple(domain for kind, domain in constraints if kind == REQUIRE),
    )


def _constraints(metadata: bytes) -> Iterator[tuple[int, int]]:
    for at in range(2 * ADDRESS_BYTES, len(metadata), CONSTRAINT_BYTES):
        yield metadata[at], int.from_bytes(metadata[at + 1 : at + CONSTRAINT_BYTES], "little")


class Towards(msgspec.Struct, frozen=True):
    """A peer that leads to a node.

    Attributes:
        hop: The peer; the node itself when that is next.
        node: Where it leads.
        is_up: Its pipe is up.
    """

    hop: Address
    node: Address
    is_up: bool


def towards(
    nodes: Iterable[Address], packet: Packet, ctx: Context[Any], *, way: Way | None = None
) -> tuple[Towards, ...] | Query:
    """Return the peers that lead to one of `nodes`, those that are up first; or what to ask first.

    A node of this domain is its own next hop; to those of others the routing between domains leads.
    The peer that the packet came by is no way on.

    Args:
        nodes: The preferred first.
        way: Its constraints hold.
    """
    came_from = domain_number_of(packet.ingress)
    if came_from == ctx.domain or packet.ingress == packet.source:
        came_from = 0
    avoid, require = ((), ()) if way is None else (way.avoid, way.require)
    found: list[Towards] = []
    for node in nodes:
        hops: tuple[Address, ...] = (node,)
        if (domain := domain_number_of(node)) != ctx.domain:
            query = RouteTo(domain, avoid, require, came_from)
            route = ctx.records.get(query, query)
            if route is query:
                return query
            hops = route.hops if isinstance(route, Route) else ()
            hops = (node,) if node in hops else hops
        found += (Towards(hop, node, hop in ctx.peers) for hop in hops if hop != packet.ingress)
    return tuple(sorted(found, key=lambda each: not each.is_up))
