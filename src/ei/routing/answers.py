"""Chooses among ranked candidates: which peers, in which order, lead to a domain."""

from collections.abc import Callable, Collection, Iterable, Sequence

import msgspec

from ei.routing.announcements import Offer, Version
from ei.routing.policy import Relation, may_announce
from ei.routing.table import Candidate
from ei.sdk.packets import Address

MAX_HOPS = 8


class Route(msgspec.Struct, frozen=True):
    """How a domain is reached.

    Attributes:
        domain: Its number.
        hops: Peers that lead there, 1 to 8: the one to use, then what to use when its pipe is down,
            first through other neighbours.
        paths: For each hop the numbers of the domains on the way, the nearest first; empty for
            nodes of the own domain.
    """

    domain: int
    hops: tuple[Address, ...]
    paths: tuple[tuple[int, ...], ...]


class Wanted(msgspec.Struct, frozen=True):
    """What a route must keep to.

    Attributes:
        avoid, require: Numbers of domains that must not, and that must, be on the way.
        came_from: The neighbour domain that handed the packet over, and what it is to this one;
            `None` for the domain's own packets. It is given only what was announced to it.
    """

    avoid: frozenset[int] = frozenset()
    require: frozenset[int] = frozenset()
    came_from: tuple[int, Relation] | None = None

    def allows(self, path: Sequence[int], relation: Relation) -> bool:
        """Return whether a path through a neighbour with this relation will do."""
        if not self.avoid.isdisjoint(path) or not self.require.issubset(path):
            return False
        if self.came_from is None:
            return True
        domain, came_as = self.came_from
        return domain not in path and may_announce(relation, came_as)


def choose(domain: int, ranked: Iterable[Candidate], wanted: Wanted) -> Route | None:
    """Return the route by the best candidates that will do; `None` when none does."""
    allowed = [each for each in ranked if wanted.allows(each.path, each.relation)]
    hops: dict[Address, tuple[int, ...]] = {}
    neighbours: set[int] = set()
    for each in allowed:
        if each.path[0] not in neighbours and each.hop not in hops:
            neighbours.add(each.path[0])
            hops[each.hop] = each.path
    for each in allowed:
        _ = hops.setdefault(each.hop, each.path)
    return route_of(domain, hops.items())


def route_of(domain: int, hops: Iterable[tuple[Address, tuple[int, ...]]]) -> Route | None:
    """Return the route with at most 8 of these hops; `None` for no hop."""
    chosen = list(hops)[:MAX_HOPS]
    if not chosen:
        return None
    return Route(domain, tuple(hop for hop, _ in chosen), tuple(path for _, path in chosen))


def is_version(offers: Iterable[Offer], service: int, wanted: Version | None) -> bool:
    """Return whether a service is offered in a version that does what `wanted` does."""
    return any(
        offer.service == service
        and (wanted is None or (offer.major == wanted[0] and offer.version >= wanted))
        for offer in offers
    )


def by_nearness(
    addresses: Collection[Address], round_trip: Callable[[Address], float | None]
) -> list[Address]:
    """Return the peers that are up, the nearest first, then the others, by address.

    Args:
        round_trip: Seconds; `None` for a peer that is not up.
    """

    def key(address: Address) -> tuple[float, Address]:
        seconds = round_trip(address)
        return (float("inf") if seconds is None else seconds, address)

    return sorted(addresses, key=key)
